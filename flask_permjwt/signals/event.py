"""What all events say, and how they are sent."""

import logging
from dataclasses import dataclass, fields
from inspect import iscoroutinefunction
from traceback import extract_tb
from typing import Any, ClassVar, Final, TypeVar

from blinker import Namespace, Signal

namespace: Final = Namespace()
"""Where the signals are, by the names of their events."""

_log = logging.getLogger("flask_permjwt.signals")
_COMMON: Final = frozenset({"at", "subject", "actor", "session_id", "address", "user_agent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events say. What is None is filled in from the current request, if there is one.

    Attributes:
        name: of the signal, and of the event in the audit table.
        at: when it happened, in seconds since 1970-01-01 UTC.
        subject: the public id of the user whom it happened to.
        actor: the public id of the user who did it, if known.
        session_id: in which session.
        address: from which address.
        user_agent: what the client called itself.
    """

    name: ClassVar[str] = "event"

    at: float | None = None
    subject: str | None = None
    actor: str | None = None
    session_id: str | None = None
    address: str | None = None
    user_agent: str | None = None

    @property
    def signal(self) -> Signal:
        """The signal that carries events of this kind."""
        return namespace.signal(self.name)

    def detail(self) -> dict[str, Any]:
        """Return what only events of this kind say, fit for JSON."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _COMMON}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}


EventT = TypeVar("EventT", bound=Event)


def send(sender: object, event: Event) -> None:
    """Call the receivers of an event; what one raises is logged, without its words, and does not stop the others.

    Args:
        sender: the app.
        event: what happened.
    """
    signal = event.signal
    if signal.is_muted:
        return
    for receiver in list(signal.receivers_for(sender)):
        try:
            if iscoroutinefunction(receiver):
                raise TypeError("a receiver is a plain function")  # noqa: TRY301  # logged like what it raises
            receiver(sender, event=event)
        except Exception as error:  # noqa: BLE001  # a receiver decides about nothing
            name = getattr(receiver, "__qualname__", type(receiver).__name__)
            _log.error("%s, a receiver of %s, failed: %s", name, event.name, told_of(error))


def told_of(error: BaseException) -> str:
    """Return what may be logged of any error: its type and the way to it; its words may tell a secret."""
    way = "".join(f"\n  {step.filename}:{step.lineno} in {step.name}" for step in extract_tb(error.__traceback__))
    return f"{type(error).__name__}{way}"
