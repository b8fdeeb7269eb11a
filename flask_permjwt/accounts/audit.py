"""The audit: events become rows in the caller's transaction, and signals after its commit."""

import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock, get_ident
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from flask_permjwt.accounts.afterwards import on_commit
from flask_permjwt.accounts.apart import apart
from flask_permjwt.accounts.bites import delete_some
from flask_permjwt.accounts.columns import clean
from flask_permjwt.accounts.moments import to_datetime, to_seconds
from flask_permjwt.accounts.records import AuditMixin
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.signals import AccessDenied, Event, EventT, send, told_of
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.forks import after_fork

_MAX_DETAIL: Final = 4096
_MAX_WORDS: Final = 64
_LENGTHS: Final = {"subject": 255, "actor": 255, "session_id": 32, "address": 64, "user_agent": 255}
_MAX_MOMENT: Final = 253_402_300_799
"""The last second of the year 9999."""

_MAX_PUT_OFF: Final = 1000
_MAX_REMEMBERED: Final = 1024
_QUIET: Final = 60
"""Seconds for which the same refusal of the same user is counted and not written again."""

_log = logging.getLogger("flask_permjwt.signals")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event comes from.

    Attributes:
        sender: the app, which signals are sent from.
        actor: the public id of the user who acts, if known.
        address: the client's address, if there is a request.
        user_agent: what the client calls itself, likewise.
        audit: whether the app writes events into the table.
    """

    sender: Any = None
    actor: str | None = None
    address: str | None = None
    user_agent: str | None = None
    audit: bool = True


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A row of the audit table; ``at`` is in seconds since 1970-01-01 UTC."""

    id: int
    at: int
    event: str
    subject: str | None
    actor: str | None
    session_id: str | None
    address: str | None
    user_agent: str | None
    detail: dict[str, Any]


