"""Savepoints that hold what they promise, on SQLite too, and which unique constraint an insert broke."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Table
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, scoped_session

AnySession = Session | scoped_session[Any]


@contextmanager
def savepoint(session: AnySession, model: type[Any]) -> Iterator[None]:
    """Run a block so that its failure undoes the block alone, not the caller's half-done work.

    What the caller left pending is flushed first: its errors are the caller's.

    SQLite's driver begins a transaction only before a row is written, and not before SAVEPOINT. A savepoint
    without a transaction around it is one itself: its release commits, and no ``rollback()`` of the session
    brings that back. So the transaction is begun here first.

    Args:
        session: where the block works.
        model: a class that tells the session which database is meant.
    """
    session.flush()
    begin_to_write(session, model)
    with session.begin_nested():
        yield


def begin_to_write(session: AnySession, model: type[Any]) -> None:
    """Begin SQLite's transaction as one that writes (IMMEDIATE), if none is begun; other databases lock rows.

    From then on, nobody else writes. Two that began as readers would each wait for the other to end.

    Args:
        session: where to work.
        model: a class that tells the session which database is meant.
    """
    connection = session.connection(bind_arguments={"mapper": model.__mapper__})
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def broken_unique_column(error: IntegrityError, table: Table) -> str | None:
    """Return the column of a table whose uniqueness was hurt; None when it was another constraint.

    Compared exactly: an app's own column may have a longer name that ends alike. Never read from the part of the
    message that repeats the values, which a user chose: they may spell any constraint's name.
    """
    driver_error: Any = error.orig
    diagnosis = getattr(driver_error, "diag", None)
    # PostgreSQL: the name. MySQL: Duplicate entry 'VALUE' for key 'NAME', or 'TABLE.NAME'.
    # SQLite: UNIQUE constraint failed: TABLE.COLUMN, TABLE.COLUMN
    if diagnosis is not None:
        broken = {str(diagnosis.constraint_name)}
    else:
        message = str(driver_error.args[-1])
        named = message.rpartition(" for key ")[2].rpartition("constraint failed: ")[2]
        broken = {part.strip("'") for part in named.split(", ")}
    for column in table.columns:
        name = f"uq_{table.name}_{column.name}"
        if broken & {name, f"{table.name}.{name}", f"{table.name}.{column.name}"}:
            return column.name
    return None
