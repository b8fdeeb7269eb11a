"""The commands under ``flask permjwt``."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import OperationalError, ProgrammingError

from flask_permjwt.accounts.sql_store import SQLUserStore
from flask_permjwt.errors import AccountError, ConfigurationError, PermissionSyntaxError
from flask_permjwt.web.census import Census, Kind, take_census
from flask_permjwt.web.state import app_state


class _Commands(AppGroup):
    """Says in one line what a database without our tables says in a page."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (OperationalError, ProgrammingError) as error:
            raise click.ClickException(
                f"The database says: {error.orig}\nAre the tables there? Make them with `flask db upgrade` or "
                "db.create_all()."
            ) from None


permjwt_cli = _Commands("permjwt", help="Users, roles and permissions, and what each route needs.")


def _store() -> SQLUserStore[Any]:
    store = app_state().store
    if not isinstance(store, SQLUserStore):
        raise click.ClickException("This app keeps its users elsewhere; the command needs the SQL store.")
    return store


class _Refused(click.ClickException):
    """What the store refuses, in its own words and with exit code 1."""


def _user(name: str) -> Any:
    user = _store().find(name)
    if user is None:
        raise _Refused(f"There is no user {name!r}.")
    return user


def _role(name: str) -> Any:
    role = _store().find_role(name)
    if role is None:
        raise _Refused(f"There is no role {name!r}; `flask permjwt roles` lists them.")
    return role


@contextmanager
def _change() -> Iterator[SQLUserStore[Any]]:
    """Commit what the block does to the store; what the store refuses is said in its own words."""
    try:
        with app_state().accounts.transaction():
            yield _store()
    except (AccountError, PermissionSyntaxError) as error:
        raise _Refused(str(error)) from None


@permjwt_cli.command("create-user")
@click.argument("name")
@click.option("--email", help="An e-mail address, also good for logging in.")
@click.option("--permission", "-p", "permissions", multiple=True, help="Grant this; may be repeated.")
@click.option("--role", "-r", "roles", multiple=True, help="Assign this role; may be repeated.")
@click.password_option(help="Asked for when it is left out, which keeps it out of the shell's history.")
def create_user(
    name: str, email: str | None, permissions: Sequence[str], roles: Sequence[str], password: str
) -> None:
    """Create the user NAME."""
    with _change() as store:
        store.create(name, password=password, email=email, permissions=permissions, roles=roles)
    click.echo(f"Created {name}.")


@permjwt_cli.command("grant")
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@click.option("--role", "is_role", is_flag=True, help="NAME is a role.")
def grant(name: str, permissions: Sequence[str], *, is_role: bool) -> None:
    """Grant PERMISSIONS to the user NAME (or, with --role, to the role NAME)."""
    with _change() as store:
        store.grant(_role(name) if is_role else _user(name), *permissions)
    click.echo(f"Granted {' '.join(permissions)} to {name}.")


@permjwt_cli.command("revoke")
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@click.option("--role", "is_role", is_flag=True, help="NAME is a role.")
def revoke(name: str, permissions: Sequence[str], *, is_role: bool) -> None:
    """Take PERMISSIONS from the user NAME (or, with --role, from the role NAME)."""
    with _change() as store:
        removed = store.revoke(_role(name) if is_role else _user(name), *permissions)
    if removed:
        click.echo(f"Took {' '.join(sorted(removed))} from {name}.")
    for permission in permissions:
        if permission not in removed:
            click.echo(
                f"{name} was not granted {permission} directly; "
                f"`flask permjwt show` tells where it may come from.",
                err=True,
            )


@permjwt_cli.group("roles", invoke_without_command=True)
@click.pass_context
@with_appcontext
def roles(context: click.Context) -> None:
    """List the roles with their permissions; sub-commands change them."""
    if context.invoked_subcommand is None:
        store = _store()
        rows = [(role.name, _words(store.permissions_of(role))) for role in store.list_roles()]
        _print_table(("role", "permissions"), rows, none="There are no roles.")


@roles.command("create")
@click.argument("name")
@click.argument("permissions", nargs=-1)
def create_role(name: str, permissions: Sequence[str]) -> None:
    """Create the role NAME with PERMISSIONS."""
    with _change() as store:
        store.create_role(name, *permissions)
    click.echo(f"Created the role {name}.")


@roles.command("assign")
@click.argument("user")
@click.argument("names", nargs=-1, required=True)
def assign(user: str, names: Sequence[str]) -> None:
    """Assign the roles NAMES to USER."""
    with _change() as store:
        store.assign(_user(user), *[_role(name) for name in names])
    click.echo(f"Assigned {' '.join(names)} to {user}.")


@roles.command("unassign")
@click.argument("user")
@click.argument("names", nargs=-1, required=True)
def unassign(user: str, names: Sequence[str]) -> None:
    """Take the roles NAMES from USER."""
    with _change() as store:
        store.unassign(_user(user), *[_role(name) for name in names])
    click.echo(f"Took {' '.join(names)} from {user}.")


@permjwt_cli.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Show the user NAME: what they may do, and where it comes from."""
    store = _store()
    user = _user(name)
    rights = store.rights(user)
    click.echo(f"user         {user.username}")
    click.echo(f"id           {user.public_id}")
    click.echo(f"e-mail       {user.email or '-'}")
    click.echo(f"active       {'yes' if user.active else 'no'}")
    click.echo(f"roles        {_words(rights.roles)}")
    click.echo(f"direct       {_words(store.permissions_of(user))}")
    for role in rights.roles:
        click.echo(f"by role      {role}: {_words(store.permissions_of(_role(role)))}")
    click.echo(f"permissions  {_words(rights.permissions)}")


@permjwt_cli.command("routes")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.option("--check", is_flag=True, help="Exit with 1 when a view is neither guarded nor marked @public.")
def routes(*, as_json: bool, check: bool) -> None:
    """List every route and method with what it needs."""
    try:
        census = take_census(current_app)
    except ConfigurationError as error:
        raise _Refused(str(error)) from None
    if as_json:
        click.echo(json.dumps(_as_json(census), indent=2))
    else:
        _print_census(census)
    if check and census.undeclared:
        for row in census.undeclared:
            click.echo(f"{row.method} {row.rule} ({row.view}) is neither guarded nor marked @public.", err=True)
        raise click.exceptions.Exit(1)
    if check and not as_json:
        click.echo("Every view is guarded or marked @public.")


def _as_json(census: Census) -> dict[str, Any]:
    return {"routes": [asdict(row) for row in census.rows], "guarded_functions": list(census.helpers)}


def _print_census(census: Census) -> None:
    _print_table(
        ("method", "route", "needs", "", "view"),
        [(row.method, row.rule, row.kind, _detail(row.kind, row.needs), row.view) for row in census.rows],
        none="There are no routes.",
    )
    if census.helpers:
        click.echo("\nGuarded functions that are no view (they guard themselves when called):")
        for helper in census.helpers:
            click.echo(f"  {helper}")


def _detail(kind: Kind, needs: str) -> str:
    return f"({needs})" if kind is Kind.PUBLIC else needs


def _words(words: Iterable[str]) -> str:
    return " ".join(sorted(words)) or "-"


def _print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, none: str) -> None:
    if not rows:
        click.echo(none)
        return
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