class Recorder:
    """Writes events down and sends their signals.

    Args:
        db: the app's Flask-SQLAlchemy object.
        model: the audit class of its models.
        clock: returns the time in seconds since 1970-01-01 UTC.
        origin: tells where an event comes from.
        at_end: has a function called when the current app context ends.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        model: type[AuditMixin],
        *,
        clock: Clock = time.time,
        origin: Callable[[], Origin],
        at_end: Callable[[Callable[..., None]], None] = lambda _: None,
    ) -> None:
        self._db: Final = db
        self._model: Final = model
        self._table: Final[Table] = model.__table__  # type: ignore[attr-defined]  # mapped by build_models
        self._bind: Final = {"mapper": model.__mapper__}  # type: ignore[attr-defined]  # likewise
        self._clock: Final = clock
        self._origin: Final = origin
        self._at_end: Final = at_end
        self._renew_lock()
        after_fork(self._renew_lock)
        self._seen: Final[OrderedDict[tuple[object, ...], tuple[float, int]]] = OrderedDict()
        self._put_off: Final[dict[object, list[AccessDenied]]] = {}
        self.anonymous_denials = 0
        """How many requests without a valid token were refused in this process."""

    def _renew_lock(self) -> None:
        """Forget who holds the lock: after a fork, that thread is not here."""
        self._lock = Lock()

    def record(self, event: Event, own_session: Session | None = None) -> None:
        """Write an event into the caller's transaction, and send its signal when that is committed.

        Args:
            event: what happened.
            own_session: where the caller works instead of ``db.session``.
        """
        origin = self._origin()
        known = self._complete(event, origin)
        session: AnySession = own_session or self._db.session
        if origin.audit:
            with session.no_autoflush:  # what the caller left pending is the caller's to flush
                session.execute(insert(self._table), self._row(known), bind_arguments=self._bind)
        on_commit(session, lambda: send(origin.sender, known))

    def announce(self, event: Event) -> None:
        """Send the signal of an event at once, and write nothing."""
        origin = self._origin()
        send(origin.sender, self._complete(event, origin))

    def record_denial(self, event: AccessDenied) -> None:
        """Send the signal of a refusal, and write it down if the user is known. Nothing is raised.

        Whoever is refused the same again within a minute adds to a count, which the next row tells. The row is
        written on a connection of its own; where the caller has a transaction open, when the app context ends. A
        second connection would wait for our own transaction on SQLite, and anywhere for a pool that is used up.
        """
        try:
            self._record_denial(event)
        except Exception as error:  # noqa: BLE001  # the refusal must be answered
            _log.error("a refusal was not written down: %s", told_of(error))

    def count_denial(self) -> None:
        """Count a refusal of nobody known, which nobody listens for."""
        with self._lock:
            self.anonymous_denials += 1

    def flush_denials(self, *_: object, **__: object) -> None:
        """Write the refusals that were put off in this app context, after its session was removed.

        Nothing is raised: what cannot be written is logged, and counted like what is left out.
        """
        try:
            self._flush()
        except Exception as error:  # noqa: BLE001  # nothing more can be done at the end of a context
            _log.error("refusals were not written down: %s", told_of(error))

    def read(
        self,
        *,
        subject: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
    ) -> list[AuditEntry]:
        """Return the last so many rows, the newest last.

        Args:
            subject: of this user only.
            since: from then on, in seconds since 1970-01-01 UTC.
            until: up to then.
            limit: how many at most.
        """
        table = self._table
        wanted = select(table).order_by(table.c.at.desc(), table.c.id.desc()).limit(max(0, limit))
        if subject is not None:
            wanted = wanted.where(table.c.subject == clean(subject, _LENGTHS["subject"]))
        if since is not None:
            wanted = wanted.where(table.c.at >= _moment(since))
        if until is not None:
            wanted = wanted.where(table.c.at <= _moment(until))
        with self._db.session.no_autoflush:
            found = self._db.session.execute(wanted, bind_arguments=self._bind).all()
        # Some databases compare more loosely than Python.
        return [_entry(row) for row in reversed(found) if subject is None or row.subject == subject]

    def prune(self, before: float, *, limit: int) -> int:
        """Delete rows that are older, at most so many; return how many."""
        model = self._model
        old = model.at < _moment(before)
        return delete_some(self._db.session, model, model.id, old, limit)

    def _complete(self, event: EventT, origin: Origin) -> EventT:
        return replace(
            event,
            at=self._clock() if event.at is None else event.at,
            actor=origin.actor if event.actor is None else event.actor,
            address=origin.address if event.address is None else event.address,
            user_agent=origin.user_agent if event.user_agent is None else event.user_agent,
        )

    def _row(self, event: Event) -> dict[str, object]:
        return {
            "at": _moment(event.at or 0),
            "event": event.name,
            **{name: clean(getattr(event, name), length) for name, length in _LENGTHS.items()},
            "detail": _write_detail(event.detail()),
        }

    def _record_denial(self, event: AccessDenied) -> None:
        if event.subject is None:
            self.count_denial()
        origin = self._origin()
        known = self._complete(event, origin)
        send(origin.sender, known)
        if event.subject is None or not origin.audit:
            return
        scope = self._scope()
        repeated = self._repeated(event)
        if repeated is None:
            return
        row = replace(known, repeated=repeated)
        with self._lock:
            waiting = self._put_off.setdefault(scope, [])
            if len(waiting) < _MAX_PUT_OFF:
                waiting.append(row)
            else:
                self._leave_out(row)
        session = self._db.session
        if session.registry.has() and session().in_transaction():
            self._at_end(self.flush_denials)
        else:
            self._flush()

    def _flush(self) -> None:
        # Only those of this context: another one may be in the middle of a transaction that we would wait for.
        scope = self._scope()
        with self._lock:
            waiting = self._put_off.pop(scope, [])
        if not waiting:
            return
        had_session = self._db.session.registry.has()
        try:
            with apart(self._db, self._model) as session:
                if session is None:
                    with self._lock:
                        self._put_off.setdefault(scope, []).extend(waiting)
                    self._at_end(self.flush_denials)
                    return
                session.execute(insert(self._table), [self._row(one) for one in waiting])
        except BaseException:
            with self._lock:
                for one in waiting:
                    self._leave_out(one)
            raise
        finally:
            if not had_session:
                # It was made for finding the database; at the end of a context, nobody would remove it.
                self._db.session.remove()

    def _scope(self) -> object:
        """Return what tells app contexts apart, as ``db.session`` does."""
        scope: Callable[[], object] = getattr(self._db.session.registry, "scopefunc", get_ident)
        return scope()

    def _repeated(self, event: AccessDenied) -> int | None:
        """Return how many of the same were left out since the last one; None when this one is to be left out."""
        key, now = _key(event), self._clock()
        with self._lock:
            written_at, left_out = self._seen.get(key, (-float("inf"), 0))
            if written_at <= now < written_at + _QUIET:
                self._seen[key] = (written_at, left_out + 1)
                return None
            self._seen[key] = (now, 0)
            self._seen.move_to_end(key)
            if len(self._seen) > _MAX_REMEMBERED:
                self._seen.popitem(last=False)
            return left_out

    def _leave_out(self, event: AccessDenied) -> None:
        """Count a refusal that was not written, with those that it would have told of. The lock is held."""
        key = _key(event)
        if key in self._seen:
            written_at, left_out = self._seen[key]
            self._seen[key] = (written_at, left_out + 1 + event.repeated)


def _key(event: AccessDenied) -> tuple[object, ...]:
    """Return what makes refusals the same."""
    return event.subject, event.endpoint, event.method, event.missing, event.status


def _moment(seconds: float) -> datetime:
    """Return a moment that every database can keep, and the nearest one for what is none."""
    return to_datetime(min(max(0, seconds), _MAX_MOMENT))


def _write_detail(detail: dict[str, Any]) -> str | None:
    if not detail:
        return None
    size = _MAX_WORDS
    text = json.dumps({name: _shortened(value, _MAX_DETAIL) for name, value in detail.items()})
    while len(text) >= _MAX_DETAIL:
        # Value by value, so that it stays JSON and keeps its shape.
        text = json.dumps({name: _shortened(value, size) for name, value in detail.items()})
        size //= 2
    return text


def _shortened(value: Any, size: int) -> Any:
    """Return text fit for every reader and of so many times four letters, and so many words of a list."""
    if isinstance(value, str):
        return clean(value, 4 * size)
    if not isinstance(value, list):
        return value
    some = [_shortened(one, size) for one in value[:size]]
    return some if len(some) == len(value) else [*some, "..."]


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=to_seconds(row.at),
        event=row.event,
        subject=row.subject,
        actor=row.actor,
        session_id=row.session_id,
        address=row.address,
        user_agent=row.user_agent,
        detail=json.loads(row.detail) if row.detail else {},
    )
