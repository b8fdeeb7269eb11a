"""Commands for personal access tokens."""

import click
from flask.cli import with_appcontext

from flask_permjwt.cli import group
from flask_permjwt.errors import UnknownTokenError
from flask_permjwt.policy.permissions import read_scope
from flask_permjwt.web.state import app_state


@click.group("tokens")
def tokens() -> None:
    """List and revoke personal access tokens."""


@tokens.command("list")
@click.argument("name")
@with_appcontext
def list_tokens(name: str) -> None:
    """List the personal access tokens of the user NAME; times are UTC."""
    user = group.user(name)
    rows = [
        (
            one.id,
            one.token_name,
            f"{one.created_at}",
            f"{one.expires_at}",
            f"{one.last_used_at or '-'}",
            group.words(read_scope(one.scope).all),
        )
        for one in app_state().personal.listed(user.public_id, user.token_version)
    ]
    head = ("token", "name", "created", "expires", "last used", "permissions")
    group.print_table(head, rows, none=f"{name} has no personal access tokens.")


@tokens.command("revoke")
@click.argument("name")
@click.argument("token_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "all_of_them", is_flag=True, help="Revoke every one of them.")
@with_appcontext
def revoke_tokens(name: str, token_ids: tuple[str, ...], *, all_of_them: bool) -> None:
    """Revoke personal access tokens of the user NAME by their ids."""
    if bool(token_ids) == all_of_them:
        raise click.UsageError("Name the tokens by their ids, or give --all.")
    with group.transaction():
        subject = group.user(name).public_id
        personal = app_state().personal
        if all_of_them:
            count = personal.revoke_all(subject)
        else:
            count = len(set(token_ids))
            for one in sorted(set(token_ids)):
                try:
                    personal.revoke(one, subject)
                except UnknownTokenError:
                    raise group.Refused(f"{name} has no token {one}.") from None
    click.echo(f"Revoked {count} token{'' if count == 1 else 's'} of {name}.")
