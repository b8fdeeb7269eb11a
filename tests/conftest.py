"""Databases for tests: each test that asks for one gets a fresh, empty one of its own."""

import os
import secrets
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from argon2 import PasswordHasher
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from flask_permjwt.accounts.passwords import Passwords

SERVERS = {
    "postgresql": ("PERMJWT_TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
    "mariadb": ("PERMJWT_TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/test"),
}
REDIS = ("PERMJWT_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def pytest_configure(config: pytest.Config) -> None:
    for server in (*SERVERS, "redis"):
        config.addinivalue_line("markers", f"{server}: needs a {server} server")


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float = 1_800_000_000) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def fake_clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def fast_passwords() -> Passwords:
    """Hash with the least work that argon2 allows."""
    return Passwords(FAST)


@pytest.fixture
def make_database_url(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Return the address of a new, empty database of a kind: sqlite, postgresql or mariadb."""
    made: list[tuple[str, str]] = []

    def make(kind: str) -> str:
        name = f"permjwt_{secrets.token_hex(8)}"
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        _administer(kind, f"CREATE DATABASE {name}{' CHARACTER SET utf8mb4' if kind == 'mariadb' else ''}")
        made.append((kind, name))
        return _server(kind).set(database=name).render_as_string(hide_password=False)

    yield make
    for kind, name in made:
        # A process of a failed test may still be connected.
        _administer(kind, f"DROP DATABASE {name}{' WITH (FORCE)' if kind == 'postgresql' else ''}")


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
def database_url(request: pytest.FixtureRequest, make_database_url: Callable[[str], str]) -> str:
    """Return the address of a new, empty database; the test runs once on each kind."""
    return make_database_url(request.param)


@pytest.fixture
def redis_url() -> str:
    """Return the address of a Redis that others use too: keep to keys of your own. Mark such tests ``redis``."""
    variable, default = REDIS
    url = os.environ.get(variable, default)
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port or 6379), timeout=2).close()
    except OSError as error:
        missing("redis", variable, str(error))
    return url


def _server(kind: str) -> URL:
    variable, default = SERVERS[kind]
    return make_url(os.environ.get(variable, default))


def _administer(kind: str, statement: str) -> None:
    reason = _unreachable(kind)
    if reason is not None:
        missing(kind, SERVERS[kind][0], reason)
    engine = create_engine(_server(kind), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


@cache
def _unreachable(kind: str) -> str | None:
    engine = create_engine(_server(kind), poolclass=NullPool)
    try:
        with engine.connect():
            return None
    except OperationalError as error:
        return str(error.orig)


def missing(kind: str, variable: str, reason: str) -> None:
    """Skip where people work without the server; fail where everything must be tested."""
    message = f"no {kind} server (set {variable}): {reason}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
