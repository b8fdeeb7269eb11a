"""What does a protected request cost, beside other libraries?

    python -m benchmarks           # about six minutes
    python -m benchmarks --quick   # about forty seconds; rough

Prints tables, and writes results.json and added.svg into benchmarks/results/.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

try:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
except ModuleNotFoundError:
    sys.exit("The benchmarks need more packages: make bench, or pip install -e '.[bench]'")

from benchmarks import imports, instructions, login, plot, report, revocations, rounds, spread, throughput
from benchmarks.case import Place
from benchmarks.contestants import CONTESTANTS, load
from benchmarks.figures import Figures
from benchmarks.results import Results

RESULTS = Path(__file__).parent / "results"
PARTS = ("wsgi", "throughput", "instructions", "spread", "revocations", "login", "import")
LIBRARIES = tuple(dict.fromkeys(one.library for one in CONTESTANTS))

_FILE_WIDTH = 140

Told = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of what is measured."""

    wsgi_seconds: float
    wrk_rounds: int
    wrk_seconds: int
    instructions: bool
    trials: int
    revocations: int
    logins: int
    imports: int
    many_users: int


FULL = Plan(120, 18, 1, True, 1_000, 1_000_000, 40, 9, 1_000_000)  # noqa: FBT003  # in the order above
QUICK = Plan(12, 1, 1, False, 20, 10_000, 8, 3, 1_000)  # noqa: FBT003  # as above


def main() -> None:
    """Measure, print and write."""
    options = _options()
    plan = QUICK if options.quick else FULL
    logging.getLogger("flask_permjwt").setLevel(logging.ERROR)  # one line for each refusal
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH)
    results, begun = Results(), time.monotonic()
    columns = (TextColumn("{task.description:>12}"), BarColumn(None), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:

        def say(line: str) -> None:
            results.left_out.append(line)
            bars.console.print(line, style="yellow", markup=False, highlight=False)

        for part in options.parts:
            task = bars.add_task(part, total=1)
            told = partial(_move, bars, task)
            _measure(part, plan, options, results, say, told)
            told(1)
    results.seconds = time.monotonic() - begun
    # First: what took minutes must not be lost where it cannot be shown.
    RESULTS.mkdir(exist_ok=True)
    results.write(RESULTS / "results.json")
    report.show(results, console)
    plot.draw(results.figures, RESULTS / "added.svg")
    console.print(f"{results.seconds:.0f} s; results.json and added.svg are in {RESULTS}")


def _move(bars: Progress, task: TaskID, share: float) -> None:
    bars.update(task, completed=share)


def _measure(
    part: str, plan: Plan, options: argparse.Namespace, results: Results, say: Callable[[str], None], told: Told
) -> None:
    match part:
        case "wsgi":
            seconds = options.seconds or plan.wsgi_seconds
            many = options.users or plan.many_users
            found = _through_wsgi(seconds, many, plan.revocations, options.libraries, say, told)
        case "throughput":
            found = throughput.measure(say, plan.wrk_rounds, plan.wrk_seconds, told)
        case "instructions" if not plan.instructions:
            say("left out, instruction counts: --quick; python -m benchmarks.instructions takes a minute")
            return
        case "instructions":
            found = instructions.measure(say)
        case "spread":
            found = spread.measure(plan.trials, told)
        case "revocations":
            found = revocations.measure(plan.revocations)
        case "login":
            found = login.measure(plan.logins)
        case _:
            found = imports.measure(plan.imports)
    results.figures.update(found)


def _through_wsgi(
    seconds: float,
    users: int,
    revocations: int,
    libraries: Collection[str],
    say: Callable[[str], None],
    told: Told,
) -> Figures:
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        cases = load(Place(folder, closing, users, revocations), say, libraries)
        return rounds.measure(cases, seconds, told)


def _options() -> argparse.Namespace:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=formatter)
    parser.add_argument("--quick", action="store_true", help="about forty seconds, for a first look")
    parser.add_argument("--seconds", type=float, help="for the requests through the WSGI callable")
    parser.add_argument("--users", type=int, help='how many "many users" are')
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=LIBRARIES)
    return parser.parse_args()


if __name__ == "__main__":
    main()
