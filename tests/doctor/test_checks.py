"""Each check, from facts alone: it speaks where something is wrong, and is silent where nothing is."""

from dataclasses import replace

import pytest

from flask_permjwt.cli.doctor.checks import CHECKS, examine
from flask_permjwt.cli.doctor.facts import CookieAge, Engine, Facts
from flask_permjwt.cli.doctor.finding import EXIT_ERRORS, EXIT_WARNINGS, Finding, Level, exit_code
from flask_permjwt.settings import Settings

NOW = 1_800_000_000.0
GOOD = Facts(
    settings=Settings(ratelimit_storage_uri="redis://localhost"),
    workers=4,
    secrets=("one", "one"),
    cookies=(CookieAge("access_token", 900, 900),),
    now=NOW,
    app_now=NOW,
    database_ahead=0.1,
    latest_row=NOW - 5,
    engine=Engine("postgresql", "psycopg", "app", connect_args={"connect_timeout": 3, "tcp_user_timeout": 5000}),
    epoch_path="/run/x.epoch",
)


def postgresql(**connect_args):
    return replace(GOOD.engine, connect_args=connect_args)


SQLITE = Engine("sqlite", "pysqlite", "/srv/app.db")


def settings(**changed):
    return {"settings": replace(GOOD.settings, **changed)}


@pytest.mark.parametrize(
    ("check", "level", "facts"),
    [
        ("secret-per-process", "error", {"secrets": ("one", "two")}),
        ("secret-per-process", "unknown", {"secrets": None}),
        ("cookie-not-secure", "error", settings(cookie_secure=False)),
        ("cookie-not-secure", "warning", settings(cookie_secure=False) | {"development": True}),
        ("cookie-outlives-token", "warning", {"cookies": (CookieAge("access_token", 901, 900),)}),
        ("csrf-off", "error", settings(csrf_protect=False)),
        ("throttle-in-memory", "warning", settings(ratelimit_storage_uri="memory://")),
        ("throttle-in-memory", "unknown", settings(ratelimit_storage_uri="memory://") | {"workers": None}),
        (
            "throttle-in-memory",
            "unknown",
            settings(ratelimit_storage_uri="memory://") | {"takes_passwords": False},
        ),
        ("throttle-off", "warning", settings(ratelimit_enabled=False)),
        ("throttle-off", "unknown", settings(ratelimit_enabled=False) | {"takes_passwords": False}),
        ("cors-wildcard", "error", {"cors": ("/a",)}),
        ("undeclared-views", "error", {"undeclared": ("GET /a",)}),
        ("epoch-file-on-network", "warning", {"epoch_mount": "nfs4"}),
        ("epoch-file-unusable", "warning", {"epoch_usable": False}),
        ("former-tokens-without-end", "warning", settings(accept_flask_jwt_extended=True)),
        ("former-tokens-over", "warning", settings(accept_flask_jwt_extended=NOW - 31 * 86400)),
        ("database-unreachable", "error", {"database_fault": "OperationalError"}),
        ("tables-missing", "error", {"missing": ("the table permjwt_users",)}),
        ("migrations-pending", "warning", {"migrations": True}),
        ("migrations-pending", "unknown", {"migrations": None}),
        ("database-in-memory", "error", {"engine": Engine("sqlite", "pysqlite", None)}),
        ("sqlite-on-network", "error", {"engine": SQLITE, "database_mount": "nfs"}),
        ("shared-connection", "error", {"engine": replace(SQLITE, pool_fault="StaticPool shares ...")}),
        ("driver-waits", "warning", {"engine": postgresql(host="db", connect_timeout=3)}),
        ("driver-waits", "warning", {"engine": postgresql(hostaddr="10.0.0.1", connect_timeout=3)}),
        ("driver-waits", "warning", {"engine": postgresql(host="/run/postgresql")}),
        ("driver-waits", "warning", {"engine": Engine("mysql", "pymysql", "app", {"connect_timeout": 3})}),
        ("clock-wrong", "error", {"now": 86400.0, "app_now": 86400.0, "latest_row": None}),
        ("clock-of-its-own", "error", {"app_now": NOW + 60}),
        ("clock-of-database", "warning", {"database_ahead": -5}),
        ("clock-of-database", "error", {"database_ahead": 45}),
        ("clock-of-others", "warning", {"latest_row": NOW + 5}),
        ("clock-of-others", "error", {"latest_row": NOW + 45}),
    ],
)
def test_what_is_wrong_is_found_alone_and_with_a_remedy(check, level, facts):
    (found,) = examine(replace(GOOD, **facts))
    assert (found.check, found.level) == (check, level)
    assert found.problem.endswith(".")
    assert found.remedy.endswith((".", ")."))


@pytest.mark.parametrize(
    "facts",
    [
        {},
        settings(token_locations=("headers",), cookie_secure=False, csrf_protect=False),
        settings(accept_flask_jwt_extended=NOW - 86400),
        settings(default_deny=True) | {"undeclared": ("GET /a",)},
        settings(ratelimit_storage_uri="memory://") | {"workers": 1},
        {"engine": None, "database_ahead": None, "latest_row": None},
        {"engine": SQLITE},
        # Where there is no TCP, it has no time-outs.
        {"engine": postgresql(host="/run/postgresql", connect_timeout="3")},
        {"engine": postgresql(host="@abstract", connect_timeout=3)},
        {"engine": postgresql(connect_timeout=3)},
        {"engine": Engine("sqlite", "pysqlite", None), "development": True},
        {"epoch_path": None, "epoch_usable": False},
        {"app_now": NOW + 1, "database_ahead": -1.5, "latest_row": NOW + 1},
    ],
)
def test_where_nothing_is_wrong_nothing_is_said(facts):
    assert examine(replace(GOOD, **facts)) == []


def test_many_routes_are_counted_and_few_named():
    (found,) = examine(replace(GOOD, undeclared=tuple(f"GET /{number}" for number in range(8))))
    assert "GET /4 and 3 more" in found.problem
    assert "GET /5" not in found.problem


def test_the_worst_comes_first():
    facts = replace(GOOD, secrets=None, cors=("/a",), migrations=True)
    assert [one.level for one in examine(facts)] == ["error", "warning", "unknown"]


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        ([], 0),
        ([Level.UNKNOWN], 0),
        ([Level.UNKNOWN, Level.WARNING], EXIT_WARNINGS),
        ([Level.WARNING, Level.ERROR], EXIT_ERRORS),
    ],
)
def test_the_exit_code_tells_errors_from_warnings(levels, code):
    assert exit_code([Finding("", level, "", "") for level in levels]) == code
    assert len({0, 2, EXIT_ERRORS, EXIT_WARNINGS}) == 4


def test_every_check_says_what_it_is_about():
    assert all(check.__doc__ for check in CHECKS)
    assert len(set(CHECKS)) == len(CHECKS)
