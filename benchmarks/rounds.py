"""Rounds: all cases take turns, in many short rounds, so that a noisy moment meets every one of them.

In each round, a case makes some protected requests and as many bare ones, a few of each in turn. The difference of
their medians is one sample of what is added; the median of the samples is the figure. Time is the CPU time of this
thread: what a Redis server does elsewhere, and what is waited for, is not in it.
"""

import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.case import Case
from benchmarks.figures import Figure, Figures, summarise

FEWEST_ROUNDS = 3
_WARM_UP = 30
# A turn takes about so long: much longer than reading the clock, much shorter than what disturbs a machine.
_TURN_US = 2500
_MOST, _FEWEST = 40, 3
# So many in a row: the first of them finds the processor's caches as the other kind of request left them.
_BURST = 5

Progress = Callable[[float], None]


@dataclass(slots=True)
class _Samples:
    times: int
    bare: list[float] = field(default_factory=list)
    protected: list[float] = field(default_factory=list)


def measure(cases: Sequence[Case], seconds: float, progress: Progress = lambda _: None) -> Figures:
    """Measure all cases, for about so many seconds.

    Args:
        cases: what is measured.
        seconds: how long; there are three rounds at least.
        progress: told the share that is done, 0 to 1.
    """
    samples = {case.key: _Samples(_warm_up(case)) for case in cases}
    gc.collect()
    gc.freeze()  # or each collection would walk through all the apps that are not being called
    begun = time.monotonic()
    order, done = list(cases), 0
    try:
        while done < FEWEST_ROUNDS or time.monotonic() - begun < seconds:
            random.shuffle(order)
            for case in order:
                _turn(case, samples[case.key], bare_first=bool(done % 2))
            done += 1
            progress(min(1.0, (time.monotonic() - begun) / seconds if seconds else 1.0))
    finally:
        gc.unfreeze()
    return {case.key: _figure(case, samples[case.key]) for case in cases}


def _warm_up(case: Case) -> int:
    """Make the first requests, which are slower, and return how many fill a turn."""
    for _ in range(_WARM_UP):
        case.bare.spend()
        taken = case.protected.spend()
    return round(min(_MOST, max(_FEWEST, _TURN_US / (taken + 1))))


def _turn(case: Case, samples: _Samples, *, bare_first: bool) -> None:
    bare, protected = [], []
    pairs = [(case.bare, bare), (case.protected, protected)]
    for start in range(0, samples.times, _BURST):
        for exchange, taken in pairs if bare_first else reversed(pairs):
            taken += [exchange.spend() for _ in range(start, min(start + _BURST, samples.times))]
    samples.bare.append(statistics.median(bare))
    samples.protected.append(statistics.median(protected))


def _figure(case: Case, samples: _Samples) -> Figure:
    added = [more - less for more, less in zip(samples.protected, samples.bare, strict=True)]
    parts = {"bare": statistics.median(samples.bare), "protected": statistics.median(samples.protected)}
    return summarise(case.key, case.label, "us", added, parts)
