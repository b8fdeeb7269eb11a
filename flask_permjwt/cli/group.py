"""What the commands share: the store, clear refusals, tables."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError

from flask_permjwt.accounts.sql_store import SQLUserStore
from flask_permjwt.errors import AccountError, ConfigurationError, PermissionSyntaxError
from flask_permjwt.web.state import NotSetUpError, app_state

LIMIT = click.IntRange(1, 2**31 - 1)
"""How many rows may be asked for: more than that, no database takes for a number of them."""


@contextmanager
def database_faults() -> Iterator[None]:
    """Say in one line what a database without our tables says in a page."""
    try:
        yield
    except (DataError, IntegrityError):
        raise  # a fault of ours: no database is to blame for what it was told to keep
    except DatabaseError as error:
        raise click.ClickException(
            f"The database says: {error.orig}\nAre the tables there? Make them with `flask db upgrade` or "
            "db.create_all()."
        ) from None


@contextmanager
def faults_at_the_start() -> Iterator[None]:
    """Say in one line why the app cannot be set up, or that it has no PermJWT."""
    try:
        yield
    except ConfigurationError as error:
        raise Refused(str(error)) from None
    except NotSetUpError:
        raise Refused("This app has no PermJWT: call permjwt.init_app(app).") from None


def store() -> SQLUserStore[Any]:
    """Return the SQL user store of the app."""
    found = app_state().store
    if not isinstance(found, SQLUserStore):
        raise click.ClickException("This app keeps its users elsewhere; the command needs the SQL store.")
    return found


class Refused(click.ClickException):
    """What the store refuses, in its own words and with exit code 1."""


def user(name: str) -> Any:
    """Find a user, in whichever store the app has, or refuse."""
    found = app_state().store.find(name)
    if found is None:
        raise Refused(f"There is no user {name!r}.")
    return found


def role(name: str) -> Any:
    """Find a role, or refuse."""
    found = store().find_role(name)
    if found is None:
        raise Refused(f"There is no role {name!r}; `flask permjwt roles` lists them.")
    return found


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what the block does to the database; what is refused there is said in its own words."""
    try:
        with app_state().accounts.transaction():
            yield
    except (AccountError, PermissionSyntaxError) as error:
        raise Refused(str(error)) from None


@contextmanager
def change() -> Iterator[SQLUserStore[Any]]:
    """Commit what the block does to the SQL user store."""
    with transaction():
        yield store()


def words(words: Iterable[str]) -> str:
    """Write words in order, or a dash for none."""
    return " ".join(sorted(words)) or "-"


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, none: str) -> None:
    """Print rows below their head, aligned; what could steer a terminal is escaped."""
    rows = [tuple(cell if cell.isprintable() else ascii(cell)[1:-1] for cell in row) for row in rows]
    if not rows:
        click.echo(none)
        return
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
