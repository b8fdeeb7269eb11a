"""Personal access tokens: made, listed and revoked. Everything joins ``db.session``; nothing commits."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ColumnElement, delete, insert, select

from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.bites import delete_some
from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.columns import new_id
from flask_permjwt.accounts.inserts import changed_rows
from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.moments import to_datetime, to_seconds
from flask_permjwt.accounts.records import PersonalTokenMixin
from flask_permjwt.accounts.standing import hold
from flask_permjwt.accounts.store import UserStore
from flask_permjwt.errors import (
    InsufficientScopeError,
    InvalidTokenError,
    TooManyTokensError,
    UnknownTokenError,
)
from flask_permjwt.policy.permissions import Grants, valid_grants
from flask_permjwt.signals import PersonalTokenCreated, PersonalTokenRevoked
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.personal import digest_of, new_personal_token

_MAX_LISTED: Final = 1000


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made.

    Attributes:
        text: the token, which nobody can read again.
        row: what is kept of it.
    """

    text: str = field(repr=False)
    row: PersonalTokenMixin


class PersonalTokens:
    """The personal access tokens of one ``db``.

    Args:
        db: the app's Flask-SQLAlchemy object.
        models: its models.
        store: where users live.
        changes: where it is written down that a token is void.
        recorder: writes down what happens.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        models: Models,
        store: UserStore[Any],
        changes: ChangeLog,
        recorder: Recorder,
        *,
        clock: Clock,
    ) -> None:
        self._db: Final = db
        self._model: Final[Any] = models.personal
        self._bind: Final = {"mapper": models.personal.__mapper__}  # type: ignore[attr-defined]  # by build_models
        self._store: Final = store
        self._changes: Final = changes
        self._recorder: Final = recorder
        self._clock: Final = clock

    def create(
        self,
        subject: str,
        version: int,
        name: str,
        permissions: Iterable[str],
        *,
        within: Grants,
        lifetime: int,
        at_most: int,
    ) -> NewToken:
        """Make a token for a user.

        Args:
            subject: the public id of the user.
            version: the ``token_version`` that whoever asks was let in with.
            name: what the user calls it.
            permissions: what it may be used for at most; each must be granted to the user.
            within: what whoever asks may do, which may be less.
            lifetime: in seconds.
            at_most: how many tokens the user may have then.

        Raises:
            InsufficientScopeError: a permission is not granted; ``missing`` names them all.
            InvalidTokenError: the user is gone, disabled, or has voided all tokens meanwhile.
            TooManyTokensError: there are as many already.
        """
        # The user's row is locked first, as everywhere: of many who come at once, no more pass than may.
        standing = hold(self._store, subject, to_change=True)
        user = None if standing is None else self._store.get(subject)
        if standing is None or user is None or not standing.active or standing.token_version != version:
            raise InvalidTokenError("The token's user is no longer active.")
        granted = Grants.of_valid(valid_grants(self._store.rights(user).permissions)).limited_to(within)
        wanted = Grants(permissions)
        missing = [one for one in sorted(wanted.all) if not granted.includes(Grants([one]))]
        if missing:
            raise InsufficientScopeError(missing)
        now = int(self._clock())
        model = self._model
        # A locking read, as a snapshot may be older than what whoever came first wrote.
        found = select(model.id, model.version, model.expires_at).where(model.owner == subject).with_for_update()
        rows = self._db.session.execute(found, bind_arguments=self._bind).all()
        moment = to_datetime(now)
        over = [row.id for row in rows if row.version != version or row.expires_at <= moment]
        if len(rows) - len(over) >= at_most:
            raise TooManyTokensError
        if over:
            self._delete(model.id.in_(over))
        text = new_personal_token()
        token_id = new_id()
        values = {
            "id": token_id,
            "digest": digest_of(text),
            "owner": subject,
            "version": version,
            "token_name": name,
            "scope": wanted.as_scope(),
            "created_at": to_datetime(now),
            "expires_at": to_datetime(now + lifetime),
        }
        with self._db.session.no_autoflush:  # what the caller left pending is the caller's to flush
            self._db.session.execute(insert(model.__table__), values, bind_arguments=self._bind)
        self._recorder.record(
            PersonalTokenCreated(
                subject=subject,
                jti=token_id,
                label=name,
                permissions=tuple(sorted(wanted.all)),
                expires_at=now + lifetime,
            )
        )
        return NewToken(text, model(**values))

    def listed(self, subject: str, version: int) -> list[PersonalTokenMixin]:
        """Return the living tokens of a user, the newest first; at most a thousand.

        Args:
            subject: the public id of the user.
            version: the user's ``token_version``; tokens of another are void.
        """
        model = self._model
        living = (model.owner == subject) & (model.version == version)
        wanted = (
            select(model)
            .where(living, model.expires_at > to_datetime(int(self._clock())))
            .order_by(model.created_at.desc(), model.id)
            .limit(_MAX_LISTED)
        )
        return list(self._db.session.scalars(wanted))

    def revoke(self, token_id: str, subject: str) -> None:
        """Revoke a token of a user.

        Raises:
            UnknownTokenError: there is none with this id, or it is somebody else's.
        """
        model = self._model
        row = self._find(lambda: model.id == token_id) if _is_plain(token_id) else None
        if row is None or row.id != token_id or row.owner != subject:
            raise UnknownTokenError
        self._revoke(row)

    def with_text(self, text: str) -> PersonalTokenMixin:
        """Return the token that is written so, whether or not it is good for anything now.

        Raises:
            InvalidTokenError: there is none.
        """
        digest = digest_of(text)
        row: PersonalTokenMixin | None = self._find(lambda: self._model.digest == digest)
        if row is None or row.digest != digest:
            raise InvalidTokenError
        return row

    def revoke_text(self, text: str) -> None:
        """Revoke the token that is written so: one that was found where it should not be.

        Raises:
            InvalidTokenError: there is none.
        """
        self._revoke(self.with_text(text))

    def revoke_all(self, subject: str) -> int:
        """Revoke all tokens of a user; return how many there were."""
        hold(self._store, subject, to_change=True)
        rows = self._db.session.scalars(select(self._model).where(self._model.owner == subject)).all()
        return sum(self._revoke(row) for row in rows)

    def prune(self, *, now: float, limit: int) -> int:
        """Delete tokens that have expired, at most so many; return how many."""
        model = self._model
        return delete_some(self._db.session, model, model.id, model.expires_at <= to_datetime(now), limit)

    def _find(self, where: Callable[[], ColumnElement[bool]]) -> Any:
        return self._db.session.scalar(select(self._model).where(where()))

    def _revoke(self, row: Any) -> bool:
        token_id, subject, name = row.id, row.owner, row.token_name
        expires_at = to_seconds(row.expires_at)
        # First, as everywhere: else this and the making of another could wait for each other.
        hold(self._store, subject, to_change=True)
        if not self._delete(self._model.id == token_id):
            return False  # somebody else did
        self._changes.token(self._db.session, token_id, expires_at=expires_at)
        self._recorder.record(PersonalTokenRevoked(subject=subject, jti=token_id, label=name))
        return True

    def _delete(self, where: ColumnElement[bool]) -> int:
        return changed_rows(
            self._db.session.execute(
                delete(self._model).where(where), execution_options={"synchronize_session": False}
            )
        )


def _is_plain(text: str) -> bool:
    """Tell whether a text can be an id at all; databases refuse some others."""
    return text.isascii() and text.isalnum()
