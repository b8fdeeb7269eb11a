"""Findings: what a check says."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """It opens a hole, or it will not work."""

    WARNING = "warning"
    """It may be meant so."""

    UNKNOWN = "unknown"
    """It could not be told here; this does not count."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        check: the name of the check.
        level: how bad it is.
        problem: what is wrong, and what follows from it.
        remedy: what to do.
    """

    check: str
    level: Level
    problem: str
    remedy: str


EXIT_ERRORS: Final = 1
EXIT_WARNINGS: Final = 3
"""Not 2, with which the command line itself refuses what it does not understand."""


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 1 where something is wrong, 3 where there are warnings alone, else 0."""
    levels = {finding.level for finding in findings}
    if Level.ERROR in levels:
        return EXIT_ERRORS
    return EXIT_WARNINGS if Level.WARNING in levels else 0
