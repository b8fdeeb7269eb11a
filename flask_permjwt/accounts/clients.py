"""Clients: service accounts with a secret and permissions of their own: the Python face ``permjwt.clients``."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import delete, select

from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.inserts import changed_rows
from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.moments import to_datetime, to_seconds
from flask_permjwt.accounts.names import compare_key
from flask_permjwt.accounts.owners import Owner, Owners
from flask_permjwt.accounts.records import ClientMixin
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.accounts.sql_base import checked_grants, one_winner
from flask_permjwt.accounts.store import Rights
from flask_permjwt.errors import AccountError
from flask_permjwt.oauth_errors import ClientTakenError, UnknownClientError
from flask_permjwt.signals import (
    ActivityChanged,
    ClientCreated,
    ClientDeleted,
    ClientSecretRotated,
    Event,
    PermissionsChanged,
)
from flask_permjwt.tokens.claims import USER_VERSION, client_of
from flask_permjwt.tokens.clock import Clock

_ID: Final = re.compile(r"[0-9a-f]{32}")
_NO_ID: Final = "-" * 32
_NO_HASH: Final = "-" * 64
_BYTES: Final = 32
_LONGEST_OVERLAP: Final = 366 * 24 * 3600
_TAKEN: Final[dict[str, type[AccountError]]] = {"name_key": ClientTakenError}


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A client with the secret that was made for it. Nobody can tell the secret again.

    Attributes:
        client: whose it is.
        secret: 256 random bits, as 43 characters of base64url.
    """

    client: ClientMixin
    secret: str = field(repr=False)


