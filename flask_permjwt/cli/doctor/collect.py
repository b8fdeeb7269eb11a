"""Collecting: the facts about an app, from the app itself, by asking it."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from flask import Flask
from flask.cli import ScriptInfo
from werkzeug.http import parse_date

from flask_permjwt.accounts.issuing import IssuedTokens
from flask_permjwt.api.sessions import log_in
from flask_permjwt.cli.doctor.cors import open_to_others
from flask_permjwt.cli.doctor.database import facts_of_database, path_of
from flask_permjwt.cli.doctor.facts import CookieAge, Facts
from flask_permjwt.cli.doctor.host import network_mount
from flask_permjwt.cli.doctor.second import secrets_of
from flask_permjwt.web.addresses import address_of
from flask_permjwt.web.census import take_census
from flask_permjwt.web.set_cookies import SetCookie, set_cookies
from flask_permjwt.web.state import AppState, app_state

_LOGINS: Final = "flask_permjwt.api."


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
        takes_passwords=any(
            str(getattr(one, "__module__", "")).startswith(_LOGINS) for one in app.view_functions.values()
        ),
        cookies=tuple(cookie_ages(app, state)),
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


def cookie_ages(app: Flask, state: AppState) -> Iterator[CookieAge]:
    """Let cookies be set as a login does, and compare how long they are kept with what is in them.

    The app's own functions after requests see them, as they see those of a login.
    """
    settings = state.settings
    if not settings.cookies:
        return
    access, refresh = settings.access_token_expires, settings.refresh_token_expires
    tokens = IssuedTokens("a", access, 0, "s", "r", refresh, "c", "c")
    response = app.response_class()
    state.transport.attach_cookies(response, tokens, "", "")
    # Whatever they do with an answer that came from no login: what was set before is still told.
    with suppress(Exception), app.test_request_context(_login_path(app), method="POST"):
        response = app.process_response(response)
    for cookie in set_cookies(response):
        about_access = cookie.name in {settings.access_cookie_name, settings.access_csrf_cookie_name}
        about_refresh = cookie.name in {settings.refresh_cookie_name, settings.refresh_csrf_cookie_name}
        if about_access or about_refresh:
            yield CookieAge(cookie.name, _kept(cookie), access if about_access else refresh)


def _kept(cookie: SetCookie) -> int:
    """Return for how many seconds a browser keeps a cookie; 0 until it is closed (RFC 6265 section 5.3)."""
    age, expires = cookie.attributes.get("max-age", ""), parse_date(cookie.attributes.get("expires"))
    if age.removeprefix("-").isdigit():
        return int(age)
    return 0 if expires is None else int(expires.timestamp() - time.time())


def _login_path(app: Flask) -> str:
    for rule in app.url_map.iter_rules():
        address = address_of(app, rule, "POST", {}) if app.view_functions.get(rule.endpoint) is log_in else None
        if address is not None:
            return address.path
    return "/"


def _mount(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # no Linux
    return network_mount(path.resolve(), mounts)
