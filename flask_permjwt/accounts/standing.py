"""Standing: what a user's row says that a proof, of a password or of a mailbox, rests on."""

from dataclasses import dataclass, field
from typing import Any

from flask_permjwt.accounts.store import Account


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


def is_verified(user: Account) -> bool:
    """Tell whether the user's e-mail address is verified."""
    return getattr(user, "email_verified_at", None) is not None


def standing_of(user: Account) -> Standing:
    """Return what a user's row says, as it was read."""
    return Standing(user.active, user.token_version, user.password_hash, user.email, is_verified(user))


def hold(store: Any, subject: str, *, to_change: bool = False) -> Standing | None:
    """Return what a user's row says now, and keep it so until the transaction ends; None when it is gone.

    A store of the app's own is only asked again: it has no part in our transaction.

    Args:
        store: where users live.
        subject: the public id of the user.
        to_change: the row is about to be changed.
    """
    lock = getattr(store, "hold", None)
    if lock is not None:
        held: Standing | None = lock(subject, to_change=to_change)
        return held
    user = store.get(subject)
    return None if user is None else standing_of(user)
