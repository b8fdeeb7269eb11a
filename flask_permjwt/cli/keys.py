"""Commands for keys. They change files; nothing secret is printed, and no process needs to be told."""

import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import click
from flask.cli import with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from flask_permjwt.cli import group
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.settings import ALGORITHMS
from flask_permjwt.settings.contradictions import refuse_two_places
from flask_permjwt.settings.signing import SYNONYMS
from flask_permjwt.signals import KeyChanged
from flask_permjwt.tokens.key_source import WatchedKeys
from flask_permjwt.tokens.keys import Key
from flask_permjwt.tokens.lifecycle import KeyPlan, ManagedKey, State
from flask_permjwt.web.state import AppState, app_state

_ALGORITHM: Final = click.option(
    "--algorithm",
    type=click.Choice((*ALGORITHMS, *SYNONYMS), case_sensitive=False),
    callback=lambda _, __, given: SYNONYMS.get(given, given),
    help="What the key serves; by default, PERMJWT_ALGORITHM.",
)

_log = logging.getLogger("flask_permjwt.keys")

_LATEST: Final = 253_402_300_799
"""The end of the year 9999, behind which Python has no dates."""


@click.group("keys")
def keys() -> None:
    """Make, list, rotate and retire the keys in PERMJWT_KEYS_DIR."""


@keys.command("generate")
@_ALGORITHM
@click.option(
    "--adopt",
    is_flag=True,
    help="Take over the key that signed before there was a directory.",
)
@with_appcontext
def generate(*, algorithm: str | None, adopt: bool) -> None:
    """Make the first key; it signs at once."""
    if adopt and algorithm is not None:
        raise group.Refused("--adopt takes over a key with its algorithm: leave --algorithm out.")
    with _changing(adopts=adopt) as keyring:
        if keyring.plan.signing(keyring.now) is not None:
            raise group.Refused("There is a key that signs; `flask permjwt keys rotate` makes the next one.")
        made = keyring.add(_adopted(keyring.state) if adopt else _new(keyring.state, algorithm), keyring.now)
    click.echo(f"{_name(made)} signs now.")
    _write_down(keyring.state, ("adopted" if adopt else "generated", made))


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@with_appcontext
def list_keys(*, as_json: bool) -> None:
    """List the keys with their states; times are UTC."""
    keyring = _Keyring(app_state())
    plan, now = keyring.plan, keyring.now
    if as_json:
        listed = [
            {
                "kid": one.key.kid,
                "algorithm": one.key.algorithm,
                "state": plan.state(one, now),
                "created_at": one.created_at,
                "signs_from": one.signs_from,
                "signs_until": _finite(plan.ends_at(one)),
                "verifies_until": _finite(plan.dropped_at(one)),
                "void": one.void_at is not None,
                "file": one.name,
            }
            for one in plan.keys
        ]
        click.echo(json.dumps({"keys": listed}, indent=2))
        return
    rows = [
        (
            one.key.kid,
            one.key.algorithm,
            "void" if one.void_at is not None else plan.state(one, now).value,
            _moment(one.signs_from),
            _moment(plan.ends_at(one)),
            _moment(plan.dropped_at(one)),
        )
        for one in plan.keys
    ]
    head = ("kid", "algorithm", "state", "signs from", "signs until", "verifies until")
    group.print_table(head, rows, none="There are no keys; `flask permjwt keys generate` makes one.")


@keys.command("rotate")
@_ALGORITHM
@with_appcontext
def rotate(*, algorithm: str | None) -> None:
    """Publish a new key, which signs after PERMJWT_KEYS_LEAD; the old one verifies on until it is not needed."""
    with _changing() as keyring:
        plan, now = keyring.plan, keyring.now
        for one in plan.keys:
            if plan.state(one, now) is State.NEXT:
                raise group.Refused(
                    f"{_name(one)} is waiting already and signs from {_moment(one.signs_from)}; "
                    "`flask permjwt keys retire` stops it."
                )
        old = plan.signing(now)
        if old is None:
            raise group.Refused("There is no key to rotate; `flask permjwt keys generate` makes one.")
        made = keyring.add(_new(keyring.state, algorithm), now + keyring.state.settings.keys_lead)
        # Its file is what keeps a void key out that the settings hold.
        dropped = [
            one
            for one in plan.keys
            if plan.state(one, now) is State.GONE and not (one.void_at is not None and keyring.is_besides(one))
        ]
        for one in dropped:
            keyring.directory.remove(one)
    click.echo(f"{_name(made)} is published and signs from {_moment(made.signs_from)}.")
    click.echo(
        f"{_name(old)} signs until then and verifies until {_moment(made.signs_from + keyring.lasts(old))}."
    )
    for one in dropped:
        click.echo(f"{_name(one)} is not needed any more: its file was deleted.")
    _write_down(keyring.state, ("published", made), *(("deleted", one) for one in dropped))


