"""Sessions in the database: opened, rotated by compare-and-swap, listed, ended. Only ``transaction`` commits."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Table, Update, delete, insert, select, update

from flask_permjwt.accounts.addresses import address_key, address_spellings
from flask_permjwt.accounts.apart import apart
from flask_permjwt.accounts.bites import delete_some
from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.columns import clean, new_id
from flask_permjwt.accounts.inserts import changed_rows
from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.moments import to_datetime, to_seconds
from flask_permjwt.accounts.own_reads import OwnReads
from flask_permjwt.accounts.records import SessionMixin
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.errors import EmailNotVerifiedError, UnauthenticatedError
from flask_permjwt.policy.permissions import Grants, read_scope

_SESSION_ID: Final = re.compile(r"[0-9a-f]{32}")
_MAX_USER_AGENT: Final = 255
_MAX_ADDRESS: Final = 64
_MAX_LISTED: Final = 1000
_BITE: Final = 1000
_ROTATION_KEPT: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class RefreshGrant:
    """The refresh token that a session stands for now; it can be minted again and again, the same.

    Attributes:
        session_id: ``sid``.
        token_id: ``jti``.
        issued_at: ``iat``, in seconds since 1970-01-01 UTC.
        expires_at: ``exp``: the absolute end of the session.
        authenticated_at: when the user last proved who they are (``auth_time``).
        limit: what its tokens may be used for at most; None for all that the user may do.
    """

    session_id: str
    token_id: str
    issued_at: int
    expires_at: int
    authenticated_at: int
    limit: Grants | None = None


@dataclass(frozen=True, slots=True)
class Rotated:
    """The token was good and is used up now; a new one takes its place."""

    successor: RefreshGrant


@dataclass(frozen=True, slots=True)
class Replayed:
    """The token was used up a moment ago; the one that is good now is given again: its successor, the same.

    Where several rotations followed within the grace, that is the last of them: with an older one, whoever asked
    would be logged out by their next refresh.
    """

    successor: RefreshGrant


@dataclass(frozen=True, slots=True)
class Reused:
    """The token was used up long ago: somebody holds a copy. The session was ended."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The session does not exist, was ended or has reached its end."""


Rotation = Rotated | Replayed | Reused | Gone


