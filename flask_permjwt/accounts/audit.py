"""The audit: events become rows in the caller's transaction, and signals after its commit."""

import json
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError

from flask_permjwt.accounts.afterwards import on_commit
from flask_permjwt.accounts.apart import apart
from flask_permjwt.accounts.bites import delete_some
from flask_permjwt.accounts.columns import clean
from flask_permjwt.accounts.moments import to_datetime, to_seconds
from flask_permjwt.accounts.records import AuditMixin
from flask_permjwt.signals import AccessDenied, Event
from flask_permjwt.tokens.clock import Clock

_MAX_DETAIL: Final = 4096
_MAX_WORDS: Final = 20
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
    """

    def __init__(
        self, db: SQLAlchemy, model: type[AuditMixin], *, clock: Clock = time.time, origin: Callable[[], Origin]
    ) -> None:
        self._db: Final = db
        self._model: Final = model
        self._clock: Final = clock
        self._origin: Final = origin
        self._lock: Final = Lock()
        self._seen: Final[OrderedDict[tuple[object, ...], tuple[float, int]]] = OrderedDict()
        self._put_off: Final[deque[Event]] = deque(maxlen=_MAX_PUT_OFF)
        self.anonymous_denials = 0
        """How many requests without a valid token were refused in this process."""

    def record(self, event: Event) -> None:
        """Write an event into the caller's transaction, and send its signal when that is committed."""
        origin = self._origin()
        known = self._complete(event, origin)
        if origin.audit:
            bind = {"mapper": self._model.__mapper__}  # type: ignore[attr-defined]  # mapped by build_models
            with self._db.session.no_autoflush:  # what the caller left pending is the caller's to flush
                self._db.session.execute(self._insert(known), bind_arguments=bind)
        on_commit(self._db.session, lambda: known.signal.send(origin.sender, event=known))

    def announce(self, event: Event) -> None:
        """Send the signal of an event at once, and write nothing."""
        origin = self._origin()
        known = self._complete(event, origin)
        try:
            known.signal.send(origin.sender, event=known)
        except Exception as error:  # noqa: BLE001  # a receiver must not decide about the request
            _log.error("a receiver of %s failed: %s", known.name, type(error).__name__)  # may tell

    def record_denial(self, event: AccessDenied) -> None:
        """Send the signal of a refusal, and write it down if the user is known.

        Whoever is refused the same again within a minute adds to a count, which the next row tells. The row is
        written on a connection of its own; where that would wait for ourselves, when the app context ends.
        """
        self.announce(event)
        if event.subject is None:
            with self._lock:
                self.anonymous_denials += 1
            return
        origin = self._origin()
        if not origin.audit:
            return
        repeated = self._repeated(event)
        if repeated is not None:
            self._put_off.append(self._complete(replace(event, repeated=repeated), origin))
            self.flush_denials()

    def flush_denials(self) -> None:
        """Write the refusals that were put off."""
        while self._put_off:
            try:
                with apart(self._db, self._model) as session:
                    if session is None:
                        return
                    try:
                        event = self._put_off.popleft()
                    except IndexError:  # another thread was faster
                        return
                    session.execute(self._insert(event))
            except SQLAlchemyError as error:
                _log.warning("a refusal was not written down: %s", type(error).__name__)
                return

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
        model = self._model
        wanted = select(model).order_by(model.at.desc(), model.id.desc()).limit(limit)
        if subject is not None:
            wanted = wanted.where(model.subject == subject)
        if since is not None:
            wanted = wanted.where(model.at >= to_datetime(since))
        if until is not None:
            wanted = wanted.where(model.at <= to_datetime(until))
        return [_entry(row) for row in reversed(self._db.session.scalars(wanted).all())]

    def prune(self, before: float, *, limit: int) -> int:
        """Delete rows that are older, at most so many; return how many."""
        model = self._model
        old = model.at < to_datetime(max(0, before))
        return delete_some(self._db.session, model, model.id, old, limit)

    def _complete(self, event: Event, origin: Origin) -> Event:
        return replace(
            event,
            at=self._clock() if event.at is None else event.at,
            actor=origin.actor if event.actor is None else event.actor,
            address=origin.address if event.address is None else event.address,
            user_agent=origin.user_agent if event.user_agent is None else event.user_agent,
        )

    def _insert(self, event: Event) -> Any:
        row = {
            "at": to_datetime(event.at or 0),
            "event": event.name,
            "subject": clean(event.subject, 255),
            "actor": clean(event.actor, 255),
            "session_id": clean(event.session_id, 32),
            "address": clean(event.address, 64),
            "user_agent": clean(event.user_agent, 255),
            "detail": _write_detail(event.detail()),
        }
        return insert(self._model.__table__).values(**row)  # type: ignore[attr-defined]  # mapped by build_models

    def _repeated(self, event: AccessDenied) -> int | None:
        """Return how many of the same were left out since the last one; None when this one is to be left out."""
        key = (event.subject, event.endpoint, event.method, event.missing, event.status)
        now = self._clock()
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


def _write_detail(detail: dict[str, Any]) -> str | None:
    if not detail:
        return None
    text = json.dumps(detail)
    if len(text) <= _MAX_DETAIL:
        return text
    # Shortened where it is long, so that it stays JSON.
    short = {
        name: [str(one)[:100] for one in value[:_MAX_WORDS]] + ["..."]
        if isinstance(value, list)
        else str(value)[:255]
        for name, value in detail.items()
    }
    return json.dumps(short)


def _entry(row: AuditMixin) -> AuditEntry:
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
