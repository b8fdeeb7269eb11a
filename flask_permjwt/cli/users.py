"""Commands for users."""

from collections.abc import Sequence
from typing import Any

import click
from flask.cli import with_appcontext

from flask_permjwt.cli import group
from flask_permjwt.errors import InvalidPasswordError, RetryLaterError
from flask_permjwt.web.state import app_state


class _Password(click.Option):
    """Asked for by a prompt; what cannot be read from there is refused in words."""

    def prompt_for_value(self, ctx: click.Context) -> Any:
        try:
            return super().prompt_for_value(ctx)
        except UnicodeDecodeError:
            # The error itself holds what was typed.
            raise click.BadParameter("this is no text in the encoding of this shell", ctx, self) from None


_PASSWORD = click.password_option(
    cls=_Password, help="Asked for when it is left out, which keeps it out of the shell's history."
)


@click.command("create-user")
@click.argument("name")
@click.option("--email", help="An e-mail address, also good for logging in.")
@click.option("--permission", "-p", "permissions", multiple=True, help="Grant this; may be repeated.")
@click.option("--role", "-r", "roles", multiple=True, help="Assign this role; may be repeated.")
@click.option("--verified", is_flag=True, help="Take the e-mail address for verified.")
@_PASSWORD
@with_appcontext
def create_user(
    name: str,
    email: str | None,
    permissions: Sequence[str],
    roles: Sequence[str],
    password: str,
    *,
    verified: bool,
) -> None:
    """Create the user NAME."""
    _warn_of_weakness(password, name, email)
    with group.change() as store:
        user = store.create(name, password=password, email=email, permissions=permissions, roles=roles)
        if verified:
            store.mark_email_verified(user)
    click.echo(f"Created {name}.")


@click.command("grant")
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@click.option("--role", "is_role", is_flag=True, help="NAME is a role.")
@with_appcontext
def grant(name: str, permissions: Sequence[str], *, is_role: bool) -> None:
    """Grant PERMISSIONS to the user NAME (or, with --role, to the role NAME)."""
    with group.change() as store:
        store.grant(group.role(name) if is_role else group.user(name), *permissions)
    click.echo(f"Granted {' '.join(permissions)} to {name}.")


@click.command("revoke")
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@click.option("--role", "is_role", is_flag=True, help="NAME is a role.")
@with_appcontext
def revoke(name: str, permissions: Sequence[str], *, is_role: bool) -> None:
    """Take PERMISSIONS from the user NAME (or, with --role, from the role NAME)."""
    with group.change() as store:
        removed = store.revoke(group.role(name) if is_role else group.user(name), *permissions)
    if removed:
        click.echo(f"Took {' '.join(sorted(removed))} from {name}.")
    for permission in permissions:
        if permission not in removed:
            click.echo(
                f"{name} was not granted {permission} directly; "
                f"`flask permjwt show` tells where it may come from.",
                err=True,
            )


@click.command("show")
@click.argument("name")
@with_appcontext
def show(name: str) -> None:
    """Show the user NAME: what they may do, and where it comes from."""
    store, user = group.store(), group.user(name)
    rights = store.rights(user)
    click.echo(f"user         {user.username}")
    click.echo(f"id           {user.public_id}")
    click.echo(f"e-mail       {user.email or '-'}")
    click.echo(f"active       {'yes' if user.active else 'no'}")
    click.echo(f"roles        {group.words(rights.roles)}")
    click.echo(f"direct       {group.words(store.permissions_of(user))}")
    for role in rights.roles:
        click.echo(f"by role      {role}: {group.words(store.permissions_of(group.role(role)))}")
    click.echo(f"permissions  {group.words(rights.permissions)}")


@click.command("list")
@click.option("--limit", type=group.LIMIT, default=1000, show_default=True, help="Show at most so many.")
@with_appcontext
def list_users(limit: int) -> None:
    """List the users, by name."""
    store = group.store()
    found = store.list_users(limit=limit)
    rows = [
        (
            user.username,
            user.email or "-",
            "yes" if user.active else "no",
            "yes" if user.email_verified_at else "no",
            group.words(store.rights(user).roles),
        )
        for user in found
    ]
    group.print_table(("user", "e-mail", "active", "verified", "roles"), rows, none="There are no users.")
    if len(found) == limit:
        click.echo(f"There may be more than {limit}: use --limit.", err=True)


@click.command("set-password")
@click.argument("name")
@_PASSWORD
@with_appcontext
def set_password(name: str, password: str) -> None:
    """Set the password of the user NAME; all of the user's sessions end."""
    with group.change() as store:
        user = group.user(name)
        _warn_of_weakness(password, user.username, user.email)
        store.set_password(user, password)
    click.echo(f"Set the password of {name}; all sessions ended.")


@click.command("disable")
@click.argument("name")
@with_appcontext
def disable(name: str) -> None:
    """Disable the user NAME; all of the user's sessions end."""
    with group.change() as store:
        store.set_active(group.user(name), active=False)
    click.echo(f"Disabled {name}; all sessions ended.")


@click.command("enable")
@click.argument("name")
@with_appcontext
def enable(name: str) -> None:
    """Enable the user NAME again."""
    with group.change() as store:
        store.set_active(group.user(name), active=True)
    click.echo(f"Enabled {name}.")


def _warn_of_weakness(password: str, name: str, email: str | None) -> None:
    # An administrator may have a reason, and is asked for none.
    service = app_state().self_service
    if service is None:
        return
    try:
        service.check_password(password, username=name, email=email)
    except InvalidPasswordError as weakness:
        click.echo(f"Warning: {weakness}", err=True)
    except RetryLaterError:
        click.echo("Warning: whether this password is weak cannot be told now.", err=True)
