"""The checks of the database and of clocks: from facts to findings, and nothing else."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from flask_permjwt.cli.doctor.facts import Facts
from flask_permjwt.cli.doctor.finding import Finding, Level

_APART: Final = 2
"""Seconds by which clocks may differ before anything is said."""

_FAR_APART: Final = 30
"""Seconds from which on tokens of one machine are refused by another, or live too long."""

_NO_EARLIER: Final = datetime(2025, 1, 1, tzinfo=UTC).timestamp()

_SYNCHRONIZE: Final = "Let every machine, that of the database too, keep its clock by NTP (timedatectl, chrony)."
_TIME_OUTS: Final = {
    "psycopg": ("connect_timeout", "tcp_user_timeout"),
    "psycopg2": ("connect_timeout", "tcp_user_timeout"),
    "pymysql": ("connect_timeout", "read_timeout", "write_timeout"),
    "mysqldb": ("connect_timeout", "read_timeout", "write_timeout"),
}


def database_reachable(facts: Facts) -> Iterator[Finding]:
    """A database that does not answer."""
    if facts.database_fault is not None:
        yield Finding(
            "database-unreachable",
            Level.ERROR,
            f"The database cannot be asked ({facts.database_fault}): every guarded request would be answered 503.",
            "Start it, or correct SQLALCHEMY_DATABASE_URI.",
        )


def tables(facts: Facts) -> Iterator[Finding]:
    """Tables that are not there, or not as they must be."""
    if facts.missing:
        yield Finding(
            "tables-missing",
            Level.ERROR,
            f"The database lacks {', '.join(facts.missing)}.",
            "`flask db migrate` and `flask db upgrade` (Flask-Migrate), or db.create_all() for an empty database.",
        )
    if facts.migrations is None:
        yield Finding(
            "migrations-pending",
            Level.UNKNOWN,
            "Whether there are migrations that the database has not seen could not be told: they cannot be read.",
            "`flask db heads` tells why.",
        )
    elif facts.migrations:
        yield Finding(
            "migrations-pending",
            Level.WARNING,
            "There are migrations that the database has not seen.",
            "`flask db upgrade`.",
        )


def in_memory(facts: Facts) -> Iterator[Finding]:
    """A database that ends with the process."""
    engine = facts.engine
    if engine is not None and engine.dialect == "sqlite" and engine.database is None and not facts.development:
        yield Finding(
            "database-in-memory",
            Level.ERROR,
            "The database is in memory: each worker has one of its own, with its own users and revocations.",
            "Set SQLALCHEMY_DATABASE_URI to a file or a server.",
        )


def sqlite_on_network(facts: Facts) -> Iterator[Finding]:
    """An SQLite file whose locks cannot be relied on."""
    if facts.database_mount is not None:
        yield Finding(
            "sqlite-on-network",
            Level.ERROR,
            f"The SQLite file lies on {facts.database_mount}, whose locks SQLite cannot rely on: a refresh token "
            "may be used twice, and the file may be damaged.",
            "Put it on a local disk; for several machines, use PostgreSQL or MariaDB.",
        )


def pool(facts: Facts) -> Iterator[Finding]:
    """A pool with one connection for all."""
    if facts.engine is not None and facts.engine.pool_fault is not None:
        yield Finding(
            "shared-connection",
            Level.ERROR,
            facts.engine.pool_fault,
            'Take "poolclass" out of SQLALCHEMY_ENGINE_OPTIONS.',
        )


def driver_time_outs(facts: Facts) -> Iterator[Finding]:
    """A driver that waits for ever."""
    engine = facts.engine
    if engine is None:
        return
    wanted = _TIME_OUTS.get(engine.driver, ())
    given = engine.connect_args
    # libpq goes by a socket of this machine unless it is told a host; TCP has no say there.
    local = not given.get("hostaddr") and str(given.get("host") or "/").startswith(("/", "@"))
    missing = [name for name in wanted if not given.get(name) and not (local and name.startswith("tcp_"))]
    if missing:
        yield Finding(
            "driver-waits",
            Level.WARNING,
            f"The driver {engine.driver} is told no {' and no '.join(missing)}: when the database hangs or is cut "
            "off, requests hang with it instead of being answered 503.",
            'Set them in SQLALCHEMY_ENGINE_OPTIONS = {"connect_args": {...}}; docs/revocation.md has lines '
            "to copy, under Time-outs.",
        )


def clocks(facts: Facts) -> Iterator[Finding]:
    """Clocks that differ, and one that is wrong."""
    if facts.now < _NO_EARLIER:
        yield Finding("clock-wrong", Level.ERROR, "This machine's clock stands before 2025.", _SYNCHRONIZE)
    if abs(facts.app_now - facts.now) > _APART:
        yield Finding(
            "clock-of-its-own",
            Level.ERROR,
            f"PermJWT was given a clock that is {abs(facts.app_now - facts.now):.0f} s off this machine's.",
            "Leave out PermJWT(clock=...), which is for tests.",
        )
    if facts.database_ahead is not None:
        apart = facts.database_ahead
        if abs(apart) > _APART:
            yield Finding(
                "clock-of-database",
                Level.ERROR if abs(apart) > _FAR_APART else Level.WARNING,
                f"The database's clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this "
                "machine's: tokens are judged by this one, and other machines may go with that one.",
                _SYNCHRONIZE,
            )
    if facts.latest_row is not None and facts.latest_row - facts.now > _APART:
        ahead = facts.latest_row - facts.now
        yield Finding(
            "clock-of-others",
            Level.ERROR if ahead > _FAR_APART else Level.WARNING,
            f"A session was used {ahead:.0f} s in the future: the clock of some machine that serves this database "
            "is ahead, or this one's is behind.",
            _SYNCHRONIZE,
        )


DATABASE_CHECKS: Final[tuple[Callable[[Facts], Iterator[Finding]], ...]] = (
    database_reachable,
    tables,
    in_memory,
    sqlite_on_network,
    pool,
    driver_time_outs,
    clocks,
)
