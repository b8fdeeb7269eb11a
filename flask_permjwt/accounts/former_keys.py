"""Primary keys as identities: the user of a former token, found by the key that its identity spells."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, Integer, Uuid, literal, select
from sqlalchemy.exc import DataError, DBAPIError, StatementError

from flask_permjwt.accounts.owners import key_column
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.errors import ConfigurationError

_MAX_DIGITS: Final = 18
"""What is certain to fit into 64 bits."""


def check_key(model: Any) -> None:
    """Check that users have a primary key here.

    Raises:
        ConfigurationError: users are kept elsewhere.
    """
    if model is None:
        raise ConfigurationError(
            "PERMJWT_FLASK_JWT_EXTENDED_USER is 'id', and users are kept in a UserStore: say 'public_id', or give "
            "a function"
        )


def find_by_key(session: AnySession, model: Any, identity: str) -> Any:
    """Return the user whose primary key is written exactly so; None where there is none."""
    key = key_column(model)
    value = _as_key(key.property.columns[0], identity)
    if value is None:
        return None
    try:
        found = session.scalar(select(model).where(key == value))
    except StatementError as error:
        # A type that takes no such text finds nobody; a database that cannot be asked is another matter.
        if isinstance(error, DBAPIError) and not isinstance(error, DataError):
            raise
        return None
    return found if found is not None and str(getattr(found, key.key)) == identity else None


def _as_key(column: Column[Any], identity: str) -> Any:
    kind = column.type
    if isinstance(kind, Integer):
        if not (identity.isascii() and identity.isdigit() and len(identity) <= _MAX_DIGITS):
            return None
        # PostgreSQL refuses what is too large for the column, instead of finding nothing.
        return literal(int(identity), BigInteger)
    if isinstance(kind, Uuid) or _python_type(column) is UUID:
        try:
            found = UUID(identity)
        except ValueError:
            return None
        return str(found) if isinstance(kind, Uuid) and not kind.as_uuid else found
    return identity


def _python_type(column: Column[Any]) -> object:
    try:
        return column.type.python_type
    except NotImplementedError:
        return None
