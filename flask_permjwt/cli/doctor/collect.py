"""Collecting: the facts about an app, from the app itself, by asking it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Final

from flask import Flask, Response
from flask.cli import ScriptInfo

from flask_permjwt.accounts.issuing import IssuedTokens
from flask_permjwt.cli.doctor.database import facts_of_database, path_of
from flask_permjwt.cli.doctor.facts import CookieAge, Facts
from flask_permjwt.cli.doctor.host import network_mount
from flask_permjwt.web.addresses import address_of
from flask_permjwt.web.census import take_census
from flask_permjwt.web.state import AppState, app_state

_ORIGIN: Final = "https://another-site.invalid"
_MAX_ASKED: Final = 200
_PATIENCE: Final = 60
"""Seconds that the app has to be loaded a second time."""


def collect(app: Flask, info: ScriptInfo, *, workers: int | None) -> Facts:
    """Find out everything about an app.

    Args:
        app: the app, with its context pushed.
        info: how Flask found it.
        workers: how many processes serve it, if that is known.

    Raises:
        ConfigurationError: its routes are declared in ways that contradict each other.
    """
    state = app_state(app)
    host = state.freshness.host
    host.look()
    database = facts_of_database(app)
    return Facts(
        settings=state.settings,
        development=app.debug or app.testing,
        workers=workers,
        secrets=secrets_of(state, info),
        cookies=tuple(cookie_ages(state)),
        cors=tuple(open_to_others(app)),
        undeclared=tuple(f"{row.method} {row.rule}" for row in take_census(app).undeclared),
        now=time.time(),
        app_now=state.clock(),
        database_mount=_mount(path_of(database.get("engine"))),
        epoch_path=None if host.path is None else str(host.path),
        epoch_mount=_mount(host.path),
        epoch_usable=host.is_mapped,
        **database,
    )


def fingerprint(state: AppState) -> str:
    """Return a value that differs when the secrets of two processes do, and tells nothing else about them."""
    signing = state.keys.ring.signing
    return state.accounts.derived(f"doctor {'' if signing is None else signing.kid}")


def secrets_of(state: AppState, info: ScriptInfo) -> tuple[str, str] | None:
    """Load the app once more, in a process of its own, and return the fingerprints of both."""
    if info.create_app is not None:
        return None  # made by a function that only this process has
    where = [] if info.app_import_path is None else ["--app", info.app_import_path]
    command = [sys.executable, "-m", "flask", *where, "permjwt", "doctor", "--fingerprint"]
    try:
        ran = subprocess.run(  # noqa: S603  # the very command that is running
            command, capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = ran.stdout.split()
    return (fingerprint(state), lines[-1]) if lines else None


def cookie_ages(state: AppState) -> Iterator[CookieAge]:
    """Let cookies be set as a login does, and compare how long they are kept with what is in them."""
    settings = state.settings
    if not settings.cookies:
        return
    access, refresh = settings.access_token_expires, settings.refresh_token_expires
    tokens = IssuedTokens("a", access, 0, "s", "r", refresh, "c", "c")
    response = Response()
    state.transport.attach_cookies(response, tokens, "", "")
    for line in response.headers.getlist("Set-Cookie"):
        for name, cookie in SimpleCookie(line).items():
            about_access = name in {settings.access_cookie_name, settings.access_csrf_cookie_name}
            yield CookieAge(name, int(cookie["max-age"] or 0), access if about_access else refresh)


def open_to_others(app: Flask) -> Iterator[str]:
    """Ask by preflights, which run no view, where scripts of any site are let in with a user's credentials."""
    client = app.test_client(use_cookies=False)
    asked = 0
    for rule in app.url_map.iter_rules():
        if not getattr(rule, "provide_automatic_options", False) or asked == _MAX_ASKED:
            continue
        address = address_of(app, rule, "OPTIONS", {})
        if address is None:
            continue
        asked += 1
        headers = {"Origin": _ORIGIN, "Access-Control-Request-Method": "GET"}
        try:
            response = client.options(address.path, base_url=address.base_url, headers=headers)
        except Exception:  # noqa: BLE001, S112  # whatever the app's own functions do: this route cannot be asked
            continue
        origin = response.headers.get("Access-Control-Allow-Origin", "")
        credentials = response.headers.get("Access-Control-Allow-Credentials", "").casefold() == "true"
        if credentials and origin in {"*", _ORIGIN}:
            yield rule.rule


def _mount(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # no Linux
    return network_mount(path.resolve(), mounts)
