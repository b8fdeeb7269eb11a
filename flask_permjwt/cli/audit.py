"""Reading the audit table."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from flask_permjwt.cli import group
from flask_permjwt.web.state import app_state

_AGE = re.compile(r"([0-9]{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@dataclass(frozen=True)
class _Age:
    seconds: int


_At = _Age | float


class _Moment(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """A moment, as an age (``1d``) or a date (``2026-11-21``, with or without a time), in UTC.

    Whose clock an age is counted from is known to the command alone: options are read before the app is loaded.
    """

    name = "age or date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> _At:
        text = str(value)
        age = _AGE.fullmatch(text)
        if age is not None:
            return _Age(int(age[1]) * _SECONDS[age[2]])
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{text!r} is neither an age such as 30m, 12h, 1d or 2w nor a date such as 2026-11-21", param, ctx
            )
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@click.command("audit")
@click.option("--user", "name", help="What happened to this user (a name, an e-mail address or an id).")
@click.option("--since", type=_Moment(), help="From then on: 30m, 12h, 1d, 2w, or a date.")
@click.option("--until", type=_Moment(), help="Up to then.")
@click.option("--limit", type=group.LIMIT, default=1000, show_default=True, help="Show the last so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, for machines.")
@with_appcontext
def audit(*, name: str | None, since: _At | None, until: _At | None, limit: int, as_json: bool) -> None:
    """Show what happened to accounts, the newest last; times are UTC."""
    state = app_state()
    subject = None if name is None else _subject(name)
    entries = state.recorder.read(subject=subject, since=_seconds(since), until=_seconds(until), limit=limit)
    if as_json:
        for entry in entries:
            click.echo(json.dumps(asdict(entry), default=str))
        return
    rows = [
        (
            f"{datetime.fromtimestamp(entry.at, UTC):%Y-%m-%d %H:%M:%S}",
            entry.event,
            _name(entry.subject),
            entry.address or "-",
            " ".join(f"{key}={_text(value)}" for key, value in entry.detail.items() if value not in ([], None, ""))
            or "-",
        )
        for entry in entries
    ]
    group.print_table(("at", "event", "user", "address", "detail"), rows, none="Nothing is written down.")


def _seconds(moment: _At | None) -> float | None:
    if isinstance(moment, _Age):
        return max(0.0, app_state().clock() - moment.seconds)
    return moment


def _subject(name: str) -> str:
    state = app_state()
    # The id first: it is nobody else's, while a name may look like one.
    user = state.store.get(name) or state.store.find(name)
    if user is not None:
        return str(user.public_id)
    # Somebody who was deleted is found by the id alone.
    if not state.recorder.read(subject=name, limit=1):
        raise group.Refused(f"There is no user {name!r}, and nothing is written down of anybody with this id.")
    return name


def _name(subject: str | None) -> str:
    state = app_state()
    user = None if subject is None else state.store.get(subject)
    client = None if subject is None or user is not None else state.clients.get(subject)
    if client is not None:
        return f"{client.name} (client)"
    return user.username if user is not None else subject or "-"


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
