"""Does what happens at a login keep its cost when the tables grow?

    python -m benchmarks.scale            # SQLite, 1,000 against 1,000,000 rows
    python -m benchmarks.scale --database postgresql+psycopg://postgres@127.0.0.1/postgres

Users, sessions and audit rows are written in bulk, half of the sessions ended. The password hash is the cheapest
that argon2 knows: what remains is our own work and the database's. Prints medians, and the plan of each statement.
"""

import argparse
import contextlib
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Table, create_engine, event, insert, make_url, text
from sqlalchemy.pool import NullPool

from flask_permjwt import PermJWT, extension
from flask_permjwt.accounts.moments import to_datetime
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.tokens.codec import TokenType

CHUNK = 20_000
PASSWORD = "correct horse battery staple"


class World:
    """An app with so many users, sessions and audit rows."""

    def __init__(self, url: str, rows: int) -> None:
        extension.Passwords = lambda: Passwords(  # type: ignore[assignment,misc]
            PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        )
        self.db = SQLAlchemy()
        app = Flask("scale")
        app.config.update(
            TESTING=True,
            SECRET_KEY=secrets.token_hex(32),
            SQLALCHEMY_DATABASE_URI=url,
            PERMJWT_RATELIMIT_ENABLED=False,
        )
        self.db.init_app(app)
        self.permjwt = PermJWT(app, db=self.db)
        self.state = app.extensions["permjwt"]
        self.context = app.app_context()
        self.context.push()
        self.db.create_all()
        self._fill(rows)

    def _fill(self, rows: int) -> None:
        models, now = self.permjwt.models, int(time.time())
        password_hash = self.permjwt.users._passwords.hash(PASSWORD)  # noqa: SLF001  # one for all
        moment = to_datetime(now)
        for number in range(100):
            self.permjwt.users.create_role(f"role{number}", f"area{number}:read", f"area{number}:write")
        self.permjwt.users.commit()
        for start in range(0, rows, CHUNK):
            numbers = range(start, min(start + CHUNK, rows))
            self._insert(
                models.user,
                [
                    {
                        "public_id": f"{number:032x}",
                        "username": f"user{number}",
                        "username_key": f"user{number}",
                        "email": f"user{number}@example.com",
                        "email_key": f"user{number}@example.com",
                        "password_hash": password_hash,
                        "active": True,
                        "token_version": 1,
                        "policy_version": 1,
                        "created_at": moment,
                        "updated_at": moment,
                    }
                    for number in numbers
                ],
            )
            self._insert(
                models.session,
                [
                    {
                        "id": secrets.token_hex(16),
                        "subject": f"{number // 10 * 10:032x}",  # ten each for one user in ten
                        "created_at": moment,
                        "authenticated_at": moment,
                        "last_used_at": moment,
                        "expires_at": to_datetime(now + 30 * 86400 - number % 86400),
                        "ended_at": moment if number % 2 else None,
                        "opened_by": "password",
                        "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
                        "address": "192.0.2.1",
                        "refresh_id": secrets.token_hex(16),
                    }
                    for number in numbers
                ],
            )
            self._insert(
                models.rotation,
                [
                    {"token_id": secrets.token_hex(16), "session_id": f"{number:032x}", "rotated_at": moment}
                    for number in numbers
                ],
            )
            self._insert(
                models.code,
                [
                    {
                        "digest": secrets.token_hex(32),
                        "purpose": "reset",
                        "subject": f"{number:032x}",
                        "created_at": moment,
                        "expires_at": to_datetime(now + 1800),
                    }
                    for number in numbers
                ],
            )
            ids = [number + 1 for number in numbers]
            self._insert_into(
                models.user_permissions, [{"user_id": one, "permission": f"reports:{one}"} for one in ids]
            )
            self._insert_into(models.user_roles, [{"user_id": one, "role_id": 1 + one % 100} for one in ids])
            self._insert(
                models.audit,
                [
                    {"at": moment, "event": "logged_in", "subject": f"{number:032x}", "address": "192.0.2.1"}
                    for number in numbers
                ],
            )
            print(f"\r{start + len(numbers):>9,} rows of each", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        with self.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
        self.db.session.remove()

    def _insert(self, model: Any, rows: list[dict[str, Any]]) -> None:
        self._insert_into(model.__table__, rows)

    def _insert_into(self, table: Table, rows: list[dict[str, Any]]) -> None:
        with self.db.engine.begin() as connection:
            connection.execute(insert(table), rows)

    def close(self) -> None:
        """Close what was opened."""
        self.db.session.remove()
        self.db.engine.dispose()
        self.context.pop()

    def steps(self, number: int) -> dict[str, Callable[[], Any]]:
        """Return what is measured, in order, for one user."""
        accounts, codec, found = self.state.accounts, self.state.codec, {}

        def log_in() -> None:
            with accounts.transaction():
                found["tokens"] = accounts.log_in(f"user{number}", PASSWORD, bind_csrf=False, address="192.0.2.1")

        def refresh() -> None:
            token = codec.decode(found["tokens"].refresh_token, TokenType.REFRESH, now=time.time())
            with accounts.transaction():
                accounts.refresh(token, bind_csrf=False)

        def listing() -> None:
            accounts.sessions(f"{number:032x}")
            self.db.session.remove()

        def log_out() -> None:
            token = codec.decode(found["tokens"].access_token, TokenType.ACCESS, now=time.time())
            with accounts.transaction():
                accounts.log_out(token)

        def tidy_up() -> None:
            self.state.housekeeping.prune()

        def audit() -> None:
            self.state.recorder.read(subject=f"{number:032x}", since=None, until=None, limit=100)

        return {
            "login": log_in,
            "refresh": refresh,
            "session listing": listing,
            "logout": log_out,
            "pruning, nothing to prune": tidy_up,
            "audit of one user": audit,
        }


def measure(world: World, rows: int, rounds: int) -> dict[str, float]:
    """Return the median of each step, in milliseconds."""
    times: dict[str, list[float]] = {}
    for turn in range(rounds):
        number = (turn * 7919 * 10) % rows
        for name, step in world.steps(number).items():
            begun = time.perf_counter()
            step()
            times.setdefault(name, []).append(1000 * (time.perf_counter() - begun))
        world.db.session.remove()
    return {name: statistics.median(one) for name, one in times.items()}


def plans(world: World) -> dict[str, str]:
    """Return every statement of the steps with its plan."""
    engine, seen = world.db.engine, {}
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith(("EXPLAIN", "INSERT")):
            seen.setdefault(statement, parameters)

    event.listen(engine, "before_cursor_execute", note)
    for step in world.steps(0).values():
        step()
    event.remove(engine, "before_cursor_execute", note)
    found = {}
    with engine.connect() as connection:
        for statement, parameters in seen.items():
            rows = connection.exec_driver_sql(explain + statement, parameters).all()
            found[statement] = "\n".join(str(row[-1]) for row in rows)
    return found


@contextlib.contextmanager
def fresh_database(address: str) -> Iterator[str]:
    """Yield the address of an empty database."""
    if address == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'scale.db'}"
        return
    url, name = make_url(address), f"permjwt_scale_{secrets.token_hex(4)}"
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))


def main() -> None:
    """Measure and print."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument(
        "--database", default="sqlite", help="the address of a server; a new database is made there"
    )
    parser.add_argument("--rows", type=int, nargs=2, default=(1_000, 1_000_000))
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    results, shown = [], {}
    for rows in options.rows:
        with fresh_database(options.database) as url:
            world = World(url, rows)
            try:
                results.append(measure(world, rows, options.rounds))
                shown = plans(world)
            finally:
                world.close()
    small, large = results
    print(f"{'ms, medians':28}{options.rows[0]:>12,}{options.rows[1]:>12,}{'ratio':>8}")
    for name, before in small.items():
        print(f"{name:28}{before:12.2f}{large[name]:12.2f}{large[name] / before:8.2f}")
    for statement, plan in shown.items():
        print(f"\n{' '.join(statement.split())[:150]}\n    " + plan.replace("\n", "\n    "))


if __name__ == "__main__":
    main()
