"""The results of a run, as JSON."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.figures import Figures
from benchmarks.targets import Verdict, judge

PACKAGES = (
    "flask-permjwt",
    "flask",
    "werkzeug",
    "pyjwt",
    "cryptography",
    "flask-jwt-extended",
    "flask-security-too",
    "flask-sqlalchemy",
    "sqlalchemy",
    "redis",
    "gunicorn",
)


@dataclass(slots=True)
class Results:
    """What a run found.

    Attributes:
        figures: by their keys.
        left_out: what could not be measured here, and why.
        seconds: how long the run took.
    """

    figures: Figures = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    seconds: float = 0

    def verdicts(self) -> list[Verdict]:
        """Compare the figures with the targets."""
        return judge(self.figures, versions()["pyjwt"])

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "machine": machine(),
            "versions": versions(),
            "figures": [asdict(one) for one in self.figures.values()],
            "targets": [asdict(one) for one in self.verdicts()],
            "left_out": self.left_out,
        }

    def write(self, path: Path) -> None:
        """Write them into a file."""
        path.write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of what takes part; what is not installed has none."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "-"
    return found


def machine() -> dict[str, str | int | None]:
    """Tell what it ran on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(terse=True),
        "processor": _processor() or platform.machine(),
        "processors": os.cpu_count(),
    }


def _processor() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
