"""What it costs to know many revocations: python -m benchmarks.revocations [--entries 1000000].

A process of its own for each size: how long it takes to load them when the first request comes, what memory they
take, and what asking for news costs afterwards, which must not grow with them.
"""

import argparse
import gc
import json
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from benchmarks.apps.permjwt import CHUNK, World, make
from benchmarks.case import Place
from benchmarks.figures import Figures, summarise

ROOT = Path(__file__).parent.parent
FEW, MANY = 10, 1_000_000
_POLLS = 300


def fill(world: World, entries: int) -> None:
    """Write down that so many sessions have ended, as ``DELETE /auth/sessions/<id>`` does for each."""
    table = world.permjwt.models.change.__table__
    over = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)
    for start in range(0, entries, CHUNK):
        rows: list[dict[str, Any]] = [
            {"kind": "session", "target": secrets.token_hex(16), "version": 0, "lasts": 3600, "expires_at": over}
            for _ in range(min(CHUNK, entries - start))
        ]
        with world.app.app_context(), world.db.engine.begin() as connection:
            connection.execute(insert(table), rows)


def measure(entries: int = MANY) -> Figures:
    """Measure few and so many live entries."""
    few, many = _in_a_process(FEW), _in_a_process(entries)
    label = f"{entries:,} live revocations"
    figures = (
        summarise("revocations/load", f"{label}: time to load them", "s", [many["load"]]),
        summarise("revocations/memory", f"{label}: memory of a process", "MB", [many["memory"]]),
        summarise("revocations/poll", f"{label}: asking for news", "us", many["polls"]),
        summarise("revocations/poll-few", f"{FEW} live revocations: asking for news", "us", few["polls"]),
    )
    return {one.key: one for one in figures}


def _in_a_process(entries: int) -> dict[str, Any]:
    ran = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", "benchmarks.revocations", "--child", "--entries", str(entries)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def _be_a_process(entries: int) -> dict[str, Any]:
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        place = Place(folder, closing)
        fill(make(place, "revocations"), entries)
        # Another app on the same tables, as a worker that starts: what filling them took is not its memory.
        reader = make(place, "revocations", fresh=False, PERMJWT_REVOCATION_INTERVAL=0)
        freshness = reader.app.extensions["permjwt"].freshness
        gc.collect()
        space, begun = _memory(), time.perf_counter()
        with reader.app.app_context():
            freshness.catch_up()
            load = time.perf_counter() - begun
            gc.collect()
            memory = (_memory() - space) / 1e6
            polls = []
            for _ in range(_POLLS):
                begun = time.thread_time()
                freshness.catch_up()
                polls.append((time.thread_time() - begun) * 1e6)
    return {"load": load, "memory": memory, "polls": polls}


def _memory() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def main() -> None:
    """Measure and print; with ``--child``, be the process that is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=MANY)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(_be_a_process(options.entries)))
        return
    for one in measure(options.entries).values():
        print(f"{one.median:10.2f} {one.unit:3} ({one.low:.2f} to {one.high:.2f})  {one.label}")


if __name__ == "__main__":
    main()
