"""The feed in the app's database: the table into which every change is written, in its own transaction."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ColumnElement, Table, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from flask_permjwt.accounts.apart import apart, is_private
from flask_permjwt.accounts.feeds.gaps import RECENT, SeenIds
from flask_permjwt.accounts.feeds.protocol import FeedError
from flask_permjwt.accounts.moments import to_seconds
from flask_permjwt.accounts.records import ChangeMixin
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.revocation import Change, Kind

PATIENCE: Final = 600
"""Seconds after which a skipped id is given up. A transaction that takes half as long tells its changes again."""

_PORTION: Final = 10_000
_MAX_GAPS: Final = 50
_KINDS: Final = {kind.value: kind for kind in Kind}


class SQLFeed:
    """Reads the table on a short connection of its own, and remembers how far it came.

    Args:
        db: the app's Flask-SQLAlchemy object.
        model: the class of the entries.
        monotonic: returns seconds, by a clock that only goes forward.
    """

    def __init__(self, db: SQLAlchemy, model: type[ChangeMixin], *, monotonic: Clock = time.monotonic) -> None:
        self._db: Final = db
        self._model: Final = model
        self._table: Final[Table] = model.__table__  # type: ignore[attr-defined]  # mapped by build_models
        self._monotonic: Final = monotonic
        self.start_over()

    def start_over(self) -> None:
        """Let the next ``read`` give everything that still matters."""
        self._seen = SeenIds(PATIENCE)
        self._newest: tuple[Any, ...] | None = None

    def publish(self, changes: Sequence[Change]) -> None:
        """Do nothing: the row is the message."""

    def read(self) -> Iterator[Sequence[Change]]:
        """Give what is new, in portions.

        Raises:
            FeedError: the database cannot be asked.
        """
        if is_private(self._db, self._model):
            return
        try:
            with apart(self._db, self._model, writes=False) as session:
                if session is not None:
                    yield from self._read(session)
        except SQLAlchemyError as error:
            raise FeedError(_told(error)) from None

    def _read(self, session: Session) -> Iterator[Sequence[Change]]:
        began = self._monotonic()
        is_first = self._seen.highest is None
        known, is_continued = self._newest, self._newest is None
        newest = known
        ids: deque[int] = deque(maxlen=RECENT if is_first else None)
        portion: list[Change] = []
        for row in self._rows(session):
            # Taken apart at once: there may be a million of them, and a row's attributes cost more.
            number, written, target, version, expires_at, lasts = row
            ids.append(number)
            if known is not None and number == known[0]:
                is_continued = tuple(row) == known
            if newest is None or number > newest[0]:
                newest = tuple(row)
            kind = _KINDS.get(written)
            if kind is not None:  # a later version of this library may know more
                portion.append(Change(kind, target, version, to_seconds(expires_at), lasts))
            if len(portion) >= _PORTION:
                yield portion
                portion = []
        yield portion
        if not is_continued:
            # The newest row is never pruned before there is a newer one: somebody emptied or restored the table.
            self.start_over()
            yield from self._read(session)
            return
        self._seen.see(ids, monotonic=began)
        self._newest = newest

    def _rows(self, session: Session) -> Any:
        columns = self._table.c
        bind = {"mapper": self._model.__mapper__}  # type: ignore[attr-defined]  # mapped by build_models
        kept = columns.id, columns.kind, columns.target, columns.version, columns.expires_at, columns.lasts
        wanted = select(*kept).order_by(columns.id)
        condition = self._wanted()
        if condition is not None:
            wanted = wanted.where(condition)
        return session.execute(wanted, bind_arguments=bind, execution_options={"yield_per": _PORTION})

    def _wanted(self) -> ColumnElement[bool] | None:
        column, seen = self._table.c.id, self._seen
        if seen.highest is None:
            return None
        if len(seen.gaps) > _MAX_GAPS:
            return column >= min(gap.low for gap in seen.gaps)
        # The highest itself too: it tells whether the table is still the same.
        return or_(column >= seen.highest, *(column.between(gap.low, gap.high) for gap in seen.gaps))


def _told(error: SQLAlchemyError) -> str:
    """Return what may be logged: the words of a driver may hold an address with a password."""
    return f"the database cannot be asked for revocations ({type(error).__name__})"
