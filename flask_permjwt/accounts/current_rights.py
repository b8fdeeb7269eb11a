"""Current rights: what a user may do now, read from the store once and remembered until the next change."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import SQLAlchemyError

from flask_permjwt.accounts.apart import apart
from flask_permjwt.accounts.clients import Clients
from flask_permjwt.accounts.store import Rights, UserStore
from flask_permjwt.errors import AuthError, InvalidTokenError, OutdatedError
from flask_permjwt.policy.permissions import Grants, valid_grants
from flask_permjwt.signals import told_of
from flask_permjwt.tokens.cache import BoundedCache
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import VerifiedToken

_log = logging.getLogger("flask_permjwt.revocation")


@dataclass(frozen=True, slots=True)
class HeldRights:
    """What a user may do, ready for matching.

    Attributes:
        grants: the permissions.
        roles: the names of the roles.
        versions: what was counted when they were read.
        token_version: what tokens of the user must count.
        read_at: when, in seconds, by a clock that only goes forward.
        is_settled: it was read from what is committed, and may be remembered.
    """

    grants: Grants
    roles: frozenset[str]
    versions: Mapping[str, int]
    token_version: int
    read_at: float
    is_settled: bool


class CurrentRights:
    """Reads the rights of users whose tokens do not tell them, or no longer.

    Args:
        db: the app's Flask-SQLAlchemy object.
        model: a class that tells which database is meant.
        store: where users live.
        clients: where clients live, whose rights are read and remembered as those of users are.
        is_current: tells whether no change is known that is newer than what was counted for a user.
        lasts: for how many seconds changes are known; what was read before is not taken for current.
        size: users whose rights are remembered at most.
        monotonic: returns seconds, by a clock that only goes forward.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        model: type[Any],
        store: UserStore[Any],
        clients: Clients,
        *,
        is_current: Callable[[str, Mapping[str, int]], bool],
        lasts: float,
        size: int,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._db: Final = db
        self._model: Final = model
        self._store: Final = store
        self._clients: Final = clients
        self._is_current: Final = is_current
        self._lasts: Final = lasts
        self._monotonic: Final = monotonic
        self._held: Final[BoundedCache[HeldRights]] = BoundedCache(size)

    def of(self, token: VerifiedToken) -> HeldRights:
        """Return what the user of a token may do now, within the limit of the token.

        Raises:
            InvalidTokenError: the user is gone or disabled, or has voided the token.
            OutdatedError: 503, the store cannot be asked now.
        """
        subject = token.subject
        held = self._held.get(subject)
        if (
            held is None
            or held.token_version != token.version
            or self._monotonic() - held.read_at > self._lasts
            or not self._is_current(subject, held.versions)
        ):
            held = self._read(token)
        # What is remembered is the user's, whatever token asked for it.
        return held if token.limit is None else replace(held, grants=held.grants.limited_to(token.limit))

    def _read(self, token: VerifiedToken) -> HeldRights:
        read_at = self._monotonic()
        owners = self._store if token.principal.client_id is None else self._clients
        inside = getattr(owners, "inside", None)
        if inside is None:
            try:
                rights = self._ask(owners, token)
            except AuthError:
                raise
            except Exception as error:  # noqa: BLE001  # a store of the app's own: it cannot be asked, whatever it is
                _log.warning("permissions cannot be read: %s", told_of(error))
                raise OutdatedError from None
            return self._hold(token, read_at, rights, is_settled=True)
        try:
            with apart(self._db, self._model, writes=False) as session:
                # In memory, there is no second connection: what is read there may yet be rolled back.
                own = self._db.session if session is None else session
                with own.no_autoflush:
                    rights = self._ask(inside(own), token)
        except SQLAlchemyError as error:
            _log.warning("permissions cannot be read: %s", type(error).__name__)
            raise OutdatedError from None
        return self._hold(token, read_at, rights, is_settled=session is not None)

    def _ask(self, owners: UserStore[Any] | Clients, token: VerifiedToken) -> Rights:
        owner = owners.get(token.subject)
        if owner is None or not owner.active or owner.token_version != token.version:
            raise InvalidTokenError("The token's user is no longer active.")
        return owners.rights(owner)

    def _hold(self, token: VerifiedToken, read_at: float, rights: Rights, *, is_settled: bool) -> HeldRights:
        held = HeldRights(
            grants=Grants(valid_grants(rights.permissions)),
            roles=frozenset(rights.roles),
            versions=dict(rights.versions),
            token_version=token.version,
            read_at=read_at,
            is_settled=is_settled,
        )
        if is_settled:
            self._held.put(token.subject, held)
        return held