class Clients:
    """The clients of one ``db``.

    Every change joins ``db.session`` and is flushed; the commit is the caller's. It takes effect as a change of a
    user does: at once in this process, and within ``PERMJWT_REVOCATION_INTERVAL`` everywhere.

    Args:
        db: the app's Flask-SQLAlchemy object.
        models: its models.
        clock: returns the time in seconds since 1970-01-01 UTC.
        recorder: writes down what happens; None for nobody.
        changes: where it is written down that tokens are void or their permissions stale; None for nowhere.
        session: where to work instead of ``db.session``.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        models: Models,
        *,
        clock: Clock = time.time,
        recorder: Recorder | None = None,
        changes: ChangeLog | None = None,
        session: AnySession | None = None,
    ) -> None:
        self._db: Final = db
        self._models: Final = models
        self._model: Final = models.client
        self._permissions: Final = models.client_permissions
        self._bind: Final = {"mapper": models.client.__mapper__}  # type: ignore[attr-defined]  # mapped by build_models
        self._clock: Final = clock
        self._recorder: Final = recorder
        self._changes: Final = changes
        self._session: Final[AnySession] = session or db.session
        self._owners: Final = Owners(self._session, models)

    def inside(self, session: AnySession) -> "Clients":
        """Return the same clients, reached through another SQLAlchemy session."""
        return Clients(
            self._db,
            self._models,
            clock=self._clock,
            recorder=self._recorder,
            changes=self._changes,
            session=session,
        )

    def create(self, name: str, permissions: Iterable[object] = ()) -> NewSecret:
        """Create a client.

        Args:
            name: shown as typed, compared NFKC and case-folded.
            permissions: grants; wildcards and members of a ``StrEnum`` too.

        Raises:
            ClientTakenError: the name is taken, or was while this ran.
            InvalidNameError: the name can be no client's.
            PermissionSyntaxError: a permission is no grant.
        """
        if isinstance(permissions, str):
            raise TypeError(f"permissions takes a list, such as [{permissions!r}], not one string")
        grants = checked_grants(permissions)
        secret, now = _new_secret(), to_datetime(self._clock())
        client: ClientMixin = self._model(  # type: ignore[call-arg]  # mapped by build_models
            name=name, secret_hash=_digest(secret), secret_set_at=now, created_at=now
        )
        with one_winner(self._session, self._model, _TAKEN):
            self._session.add(client)
            self._session.flush()
            owner = self._owners.client(client)
            for grant in grants:
                self._link(owner, grant)
            self._record(ClientCreated(subject=client.public_id, client=client.name, granted=tuple(grants)))
        return NewSecret(client, secret)

    def find(self, name_or_id: str) -> ClientMixin | None:
        """Return the client with this name or ``client_id``; None for any text that is nobody's."""
        key = compare_key(name_or_id) if isinstance(name_or_id, str) else None
        if key is None:
            return None
        if _ID.fullmatch(key):
            return self.with_id(key)
        model = self._model
        client = self._session.scalar(select(model).where(model.name_key == key))
        return client if client is not None and client.name_key == key else None

    def with_id(self, client_id: str) -> ClientMixin | None:
        """Return the client with this ``client_id``, compared exactly; the same work is done for any text."""
        model, wanted = self._model, client_id if _ID.fullmatch(client_id) else _NO_ID
        client = self._session.scalar(select(model).where(model.client_id == wanted))
        return client if client is not None and client.client_id == client_id else None

    def get(self, subject: str) -> ClientMixin | None:
        """Return the client whose tokens have this ``sub``."""
        client_id = client_of(subject)
        return None if client_id is None else self.with_id(client_id)

    def list(self, *, limit: int = 1000) -> list[ClientMixin]:
        """Return the clients by name, at most so many."""
        model = self._model
        return [*self._session.scalars(select(model).order_by(model.name_key).limit(limit))]

    def grant(self, client: ClientMixin, *permissions: object) -> frozenset[str]:
        """Grant permissions to a client; return those that were not granted before.

        Raises:
            PermissionSyntaxError: one is no grant.
            UnknownClientError: the client was deleted.
        """
        owner, grants = self._owners.client(client), checked_grants(permissions)
        self._owners.lock(owner)
        granted = frozenset(one for one in grants if self._link(owner, one))
        return self._change_permissions(owner, granted=granted)

    def revoke(self, client: ClientMixin, *permissions: object) -> frozenset[str]:
        """Take permissions from a client; return those that really were granted to it.

        Only the very grants named are removed: ``a:b`` stays covered by a granted ``a:*``.

        Raises:
            PermissionSyntaxError: one is no grant.
            UnknownClientError: the client was deleted.
        """
        owner, grants = self._owners.client(client), checked_grants(permissions)
        table = self._permissions
        self._owners.lock(owner)
        removed = frozenset(one for one in grants if self._delete(owner, table.c.permission == one))
        return self._change_permissions(owner, revoked=removed)

    def permissions_of(self, client: ClientMixin) -> frozenset[str]:
        """Return what was granted to a client."""
        return self.rights(client).permissions

    def rights(self, client: ClientMixin) -> Rights:
        """Read what a client may do now; nothing when it is gone.

        One statement, so that permissions and the count that they are good for are of one moment.
        """
        model, table, key = self._model, self._permissions, self._owners.client(client).key
        found = self._session.execute(
            select(model.policy_version, table.c.permission)
            .outerjoin_from(model, table, table.c.client_id == model.id)
            .where(model.id == key)
        ).all()
        if not found:
            return Rights()
        permissions = frozenset(one.permission for one in found if one.permission is not None)
        return Rights(permissions, versions={USER_VERSION: found[0].policy_version})

    def set_active(self, client: ClientMixin, active: bool) -> None:  # noqa: FBT001  # as for users
        """Enable or disable a client; disabling voids all of its tokens.

        Raises:
            UnknownClientError: the client was deleted.
        """
        owner = self._owners.client(client)
        if not isinstance(active, bool):
            raise TypeError(f"active is True or False, not {type(active).__name__}")
        was_active = self._locked(owner, self._model.active)
        if active:
            self._owners.change(owner, active=True)
        else:
            self._void(owner, active=False)
        if was_active != active:
            self._record(ActivityChanged(subject=client.public_id, active=active))

    def rotate_secret(self, client: ClientMixin, *, overlap: int = 0) -> NewSecret:
        """Give a client another secret.

        Args:
            client: which.
            overlap: for how many seconds the one before is good besides, and so are the tokens that were got with
                it, while the new one is being put in its place. With 0, for a secret that leaked, it and all of
                the client's tokens are void.

        Raises:
            UnknownClientError: the client was deleted.
            ValueError: ``overlap`` is less than 0, or longer than a year.
        """
        if not 0 <= overlap <= _LONGEST_OVERLAP:
            raise ValueError("overlap is a number of seconds from 0 to a year")
        owner = self._owners.client(client)
        former = self._locked(owner, self._model.secret_hash)
        secret, now = _new_secret(), self._clock()
        values: dict[str, Any] = {
            "secret_hash": _digest(secret),
            "secret_set_at": to_datetime(now),
            "former_secret_hash": former if overlap else None,
            "former_secret_until": to_datetime(now + overlap) if overlap else None,
        }
        if overlap:
            self._owners.change(owner, **values)
        else:
            self._void(owner, **values)
        self._record(ClientSecretRotated(subject=client.public_id, client=client.name, overlap=overlap))
        return NewSecret(client, secret)

    def delete(self, client: ClientMixin) -> None:
        """Delete a client with everything that was granted to it; its tokens are void.

        Raises:
            UnknownClientError: the client was deleted already.
        """
        owner = self._owners.client(client)
        self._owners.lock(owner)
        deleted = ClientDeleted(subject=client.public_id, client=client.name)
        self._void(owner)
        self._delete(owner)
        self._session.delete(owner.instance)
        self._session.flush()
        self._record(deleted)

    def has_secret(self, client: ClientMixin | None, secret: str) -> bool:
        """Tell whether a secret is the client's; the same work is done where there is no client."""
        given = _digest(secret)
        current = _NO_HASH if client is None else client.secret_hash
        until = None if client is None else client.former_secret_until
        former = None if client is None or until is None else client.former_secret_hash
        lasts = until is not None and self._clock() < to_seconds(until)
        return hmac.compare_digest(current, given) | (hmac.compare_digest(former or _NO_HASH, given) & lasts)

    def _locked(self, owner: Owner, column: Any) -> Any:
        """Lock the client's row as ``Owners.lock`` does, and return what stands in one of its columns now."""
        found = self._session.execute(
            select(column).where(self._model.id == owner.key).with_for_update(key_share=True)
        ).first()
        if found is None:
            raise UnknownClientError
        return found[0]

    def _void(self, owner: Owner, **values: object) -> None:
        """Write values to a client's row and end everything that was ever issued to it."""
        subject = owner.instance.public_id
        self._owners.change(owner, "token_version", **values)
        if self._changes is not None:
            self._changes.user(self._session, subject, self._owners.count(owner, "token_version"))

    def _change_permissions(
        self, owner: Owner, *, granted: frozenset[str] = frozenset(), revoked: frozenset[str] = frozenset()
    ) -> frozenset[str]:
        """Count a change of rights, if there was one."""
        changed = granted | revoked
        if changed:
            subject, name = owner.instance.public_id, owner.instance.name
            self._record(
                PermissionsChanged(
                    subject=subject,
                    owner="client",
                    owner_name=name,
                    granted=tuple(sorted(granted)),
                    revoked=tuple(sorted(revoked)),
                )
            )
            self._owners.change(owner, "policy_version")
            if self._changes is not None:
                version = self._owners.count(owner, "policy_version")
                self._changes.rights(self._session, subject, version)
        return changed

    def _link(self, owner: Owner, permission: str) -> bool:
        return self._owners.link(owner, self._permissions, {"client_id": owner.key, "permission": permission})

    def _delete(self, owner: Owner, *where: Any) -> bool:
        statement = delete(self._permissions).where(self._permissions.c.client_id == owner.key, *where)
        return changed_rows(self._session.execute(statement, bind_arguments=self._bind)) > 0

    def _record(self, event: Event) -> None:
        if self._recorder is not None:
            self._recorder.record(event)


def _new_secret() -> str:
    return secrets.token_urlsafe(_BYTES)


def _digest(secret: str) -> str:
    # No work factor: nobody guesses 256 random bits.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
