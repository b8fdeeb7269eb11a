"""Freshness: what one process knows of revocations, and how it keeps up with the others."""

import logging
import time
from collections.abc import Sequence
from threading import Lock
from typing import Final

from flask_permjwt.accounts.feeds.host import HostEpoch
from flask_permjwt.accounts.feeds.protocol import Feed, FeedError
from flask_permjwt.errors import ConfigurationError, OutdatedError
from flask_permjwt.signals import told_of
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.forks import after_fork
from flask_permjwt.tokens.revocation import Change, RevocationState

_NEVER: Final = float("-inf")
_SLACK: Final = 0.05
"""Seconds beyond the interval after which requests wait for the one that is asking."""

_PATIENCE: Final = 0.25
"""Seconds after which they go on without it, as long as what is known is not too old."""

_LONG_PATIENCE: Final = 3
"""Seconds after which they are refused, where it is. At the start, when all must be read, they wait longer."""

_RETRY: Final = 0.5
"""Seconds between attempts at least, while nobody answers."""

_STEP: Final = 1
"""Seconds that a clock must have gone back to be called set."""

_log = logging.getLogger("flask_permjwt.revocation")


class Freshness:
    """Keeps the state of one process up to date, on the requests' own path.

    Args:
        feed: where changes come from.
        host: the counter that the processes of this machine share.
        interval: how old, in seconds, what is known may be before the feed is asked again; 0 always asks.
        max_staleness: how old it may be, in seconds, before requests are refused because nobody can be asked.
        lasts: for how many seconds after a change there may be tokens that it touches.
        clock: returns the time in seconds since 1970-01-01 UTC.
        monotonic: returns seconds, by a clock that only goes forward.
    """

    def __init__(
        self,
        feed: Feed,
        host: HostEpoch,
        *,
        interval: float,
        max_staleness: float,
        lasts: float,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self.state: Final = RevocationState(lasts=lasts)
        self.lasts: Final = lasts
        self.next_at = _NEVER
        """When ``catch_up`` must be called next, by the monotonic clock: read on every request."""
        self.host: Final = host
        self.seen_at_host = host.counter[0]
        """What the host's counter showed before the feed was last asked."""
        self._feed: Final = feed
        self._interval: Final = interval
        self._max_staleness: Final = max_staleness
        self._clock: Final = clock
        self._monotonic: Final = monotonic
        self._lock = Lock()
        self._contact_at = _NEVER
        self._asked_at = _NEVER
        self._latest = 0.0
        self._failing = False
        after_fork(self.start_over_after_fork)

    def announce(self) -> str | None:
        """Tell the others that this process writes changes which may be committed."""
        return self._feed.announce()

    def committed(self, changes: Sequence[Change], announced: str | None = None) -> None:
        """Take notice of changes that this process made and committed, and tell the others."""
        self.state.apply(changes, now=self._clock(), monotonic=self._monotonic())
        # First where they look, then that they should.
        self._feed.publish(changes, announced)
        risen = self.host.rise()
        if risen == self.seen_at_host + 1:
            self.seen_at_host = risen  # it was us alone

    def catch_up(self) -> None:
        """Ask the feed if it is time to; one thread does while others go on, unless they need its answer.

        Raises:
            OutdatedError: 503, what is known is too old, and nobody can be asked.
        """
        came = self._monotonic()
        if self._lock.acquire(blocking=False) or self._waited(came):
            try:
                if self._is_due(came):
                    self._ask()
            finally:
                self._lock.release()
        if self._monotonic() - self._contact_at > self._max_staleness:
            raise OutdatedError(retry_after=max(1, self._interval))

    def start_over_after_fork(self) -> None:
        """Forget who held the locks, and what they were about to note: those threads are not here."""
        self._lock = Lock()
        self.state.start_over_after_fork()
        self._feed.start_over()
        self._asked_at = self.next_at = _NEVER

    def _waited(self, now: float) -> bool:
        """Wait for the thread that is asking, where its answer is needed; tell whether the lock was got."""
        age = now - self._contact_at
        is_told = self.host.counter[0] != self.seen_at_host
        # Whoever asks may have begun this very moment, and not noted it yet.
        since = self._asked_at if self._asked_at > self._contact_at else now
        if self._contact_at == _NEVER or (self._interval == 0 and age <= self._max_staleness):
            patience = 0 if self._failing else self._max_staleness
        elif age > self._max_staleness:
            patience = 0 if self._failing else since + min(_LONG_PATIENCE, self._max_staleness) - now
        elif is_told and not self._failing:
            # Something was committed on this host: that is worth waiting for.
            patience = since + min(_LONG_PATIENCE, self._max_staleness) - now
        elif age <= self._interval + _SLACK and not is_told:
            return False
        else:
            patience = since + _PATIENCE - now
        return self._lock.acquire(timeout=max(0, patience))

    def _is_due(self, came: float) -> bool:
        """Tell whether the feed must be asked, for a request that came at that time."""
        if self._failing:
            return self._monotonic() - self._asked_at >= max(self._interval, _RETRY)
        # Who asked after the request had come has asked for it too.
        return came - self._asked_at >= self._interval or self.host.counter[0] != self.seen_at_host

    def _ask(self) -> None:
        self.host.look()
        began, now, seen_at_host = self._monotonic(), self._clock(), self.host.counter[0]
        self._asked_at = began
        if now < self._latest - _STEP:
            # What was forgotten because its time was over may matter again.
            self._feed.start_over()
        self._latest = now
        try:
            for changes in self._feed.read(urgent=seen_at_host != self.seen_at_host):
                self.state.apply(changes, now=now, monotonic=self._monotonic())
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing was learnt, and requests need an answer
            self._note_failure(error)
            self._asked_at = self._monotonic()
            retry_at = self._asked_at + max(self._interval, _RETRY)
            self.next_at = min(retry_at, self._contact_at + self._max_staleness)
            return
        if self._failing:
            _log.warning("revocations can be read again")
            self._failing = False
        self._contact_at, self.seen_at_host = began, seen_at_host
        self.state.forget(now=now, monotonic=began)
        self.next_at = began + self._interval

    def _note_failure(self, error: Exception) -> None:
        if not self._failing:
            why = error if isinstance(error, FeedError) else told_of(error)
            _log.warning("%s: going on with what is known for %g seconds", why, self._max_staleness)
            self._failing = True
