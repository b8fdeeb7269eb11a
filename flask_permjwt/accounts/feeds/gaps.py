"""Gaps: ids that were skipped, by transactions that commit late or never. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

Skipped = tuple[int, int]
"""The first and the last of a row of ids that were not there."""


@dataclass(slots=True)
class Gap:
    """Ids from ``low`` to ``high``, none of which was seen by ``since``."""

    low: int
    high: int
    since: float


class SeenIds:
    """Which ids of a counting column were seen, and which may still come.

    Ids are given when a row is written, and rows are seen when their transaction has committed: a reader who only
    asks for ids above the highest one misses what commits late. So those that were skipped are asked for again,
    until no transaction can be that old.

    Args:
        patience: for how many seconds they are.
    """

    def __init__(self, patience: float) -> None:
        self._patience: Final = patience
        self.gaps: list[Gap] = []
        self.highest: int | None = None

    def begin(self, highest: int, skipped: Iterable[Skipped], *, monotonic: float) -> None:
        """Note what a reading of everything found.

        Args:
            highest: of the ids that were there; 0 for none, so that every id is still to come.
            skipped: those below that may belong to transactions which were open then.
            monotonic: seconds, by a clock that only goes forward: when the reading began.
        """
        self.highest = highest
        self.gaps = [Gap(low, high, monotonic) for low, high in skipped]

    def see(self, ids: Iterable[int], *, monotonic: float) -> None:
        """Note ids that were read later, in ascending order.

        Args:
            ids: those of one reading.
            monotonic: as for ``begin``.
        """
        previous = self.highest or 0
        seen = list(ids)
        below = [one for one in seen if one <= previous]
        if below:
            self._fill(below)
        for one in seen:
            if one > previous:
                if one > previous + 1:
                    self.gaps.append(Gap(previous + 1, one - 1, monotonic))
                previous = one
        self.highest = previous
        self.gaps = [gap for gap in self.gaps if monotonic - gap.since <= self._patience]

    def _fill(self, ids: list[int]) -> None:
        self.gaps = [part for gap in self.gaps for part in _without(gap, ids)]


def _without(gap: Gap, ids: list[int]) -> Iterator[Gap]:
    low = gap.low
    for one in ids:
        if low <= one <= gap.high:
            if one > low:
                yield Gap(low, one - 1, gap.since)
            low = one + 1
    if low <= gap.high:
        yield Gap(low, gap.high, gap.since)
