"""The life of a key: published, signing, verifying, gone. All of it follows from times that stand with the key.

Nobody has to do anything at the moment when a key begins or ceases to sign: whoever holds the same keys and looks
at the same clock comes to the same answer.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flask_permjwt.tokens.keys import Key, KeyRing

_NEVER: Final = math.inf


class State(StrEnum):
    """What a key is good for at one moment."""

    NEXT = "next"
    """Published, and verifies; will sign."""

    ACTIVE = "active"
    """Signs and verifies."""

    RETIRED = "retired"
    """Verifies, until the last token that it signed has expired."""

    GONE = "gone"
    """Good for nothing."""


@dataclass(frozen=True, slots=True)
class ManagedKey:
    """A key with its times, in seconds since 1970-01-01 UTC.

    Attributes:
        key: the key.
        signs_from: when it takes over signing.
        created_at: when it was made.
        retired_at: when it was told to sign no longer; None when it was not.
        void_at: when it was told that nothing which it signed is accepted; None when it was not. Whoever knows of
            it goes by it at once: the time is for people, and a clock may be behind.
        tokens_last: for how many seconds the tokens that it signs are good at most.
        name: of its file.
    """

    key: Key
    signs_from: float
    created_at: float = 0.0
    retired_at: float | None = None
    void_at: float | None = None
    tokens_last: float = 0.0
    name: str = ""

    @property
    def told_to_stop_at(self) -> float:
        """When it must not sign any more, whatever other keys there are."""
        return min(_or_never(self.retired_at), _or_never(self.void_at))

    @property
    def rank(self) -> tuple[float, float, str]:
        """Of keys that could sign, the one of the highest rank does."""
        return self.signs_from, self.created_at, self.key.kid


class KeyPlan:
    """What each of some keys is good for, at any time.

    Args:
        keys: all that there are.
        lasts: for how many seconds tokens are good at most, with what clocks may differ by.
    """

    def __init__(self, keys: Iterable[ManagedKey], *, lasts: float) -> None:
        self.keys: Final = tuple(sorted(keys, key=lambda one: one.rank))
        self._lasts: Final = lasts
        # Who was stopped before its time came never took over from anybody.
        self._successors: Final = [
            one for one in self.keys if one.key.signs and one.signs_from < one.told_to_stop_at
        ]

    def ends_at(self, one: ManagedKey) -> float:
        """Return when a key ceases to sign: when it is told to, or the next one takes over; infinity for never.

        It does not begin again when its successor is stopped.
        """
        taken_over = (other.signs_from for other in self._successors if other.rank > one.rank)
        return min(one.told_to_stop_at, next(taken_over, _NEVER) if one.key.signs else _NEVER)

    def dropped_at(self, one: ManagedKey) -> float:
        """Return when a key ceases to verify; infinity for never."""
        return min(_or_never(one.void_at), self.ends_at(one) + max(self._lasts, one.tokens_last))

    def state(self, one: ManagedKey, now: float) -> State:
        """Return what a key is good for."""
        if one.void_at is not None or now >= self.dropped_at(one):
            return State.GONE
        if one is self.signing(now):
            return State.ACTIVE
        return State.NEXT if one.key.signs and now < min(one.signs_from, self.ends_at(one)) else State.RETIRED

    def signing(self, now: float) -> ManagedKey | None:
        """Return the key that signs; None when there is none.

        Where no key's time has come, the first one signs before it: a clock may be wrong, or the key before it
        was stopped.
        """
        able = [one for one in self._successors if one.void_at is None and now < self.ends_at(one)]
        # Of those whose time has come, all but the last were taken over from.
        return next((one for one in able if one.signs_from <= now), able[0] if able else None)

    def ring(self, now: float) -> KeyRing:
        """Return the keys as they are good for something now."""
        signing = self.signing(now)
        return KeyRing(
            None if signing is None else signing.key,
            [one.key for one in self.keys if self.state(one, now) is not State.GONE],
        )

    def changes_at(self, now: float) -> float:
        """Return when any of this changes next by itself; infinity for never."""
        moments = {
            moment for one in self.keys for moment in (one.signs_from, self.ends_at(one), self.dropped_at(one))
        }
        return min((moment for moment in moments if moment > now), default=_NEVER)


def _or_never(moment: float | None) -> float:
    return _NEVER if moment is None else moment
