"""Standing: what a user's row says that a proof, of a password or of a mailbox, rests on."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from flask_permjwt.accounts.names import compare_key
from flask_permjwt.accounts.store import Account
from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.policy.principal import Principal


@dataclass(frozen=True, slots=True)
class Standing:
    """What a user's row says at one moment.

    Attributes:
        active: whether the user may log in.
        token_version: the ``ver`` of tokens.
        password_hash: None when nobody can log in with a password.
        email: the address, as typed.
        verified: whether it is verified.
    """

    active: bool
    token_version: int
    password_hash: str | None = field(repr=False)
    email: str | None = field(repr=False)
    verified: bool


class JoinedStore(Protocol):
    """What a store can do whose users are changed in the same transaction as their sessions.

    Ours derives from it. It is not looked for by the names of methods, which a store of the app's own may have for
    something else.
    """

    def hold(self, subject: str, *, to_change: bool = False) -> Standing | None:
        """Lock a user's row until the transaction ends, and return what it says now; None when there is none."""
        ...

    def hash_password(self, password: str) -> str:
        """Hash a new password; what is returned is taken in place of one."""
        ...

    def free_email(self, email: str, *, created_before: int) -> bool:
        """Take an address from a user who was created before then and never verified it; tell whether that was."""
        ...

    def find_current(self, email: str) -> Any:
        """Return the user with this address, also one that a snapshot does not show."""
        ...


def is_verified(user: Account) -> bool:
    """Tell whether the user's e-mail address is verified."""
    return getattr(user, "email_verified_at", None) is not None


def standing_of(user: Account) -> Standing:
    """Return what a user's row says, as it was read."""
    return Standing(user.active, user.token_version, user.password_hash, user.email, is_verified(user))


def joined(store: object) -> JoinedStore | None:
    """Return a store whose users are changed in the same transaction as their sessions; None for another."""
    return store if JoinedStore in type(store).__mro__ else None  # type: ignore[return-value]  # what it says


def hold(store: Any, subject: str, *, to_change: bool = False) -> Standing | None:
    """Return what a user's row says now, and keep it so until the transaction ends; None when it is gone.

    A store of the app's own is only asked again: it has no part in our transaction.

    Args:
        store: where users live.
        subject: the public id of the user.
        to_change: the row is about to be changed.
    """
    ours = joined(store)
    if ours is not None:
        return ours.hold(subject, to_change=to_change)
    user = store.get(subject)
    return None if user is None else standing_of(user)


def named(store: Any, name: str, *, require_verified: bool) -> Any:
    """Return the user with this name or address; an address that must be verified and is not names nobody."""
    user = store.find(name)
    if user is None or not require_verified or is_verified(user):
        return user
    return user if compare_key(user.username) == compare_key(name) else None


def session_of(principal: Principal) -> tuple[str, str, int]:
    """Return session, subject and version of an access token of ours.

    Raises:
        InvalidTokenError: it was issued in no session.
    """
    version = principal.claims.get("ver")
    if principal.session_id is None or principal.subject is None or not isinstance(version, int):
        raise InvalidTokenError("This token belongs to no session.")
    return principal.session_id, principal.subject, version
