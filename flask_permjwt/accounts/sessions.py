"""Sessions in the database: opened, rotated by compare-and-swap, ended. Only ``transaction`` commits."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Update, select, update

from flask_permjwt.accounts.inserts import changed_rows
from flask_permjwt.accounts.models import SessionMixin, new_id
from flask_permjwt.accounts.moments import to_datetime, to_seconds
from flask_permjwt.errors import UnauthenticatedError

_MAX_USER_AGENT: Final = 255
_MAX_ADDRESS: Final = 64


@dataclass(frozen=True, slots=True)
class RefreshGrant:
    """The refresh token that a session stands for now; it can be minted again and again, the same.

    Attributes:
        session_id: ``sid``.
        token_id: ``jti``.
        issued_at: ``iat``, in seconds since 1970-01-01 UTC.
        expires_at: ``exp``: the absolute end of the session.
    """

    session_id: str
    token_id: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Rotated:
    """The token was good and is used up now; a new one takes its place."""

    successor: RefreshGrant


@dataclass(frozen=True, slots=True)
class Replayed:
    """The token was used up a moment ago; its successor is given again."""

    successor: RefreshGrant


@dataclass(frozen=True, slots=True)
class Reused:
    """The token was used up long ago: somebody holds a copy. The session was ended."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The session does not exist, was ended or has reached its end."""


Rotation = Rotated | Replayed | Reused | Gone


class Sessions:
    """The session rows of one ``db``. Everything joins ``db.session``.

    Args:
        db: the app's Flask-SQLAlchemy object.
        model: the session class of its models.
    """

    def __init__(self, db: SQLAlchemy, model: type[SessionMixin]) -> None:
        self._db: Final = db
        self._model: Final = model

    def open(
        self,
        subject: str,
        *,
        now: int,
        lifetime: int,
        opened_by: str,
        user_agent: str | None = None,
        address: str | None = None,
    ) -> RefreshGrant:
        """Open a session.

        Args:
            subject: the public id of the user.
            now: seconds since 1970-01-01 UTC.
            lifetime: seconds until the absolute end.
            opened_by: how, such as ``"password"``.
            user_agent: what the client calls itself; cleaned and shortened.
            address: the client's address; likewise.
        """
        grant = RefreshGrant(new_id(), new_id(), now, now + lifetime)
        row = self._model(  # type: ignore[call-arg]  # a mapped class takes its columns
            id=grant.session_id,
            subject=subject,
            created_at=to_datetime(now),
            last_used_at=to_datetime(now),
            expires_at=to_datetime(grant.expires_at),
            opened_by=opened_by,
            user_agent=_clean(user_agent, _MAX_USER_AGENT),
            address=_clean(address, _MAX_ADDRESS),
            refresh_id=grant.token_id,
        )
        self._db.session.add(row)
        self._db.session.flush()
        return grant

    def rotate(self, session_id: str, subject: str, token_id: str, *, now: int, grace: float) -> Rotation:
        """Exchange a refresh token for its successor; of several who try at once, one does and all get it.

        The exchange is one UPDATE that names the token to be exchanged, and the first thing that is done:
        whoever comes second waits for its row lock, finds that nothing is left to exchange, and reads the
        row as it is now (a locking read: a snapshot would still show the old one).

        Args:
            session_id: ``sid`` of the token.
            subject: ``sub`` of the token.
            token_id: ``jti`` of the token.
            now: seconds since 1970-01-01 UTC.
            grace: for so many seconds after the exchange, the old token is answered with the same successor.
        """
        model = self._model
        moment = to_datetime(now)
        won = self._update(
            self._living(session_id, subject)
            .where(model.refresh_id == token_id, model.expires_at > moment)
            .values(refresh_id=new_id(), previous_refresh_id=token_id, rotated_at=moment, last_used_at=moment)
        )
        row = self._db.session.scalar(
            select(model).where(model.id == session_id).with_for_update().execution_options(populate_existing=True)
        )
        if row is None or row.subject != subject or row.ended_at is not None or row.expires_at <= moment:
            return Gone()
        issued_at = to_seconds(row.rotated_at or row.created_at)
        successor = RefreshGrant(row.id, row.refresh_id, issued_at, to_seconds(row.expires_at))
        if won:
            return Rotated(successor)
        # Both moments were cut to whole seconds: up to one of them must not be taken from the grace.
        if row.previous_refresh_id == token_id and grace > 0 and now - issued_at <= math.ceil(grace):
            return Replayed(successor)
        self.end(session_id, subject, now=now)
        return Reused()

    def end(self, session_id: str, subject: str, *, now: float) -> bool:
        """End a session of this subject; tell whether it was living."""
        return self._update(self._living(session_id, subject).values(ended_at=to_datetime(now))) == 1

    def end_all(self, subject: str, *, now: float, except_id: str | None = None) -> int:
        """End all sessions of a subject, but for one perhaps; return how many were living."""
        model = self._model
        living = update(model).where(model.subject == subject, model.ended_at.is_(None))
        if except_id is not None:
            living = living.where(model.id != except_id)
        return self._update(living.values(ended_at=to_datetime(now)))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit ``db.session`` after the block, also when it refuses credentials: that may end a session.

        Whatever else is raised rolls back.
        """
        try:
            yield
        except UnauthenticatedError:
            self._db.session.commit()
            raise
        except BaseException:
            self._db.session.rollback()
            raise
        self._db.session.commit()

    def _living(self, session_id: str, subject: str) -> Update:
        model = self._model
        return update(model).where(model.id == session_id, model.subject == subject, model.ended_at.is_(None))

    def _update(self, statement: Update) -> int:
        """Run an UPDATE and let the rows that the app may have loaded be read again."""
        session = self._db.session
        result: Any = session.execute(statement, execution_options={"synchronize_session": False})
        for row in session.identity_map.values():
            if isinstance(row, self._model):
                session.expire(row)
        return changed_rows(result)


def _clean(text: str | None, limit: int) -> str | None:
    """Make text from a header fit for every database: PostgreSQL takes no NUL, none takes surrogates."""
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:limit]
