"""What happens once: the tables, the users with their passwords, and the first model."""

import fcntl
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flask import Flask
from sqlalchemy import inspect

from example_app.extensions import db, permjwt
from example_app.model import UnreadableModelError, train
from example_app.model_store import ModelStore
from example_app.permissions import ROLES

PASSWORD_VARIABLE: Final = "EXAMPLE_DEMO_PASSWORD"  # noqa: S105  # the name of a variable
_FIRST_SEED: Final = 1936  # the year of Fisher's paper; any number will do


@contextmanager
def alone(instance: Path) -> Iterator[None]:
    """Let one process at a time through: several workers may meet an empty instance folder together."""
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (instance / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_what_is_missing(app: Flask, models: ModelStore) -> bool:
    """Make tables, users and model where they are missing; what is there is left as it is.

    New passwords are printed, once: they are stored only as hashes and cannot be shown again.

    Returns:
        Whether the users were made just now.
    """
    with app.app_context():
        # An app with a future would use Flask-Migrate; this one starts over.
        _set_aside_what_does_not_fit()
        db.create_all()
        passwords = _create_users()
    if passwords:
        _print_users(passwords)
    try:
        models.current()
    except (FileNotFoundError, UnreadableModelError):
        _say("Training the first model ...")
        models.replace(train(_FIRST_SEED))
    return bool(passwords)


def _set_aside_what_does_not_fit() -> None:
    """Move a database with other columns than this version's out of the way: nothing in it is deleted."""
    with db.engine.connect() as connection:
        there = inspect(connection)
        tables = [table for table in db.metadata.sorted_tables if there.has_table(table.name)]
        fits = all(
            {column["name"] for column in there.get_columns(table.name)}
            == {column.name for column in table.columns}
            for table in tables
        )
    if fits:
        return
    if db.engine.dialect.name != "sqlite" or not db.engine.url.database:
        raise RuntimeError("another version of this demo made the tables in this database: name an empty one")
    # Connections that are kept open would go on writing into the file that is moved.
    db.engine.dispose()
    path = Path(db.engine.url.database)
    aside = _free_name(path)
    path.rename(aside)
    _say(
        f"The database in {path}\nwas made by another version of this demo, with other tables. It is kept as "
        f"{aside.name};\na new one takes its place: new users, new passwords, and nobody is logged in."
    )


def _free_name(path: Path) -> Path:
    """Return a name next to a file that nothing has yet."""
    number, free = 1, path.with_suffix(f".earlier{path.suffix}")
    while free.exists():
        number += 1
        free = path.with_suffix(f".earlier-{number}{path.suffix}")
    return free


def _create_users() -> dict[str, str]:
    if any(permjwt.users.find(name) is not None for name in ROLES):
        return {}
    given = os.environ.get(PASSWORD_VARIABLE)
    passwords = {name: given or secrets.token_urlsafe(12) for name in ROLES}
    for name, permissions in ROLES.items():
        permjwt.users.create_role(name, *permissions)
        permjwt.users.create(name, password=passwords[name], email=f"{name}@example.com", roles=[name])
    db.session.commit()
    return passwords


def _print_users(passwords: dict[str, str]) -> None:
    if os.environ.get(PASSWORD_VARIABLE):
        # Whoever set it knows it; consoles are often recorded.
        _say(f"Users: {', '.join(passwords)}; their password is the value of {PASSWORD_VARIABLE}.")
        return
    _say("\nThree users were made. Their passwords are shown this once:\n")
    for name, password in passwords.items():
        _say(f"    {name:<9} {password}   may {', '.join(ROLES[name])}")
    _say("")


def _say(text: str) -> None:
    # To stderr: the output of commands such as `flask permjwt routes --json` stays clean.
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # the console is where a demo tells its passwords
