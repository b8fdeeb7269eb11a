"""Changes: what voids tokens or makes their permissions stale, written into the caller's transaction."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from typing import Any, Final, Protocol

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Table, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, scoped_session

from flask_permjwt.accounts.afterwards import on_commit
from flask_permjwt.accounts.apart import apart
from flask_permjwt.accounts.bites import delete_some
from flask_permjwt.accounts.feeds.sql import PATIENCE
from flask_permjwt.accounts.moments import to_datetime
from flask_permjwt.accounts.records import ChangeMixin
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.revocation import Change, Kind

_LASTS: Final = 24 * 3600
_KEPT: Final = 3600
"""Seconds for which entries are kept longer than they matter: the clock of one machine may be wrong."""

_log = logging.getLogger("flask_permjwt.accounts")


class Listener(Protocol):
    """Who is told at once: what this process knows, and what brings changes to others."""

    @property
    def lasts(self) -> float:
        """For how many seconds after a change there may be tokens that it touches."""
        ...

    def announce(self) -> str | None:
        """Take notice of changes that may be committed; returns what ``committed`` is to be given."""
        ...

    def committed(self, changes: Sequence[Change], announced: str | None = None) -> None:
        """Take notice of changes that were committed."""
        ...


class ChangeLog:
    """Writes changes down, and tells of them when the caller's root transaction is committed.

    Args:
        db: the app's Flask-SQLAlchemy object.
        model: the class of the entries.
        listener: returns who is told in the current app, if anybody.
        clock: returns the time in seconds since 1970-01-01 UTC.
        monotonic: returns seconds, by a clock that only goes forward.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        model: type[ChangeMixin],
        *,
        listener: Callable[[], Listener | None],
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._db: Final = db
        self._model: Final = model
        self._table: Final[Table] = model.__table__  # type: ignore[attr-defined]  # mapped by build_models
        self._bind: Final = {"mapper": model.__mapper__}  # type: ignore[attr-defined]  # likewise
        self._listener: Final = listener
        self._clock: Final = clock
        self._monotonic: Final = monotonic

    def token(self, session: AnySession, token_id: str, *, expires_at: float) -> None:
        """Void one token, which expires at that time (seconds since 1970-01-01 UTC) in any case."""
        now = self._clock()
        if expires_at > now - _KEPT:
            lasts = min(self._lasts(), max(0, expires_at - now) + _KEPT)
            self._write(session, [Change(Kind.TOKEN, token_id, 0, now + lasts, lasts)])

    def sessions(self, session: AnySession, session_ids: Sequence[str]) -> None:
        """Void the tokens of sessions."""
        self._write(session, [self._change(Kind.SESSION, one) for one in session_ids])

    def user(self, session: AnySession, subject: str, version: int) -> None:
        """Void the tokens of a user whose ``ver`` is less."""
        self._write(session, [self._change(Kind.USER, subject, version)])

    def rights(self, session: AnySession, subject: str, version: int) -> None:
        """Make the permissions stale in a user's tokens whose ``pv`` counts less for the user."""
        self._write(session, [self._change(Kind.RIGHTS, subject, version)])

    def role(self, session: AnySession, public_id: str, version: int) -> None:
        """Make the permissions stale in all tokens whose ``pv`` counts less for this role."""
        self._write(session, [self._change(Kind.ROLE, public_id, version)])

    def prune(self, *, now: float, limit: int) -> int:
        """Delete entries that have long ceased to matter, at most so many; return how many.

        The newest stays: by it, readers know the table again.
        """
        model = self._model
        newest = self._db.session.scalar(select(func.max(model.id)))
        if newest is None:
            return 0
        over = (model.expires_at <= to_datetime(max(0, now - _KEPT))) & (model.id < newest)
        return delete_some(self._db.session, model, model.id, over, limit)

    def _lasts(self) -> float:
        listener = self._listener()
        return _LASTS if listener is None else listener.lasts

    def _change(self, kind: Kind, target: str, version: int = 0) -> Change:
        lasts = self._lasts()
        return Change(kind, target, version, self._clock() + lasts, lasts)

    def _write(self, session: AnySession, changes: Sequence[Change]) -> None:
        if not changes:
            return
        with session.no_autoflush:  # what the caller left pending is the caller's to flush
            session.execute(insert(self._table), [_row(one) for one in changes], bind_arguments=self._bind)
        listener = self._listener()
        if listener is None:
            return
        announced = listener.announce()
        if self._is_part_of_another(session):
            return
        written = self._monotonic()

        def tell() -> None:
            if self._monotonic() - written > PATIENCE / 2:
                self._write_again(changes)
            listener.committed(changes, announced)

        on_commit(session, tell)

    def _is_part_of_another(self, session: AnySession) -> bool:
        """Tell whether the session works within a transaction of somebody else's, who decides about it later."""
        found: Session = session() if isinstance(session, scoped_session) else session
        return isinstance(found.get_bind(**self._bind), Connection)

    def _write_again(self, changes: Sequence[Change]) -> None:
        """Write the entries of a long transaction again: their ids may be too old for readers to look for."""
        try:
            with apart(self._db, self._model) as session:
                if session is not None:
                    again = [replace(one, expires_at=self._clock() + one.lasts) for one in changes]
                    session.execute(insert(self._table), [_row(one) for one in again], bind_arguments=self._bind)
        except SQLAlchemyError as error:
            _log.error("changes of a long transaction were not told again: %s", type(error).__name__)


def _row(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        "target": change.target,
        "version": change.version,
        # Rounded up: what is too early would bring tokens back.
        "lasts": ceil(change.lasts),
        "expires_at": to_datetime(ceil(change.expires_at)),
    }
