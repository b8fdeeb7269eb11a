"""Key sources: where the codec gets the keys of the moment. A ring that is replaced, never changed."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final, Protocol

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.forks import after_fork
from flask_permjwt.tokens.keys import Key, KeyRing, material
from flask_permjwt.tokens.lifecycle import KeyPlan, ManagedKey

_SEEK: Final = 1.0
"""Seconds between two looks at least that were due to a name nobody knows: anybody can make names up."""

_log = logging.getLogger("flask_permjwt.keys")

Reader = Callable[[Callable[[ConfigurationError], None] | None], Sequence[ManagedKey]]
"""Returns all keys with their times. What is wrong with one it tells to whom it is given, or else raises it."""


class KeySource(Protocol):
    """Where the keys of the moment come from."""

    ring: KeyRing

    def keep_up(self) -> None:
        """Notice what changed, when it is time to look; it costs next to nothing while it is not."""

    def seek(self) -> None:
        """Look whether a key that is not known came in since."""


class FixedKeys:
    """Keys that stay what they are until the process ends.

    Args:
        ring: the keys.
    """

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring

    def keep_up(self) -> None:
        """Do nothing."""

    def seek(self) -> None:
        """Do nothing."""


class WatchedKeys:
    """Keys that are read again and again, on the requests' own path, by one thread while others go on.

    Args:
        read: returns all keys with their times.
        also: keys that verify besides, unless they are void in what is read.
        refresh: seconds after which they are read again.
        lasts: for how many seconds tokens are good at most, with what clocks may differ by.
        clock: returns the time in seconds since 1970-01-01 UTC.
        monotonic: returns seconds, by a clock that only goes forward.

    Raises:
        ConfigurationError: they cannot be read.
    """

    def __init__(
        self,
        read: Reader,
        *,
        also: Sequence[Key] = (),
        refresh: float,
        lasts: float,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._read: Final = read
        self._also: Final = tuple(also)
        self._refresh: Final = refresh
        self.lasts: Final = lasts
        self._clock: Final = clock
        self._monotonic: Final = monotonic
        self._lock = Lock()
        self._said_at = -math.inf
        self._was_forked = False
        self.lost: Callable[[], None] = lambda: None
        """Called after a key is gone: what was signed by it is to be judged anew."""
        self._looked_at = monotonic()
        self.plan = self._planned(None)
        now = clock()
        self._changes_at = self.plan.changes_at(now)
        self.ring = self._ring_at(now)
        after_fork(self.renew_lock)

    def is_besides(self, key: Key) -> bool:
        """Tell whether a key is among those that verify besides, by its name or by what it is."""
        return any(key.kid == one.kid or material(key) == material(one) for one in self._also)

    def keep_up(self) -> None:
        """Read the keys again if it is time to, or if the time of one has come."""
        if self._monotonic() >= self._looked_at + self._refresh or self._clock() >= self._changes_at:
            self._look()

    def seek(self) -> None:
        """Read the keys again, unless that was done a moment ago: a name came up that is not known."""
        if self._monotonic() >= self._looked_at + min(_SEEK, self._refresh):
            self._look()

    def renew_lock(self) -> None:
        """Forget who holds the lock, and look at once: after a fork, that thread is not here to finish."""
        self._lock = Lock()
        self._looked_at = -math.inf
        self._was_forked = True

    def _look(self) -> None:
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._looked_at = self._monotonic()
            faults: list[ConfigurationError] = []
            try:
                self.plan = self._with_a_key_that_signs(self._planned(faults.append), faults)
            except ConfigurationError as fault:
                faults.append(fault)
            self._say(faults)
            now = self._clock()
            self._changes_at = self.plan.changes_at(now)
            self._take(self._ring_at(now))
        finally:
            self._lock.release()

    def _with_a_key_that_signs(self, plan: KeyPlan, faults: list[ConfigurationError]) -> KeyPlan:
        """Go on with what is known beside what was read, where no key signs any more: a volume may be gone."""
        if plan.signing(self._clock()) is not None or self.ring.signing is None:
            return plan
        faults.append(ConfigurationError("no key that signs was found: flask permjwt keys generate"))
        keys = {one.key.kid: one for one in (*self.plan.keys, *plan.keys)}
        return KeyPlan(keys.values(), lasts=self.lasts)

    def _say(self, faults: Sequence[ConfigurationError]) -> None:
        """Say what is wrong at every refresh, and no oftener: anybody can make us look."""
        if faults and self._looked_at >= self._said_at + self._refresh:
            self._said_at = self._looked_at
            for fault in faults:
                _log.error("going on with the keys that are known: %s", fault)

    def _planned(self, report: Callable[[ConfigurationError], None] | None) -> KeyPlan:
        plan = KeyPlan(self._read(report), lasts=self.lasts)
        try:
            KeyRing(None, [*(one.key for one in plan.keys), *self._also])  # refuses two keys of one name
        except ConfigurationError as fault:
            if report is None:
                raise
            report(fault)
        return plan

    def _ring_at(self, now: float) -> KeyRing:
        ring = self.plan.ring(now)
        void = [one.key for one in self.plan.keys if one.void_at is not None]
        names, made_of = {key.kid for key in (*void, *ring.keys)}, set(map(material, void))
        also = [key for key in self._also if key.kid not in names and material(key) not in made_of]
        return KeyRing(ring.signing, [*ring.keys, *also])

    def _take(self, ring: KeyRing) -> None:
        before = self.ring
        if ring != before:
            self.ring = ring
            if ring.signing is None:
                _log.error("no key signs any more: flask permjwt keys generate")
            elif ring.signing != before.signing:
                _log.info("the key %s signs now (%s)", ring.signing.kid, ring.signing.algorithm)
        if self._was_forked or set(before.keys) - set(ring.keys):
            self._was_forked = False
            # Last: whoever judges a token anew must not find the key still there.
            self.lost()
