"""Facts: what the checks look at, as values, so that each is tested without an app."""

from dataclasses import dataclass, field
from typing import Any

from flask_permjwt.settings import Settings


@dataclass(frozen=True, slots=True)
class CookieAge:
    """How long a browser keeps a cookie, and how long the token in it lasts, in seconds."""

    name: str
    kept: int
    lasts: int


@dataclass(frozen=True, slots=True)
class Engine:
    """One database.

    Attributes:
        dialect: SQLAlchemy's name of it.
        driver: and of its driver.
        database: the name or, for SQLite, the path; None in memory.
        connect_args: what the driver is told, from the address and the settings.
        pool_fault: what is wrong with its pool, if anything.
    """

    dialect: str
    driver: str
    database: str | None = None
    connect_args: dict[str, Any] = field(default_factory=dict, repr=False)
    pool_fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found out about an app.

    Attributes:
        settings: its settings.
        development: it runs with DEBUG or TESTING.
        workers: how many processes serve; None where nobody said.
        secrets: what is derived from its secret here and in a second process; None where that could not be told.
        takes_passwords: the login blueprint is mounted.
        cookies: the cookies that a login would set.
        cors: routes that let any site read answers with credentials.
        undeclared: routes and methods about which nobody said anything.
        now: the time by this machine, in seconds since 1970-01-01 UTC.
        app_now: the time by the clock that PermJWT was given.
        database_ahead: by how many seconds the clock of the database's server is ahead of this machine's; None
            where it has no clock of its own.
        latest_row: the latest time that any process wrote into the table of sessions.
        engine: the database; None where there is none.
        database_fault: why it cannot be asked.
        missing: tables and columns that it has not got.
        migrations: whether migrations wait to be applied; None where that could not be told.
        database_mount: the file system that an SQLite file lies on.
        epoch_mount: that of the file by which processes tell each other.
        epoch_path: that file; None where there is none.
        epoch_usable: whether it can be used.
    """

    settings: Settings
    development: bool = False
    workers: int | None = None
    secrets: tuple[str, str] | None = None
    takes_passwords: bool = True
    cookies: tuple[CookieAge, ...] = ()
    cors: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    now: float = 0
    app_now: float = 0
    database_ahead: float | None = None
    latest_row: float | None = None
    engine: Engine | None = None
    database_fault: str | None = None
    missing: tuple[str, ...] = ()
    migrations: bool | None = False
    database_mount: str | None = None
    epoch_mount: str | None = None
    epoch_path: str | None = None
    epoch_usable: bool = True
