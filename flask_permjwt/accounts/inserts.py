"""Inserts that leave a row alone that is there already."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from sqlalchemy import CursorResult, Insert, Table, insert
from sqlalchemy.exc import IntegrityError

from flask_permjwt.accounts.savepoints import AnySession, savepoint


def insert_if_absent(session: AnySession, model: type[Any], table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless its primary key is taken, also by a transaction that is just being committed.

    Args:
        session: where to insert.
        model: a class that tells the session which database is meant.
        table: where the row belongs. The rows that its foreign keys name must be locked, so that they exist:
            MySQL's INSERT IGNORE would leave out the row of a missing one without a word.
        row: values by column name.

    Returns:
        Whether the row was inserted.
    """
    bind = {"mapper": model.__mapper__}
    statement = _statement(session.connection(bind_arguments=bind).dialect.name, table)
    if statement is None:
        return _insert_in_savepoint(session, model, table, row)
    # Of an INSERT, SQLAlchemy keeps no count unless asked.
    options = {"preserve_rowcount": True}
    result = session.execute(statement.values(**row), bind_arguments=bind, execution_options=options)
    return changed_rows(result) == 1


def _statement(dialect: str, table: Table) -> Insert | None:
    if dialect in {"postgresql", "sqlite"}:
        # The engine has loaded its dialect; the others stay away.
        statement: Insert = import_module(f"sqlalchemy.dialects.{dialect}").insert(table).on_conflict_do_nothing()
        return statement
    if dialect in {"mysql", "mariadb"}:
        return insert(table).prefix_with("IGNORE")
    return None


def _insert_in_savepoint(session: AnySession, model: type[Any], table: Table, row: Mapping[str, Any]) -> bool:
    try:
        with savepoint(session, model):
            session.execute(insert(table).values(**row), bind_arguments={"mapper": model.__mapper__})
    except IntegrityError:
        return False
    return True


def changed_rows(result: Any) -> int:
    """Return how many rows a statement changed."""
    return cast("CursorResult[Any]", result).rowcount
