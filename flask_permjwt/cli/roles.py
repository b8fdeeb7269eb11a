"""Commands for roles."""

from collections.abc import Sequence

import click
from flask.cli import with_appcontext

from flask_permjwt.cli import group


@click.group("roles", invoke_without_command=True)
@click.pass_context
@with_appcontext
def roles(context: click.Context) -> None:
    """List the roles with their permissions; sub-commands change them."""
    if context.invoked_subcommand is None:
        store = group.store()
        rows = [(role.name, group.words(store.permissions_of(role))) for role in store.list_roles()]
        group.print_table(("role", "permissions"), rows, none="There are no roles.")


@roles.command("create")
@click.argument("name")
@click.argument("permissions", nargs=-1)
@with_appcontext
def create_role(name: str, permissions: Sequence[str]) -> None:
    """Create the role NAME with PERMISSIONS."""
    with group.change() as store:
        store.create_role(name, *permissions)
    click.echo(f"Created the role {name}.")


@roles.command("assign")
@click.argument("user")
@click.argument("names", nargs=-1, required=True)
@with_appcontext
def assign(user: str, names: Sequence[str]) -> None:
    """Assign the roles NAMES to USER."""
    with group.change() as store:
        store.assign(group.user(user), *[group.role(name) for name in names])
    click.echo(f"Assigned {' '.join(names)} to {user}.")


@roles.command("unassign")
@click.argument("user")
@click.argument("names", nargs=-1, required=True)
@with_appcontext
def unassign(user: str, names: Sequence[str]) -> None:
    """Take the roles NAMES from USER."""
    with group.change() as store:
        owner, found = group.user(user), {group.role(name).name for name in names}
        held = found & set(store.rights(owner).roles)
        store.unassign(owner, *found)
    if held:
        click.echo(f"Took {group.words(held)} from {user}.")
    for name in sorted(found - held):
        click.echo(f"{user} did not have the role {name}.", err=True)


@roles.command("grant")
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@with_appcontext
def grant(name: str, permissions: Sequence[str]) -> None:
    """Grant PERMISSIONS to the role NAME."""
    with group.change() as store:
        store.grant(group.role(name), *permissions)
    click.echo(f"Granted {' '.join(permissions)} to {name}.")


@roles.command("revoke")
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@with_appcontext
def revoke(name: str, permissions: Sequence[str]) -> None:
    """Take PERMISSIONS from the role NAME."""
    with group.change() as store:
        removed = store.revoke(group.role(name), *permissions)
    if removed:
        click.echo(f"Took {group.words(removed)} from {name}.")
    for permission in sorted(set(permissions) - removed):
        click.echo(f"{name} was not granted {permission}.", err=True)
