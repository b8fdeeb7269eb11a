"""What a login costs over the password hash itself.

    python -m benchmarks.login

Of each login, the time within argon2 is taken away from its own total: so the two are paired to the request. How
often argon2 was called is counted too: once, or the figure would hide a hash.

Beside it stands the least that any login which keeps a session in this database costs: a request that looks a user
up by name, verifies the same hash, inserts one row and commits. The hash walks through 64 MiB: whatever runs after
it finds the processor's caches empty, and takes about twice its time.
"""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import insert, select
from werkzeug.test import EnvironBuilder

from benchmarks.apps.common import hello
from benchmarks.apps.permjwt import NAME, PASSWORD, World, make
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
    (added, hashed), (wall, _) = _login(times, time.process_time_ns), _login(times, time.perf_counter_ns)
    least, _ = _least(times, time.process_time_ns)
    figures = (
        summarise("login/added", "a login over its password hash, CPU time", "ms", added, {"hash": hashed}),
        summarise("login/least", "finding a user and committing one row, over that hash, CPU time", "ms", least),
        summarise("login/added-wall", "the login, by the clock on the wall", "ms", wall),
    )
    return {one.key: one for one in figures}


def _login(times: int, clock: Clock) -> tuple[list[float], float]:
    with contextlib.ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        app = make(Place(folder, closing), "login", PERMJWT_RATELIMIT_ENABLED=False).app
        return _over_the_hash(app, "/auth/login", times, clock)


def _over_the_hash(app: Flask, path: str, times: int, clock: Clock) -> tuple[list[float], float]:
    added, hashed = [], 0
    with _watched(clock) as spent:
        for turn in range(times + 3):  # the first ones are slower
            spent.clear()
            body = EnvironBuilder(path, method="POST", json={"username": NAME, "password": PASSWORD})
            exchange = Exchange(app, [body.get_environ()])
            total = 1000 * exchange.spend(clock)
            if len(spent) != 1:
                raise RuntimeError(f"argon2 was called {len(spent)} times")
            if turn >= 3:  # noqa: PLR2004  # as many as are not counted
                added.append((total - spent[0]) / 1e6)
                hashed += spent[0]
    return added, hashed / times / 1e6


def _least(times: int, clock: Clock) -> tuple[list[float], float]:
    with contextlib.ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        make(Place(folder, closing), "least")
        world = make(Place(folder, closing), "least", fresh=False)
        _add_least_view(world)
        return _over_the_hash(world.app, "/least", times, clock)


def _add_least_view(world: World) -> None:
    models, session = world.permjwt.models, world.db.session
    hasher = PasswordHasher()
    found = select(models.user.public_id, models.user.password_hash).where(models.user.username_key == NAME)

    @world.app.post("/least")
    def least() -> dict[str, str]:
        user, now = session.execute(found).one(), datetime.now(UTC).replace(tzinfo=None)
        hasher.verify(user.password_hash, PASSWORD)
        times = dict.fromkeys(("created_at", "authenticated_at", "last_used_at", "expires_at"), now)
        row = {
            "id": token_hex(16),
            "refresh_id": token_hex(16),
            "subject": user.public_id,
            "opened_by": "x",
            **times,
        }
        session.execute(insert(models.session.__table__), row)
        session.commit()
        return hello()


if __name__ == "__main__":
    for figure in measure(30).values():
        print(f"{figure.median:8.2f} {figure.unit} ({figure.low:.2f} to {figure.high:.2f})  {figure.label}")
