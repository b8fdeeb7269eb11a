"""Throttling: who has tried too often must wait, in the notation of the ``limits`` library.

An attempt is counted before it is made, and given back when it was no failure: of many that come at once, no more
pass than are allowed.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from flask_permjwt.accounts.counts import (
    RETRY_STORAGE_AFTER,
    Counts,
    DownError,
    Limit,
    Memory,
    Shared,
    Window,
    check_uri,
    is_shared,
)
from flask_permjwt.errors import BusyError, ConfigurationError, ThrottledError
from flask_permjwt.tokens.clock import Clock

OnFailure = Literal["memory", "refuse", "allow"]

_EXAMPLE: Final = "write it as '10 per 15 minutes' or '5/hour'"
_ZERO_WINDOW: Final = re.compile(r"(?:/|per)\s*0+\s*[a-z]", re.IGNORECASE)
_LONGEST_WINDOW: Final = 366 * 24 * 3600
_MEANWHILE: Final = {
    "memory": "counting in this process",
    "refuse": "refusing what is counted",
    "allow": "counting nothing",
}


def check_limit(text: str) -> str:
    """Return a limit as it was written, once it is known to be one.

    Raises:
        ConfigurationError: it is none; the message shows one.
    """
    _parse(text)
    return text


@lru_cache(maxsize=256)
def _parse(text: str) -> Limit:
    from limits import parse_many  # noqa: PLC0415 - an app that throttles nothing need not load it

    try:
        items = parse_many(text)
    except ValueError:
        items = []
    if len(items) != 1:
        raise ConfigurationError(f"{text!r} is not one limit: {_EXAMPLE}")
    limit = Limit(items[0].amount, items[0].get_expiry())
    if limit.amount < 1 or _ZERO_WINDOW.search(text) or limit.seconds > _LONGEST_WINDOW:
        raise ConfigurationError(f"{text!r} must allow one or more, in a second to a year: {_EXAMPLE}")
    return limit


@dataclass(frozen=True, slots=True)
class Check:
    """One count that an attempt is held against.

    Attributes:
        kind: what is counted, such as ``"password by name"``.
        key: whose count it is: any text of any length, which is kept only as a hash.
        limit: in the notation of ``limits``: ``"10 per 15 minutes"``.
    """

    kind: str
    key: str = field(repr=False)
    limit: str


def _window(check: Check, now: float) -> Window:
    limit = _parse(check.limit)
    # As JSON, no text can pass for two others; hashed, none can make a key long.
    parts = json.dumps([check.kind, check.key, *limit])
    name = hashlib.sha256(parts.encode()).hexdigest()
    return Window(name, limit, (int(now) // limit.seconds + 1) * limit.seconds)


class Attempt:
    """What was counted for one attempt.

    Args:
        hits: where it was counted.
    """

    def __init__(self, hits: Iterable[tuple[Counts, Window]] = ()) -> None:
        self._hits = list(hits)

    def give_back(self) -> None:
        """Take back what this attempt counted, for it was no failure. Failures stay counted.

        A second call does nothing, and neither does one that cannot reach the storage.
        """
        hits, self._hits = self._hits, []
        for counts, window in hits:
            with suppress(DownError):
                counts.take_back(window)


class _Process(NamedTuple):
    """What belongs to one process: its memory, and its connections."""

    memory: Memory
    shared: Shared | None


class Throttle:
    """Counts attempts and refuses those above their limits.

    Args:
        storage_uri: where counts are kept: ``memory://`` (each process counts for itself), or ``redis://``,
            ``rediss://`` or ``redis+unix://``, where all workers count together. Nothing is opened before the
            first attempt, and nothing is shared with a process that was forked.
        on_failure: what happens while the storage does not answer: ``"memory"`` counts in this process,
            ``"refuse"`` refuses every attempt, ``"allow"`` counts nothing.
        enabled: whether anything is counted.
        clock: returns the time in seconds since 1970-01-01 UTC.

    Raises:
        ConfigurationError: the storage is of another kind or its client is not installed; or ``on_failure``
            is none of the three.
    """

    def __init__(
        self,
        *,
        storage_uri: str = "memory://",
        on_failure: OnFailure = "memory",
        enabled: bool = True,
        clock: Clock = time.time,
    ) -> None:
        if on_failure not in _MEANWHILE:
            raise ConfigurationError("when the storage of rate limits fails: 'memory', 'refuse' or 'allow'")
        self._uri: Final = check_uri(storage_uri)
        self._on_failure: Final = on_failure
        self._enabled: Final = enabled
        self._clock: Final = clock
        self._processes: Final[dict[int, _Process]] = {}

    def attempt(self, checks: Sequence[Check]) -> Attempt:
        """Count an attempt, before it is made: of many at once, no more pass than are allowed.

        An attempt that one count refuses is not counted by the others.

        Args:
            checks: what it is counted by.

        Raises:
            ThrottledError: a limit is used up; ``retry_after`` says when all of them let one pass again.
            BusyError: the storage does not answer, and is not done without.
            ConfigurationError: a limit is not written as one.
        """
        if not self._enabled:
            return Attempt()
        now = self._clock()
        windows = [_window(check, now) for check in checks]
        hits: list[tuple[Counts, Window]] = []
        waits: list[float] = []
        try:
            for window in windows:
                counts, count = self._count(window)
                hits.append((counts, window))
                if count > window.limit.amount:
                    waits.append(window.ends_at - now)
        except BusyError:
            Attempt(hits).give_back()
            raise
        if waits:
            Attempt(hits).give_back()
            raise ThrottledError(max(waits))
        return Attempt(hits)

    def clear(self, check: Check) -> None:
        """Begin a count anew, with the failures in it.

        For a count that only one person can reach. Never for one by address: whoever has an account could
        guess at others in turn with logging in.
        """
        if not self._enabled:
            return
        window = _window(check, self._clock())
        process = self._process()
        process.memory.clear(window)
        if process.shared is not None:
            with suppress(DownError):
                process.shared.clear(window)

    def _count(self, window: Window) -> tuple[Counts, int]:
        process = self._process()
        if process.shared is not None:
            with suppress(DownError):
                return process.shared, process.shared.add(window)
            if self._on_failure == "refuse":
                raise BusyError(RETRY_STORAGE_AFTER)
            if self._on_failure == "allow":
                return process.memory, 0
        return process.memory, process.memory.add(window)

    def _process(self) -> _Process:
        pid = os.getpid()
        process = self._processes.get(pid)
        if process is None:
            meanwhile = _MEANWHILE[self._on_failure]
            shared = Shared(self._uri, meanwhile, self._clock) if is_shared(self._uri) else None
            # Of two threads that come first together, setdefault gives both the same.
            process = self._processes.setdefault(pid, _Process(Memory(self._clock), shared))
        return process