# A kid may begin with a hyphen: one thumbprint in 64 does.
@keys.command("retire", context_settings={"ignore_unknown_options": True})
@click.argument("kid")
@click.option("--now", "at_once", is_flag=True, help="Void every token of this key, in an emergency.")
@with_appcontext
def retire(kid: str, *, at_once: bool) -> None:
    """Let the key KID sign no more; what it signed is good until it expires, or, with --now, no longer."""
    with _changing() as keyring:
        plan, now = keyring.plan, keyring.now
        one = next((one for one in plan.keys if one.key.kid == kid), None)
        if one is None:
            raise group.Refused(f"There is no key {kid!r}; `flask permjwt keys list` lists them.")
        signs = one is plan.signing(now)
        if not at_once:
            if signs:
                raise group.Refused("This key signs: `flask permjwt keys rotate` puts another one in its place.")
            keyring.directory.write(replace(one, retired_at=min(now, one.told_to_stop_at)))
            click.echo(f"{_name(one)} does not sign.")
            _write_down(keyring.state, ("retired", one))
            return
        # First, so that there is no moment without a key that signs.
        successor = _successor(keyring, one) if signs else None
        if successor is not None:
            click.echo(f"{_name(successor)} signs now.")
        keyring.directory.write(replace(one, void_at=min(now, math.inf if one.void_at is None else one.void_at)))
    latest = keyring.state.settings.keys_reread + keyring.state.settings.revocation_interval
    click.echo(f"Every token of {_name(one)} is void, in all processes within {latest:g} seconds.")
    if keyring.is_besides(one):
        click.echo(
            "It stands in PERMJWT_VERIFICATION_KEYS too: take it out there; until then, its file must stay where "
            "it is."
        )
    _write_down(keyring.state, ("voided", one), *([] if successor is None else [("promoted", successor)]))


def _write_down(state: AppState, *done: tuple[str, ManagedKey]) -> None:
    """Write down what was done to keys. It is done already, and it holds, whether the database answers or not."""
    for action, one in done:
        _log.info("the key %s was %s", _name(one), action)
    try:
        with state.accounts.transaction():
            for action, one in done:
                state.recorder.record(KeyChanged(action=action, kid=one.key.kid, algorithm=one.key.algorithm))
    except (SQLAlchemyError, RuntimeError):
        click.echo("This is not in the audit table: the database did not take it.", err=True)


class _Keyring:
    """The keys as their files are at this moment."""

    def __init__(self, state: AppState) -> None:
        if state.key_directory is None or not isinstance(state.keys, WatchedKeys):
            raise group.Refused("This app has no directory of keys: set PERMJWT_KEYS_DIR.")
        self.state: Final = state
        self.directory: Final = state.key_directory
        self.now: Final = round(state.clock(), 3)
        self._source: Final = state.keys
        self._lasts: Final = state.keys.lasts
        try:
            self.plan: Final = KeyPlan(
                self.directory.read(of_owner=True) if self.directory.path.exists() else (), lasts=self._lasts
            )
        except ConfigurationError as fault:
            raise group.Refused(str(fault)) from None

    def is_besides(self, one: ManagedKey) -> bool:
        return self._source.is_besides(one.key)

    def lasts(self, one: ManagedKey) -> float:
        return max(self._lasts, one.tokens_last)

    def add(self, key: Key, signs_from: float) -> ManagedKey:
        made = ManagedKey(key, signs_from=signs_from, created_at=self.now, tokens_last=self._lasts)
        self.directory.write(made)
        return made


@contextmanager
def _changing(*, adopts: bool = False) -> Iterator[_Keyring]:
    """Read the keys, and keep others out who would change them."""
    state = app_state()
    directory = state.key_directory
    try:
        if not adopts:
            refuse_two_places(state.settings)
        if directory is None:
            _Keyring(state)
            return
        directory.path.mkdir(mode=0o700, exist_ok=True)
        with directory.locked():
            yield _Keyring(state)
    except ConfigurationError as fault:
        raise group.Refused(str(fault)) from None
    except OSError as error:
        raise group.Refused(f"The keys cannot be written: {error.strerror}.") from None


def _adopted(state: AppState) -> Key:
    try:
        return state.settings_key()
    except ConfigurationError as fault:
        raise group.Refused(str(fault)) from None


def _new(state: AppState, algorithm: str | None) -> Key:
    from flask_permjwt.tokens.pairs import generate as generate_key  # noqa: PLC0415  # the command has the name

    try:
        return generate_key(algorithm or state.settings.algorithm)
    except ConfigurationError as fault:
        raise group.Refused(str(fault)) from None


def _successor(keyring: _Keyring, one: ManagedKey) -> ManagedKey:
    """Let the next key sign now, or a new one."""
    plan, now = keyring.plan, keyring.now
    waiting = next((other for other in plan.keys if plan.state(other, now) is State.NEXT), None)
    if waiting is None:
        return keyring.add(_new(keyring.state, one.key.algorithm), now)
    promoted = replace(waiting, signs_from=now)
    keyring.directory.write(promoted)
    return promoted


def _name(one: ManagedKey) -> str:
    return f"{one.key.kid} ({one.key.algorithm})"


def _moment(at: float) -> str:
    return "-" if at > _LATEST else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _finite(at: float) -> float | None:
    return None if at == math.inf else at
