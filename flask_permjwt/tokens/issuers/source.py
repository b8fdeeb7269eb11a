"""The source of an issuer's keys: fetched when they are needed, kept while they are current, and asked for once.

There is no background thread: one request fetches, and the others go on with what is known.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Semaphore
from typing import Final

from flask_permjwt.errors import KeysUnavailableError
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.forks import after_fork
from flask_permjwt.tokens.issuers.jwks import KeysError, PublicKey, PublishedKeys
from flask_permjwt.tokens.issuers.protocol import Loaded, Loader

_AHEAD: Final = 0.8
"""The part of their lifetime after which keys are fetched again."""

_PATIENCE: Final = 1
"""Seconds for which a request waits for another one's fetch, where no key at all is known."""

_MOST_WAITING: Final = 4
"""Requests that wait so at a time: anybody can send tokens, and a silent issuer must not hold every thread."""

_log = logging.getLogger("flask_permjwt.issuers")


@dataclass(frozen=True, slots=True)
class _Held:
    """Keys, and when what is due, by a clock that only goes forward.

    Attributes:
        keys: the keys.
        refresh_at: they are fetched again from then on.
        until: they are of no use from then on, whoever cannot be reached.
    """

    keys: PublishedKeys
    refresh_at: float
    until: float


class KeySource:
    """The keys of one issuer, as one process knows them. Safe under threads.

    Args:
        name: the issuer, for the log.
        loader: gets the keys.
        stale: for how many seconds keys are used beyond their lifetime while no others can be had.
        cooldown: seconds between attempts that are made because a key is unknown, or after one that failed.
        on_dropped: called when a key is no longer published, and after a fork, when one may not be.
        monotonic: returns seconds, by a clock that only goes forward.
    """

    def __init__(
        self,
        name: str,
        loader: Loader,
        *,
        stale: float,
        cooldown: float,
        on_dropped: Callable[[], None] = lambda: None,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._name: Final = name
        self._loader: Final = loader
        self._stale: Final = stale
        self._cooldown: Final = cooldown
        self._on_dropped: Final = on_dropped
        self._monotonic: Final = monotonic
        self._held: _Held | None = None
        self._next_at = float("-inf")
        self._is_failing = False
        self._is_slow = False
        self.renew_lock()
        after_fork(self.start_over_after_fork)

    def find(self, kid: str | None, algorithm: str) -> tuple[PublicKey | None, float]:
        """Return the key that a token means, if there is one, and for how many seconds that holds.

        Raises:
            KeysUnavailableError: 503, no keys can be had, or it is just being asked whether there is a new one.
        """
        now = self._monotonic()
        held = self._held
        if held is None or now >= held.until:
            held = self._first()
        elif now >= held.refresh_at and now >= self._next_at:
            held = self._refresh(held)
        key = held.keys.find(kid, algorithm)
        if key is None:
            held = self._ask_for_unknown(held)
            key = held.keys.find(kid, algorithm)
        return key, min(max(held.refresh_at, self._next_at), held.until) - now

    def renew_lock(self) -> None:
        """Forget who holds the lock: after a fork, that thread is not here."""
        self._lock = Lock()
        self._places = Semaphore(_MOST_WAITING)

    def start_over_after_fork(self) -> None:
        """Renew the lock, and say that a key went: the thread that was about to is not here."""
        self.renew_lock()
        self._on_dropped()

    def _first(self) -> _Held:
        """Fetch keys where none are known: nobody can go on without them, and nobody waits for long."""
        if not (self._lock.acquire(blocking=False) or self._wait()):
            raise KeysUnavailableError
        try:
            now, held = self._monotonic(), self._held
            if held is not None and now < held.until:
                return held
            if now < self._next_at:
                raise KeysUnavailableError(self._next_at - now)
            self._load()
            found = self._held
            if found is None or found is held:
                raise KeysUnavailableError(self._cooldown)
            return found
        finally:
            self._lock.release()

    def _wait(self) -> bool:
        """Wait for the lock, unless enough do, or somebody did in vain: then this fetch takes its time."""
        if self._is_slow or not self._places.acquire(blocking=False):
            return False
        try:
            has_lock = self._lock.acquire(timeout=_PATIENCE)
        finally:
            self._places.release()
        self._is_slow = not has_lock
        return has_lock

    def _refresh(self, held: _Held) -> _Held:
        """Fetch keys ahead of their end, unless another thread does already."""
        if not self._lock.acquire(blocking=False):
            return held
        try:
            if self._held is held and self._monotonic() >= self._next_at:
                self._load()
            return self._held or held
        finally:
            self._lock.release()

    def _ask_for_unknown(self, held: _Held) -> _Held:
        """Fetch keys because one is unknown, unless that was done just now: a flood brings one fetch."""
        if self._monotonic() >= self._next_at:
            if not self._lock.acquire(blocking=False):
                # A fetch is under way, which may bring it.
                raise KeysUnavailableError
            try:
                if self._held is held and self._monotonic() >= self._next_at:
                    self._load()
            finally:
                self._lock.release()
        if self._is_failing:
            raise KeysUnavailableError(self._next_at - self._monotonic())
        return self._held or held

    def _load(self) -> None:
        """Fetch keys, whatever comes of it. The lock is held."""
        self._is_slow = False
        try:
            loaded = self._loader.load()
        except KeysError as fault:
            self._failed(str(fault))
        except Exception as fault:  # noqa: BLE001  # a loader's fault must not become the request's
            self._failed(type(fault).__name__)
        else:
            self._take(loaded)
        self._next_at = self._monotonic() + self._cooldown
        self._is_slow = False

    def _failed(self, why: str) -> None:
        self._is_failing = True
        _log.warning("the keys of the issuer %s cannot be had: %s", self._name, why)

    def _take(self, loaded: Loaded) -> None:
        if self._is_failing:
            self._is_failing = False
            _log.warning("the keys of the issuer %s can be had again", self._name)
        now, before = self._monotonic(), self._held
        self._held = _Held(loaded.keys, now + _AHEAD * loaded.lifetime, now + loaded.lifetime + self._stale)
        if before is None or before.keys.thumbprints != loaded.keys.thumbprints:
            _log.info("the issuer %s has %d keys", self._name, len(loaded.keys))
            for reason in loaded.keys.ignored:
                _log.warning("the keys of the issuer %s: %s", self._name, reason)
            if before is not None and not before.keys.thumbprints <= loaded.keys.thumbprints:
                self._on_dropped()
