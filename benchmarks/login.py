"""What a login costs over the password hash itself.

    python -m benchmarks.login

Of each login, the time within argon2 is taken away from its own total: so the two are paired to the request. How
often argon2 was called is counted too: once, or the figure would hide a hash.
"""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from werkzeug.test import EnvironBuilder

from benchmarks.apps.permjwt import NAME, PASSWORD, make
from benchmarks.case import Exchange, Place
from benchmarks.figures import Figures, summarise

Clock = Callable[[], int]


@contextlib.contextmanager
def _watched(clock: Clock) -> Iterator[list[int]]:
    """Yield a list that receives the nanoseconds of each verification."""
    spent: list[int] = []
    original = PasswordHasher.verify

    def verify(self: PasswordHasher, *args: Any, **kwargs: Any) -> Any:
        begun = clock()
        try:
            return original(self, *args, **kwargs)
        finally:
            spent.append(clock() - begun)

    PasswordHasher.verify = verify  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        PasswordHasher.verify = original  # type: ignore[method-assign]


def measure(times: int) -> Figures:
    """Log in so many times."""
    found = {"cpu": _added(times, time.process_time_ns), "wall": _added(times, time.perf_counter_ns)}
    added, hashed = found["cpu"]
    figures = (
        summarise("login/added", "a login over its password hash, CPU time", "ms", added, {"hash": hashed}),
        summarise("login/added-wall", "the same, by the clock on the wall", "ms", found["wall"][0]),
    )
    return {one.key: one for one in figures}


def _added(times: int, clock: Clock) -> tuple[list[float], float]:
    added, hashed = [], 0
    with contextlib.ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        app = make(Place(folder, closing), "login", PERMJWT_RATELIMIT_ENABLED=False).app
        spent = closing.enter_context(_watched(clock))
        for turn in range(times + 3):  # the first ones are slower
            spent.clear()
            body = EnvironBuilder("/auth/login", method="POST", json={"username": NAME, "password": PASSWORD})
            exchange = Exchange(app, [body.get_environ()])
            total = 1000 * exchange.spend(clock)
            if len(spent) != 1:
                raise RuntimeError(f"argon2 was called {len(spent)} times")
            if turn >= 3:  # noqa: PLR2004  # as many as are not counted
                added.append((total - spent[0]) / 1e6)
                hashed += spent[0]
    return added, hashed / times / 1e6


if __name__ == "__main__":
    for figure in measure(30).values():
        print(f"{figure.median:8.2f} {figure.unit} ({figure.low:.2f} to {figure.high:.2f})  {figure.label}")
