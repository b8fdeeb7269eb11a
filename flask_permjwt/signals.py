"""Signals: what happens, as Blinker signals with typed payloads.

A receiver is called with the app and the event, after the change was committed::

    from flask_permjwt import signals

    @signals.refresh_reused.connect
    def warn(app, event):
        app.logger.warning("a refresh token of %s was used twice, from %s", event.subject, event.address)

Blinker forgets a receiver that nobody else holds: one that is defined inside a function, such as an app factory,
is connected with ``connect(warn, weak=False)``. Receivers are plain functions, not coroutines.

No event holds a token, a password or a hash.
"""

import logging
from dataclasses import dataclass, fields
from inspect import iscoroutinefunction
from traceback import extract_tb
from typing import Any, ClassVar, Final, TypeVar

from blinker import Namespace, Signal

_log = logging.getLogger("flask_permjwt.signals")

_namespace: Final = Namespace()
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
        return _namespace.signal(self.name)

    def detail(self) -> dict[str, Any]:
        """Return what only events of this kind say, fit for JSON."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _COMMON}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}


EventT = TypeVar("EventT", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn(Event):
    """Somebody logged in. ``method`` is how: ``"password"``, or the name of a provider."""

    name: ClassVar[str] = "logged_in"
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(Event):
    """A password was not accepted, wherever it was asked for, or a user whom a provider vouched for.

    Attributes:
        reason: unknown user, wrong password, disabled, no password, not verified, or changed meanwhile (it
            was the right password until a moment ago).
        method: where: password (a login), confirm or change; or the name of a provider.
    """

    name: ClassVar[str] = "login_failed"
    reason: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled(Event):
    """Somebody tried too often and was refused. Sent at once, and not written down: it could be a flood.

    Attributes:
        method: where: password (a login), confirm or change; the name of a provider, or exchange.
    """

    name: ClassVar[str] = "throttled"
    method: str


class Confirmed(Event):
    """Somebody proved again who they are: the session is fresh."""

    __slots__ = ()
    name: ClassVar[str] = "confirmed"


class Refreshed(Event):
    """A refresh token was exchanged."""

    __slots__ = ()
    name: ClassVar[str] = "refreshed"


class RefreshReused(Event):
    """A refresh token was used again after its grace: somebody holds a copy. The session was ended."""

    __slots__ = ()
    name: ClassVar[str] = "refresh_reused"


class LoggedOut(Event):
    """Somebody logged out."""

    __slots__ = ()
    name: ClassVar[str] = "logged_out"


class SessionEnded(Event):
    """A session was ended from outside it."""

    __slots__ = ()
    name: ClassVar[str] = "session_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsEnded(Event):
    """All sessions of a user were ended.

    Attributes:
        count: how many were living.
        kept: the id of the one that was spared, if any.
    """

    name: ClassVar[str] = "sessions_ended"
    count: int
    kept: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoked(Event):
    """One access token was revoked, the one with this ``jti``."""

    name: ClassVar[str] = "token_revoked"
    jti: str


class Registered(Event):
    """Somebody registered."""

    __slots__ = ()
    name: ClassVar[str] = "registered"


class EmailVerified(Event):
    """A user's e-mail address was verified."""

    __slots__ = ()
    name: ClassVar[str] = "email_verified"


class EmailLost(Event):
    """A user did not verify an e-mail address in time, and somebody else registered with it."""

    __slots__ = ()
    name: ClassVar[str] = "email_lost"


class PasswordResetRequested(Event):
    """Somebody asked for a new password; without a subject where nobody has the address."""

    __slots__ = ()
    name: ClassVar[str] = "password_reset_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(Event):
    """A password was set. ``by`` is who did it: user, reset (by a code from a mail) or administrator."""

    name: ClassVar[str] = "password_changed"
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityLinked(Event):
    """A user linked an account at a provider, which is a way to log in from now on."""

    name: ClassVar[str] = "identity_linked"
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityUnlinked(Event):
    """A user took that back."""

    name: ClassVar[str] = "identity_unlinked"
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCreated(Event):
    """A user was created."""

    name: ClassVar[str] = "user_created"
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDeleted(Event):
    """A user was deleted."""

    name: ClassVar[str] = "user_deleted"
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityChanged(Event):
    """A user was enabled (``active``) or disabled."""

    name: ClassVar[str] = "activity_changed"
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionsChanged(Event):
    """Permissions were granted to a user or a role, or revoked.

    Attributes:
        owner: user or role.
        owner_name: its name.
        granted: those that were not granted before.
        revoked: those that were.
    """

    name: ClassVar[str] = "permissions_changed"
    owner: str
    owner_name: str
    granted: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesChanged(Event):
    """Roles were assigned to a user, or taken away; their names."""

    name: ClassVar[str] = "roles_changed"
    assigned: tuple[str, ...] = ()
    unassigned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleCreated(Event):
    """A role was created.

    Attributes:
        role: its name.
        granted: its permissions.
    """

    name: ClassVar[str] = "role_created"
    role: str
    granted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDeleted(Event):
    """A role was deleted. ``role`` is its name."""

    name: ClassVar[str] = "role_deleted"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDenied(Event):
    """A request was refused. Sent at once; written down for known users only.

    Attributes:
        endpoint: Flask's name of the view.
        method: the request method.
        missing: the permissions that are lacking.
        status: the HTTP status, 401 or 403.
        repeated: how many refusals of the same were left out of the audit table since the last row.
    """

    name: ClassVar[str] = "access_denied"
    endpoint: str
    method: str
    missing: tuple[str, ...] = ()
    status: int = 403
    repeated: int = 0


logged_in: Final = _namespace.signal(LoggedIn.name)
login_failed: Final = _namespace.signal(LoginFailed.name)
throttled: Final = _namespace.signal(Throttled.name)
confirmed: Final = _namespace.signal(Confirmed.name)
refreshed: Final = _namespace.signal(Refreshed.name)
refresh_reused: Final = _namespace.signal(RefreshReused.name)
logged_out: Final = _namespace.signal(LoggedOut.name)
session_ended: Final = _namespace.signal(SessionEnded.name)
sessions_ended: Final = _namespace.signal(SessionsEnded.name)
token_revoked: Final = _namespace.signal(TokenRevoked.name)
registered: Final = _namespace.signal(Registered.name)
email_verified: Final = _namespace.signal(EmailVerified.name)
email_lost: Final = _namespace.signal(EmailLost.name)
password_reset_requested: Final = _namespace.signal(PasswordResetRequested.name)
password_changed: Final = _namespace.signal(PasswordChanged.name)
identity_linked: Final = _namespace.signal(IdentityLinked.name)
identity_unlinked: Final = _namespace.signal(IdentityUnlinked.name)
user_created: Final = _namespace.signal(UserCreated.name)
user_deleted: Final = _namespace.signal(UserDeleted.name)
activity_changed: Final = _namespace.signal(ActivityChanged.name)
permissions_changed: Final = _namespace.signal(PermissionsChanged.name)
roles_changed: Final = _namespace.signal(RolesChanged.name)
role_created: Final = _namespace.signal(RoleCreated.name)
role_deleted: Final = _namespace.signal(RoleDeleted.name)
access_denied: Final = _namespace.signal(AccessDenied.name)


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
