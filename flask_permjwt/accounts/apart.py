"""Apart: short work on a connection of its own, whatever the caller has left in ``db.session``."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from flask_permjwt.errors import ConfigurationError


@contextmanager
def apart(db: SQLAlchemy, model: type[Any], *, writes: bool = True) -> Iterator[Session | None]:
    """Yield a session on a connection of its own, committed at the end of the block.

    ``db.session`` would flush what the caller left pending, read from its snapshot, and commit its half-done work.

    On SQLite, one connection writes at a time, and an in-memory database has no other: while ``db.session`` is
    writing, None is yielded.

    Args:
        db: the app's Flask-SQLAlchemy object.
        model: a class that tells which database is meant.
        writes: False when the block only reads, which on SQLite one can while others write.
    """
    if (writes or is_private(db, model)) and _is_writing_on_sqlite(db, model):
        yield None
        return
    with Session(db.session.get_bind(mapper=model.__mapper__), expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def at_once(db: SQLAlchemy, model: type[Any]) -> Iterator[Connection | None]:
    """Yield a connection for a small write that waits for nobody, committed at the end of the block.

    On SQLite, whoever would have to wait gets an OperationalError; elsewhere, the block skips what is locked. None
    is yielded where ``apart`` would, in memory.

    Args:
        db: the app's Flask-SQLAlchemy object.
        model: a class that tells which database is meant.
    """
    if is_private(db, model):
        with apart(db, model) as session:
            yield None if session is None else session.connection()
        return
    with db.session.get_bind(mapper=model.__mapper__).engine.connect() as connection:
        if connection.dialect.name != "sqlite":
            with connection.begin():
                yield connection
            return
        # Not through SQLAlchemy, which would begin a transaction for it.
        driver: Any = connection.connection.driver_connection
        (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
        driver.execute("PRAGMA busy_timeout = 0")
        try:
            with connection.begin():
                yield connection
        finally:
            driver.execute(f"PRAGMA busy_timeout = {patience}")


def is_private(db: SQLAlchemy, model: type[Any]) -> bool:
    """Tell whether no other process can reach the database: it is in memory, and all share its connection."""
    bind = db.session.get_bind(mapper=model.__mapper__)
    return _shares_connections(bind) and _is_in_memory(bind)


def check_pool(db: SQLAlchemy, model: type[Any]) -> None:
    """Refuse a pool with which nothing is apart.

    Raises:
        ConfigurationError: all, or all in a thread, would share one connection to a database that others reach.
    """
    bind = db.session.get_bind(mapper=model.__mapper__)
    if _shares_connections(bind) and not _is_in_memory(bind):
        raise ConfigurationError(
            f"{type(bind.engine.pool).__name__} shares one connection, and revocations are read on a connection "
            'of their own: take "poolclass" out of SQLALCHEMY_ENGINE_OPTIONS, or set it to QueuePool or NullPool'
        )


def _shares_connections(bind: Engine | Connection) -> bool:
    return isinstance(bind.engine.pool, StaticPool | SingletonThreadPool)


def _is_in_memory(bind: Engine | Connection) -> bool:
    url = bind.engine.url
    name = f"{url.database or ':memory:'} {dict(url.query)}"
    return bind.dialect.name == "sqlite" and (":memory:" in name or "'mode': 'memory'" in name)


def _is_writing_on_sqlite(db: SQLAlchemy, model: type[Any]) -> bool:
    if not (db.session.registry.has() and db.session().in_transaction()):
        return False
    connection = db.session.connection(bind_arguments={"mapper": model.__mapper__})
    driver: Any = connection.connection.driver_connection
    return connection.dialect.name == "sqlite" and bool(driver.in_transaction)
