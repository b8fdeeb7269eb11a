"""Personal access tokens in requests: looked up when they are first seen, and again some minutes later."""

import logging
import time
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from flask_permjwt.accounts.addresses import address_key
from flask_permjwt.accounts.apart import apart, at_once
from flask_permjwt.accounts.current_rights import CurrentRights
from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.moments import to_datetime, to_seconds
from flask_permjwt.accounts.standing import is_verified
from flask_permjwt.accounts.store import UserStore
from flask_permjwt.accounts.throttle import Check, Throttle
from flask_permjwt.errors import ExpiredTokenError, InvalidTokenError, OutdatedError
from flask_permjwt.policy.permissions import read_scope
from flask_permjwt.policy.principal import Principal
from flask_permjwt.tokens.cache import BoundedCache
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenType, VerifiedToken
from flask_permjwt.tokens.personal import digest_of

_HOLDS: Final = 300
"""Seconds after which a token is looked up again, and its use is noted."""

_REFUSED_FOR: Final = 30
"""Seconds for which a token that is good for nothing is not looked up again."""

_MAX_REFUSED: Final = 1000

_log = logging.getLogger("flask_permjwt.accounts")


class PersonalUse:
    """Verifies personal access tokens for one app, on short connections of its own.

    Args:
        db: the app's Flask-SQLAlchemy object.
        models: its models.
        store: where users live.
        rights: reads what their owners may do now.
        throttle: counts tokens that are good for nothing.
        limit: how many of these may come from one address, such as ``"100 per 15 minutes"``.
        remembered: for how many seconds it is at least known what was revoked.
        require_verified: refuse tokens of users whose e-mail address is not verified.
        clock: returns the time in seconds since 1970-01-01 UTC.
        monotonic: returns seconds, by a clock that only goes forward.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        models: Models,
        store: UserStore[Any],
        rights: CurrentRights,
        throttle: Throttle,
        *,
        limit: str,
        remembered: float,
        require_verified: bool = False,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._db: Final = db
        self._model: Final[Any] = models.personal
        self._store: Final = store
        self._rights: Final = rights
        self._throttle: Final = throttle
        self._limit: Final = limit
        self._holds: Final = min(_HOLDS, remembered)
        self._require_verified: Final = require_verified
        self._clock: Final = clock
        self._monotonic: Final = monotonic
        self._refused: Final[BoundedCache[tuple[float, type[InvalidTokenError]]]] = BoundedCache(_MAX_REFUSED)

    def verify(self, text: str, address: str | None) -> tuple[VerifiedToken, float]:
        """Verify a token; return what it says, and for how many seconds that need not be asked again.

        What is malformed is refused before anything is asked. Of the others, those that are good for nothing are
        counted by address before the database is asked, and given a short answer when they come again.

        Args:
            text: the token.
            address: the client's address.

        Raises:
            InvalidTokenError: it is none, was revoked or has expired; or its owner is gone, disabled, or has
                voided it.
            ThrottledError: 429, too many of these came from this address.
            OutdatedError, BusyError: 503, the database or the count cannot be asked now.
        """
        digest = digest_of(text)
        known = self._refused.get(digest)
        if known is not None:
            if self._monotonic() < known[0]:
                raise known[1]
            self._refused.forget(digest)
        attempt = self._throttle.attempt([Check("personal token", address_key(address), self._limit)])
        try:
            token, is_settled = self._look_up(digest)
        except InvalidTokenError as error:
            self._refused.put(digest, (self._monotonic() + _REFUSED_FOR, type(error)))
            raise
        except BaseException:
            attempt.give_back()
            raise
        attempt.give_back()
        if not is_settled:
            return token, 0
        self._note_use(token.token_id)
        return token, self._holds

    def _look_up(self, digest: str) -> tuple[VerifiedToken, bool]:
        model = self._model
        try:
            with apart(self._db, model, writes=False) as session:
                # In memory, there is no second connection: what is read there may yet be rolled back.
                own = self._db.session if session is None else session
                with own.no_autoflush:
                    row = own.execute(
                        select(model.__table__).where(model.digest == digest),
                        bind_arguments={"mapper": model.__mapper__},
                    ).first()
        except SQLAlchemyError as error:
            _log.warning("personal access tokens cannot be read: %s", type(error).__name__)
            raise OutdatedError from None
        if row is None or row.digest != digest:
            raise InvalidTokenError
        token = as_verified(row)
        if not self._clock() < token.expires_at:
            raise ExpiredTokenError
        # Asks about the owner too: whether active, and whether all tokens were voided since.
        self._rights.of(token)
        if self._require_verified:
            self._check_verified(token.subject)
        return token, session is not None

    def _check_verified(self, subject: str) -> None:
        inside = getattr(self._store, "inside", None)
        try:
            with apart(self._db, self._model, writes=False) as session:
                store = self._store if inside is None else inside(session or self._db.session)
                user = store.get(subject)
        except SQLAlchemyError as error:
            _log.warning("the owner of a token cannot be read: %s", type(error).__name__)
            raise OutdatedError from None
        if user is None or not is_verified(user):
            raise InvalidTokenError("The token's user is no longer active.")

    def _note_use(self, token_id: str) -> None:
        """Write down that a token was used, unless that would have to wait for somebody; nothing is raised."""
        model, moment = self._model, to_datetime(self._clock())
        free = select(model.id).where(model.id == token_id).with_for_update(skip_locked=True)
        try:
            with at_once(self._db, model) as connection:
                if connection is not None and connection.scalar(free) is not None:
                    connection.execute(
                        update(model.__table__).where(model.id == token_id).values(last_used_at=moment)
                    )
        except SQLAlchemyError as error:
            _log.info("the use of a token was not noted: %s", type(error).__name__)


def as_verified(row: Any) -> VerifiedToken:
    """Return what the row of a token says, as other tokens say it themselves."""
    issued_at, expires_at = to_seconds(row.created_at), to_seconds(row.expires_at)
    principal = Principal(
        subject=row.owner,
        claims={
            "sub": row.owner,
            "jti": row.id,
            "ver": row.version,
            "iat": issued_at,
            "exp": expires_at,
            "scope": row.scope,
        },
        token_id=row.id,
        expiry=expires_at,
        token_name=row.token_name,
    )
    return VerifiedToken(
        type=TokenType.ACCESS,
        subject=row.owner,
        token_id=row.id,
        # The id of no session: of ours, each has 32 digits.
        session_id="",
        version=row.version,
        issued_at=issued_at,
        not_before=None,
        expires_at=expires_at,
        csrf=None,
        rights_versions={},
        rights_in_store=True,
        claims=principal.claims,
        principal=principal,
        limit=read_scope(row.scope),
    )
