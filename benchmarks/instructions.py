"""Instructions that a protected request takes beyond a bare one, counted by callgrind: a figure without noise.

    python -m benchmarks.instructions          # needs valgrind

Start-up runs without counting. Then the subject makes one lot of requests of each kind, and three lots; after each
it calls a function of the C library, at which callgrind writes down what it counted. Three lots less one are two
lots of requests and nothing else.
"""

import argparse
import ctypes
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from benchmarks.case import Exchange, LeftOut, Place
from benchmarks.figures import Figures, summarise

ROOT = Path(__file__).parent.parent
SUBJECTS = {"permjwt": "warm, HS256, header", "jwt_extended": "permissions decorator"}
LOTS = (1, 3)
_KINDS = ("bare", "protected")
_REQUESTS = 100
# drand48 of the GNU C library calls it, and nothing else here does.
_MARK = "erand48_r"
_PATIENCE = 300


def count_added(subject: str, requests: int = _REQUESTS) -> int:
    """Return the instructions that are added to one request of a subject of ``SUBJECTS``.

    Args:
        subject: a module of ``benchmarks.apps`` with a function ``serve``.
        requests: how many make a lot.

    Raises:
        LeftOut: valgrind is not installed, or cannot count here.
    """
    counts = count(subject, requests)
    return counts["protected"] - counts["bare"]


def count(subject: str, requests: int = _REQUESTS) -> dict[str, int]:
    """Return the instructions of one request, bare and protected.

    Raises:
        LeftOut: as ``count_added``.
    """
    if shutil.which("valgrind") is None or shutil.which("callgrind_control") is None:
        raise LeftOut("valgrind is not installed")
    with tempfile.TemporaryDirectory() as folder:
        _run(subject, requests, Path(folder))
        found = _read(Path(folder))
    if len(found) != 2 * len(_KINDS):
        raise LeftOut(f"callgrind wrote {len(found)} counts where {2 * len(_KINDS)} were expected")
    more, fewer = LOTS[1], LOTS[0]
    lots = (more - fewer) * requests
    return {kind: round((found[2 * at + 1] - found[2 * at]) / lots) for at, kind in enumerate(_KINDS)}


def measure(say: Callable[[str], None], requests: int = _REQUESTS) -> Figures:
    """Count for every subject."""
    found: Figures = {}
    for subject, label in SUBJECTS.items():
        try:
            counts = count(subject, requests)
        except LeftOut as reason:
            say(f"left out, instruction counts: {reason}")
            break
        added = counts["protected"] - counts["bare"]
        key = f"instructions/{subject.replace('_', '-')}"
        parts = {kind: float(number) for kind, number in counts.items()}
        found[key] = summarise(key, f"{subject.replace('_', '-')}: {label}", "instructions", [added], parts)
    return found


def _run(subject: str, requests: int, folder: Path) -> None:
    # With a hash seed that changes, sets and dictionaries would be laid out anew each time.
    environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(  # noqa: S603  # our own program
        [  # noqa: S607  # whichever valgrind is installed
            "valgrind",
            "--tool=callgrind",
            "--instr-atstart=no",
            f"--dump-before={_MARK}",
            f"--callgrind-out-file={folder / 'counts'}",
            sys.executable,
            "-m",
            "benchmarks.instructions",
            "--subject",
            subject,
            "--requests",
            str(requests),
            "--folder",
            str(folder),
        ],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_for(folder / "ready", child)
        control = ["callgrind_control", "-i", "on", str(child.pid)]
        ran = subprocess.run(control, check=False, capture_output=True, text=True, timeout=_PATIENCE)  # noqa: S603
        if ran.returncode:
            raise LeftOut(f"callgrind cannot be switched on: {ran.stderr.strip()}")
        (folder / "go").touch()
        child.communicate(timeout=_PATIENCE)
    finally:
        child.kill()
        child.communicate()


def _wait_for(path: Path, child: subprocess.Popen[str]) -> None:
    end = time.monotonic() + _PATIENCE
    while not path.exists():
        if child.poll() is not None:
            said = child.communicate()[1].strip().splitlines()
            raise LeftOut(f"the subject did not start under valgrind: {said[-1] if said else ''}")
        if time.monotonic() > end:
            raise LeftOut("the subject did not start under valgrind in time")
        time.sleep(0.1)


def _read(folder: Path) -> list[int]:
    """Return what was counted up to each mark but the first, in order."""
    found = []
    for path in sorted(folder.glob("counts.*"), key=lambda one: int(one.suffix[1:])):
        text = path.read_text(encoding="utf-8", errors="replace")
        if f"--dump-before={_MARK}" in text:
            found += [int(number) for number in re.findall(r"^totals: (\d+)$", text, re.MULTILINE)]
    return found[1:]


def _be_the_subject(subject: str, requests: int, folder: Path) -> None:
    mark = ctypes.CDLL(None).drand48
    module = import_module(f"benchmarks.apps.{subject}")
    app, headers = getattr(module, "counted", module.serve)(Place(folder, ExitStack()))
    exchanges = [Exchange.to(app, "/bare", headers), Exchange.to(app, "/reports", headers)]
    for exchange in exchanges:
        exchange.check()
    (folder / "ready").touch()
    while not (folder / "go").exists():
        # Valgrind hears its control only while the program runs.
        sum(range(10_000))
    for exchange in exchanges:
        _spend(exchange, 20)
    gc.collect()
    gc.freeze()
    # A collection would fall into one lot or another by chance, and take as much as many requests.
    gc.disable()
    mark()
    for exchange in exchanges:
        for lots in LOTS:
            _spend(exchange, lots * requests)
            mark()
    os._exit(0)  # tidying up would only be counted


def _spend(exchange: Exchange, times: int) -> None:
    for _ in range(times):
        exchange.spend()


def main() -> None:
    """Count and print; with ``--subject``, be what is counted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=_REQUESTS, help="in one lot")
    parser.add_argument("--subject", choices=SUBJECTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        _be_the_subject(options.subject, options.requests, options.folder)
    for figure in measure(print, options.requests).values():
        print(f"{figure.median:12,.0f} added to {figure.parts['bare']:10,.0f}  {figure.label}")


if __name__ == "__main__":
    main()
