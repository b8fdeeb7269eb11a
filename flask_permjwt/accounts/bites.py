"""Bites: deleting rows a few at a time, so that pruning never holds up anybody."""

from typing import Any

from sqlalchemy import ColumnElement, delete, select

from flask_permjwt.accounts.inserts import changed_rows
from flask_permjwt.accounts.savepoints import AnySession


def delete_some(session: AnySession, model: type[Any], key: Any, where: ColumnElement[bool], limit: int) -> int:
    """Delete at most so many rows; return how many.

    They are found first and deleted by their keys: deleting a range locks the gaps that others insert into
    (InnoDB), and not every database limits a DELETE.

    Args:
        session: where to work.
        model: the class of the rows.
        key: its primary key.
        where: which rows may go.
        limit: how many at most.
    """
    keys = session.scalars(select(key).where(where).limit(limit)).all()
    if not keys:
        return 0
    bind = {"mapper": model.__mapper__}
    return changed_rows(session.execute(delete(model.__table__).where(key.in_(keys)), bind_arguments=bind))
