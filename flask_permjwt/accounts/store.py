"""The user store: what the use-cases need of a place where users live, as a protocol to implement."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from flask_permjwt.errors import ConfigurationError

if TYPE_CHECKING:
    # Named and not needed: whoever writes a store need not wait for what reads settings.
    from flask_permjwt.settings import Settings


class Account(Protocol):
    """A user, as far as the use-cases look at one."""

    @property
    def public_id(self) -> str:
        """The ``sub`` of tokens (RFC 7519 section 4.1.2): opaque, and never used for anybody else again."""
        ...

    @property
    def username(self) -> str:
        """The name, as typed."""
        ...

    @property
    def email(self) -> str | None:
        """The e-mail address, as typed."""
        ...

    @property
    def password_hash(self) -> str | None:
        """What ``Passwords.hash`` gave; None when nobody can log in with a password."""
        ...

    @property
    def active(self) -> bool:
        """Whether the user may log in and refresh."""
        ...

    @property
    def token_version(self) -> int:
        """A count from 1 that rises when all of the user's tokens must die: the ``ver`` claim."""
        ...


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may do at one moment.

    Attributes:
        permissions: the grants, those of the roles included.
        roles: the names of the roles, sorted; for display.
        versions: counts that rise when the rights change: of the user at ``"u"``, of each role at its public
            id. They are read *before* the permissions: rights newer than their versions are merely read
            again, while older ones would pass for current.
    """

    permissions: frozenset[str] = frozenset()
    roles: tuple[str, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)


# Anything that reads like an Account. As a bound it would shut out SQLAlchemy's classes: type checkers do not
# see through Mapped when they compare a class with a protocol.
UserT = TypeVar("UserT")


class UserStore(Protocol[UserT]):
    """A place where users live; each reads like an ``Account``."""

    def find(self, username_or_email: str) -> UserT | None:
        """Return the user with this name or e-mail address; None for any text that is nobody's."""
        ...

    def get(self, subject: str) -> UserT | None:
        """Return the user with this public id, compared exactly, as it is now.

        It is asked again after a password was verified, for the user may have been changed meanwhile.
        """
        ...

    def rights(self, user: UserT) -> Rights:
        """Read what a user may do now."""
        ...

    def save_password_hash(self, user: UserT, password_hash: str) -> None:
        """Replace the hash that a login has just verified by a stronger one of the same password.

        The user's tokens live on. Nothing is saved when the password was changed in the meantime.
        """
        ...


MANAGED: Final = ("create", "change_password", "reset_password", "mark_email_verified", "void_tokens")
"""What a store must have beyond ``UserStore`` to be a ``ManagedUserStore``."""


class ManagedUserStore(UserStore[UserT], Protocol[UserT]):
    """A user store that also takes changes: registration, changes of passwords and e-mail verification need it.

    Its users have ``email_verified_at`` too, which is None until ``mark_email_verified``.
    """

    def create(self, username: str, password: str | None = None, email: str | None = None) -> UserT:
        """Create a user who may do nothing yet.

        Raises:
            UsernameTakenError, EmailTakenError: as they say, also when a race was lost.
        """
        ...

    def change_password(self, user: UserT, password: str) -> None:
        """Set a password that the user has chosen; tokens live on."""
        ...

    def reset_password(self, user: UserT, password: str) -> None:
        """Set a password with a code from a mail; everything that was ever issued to the user is void."""
        ...

    def mark_email_verified(self, user: UserT) -> None:
        """Note that the owner of the user's e-mail address proved to be the user."""
        ...

    def void_tokens(self, user: UserT) -> None:
        """Raise the user's ``token_version``."""
        ...


def as_managed(store: UserStore[Any], settings: "Settings") -> ManagedUserStore[Any] | None:
    """Return the store if it takes changes.

    Raises:
        ConfigurationError: it does not, and a setting needs that.
    """
    missing = [name for name in MANAGED if not callable(getattr(store, name, None))]
    if not missing:
        return cast("ManagedUserStore[Any]", store)
    for name in ("registration", "require_verified", "password_reset"):
        if getattr(settings, name):
            raise ConfigurationError(
                f"PERMJWT_{name.upper()} changes users, and the user_store has no {missing[0]}(): implement "
                "ManagedUserStore, or leave the setting out"
            )
    return None
