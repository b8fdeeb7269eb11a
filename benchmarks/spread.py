"""How soon a revocation that one worker makes is seen by the others: python -m benchmarks.spread.

On one host, workers share the epoch file: each is asked once, right after the revocation was committed, and must
refuse. Another host is a worker with an epoch file of its own: it is asked over and over, and the time is taken.
"""

import argparse
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Self

from benchmarks.apps.common import bearer
from benchmarks.apps.permjwt import World, make
from benchmarks.case import Exchange, Place
from benchmarks.figures import Figures, summarise

ROOT = Path(__file__).parent.parent
WORKERS, TRIALS, INTERVAL = 8, 1000, 1.0
_PAUSE = 0.02
_REFUSED = 401


class Worker:
    """A process of the app, which does what it is told."""

    def __init__(self, folder: Path, secret: str, host: str) -> None:
        given = ["--folder", str(folder), "--secret", secret, "--host", host]
        self._child = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-m", "benchmarks.spread", *given],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.told()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate("")

    def tell(self, what: str, token: str) -> None:
        """Let it use or revoke a token."""
        assert self._child.stdin is not None  # noqa: S101  # asked for
        self._child.stdin.write(f"{what} {token}\n")
        self._child.stdin.flush()

    def told(self) -> int:
        """Return the status that it got."""
        assert self._child.stdout is not None  # noqa: S101  # asked for
        return int(json.loads(self._child.stdout.readline()))

    def do(self, what: str, token: str) -> int:
        """Let it, and return the status."""
        self.tell(what, token)
        return self.told()


def measure(trials: int = TRIALS, progress: Callable[[float], None] = lambda _: None) -> Figures:
    """Make so many revocations on one host, and as many that another host must see."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        secret = secrets.token_urlsafe(64)
        world = make(Place(folder, closing), "spread", **_settings(folder, secret, "elsewhere"))
        workers = [closing.enter_context(Worker(folder, secret, "here")) for _ in range(WORKERS)]
        missed = 0
        for turn in range(trials):
            missed += _next_requests(workers, world.reissued(), turn % WORKERS)
            progress(turn / trials / 2)
        delays = _delays(world, workers[0], trials)
        progress(1)
    figures = (
        summarise(
            "spread/missed",
            f"{trials:,} revocations among {WORKERS} workers of a host: not seen next",
            "",
            [missed],
        ),
        summarise("spread/other-host", "the longest until another host saw one", "ms", [1000 * max(delays)]),
        summarise("spread/other-host-usual", "until another host saw one", "ms", [1000 * one for one in delays]),
    )
    return {one.key: one for one in figures}


def _next_requests(workers: list[Worker], token: str, turn: int) -> int:
    for worker in workers:
        worker.tell("use", token)
    if {worker.told() for worker in workers} != {200}:
        raise RuntimeError("a good token was refused")
    workers[turn].do("revoke", token)
    for worker in workers:
        worker.tell("use", token)
    return sum(worker.told() != _REFUSED for worker in workers)


def _delays(world: World, maker: Worker, trials: int) -> list[float]:
    """Use tokens that another host revokes, all the time, until they are refused."""
    tokens = [world.reissued() for _ in range(trials)]
    exchanges = {token: Exchange.to(world.app, "/reports", bearer(token)) for token in tokens}
    for exchange in exchanges.values():
        exchange.check()
    revoked_at: dict[str, float] = {}
    living: set[str] = set()

    def revoke() -> None:
        for token in tokens:
            maker.do("revoke", token)
            revoked_at[token] = time.monotonic()
            living.add(token)
            time.sleep(_PAUSE)

    delays = []
    thread = Thread(target=revoke)
    thread.start()
    while thread.is_alive() or living:
        for token in list(living):
            if _status(exchanges[token]) == _REFUSED:
                delays.append(time.monotonic() - revoked_at[token])
                living.remove(token)
        time.sleep(0.001)
    thread.join()
    return delays


def _status(exchange: Exchange) -> int:
    seen: list[str] = []
    body = exchange.app(dict(exchange.environs[0]), lambda status, *_: seen.append(status))  # type: ignore[arg-type,func-returns-value]
    b"".join(body)
    return int(seen[0].split()[0])


def _settings(folder: Path, secret: str, host: str) -> dict[str, object]:
    return {
        "SECRET_KEY": secret,
        "PERMJWT_REVOCATION_EPOCH_FILE": str(folder / f"{host}.epoch"),
        "PERMJWT_REVOCATION_INTERVAL": INTERVAL,
    }


def _be_a_worker(folder: Path, secret: str, host: str) -> None:
    with ExitStack() as closing:
        world = make(Place(folder, closing), "spread", fresh=False, **_settings(folder, secret, host))
        print(json.dumps(0), flush=True)
        for line in sys.stdin:
            what, token = line.split()
            if what == "revoke":
                with world.app.app_context():
                    world.permjwt.revocations.revoke_token(token)
                    world.db.session.commit()
                print(json.dumps(0), flush=True)
            else:
                print(json.dumps(_status(Exchange.to(world.app, "/reports", bearer(token)))), flush=True)


def main() -> None:
    """Measure and print; with ``--folder``, be a worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=TRIALS)
    for hidden in ("--folder", "--secret", "--host"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        _be_a_worker(Path(options.folder), options.secret, options.host)
        return
    for one in measure(options.trials).values():
        print(f"{one.median:10.1f} {one.unit:3} ({one.low:.1f} to {one.high:.1f})  {one.label}")


if __name__ == "__main__":
    main()
