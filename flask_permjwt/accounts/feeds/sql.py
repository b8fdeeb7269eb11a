"""The feed in the app's database: the table into which every change is written, in its own transaction."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ColumnElement, Table, inspect, or_, select
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Session

from flask_permjwt.accounts.apart import apart, check_pool, is_private
from flask_permjwt.accounts.feeds.gaps import SeenIds, Skipped
from flask_permjwt.accounts.feeds.protocol import FeedError
from flask_permjwt.accounts.moments import to_seconds
from flask_permjwt.accounts.records import ChangeMixin
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.revocation import Change, Kind

PATIENCE: Final = 600
"""Seconds after which a skipped id is given up. A transaction that takes half as long tells its changes again."""

_SKEW: Final = 3600
"""Seconds by which the clocks of hosts may differ when it is told how old a row is."""

_PORTION: Final = 10_000
_MAX_GAPS: Final = 50
_KINDS: Final = {kind.value: kind for kind in Kind}


class SQLFeed:
    """Reads the table on a short connection of its own, and remembers how far it came.

    Args:
        db: the app's Flask-SQLAlchemy object.
        model: the class of the entries.
        clock: returns the time in seconds since 1970-01-01 UTC.
        monotonic: returns seconds, by a clock that only goes forward.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        model: type[ChangeMixin],
        *,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._db: Final = db
        self._model: Final = model
        self._table: Final[Table] = model.__table__  # type: ignore[attr-defined]  # mapped by build_models
        self._clock: Final = clock
        self._monotonic: Final = monotonic
        self.start_over()

    def start_over(self) -> None:
        """Let the next ``read`` give everything that still matters."""
        self._seen = SeenIds(PATIENCE)
        self._newest: tuple[Any, ...] | None = None

    def announce(self) -> None:
        """Do nothing: the row is the message."""

    def publish(self, changes: Sequence[Change], announced: str | None = None) -> None:
        """Do nothing, likewise."""

    def read(self, *, urgent: bool = False) -> Iterator[Sequence[Change]]:  # noqa: ARG002  # always asks
        """Give what is new, in portions.

        Raises:
            FeedError: the database cannot be asked.
        """
        if is_private(self._db, self._model):
            return
        if self._newest is None:
            check_pool(self._db, self._model)
        try:
            with apart(self._db, self._model, writes=False) as session:
                if session is not None:
                    yield from self._read(session)
        except SQLAlchemyError as error:
            raise FeedError(self._why(error)) from None

    def _read(self, session: Session) -> Iterator[Sequence[Change]]:
        began = self._monotonic()
        is_first = self._seen.highest is None
        known, is_continued = self._newest, self._newest is None
        newest, previous = known, 0
        ids: list[int] = []
        skipped: list[Skipped] = []
        # Ids are given in the order of writing: what was skipped before an older row, nobody will commit any more.
        recent = self._clock() - PATIENCE - _SKEW
        portion: list[Change] = []
        for row in self._rows(session):
            # Taken apart at once: there may be a million of them, and a row's attributes cost more.
            number, written, target, version, expires_at, lasts = row
            if not is_first:
                ids.append(number)
            elif number > previous + 1 and to_seconds(expires_at) - lasts > recent:
                skipped.append((previous + 1, number - 1))
            previous = number
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
        if is_first:
            self._seen.begin(previous, skipped, monotonic=began)
        else:
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

    def _why(self, error: SQLAlchemyError) -> str:
        """Return what may be logged: the words of a driver may hold an address with a password."""
        name = self._table.name
        if self._newest is None and isinstance(error, OperationalError | ProgrammingError):
            with suppress(SQLAlchemyError):
                bind = self._db.session.get_bind(mapper=self._model.__mapper__)  # type: ignore[attr-defined]  # likewise
                if not inspect(bind).has_table(name, schema=self._table.schema):
                    return f"the table {name} is missing: run `flask db upgrade`, or db.create_all()"
        return f"the database cannot be asked for revocations ({type(error).__name__})"

    def _wanted(self) -> ColumnElement[bool] | None:
        column, seen = self._table.c.id, self._seen
        if seen.highest is None:
            return None
        gaps = sorted(seen.gaps, key=lambda gap: gap.low)
        # The highest itself too: it tells whether the table is still the same.
        lowest = seen.highest
        if len(gaps) > _MAX_GAPS:
            lowest, gaps = gaps[_MAX_GAPS].low, gaps[:_MAX_GAPS]
        return or_(column >= lowest, *(column.between(gap.low, gap.high) for gap in gaps))