class Sessions:
    """The session rows of one ``db``. Everything joins ``db.session``, or the session that is given.

    Args:
        db: the app's Flask-SQLAlchemy object.
        models: its models.
        session: where to work instead of ``db.session``.
        changes: where it is written down that the tokens of a session are void; None for nowhere.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        models: Models,
        session: AnySession | None = None,
        changes: ChangeLog | None = None,
    ) -> None:
        self._db: Final = db
        self._changes: Final = changes
        self._models: Final = models
        self._model: Final = models.session
        self._table: Final[Table] = models.session.__table__  # type: ignore[attr-defined]  # mapped by build_models
        self._bind: Final = {"mapper": models.session.__mapper__}  # type: ignore[attr-defined]  # likewise
        self._session: Final[AnySession] = session or db.session

    def inside(self, session: AnySession) -> "Sessions":
        """Return the same sessions, reached through another SQLAlchemy session."""
        return Sessions(self._db, self._models, session, self._changes)

    def open(
        self,
        subject: str,
        *,
        now: int,
        lifetime: int,
        opened_by: str,
        user_agent: str | None = None,
        address: str | None = None,
        authenticated_at: int | None = None,
        limit: Grants | None = None,
    ) -> RefreshGrant:
        """Open a session.

        Args:
            subject: the public id of the user.
            now: seconds since 1970-01-01 UTC.
            lifetime: seconds until the absolute end.
            opened_by: how, such as ``"password"``.
            user_agent: what the client calls itself; cleaned and shortened.
            address: the client's address; likewise.
            authenticated_at: when the user proved who they are, if that was before.
            limit: what its tokens may be used for at most, for as long as it lives; None for no limit.
        """
        proved_at = now if authenticated_at is None else min(authenticated_at, now)
        grant = RefreshGrant(new_id(), new_id(), now, now + lifetime, proved_at, limit)
        moment = to_datetime(now)
        row = {
            "id": grant.session_id,
            "subject": subject,
            "created_at": moment,
            "authenticated_at": to_datetime(proved_at),
            "last_used_at": moment,
            "expires_at": to_datetime(grant.expires_at),
            "opened_by": opened_by,
            "user_agent": clean(user_agent, _MAX_USER_AGENT),
            "address": clean(address, _MAX_ADDRESS),
            "refresh_id": grant.token_id,
            "scope": None if limit is None else limit.as_scope(),
        }
        with self._session.no_autoflush:  # what the caller left pending is the caller's to flush
            self._session.execute(insert(self._table), row, bind_arguments=self._bind)
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
            .values(refresh_id=new_id(), rotated_at=moment, last_used_at=moment)
        )
        row = self._locked(session_id)
        if row is None or row.subject != subject or row.ended_at is not None or row.expires_at <= moment:
            return Gone()
        if won:
            self._remember_rotation(session_id, token_id, now=now, grace=grace)
            return Rotated(_grant(row))
        if grace > 0 and self._rotated_lately(session_id, token_id, now=now, grace=grace):
            return Replayed(_grant(row))
        self.end(session_id, subject, now=now)
        return Reused()

    def renew(self, session_id: str, subject: str, *, now: int) -> RefreshGrant | None:
        """Note that a living session is in use, and return what it stands for; None when it is over.

        None too while somebody else has it locked, who may be ending it. It is not waited for: that could be the
        caller's own transaction.
        """
        model = self._model
        free = select(model.id).where(model.id == session_id).with_for_update(skip_locked=True)
        if self._session.scalar(free) is None:
            return None
        return self._change_living(session_id, subject, now=now)

    def confirm(self, session_id: str, subject: str, *, now: int) -> RefreshGrant | None:
        """Note that the user of a living session proved who they are; None when it is over."""
        return self._change_living(session_id, subject, now=now, authenticated_at=to_datetime(now))

    def listed(self, subject: str, *, now: int) -> list[SessionMixin]:
        """Return the living sessions of a subject, the last used first; at most a thousand."""
        model = self._model
        return list(
            self._session.scalars(
                select(model)
                .where(model.subject == subject, model.ended_at.is_(None), model.expires_at > to_datetime(now))
                .order_by(model.last_used_at.desc(), model.id)
                .limit(_MAX_LISTED)
            )
        )

    def is_living(self, session_id: str, subject: str, *, now: int) -> bool:
        """Tell whether a session of this subject is neither ended nor past its absolute end."""
        return self.refresh_id(session_id, subject, now=now) is not None

    def refresh_id(self, session_id: str, subject: str, *, now: int) -> str | None:
        """Return the ``jti`` of the refresh token that is good now; None when the session is over."""
        model = self._model
        mine = select(model.refresh_id).where(model.id == session_id, model.subject == subject)
        return self._session.scalar(mine.where(model.ended_at.is_(None), model.expires_at > to_datetime(now)))

    def end_of(self, session_id: str, subject: str, *, now: int) -> int | None:
        """Return the absolute end of a living session, in seconds since 1970-01-01 UTC; None when it is over."""
        model = self._model
        living = select(model.expires_at).where(
            model.id == session_id, model.subject == subject, model.ended_at.is_(None)
        )
        end = self._session.scalar(living.where(model.expires_at > to_datetime(now)))
        return None if end is None else to_seconds(end)

    def subject_of(self, session_id: str) -> str | None:
        """Return whose session it is; None when there is none with this id, which may be any text."""
        if _SESSION_ID.fullmatch(session_id) is None:
            return None
        model = self._model
        found = self._session.execute(select(model.id, model.subject).where(model.id == session_id)).first()
        # Some databases compare more loosely than Python.
        return found.subject if found is not None and found.id == session_id else None

    def was_seen_at(self, subject: str, address: str | None) -> bool:
        """Tell whether a subject opened a session from this address that was not pruned yet.

        Addresses are told apart as throttling counts them: of IPv6, a /64 is one, in which a machine changes its
        address every day (RFC 8981).
        """
        model, key = self._model, address_key(address)
        mine = select(model.address).where(model.subject == subject)
        alike = mine.where(model.address.in_({clean(address, _MAX_ADDRESS), *address_spellings(key)}))
        if self._session.scalar(alike.limit(1)) is not None:
            return True
        if ":" not in key:
            return False
        others = mine.where(model.address.like("%:%")).distinct().limit(_MAX_LISTED)
        return any(address_key(one) == key for one in self._session.scalars(others))

    def prune(self, *, now: float, limit: int) -> int:
        """Delete sessions past their absolute end, and rotations older than a day; return how many rows."""
        session, models = self._session, self._models
        ended = models.session.expires_at <= to_datetime(now)
        old = models.rotation.rotated_at <= to_datetime(max(0, now - _ROTATION_KEPT))
        return delete_some(session, models.session, models.session.id, ended, limit) + delete_some(
            session, models.rotation, models.rotation.token_id, old, limit
        )

    def end(self, session_id: str, subject: str, *, now: float) -> bool:
        """End a session of this subject; tell whether it was living."""
        if self._update(self._living(session_id, subject).values(ended_at=to_datetime(now))) != 1:
            return False
        if self._changes is not None:
            self._changes.sessions(self._session, [session_id])
        return True

    def end_all(self, subject: str, *, now: float, except_id: str | None = None, void: bool = True) -> int:
        """End all sessions of a subject, but for one perhaps; return how many were living.

        Args:
            subject: the public id of the user.
            now: seconds since 1970-01-01 UTC.
            except_id: the session that lives on.
            void: False when the subject's tokens are void anyhow, which is one entry instead of one a session.
        """
        model, session = self._model, self._session
        living = [model.subject == subject, model.ended_at.is_(None)]
        if except_id is not None:
            living.append(model.id != except_id)
        # Locked, so that those which are ended are those which are written down; in order, so that of two who do
        # this at once, neither waits for what the other has while having what the other waits for.
        ids = session.scalars(select(model.id).where(*living).order_by(model.id).with_for_update()).all()
        if void and self._changes is not None:
            self._changes.sessions(session, ids)
        return sum(self._end_these(ids[start : start + _BITE], now) for start in range(0, len(ids), _BITE))

    def reads(self) -> OwnReads:
        """Begin to note what a use-case reads, which may be ended before long work."""
        return OwnReads(self._session)

    @contextmanager
    def apart(self) -> Iterator[AnySession | None]:
        """Work on a connection of one's own, and commit; with None where that would wait for ourselves."""
        with apart(self._db, self._model) as session:
            yield session

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit after the block, also when it refuses credentials: that may end a session, and is written down.

        Whatever else is raised rolls back.
        """
        try:
            yield
        except (UnauthenticatedError, EmailNotVerifiedError):
            self._session.commit()
            raise
        except BaseException:
            self._session.rollback()
            raise
        self._session.commit()

    def _living(self, session_id: str, subject: str) -> Update:
        model = self._model
        return update(model).where(model.id == session_id, model.subject == subject, model.ended_at.is_(None))

    def _end_these(self, ids: Sequence[str], now: float) -> int:
        model = self._model
        return self._update(update(model).where(model.id.in_(ids)).values(ended_at=to_datetime(now)))

    def _change_living(self, session_id: str, subject: str, *, now: int, **values: object) -> RefreshGrant | None:
        model, moment = self._model, to_datetime(now)
        living = self._living(session_id, subject).where(model.expires_at > moment)
        if not self._update(living.values(last_used_at=moment, **values)):
            return None
        row = self._locked(session_id)
        return None if row is None else _grant(row)

    def _locked(self, session_id: str) -> SessionMixin | None:
        """Read a row as it is now; a snapshot may show how it was."""
        model = self._model
        return self._session.scalar(
            select(model).where(model.id == session_id).with_for_update().execution_options(populate_existing=True)
        )

    def _remember_rotation(self, session_id: str, token_id: str, *, now: int, grace: float) -> None:
        """Write down that a token was exchanged, and forget the session's rotations that are past their grace."""
        if grace <= 0:
            return
        rotation = self._models.rotation
        bind = {"mapper": rotation.__mapper__}  # type: ignore[attr-defined]  # mapped by build_models
        row = {"token_id": token_id, "session_id": session_id, "rotated_at": to_datetime(now)}
        self._session.execute(insert(rotation).values(**row), bind_arguments=bind)
        over = to_datetime(max(0, now - math.ceil(grace) - 1))
        # Found first and deleted by key: deleting a range locks the gaps that other sessions insert into (InnoDB).
        old = self._session.scalars(
            select(rotation.token_id).where(rotation.session_id == session_id, rotation.rotated_at < over)
        ).all()
        if old:
            self._session.execute(delete(rotation).where(rotation.token_id.in_(old)), bind_arguments=bind)

    def _rotated_lately(self, session_id: str, token_id: str, *, now: int, grace: float) -> bool:
        rotation = self._models.rotation
        # A locking read, as a snapshot may be older than the rotation of whoever came first.
        found = self._session.scalar(
            select(rotation)
            .where(rotation.token_id == token_id)
            .with_for_update(read=True)
            .execution_options(populate_existing=True)
        )
        if found is None or found.session_id != session_id or found.token_id != token_id:
            return False
        # Both moments were cut to whole seconds: up to one of them must not be taken from the grace. Another
        # machine's clock may be a little ahead; a clock that was set back must not make a grace of an hour.
        return abs(now - to_seconds(found.rotated_at)) <= math.ceil(grace)

    def _update(self, statement: Update) -> int:
        """Run an UPDATE and let the rows that the app may have loaded be read again."""
        result: Any = self._session.execute(statement, execution_options={"synchronize_session": False})
        for row in self._session.identity_map.values():
            if isinstance(row, self._model):
                self._session.expire(row)
        return changed_rows(result)


def _grant(row: SessionMixin) -> RefreshGrant:
    return RefreshGrant(
        session_id=row.id,
        token_id=row.refresh_id,
        issued_at=to_seconds(row.rotated_at or row.created_at),
        expires_at=to_seconds(row.expires_at),
        authenticated_at=to_seconds(row.authenticated_at),
        limit=None if row.scope is None else read_scope(row.scope),
    )
