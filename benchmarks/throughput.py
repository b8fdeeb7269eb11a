"""Requests a second through gunicorn, a protected route against the bare one of the same app, measured by wrk.

One sync worker for each app. All servers are up at once, and one at a time is asked, in turn, for a short while.
"""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from benchmarks.case import LeftOut
from benchmarks.figures import Figure, Figures, summarise
from benchmarks.rounds import Progress

ROOT = Path(__file__).parent.parent
SUBJECTS = {
    "permjwt": "permjwt: warm, HS256, header",
    "jwt_extended": "jwt-extended: permissions decorator",
    "jwt_extended_sqlite": "jwt-extended: user loader and blocklist on SQLite",
    "flask_security": "flask-security: token and permissions decorators",
}
# Its bare routes read the user too when a token is sent. All others are asked with the same headers.
_READS_TOKENS_ANYWHERE = "flask_security"
# The smallest difference needs the most samples: of so many rounds, a subject is asked in one.
_ROUNDS_FOR_ONE = {"permjwt": 1}
_SELDOM = 3
_CONNECTIONS = 4
_START = 60
_WARM_UP = 50
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.MULTILINE)


@dataclass(slots=True)
class _Server:
    port: int
    headers: dict[str, str]
    headers_to_bare: dict[str, str]
    rates: dict[str, list[float]] = field(default_factory=lambda: {"/bare": [], "/reports": []})


def measure(say: Callable[[str], None], rounds: int, seconds: int, progress: Progress = lambda _: None) -> Figures:
    """Measure every subject in so many rounds of so many seconds for each of its two routes."""
    for tool, found in (("wrk", shutil.which("wrk")), ("gunicorn", find_spec("gunicorn"))):
        if found is None:
            say(f"left out, throughput: {tool} is not installed")
            return {}
    with ExitStack() as closing:
        servers = _start_all(closing, say)
        for turn in range(rounds):
            for at, (subject, server) in enumerate(servers.items()):
                if turn % _ROUNDS_FOR_ONE.get(subject, _SELDOM):
                    continue
                for path in ("/bare", "/reports") if turn % 2 else ("/reports", "/bare"):
                    server.rates[path].append(_ask(server, path, seconds))
                progress((turn + (at + 1) / len(servers)) / rounds)
    return {one.key: one for one in map(_figure, servers, servers.values())}


def _start_all(closing: ExitStack, say: Callable[[str], None]) -> dict[str, _Server]:
    folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
    servers = {}
    for subject in SUBJECTS:
        try:
            servers[subject] = closing.enter_context(_served(subject, folder))
        except LeftOut as reason:
            say(f"left out, throughput: {reason}")
    for server in servers.values():
        for path in server.rates:
            _warm_up(server, path)
    return servers


def _figure(subject: str, server: _Server) -> Figure:
    key = f"throughput/{subject.replace('_', '-')}"
    bare, protected = server.rates["/bare"], server.rates["/reports"]
    ratios = [one / other for one, other in zip(protected, bare, strict=True)]
    parts = {"bare": sum(bare) / len(bare), "protected": sum(protected) / len(protected)}
    return summarise(key, SUBJECTS[subject], "of bare", ratios, parts)


@contextlib.contextmanager
def _served(subject: str, folder: Path) -> Iterator[_Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / f"{subject}.log"
    with log.open("wb") as sink:
        child = subprocess.Popen(  # noqa: S603  # our own program
            [
                sys.executable,
                "-m",
                "gunicorn",
                "--workers=1",
                f"--bind=127.0.0.1:{port}",
                "--log-level=warning",
                f"benchmarks.serve:make({subject!r}, {str(folder)!r})",
            ],
            cwd=ROOT,
            stdout=sink,
            stderr=sink,
        )
    try:
        described = folder / f"{subject}.json"
        _wait_until(described.exists, child, log)
        headers = json.loads(described.read_text(encoding="utf-8"))
        yield _Server(port, headers, {} if subject == _READS_TOKENS_ANYWHERE else headers)
    finally:
        child.terminate()
        child.wait(30)


def _wait_until(ready: Callable[[], bool], child: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START
    while not ready():
        if child.poll() is not None or time.monotonic() > end:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise LeftOut(f"a server did not start: {said[-1] if said else 'it said nothing'}")
        time.sleep(0.1)


def _warm_up(server: _Server, path: str) -> None:
    """Make the first requests, which are slower."""
    for _ in range(_WARM_UP):
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=server.headers)
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310  # our own server


def _ask(server: _Server, path: str, seconds: int) -> float:
    """Return the requests a second."""
    headers = server.headers if path != "/bare" else server.headers_to_bare
    given = [f"-H{name}: {value}" for name, value in headers.items()]
    ran = subprocess.run(  # noqa: S603  # whichever wrk is installed
        [  # noqa: S607  # as above
            "wrk",
            "--threads=1",
            f"--connections={_CONNECTIONS}",
            f"--duration={seconds}s",
            *given,
            f"http://127.0.0.1:{server.port}{path}",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    if "Non-2xx" in ran.stdout:
        raise RuntimeError(f"{path} was refused under wrk:\n{ran.stdout}")
    found = _RATE.search(ran.stdout)
    if found is None:
        raise RuntimeError(f"wrk printed no rate:\n{ran.stdout}")
    return float(found[1])
