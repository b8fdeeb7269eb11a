"""Figures: what was measured, as medians with their spread."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One result.

    Attributes:
        key: its name, unique.
        label: what the table says.
        unit: of all its numbers.
        median: of the samples.
        low: their first quartile.
        high: their third quartile.
        samples: how many there were.
        parts: what it was computed from, as medians.
    """

    key: str
    label: str
    unit: str
    median: float
    low: float
    high: float
    samples: int
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def library(self) -> str:
        """Whose it is."""
        return self.key.partition("/")[0]


Figures = dict[str, Figure]


def summarise(
    key: str, label: str, unit: str, samples: Sequence[float], parts: dict[str, float] | None = None
) -> Figure:
    """Make a figure of samples; of a single one, its spread is none."""
    if len(samples) == 1:
        low = high = samples[0]
    else:
        low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Figure(key, label, unit, statistics.median(samples), low, high, len(samples), parts or {})
