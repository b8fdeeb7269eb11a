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

from dataclasses import dataclass
from typing import ClassVar, Final

from flask_permjwt.signals.event import Event as Event
from flask_permjwt.signals.event import EventT as EventT
from flask_permjwt.signals.event import namespace
from flask_permjwt.signals.event import send as send
from flask_permjwt.signals.event import told_of as told_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn(Event):
    """Somebody logged in. ``method`` is how: ``"password"``, a provider's name, or ``"client_credentials"``."""

    name: ClassVar[str] = "logged_in"
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(Event):
    """A password or a client's secret was not accepted, wherever it was asked for, or a provider's user.

    Attributes:
        reason: unknown user, wrong password, disabled, no password, not verified, or changed meanwhile (it
            was the right password until a moment ago), or nothing of the scope (it was right, and nothing that
            it was to be used for is granted); by a provider also not let in, address taken, or not
            linked (since a moment ago); of a client: unknown client, wrong secret or disabled.
        method: where: password (a login), confirm or change; the name of a provider, or client.
    """

    name: ClassVar[str] = "login_failed"
    reason: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled(Event):
    """Somebody tried too often and was refused. Sent at once, and not written down: it could be a flood.

    Attributes:
        method: where: password (a login), confirm or change; the name of a provider, exchange, or client.
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
class PersonalTokenCreated(Event):
    """A user made a personal access token.

    Attributes:
        jti: what it is called in lists; not the token.
        label: what the user calls it.
        permissions: what it may be used for at most.
        expires_at: when it expires, in seconds since 1970-01-01 UTC.
    """

    name: ClassVar[str] = "personal_token_created"
    jti: str
    label: str
    permissions: tuple[str, ...]
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalTokenRevoked(Event):
    """A personal access token was revoked.

    Attributes:
        jti: what it is called in lists; not the token.
        label: what the user calls it.
    """

    name: ClassVar[str] = "personal_token_revoked"
    jti: str
    label: str


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
    """A user was linked to a subject of another issuer: whoever that is there is this user here from now on.

    Attributes:
        issuer: by whose name the subject is known.
        provider: the name of the provider, where it was linked by a login there, and can be one.
    """

    name: ClassVar[str] = "identity_linked"
    issuer: str
    provider: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityUnlinked(Event):
    """That was taken back; ``issuer`` and ``provider`` as there."""

    name: ClassVar[str] = "identity_unlinked"
    issuer: str
    provider: str | None = None


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
    """A user or a client was enabled (``active``) or disabled."""

    name: ClassVar[str] = "activity_changed"
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionsChanged(Event):
    """Permissions were granted to a user, a role or a client, or revoked.

    Attributes:
        owner: user, role or client.
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
class KeyChanged(Event):
    """A command changed a key in PERMJWT_KEYS_DIR.

    Attributes:
        action: generated, adopted, published (it waits), promoted (it signs before its time), retired, voided or
            deleted.
        kid: its name.
        algorithm: what it serves.
    """

    name: ClassVar[str] = "key_changed"
    action: str
    kid: str
    algorithm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCreated(Event):
    """A client was created; of a client, ``subject`` is the ``sub`` of its tokens.

    Attributes:
        client: its name.
        granted: its permissions.
    """

    name: ClassVar[str] = "client_created"
    client: str
    granted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDeleted(Event):
    """A client was deleted. ``client`` is its name."""

    name: ClassVar[str] = "client_deleted"
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecretRotated(Event):
    """A client got another secret.

    Attributes:
        client: its name.
        overlap: for how many seconds the former one is good besides; with 0, the client's tokens are void too.
    """

    name: ClassVar[str] = "client_secret_rotated"
    client: str
    overlap: int = 0


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


logged_in: Final = namespace.signal(LoggedIn.name)
login_failed: Final = namespace.signal(LoginFailed.name)
throttled: Final = namespace.signal(Throttled.name)
confirmed: Final = namespace.signal(Confirmed.name)
refreshed: Final = namespace.signal(Refreshed.name)
refresh_reused: Final = namespace.signal(RefreshReused.name)
logged_out: Final = namespace.signal(LoggedOut.name)
session_ended: Final = namespace.signal(SessionEnded.name)
sessions_ended: Final = namespace.signal(SessionsEnded.name)
token_revoked: Final = namespace.signal(TokenRevoked.name)
personal_token_created: Final = namespace.signal(PersonalTokenCreated.name)
personal_token_revoked: Final = namespace.signal(PersonalTokenRevoked.name)
registered: Final = namespace.signal(Registered.name)
email_verified: Final = namespace.signal(EmailVerified.name)
email_lost: Final = namespace.signal(EmailLost.name)
password_reset_requested: Final = namespace.signal(PasswordResetRequested.name)
password_changed: Final = namespace.signal(PasswordChanged.name)
identity_linked: Final = namespace.signal(IdentityLinked.name)
identity_unlinked: Final = namespace.signal(IdentityUnlinked.name)
user_created: Final = namespace.signal(UserCreated.name)
user_deleted: Final = namespace.signal(UserDeleted.name)
activity_changed: Final = namespace.signal(ActivityChanged.name)
permissions_changed: Final = namespace.signal(PermissionsChanged.name)
roles_changed: Final = namespace.signal(RolesChanged.name)
role_created: Final = namespace.signal(RoleCreated.name)
role_deleted: Final = namespace.signal(RoleDeleted.name)
client_created: Final = namespace.signal(ClientCreated.name)
client_deleted: Final = namespace.signal(ClientDeleted.name)
client_secret_rotated: Final = namespace.signal(ClientSecretRotated.name)
key_changed: Final = namespace.signal(KeyChanged.name)
access_denied: Final = namespace.signal(AccessDenied.name)
