"""Commands for clients, which act in their own name: service accounts."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from flask.cli import with_appcontext

from flask_permjwt.accounts.clients import Clients, NewSecret
from flask_permjwt.accounts.records import ClientMixin
from flask_permjwt.cli import group
from flask_permjwt.errors import AccountError, PermissionSyntaxError
from flask_permjwt.web.state import app_state

_JSON = click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
_MOST = 366 * 24 * 3600


@click.group("client")
def client() -> None:
    """Create, list, change and delete clients, which get tokens in their own name by a secret."""


@client.command("create")
@click.argument("name")
@click.option("--permission", "-p", "permissions", multiple=True, help="Grant this; may be repeated.")
@_JSON
@with_appcontext
def create(name: str, permissions: Sequence[str], *, as_json: bool) -> None:
    """Create the client NAME and show its secret, this once."""
    with _change() as clients:
        made = clients.create(name, permissions)
        shown = _credentials(made)
    _show(shown, f"Created the client {name}.", as_json=as_json)


@client.command("list")
@click.option("--limit", type=group.LIMIT, default=1000, show_default=True, help="Show at most so many.")
@_JSON
@with_appcontext
def list_clients(limit: int, *, as_json: bool) -> None:
    """List the clients, by name; times are UTC."""
    clients = app_state().clients
    found = clients.list(limit=limit)
    if as_json:
        listed = [
            {
                "name": one.name,
                "client_id": one.client_id,
                "active": one.active,
                "permissions": sorted(clients.permissions_of(one)),
                "created_at": one.created_at.isoformat(),
                "secret_set_at": one.secret_set_at.isoformat(),
            }
            for one in found
        ]
        click.echo(json.dumps({"clients": listed}, indent=2))
        return
    rows = [
        (
            one.name,
            one.client_id,
            "yes" if one.active else "no",
            f"{one.secret_set_at}",
            group.words(clients.permissions_of(one)),
        )
        for one in found
    ]
    group.print_table(
        ("client", "client_id", "active", "secret since", "permissions"), rows, none="There are no clients."
    )
    if len(found) == limit:
        click.echo(f"There may be more than {limit}: use --limit.", err=True)


@client.command("grant")
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@with_appcontext
def grant(name: str, permissions: Sequence[str]) -> None:
    """Grant PERMISSIONS to the client NAME (a name or a client_id)."""
    with _change() as clients:
        clients.grant(_find(name), *permissions)
    click.echo(f"Granted {' '.join(permissions)} to {name}.")


@client.command("revoke")
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@with_appcontext
def revoke(name: str, permissions: Sequence[str]) -> None:
    """Take PERMISSIONS from the client NAME."""
    with _change() as clients:
        removed = clients.revoke(_find(name), *permissions)
    if removed:
        click.echo(f"Took {' '.join(sorted(removed))} from {name}.")
    for permission in sorted(set(permissions) - removed):
        click.echo(f"{name} was not granted {permission}.", err=True)


@client.command("rotate")
@click.argument("name")
@click.option(
    "--overlap",
    type=click.IntRange(0, _MOST),
    default=0,
    show_default=True,
    help="Seconds for which the former secret is good besides; with 0, it and all tokens of the client are void.",
)
@_JSON
@with_appcontext
def rotate(name: str, overlap: int, *, as_json: bool) -> None:
    """Give the client NAME another secret and show it, this once."""
    with _change() as clients:
        made = clients.rotate_secret(_find(name), overlap=overlap)
        shown = _credentials(made)
    former = f"The former one is good for {overlap} s." if overlap else "The former one and its tokens are void."
    _show(shown, f"{name} has another secret. {former}", as_json=as_json)


@client.command("disable")
@click.argument("name")
@with_appcontext
def disable(name: str) -> None:
    """Disable the client NAME; its tokens are void."""
    with _change() as clients:
        clients.set_active(_find(name), active=False)
    click.echo(f"Disabled {name}; its tokens are void.")


@client.command("enable")
@click.argument("name")
@with_appcontext
def enable(name: str) -> None:
    """Enable the client NAME again."""
    with _change() as clients:
        clients.set_active(_find(name), active=True)
    click.echo(f"Enabled {name}.")


@client.command("delete")
@click.argument("name")
@with_appcontext
def delete(name: str) -> None:
    """Delete the client NAME; its tokens are void."""
    with _change() as clients:
        clients.delete(_find(name))
    click.echo(f"Deleted {name}; its tokens are void.")


@contextmanager
def _change() -> Iterator[Clients]:
    """Commit what the block does; what is refused is said in its own words."""
    state = app_state()
    try:
        with state.accounts.transaction():
            yield state.clients
    except (AccountError, PermissionSyntaxError) as error:
        raise group.Refused(str(error)) from None


def _find(name: str) -> ClientMixin:
    found = app_state().clients.find(name)
    if found is None:
        raise group.Refused(f"There is no client {name!r}; `flask permjwt client list` lists them.")
    return found


def _credentials(made: NewSecret) -> dict[str, str]:
    return {"client_id": made.client.client_id, "client_secret": made.secret}


def _show(credentials: dict[str, str], said: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(credentials, indent=2))
        return
    click.echo(said)
    for name, value in credentials.items():
        click.echo(f"{name:<14} {value}")
    click.echo("Keep the secret now: it is not shown again.")
