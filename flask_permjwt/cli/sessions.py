"""Commands for sessions."""

import click
from flask.cli import with_appcontext

from flask_permjwt.cli import group
from flask_permjwt.errors import UnknownSessionError
from flask_permjwt.web.state import app_state

_ROUND = 1000


@click.command("sessions")
@click.argument("name")
@with_appcontext
def sessions(name: str) -> None:
    """List the living sessions of the user NAME; times are UTC."""
    rows = [
        (
            one.id,
            f"{one.created_at}",
            f"{one.last_used_at}",
            one.opened_by,
            one.address or "-",
            one.user_agent or "-",
        )
        for one in app_state().accounts.sessions(group.user(name).public_id)
    ]
    head = ("session", "created", "last used", "opened by", "address", "user agent")
    group.print_table(head, rows, none=f"{name} has no sessions.")


@click.command("logout")
@click.argument("name")
@click.option("--session", "session_id", help="End this session only.")
@with_appcontext
def logout(name: str, session_id: str | None) -> None:
    """Log the user NAME out everywhere, or end one session."""
    with group.transaction():
        subject = group.user(name).public_id
        accounts = app_state().accounts
        if session_id is None:
            count = accounts.log_out_everywhere(subject)
            ended = f"{count} session{'' if count == 1 else 's'}"
        else:
            try:
                accounts.end_session(session_id, owner=subject)
            except UnknownSessionError:
                raise group.Refused(f"{name} has no session {session_id}.") from None
            ended = f"the session {session_id}"
    click.echo(f"Ended {ended} of {name}.")


@click.command("prune")
@with_appcontext
def prune() -> None:
    """Remove what expired: sessions, codes and old rows of the audit table."""
    housekeeping = app_state().housekeeping
    removed = 0
    while count := housekeeping.prune(_ROUND):
        removed += count
    click.echo(f"Removed {removed} row{'' if removed == 1 else 's'}.")
