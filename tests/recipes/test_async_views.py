"""Async views behind a real server: guarded above and below the route, and each request its own user's."""

from concurrent.futures import ThreadPoolExecutor

import pytest

GUARDED = ["/below", "/above", "/both", "/class", "/inside/2024", "/helped"]
USERS = {
    "reader": ["reports:read", "reports:2024:read"],
    "writer": ["reports:*"],
    "nobody": ["something:else"],
}


@pytest.fixture
def app(load, recipe):
    return load(recipe("async-views"), USERS)


@pytest.mark.parametrize("path", GUARDED)
def test_an_async_view_is_guarded_whatever_the_order_of_its_decorators(app, path):
    assert app.get(path).status == 401
    assert app.get(path, app.log_in("nobody")).status == 403
    answer = app.get(path, app.log_in("writer"))
    assert answer.status == 200


def test_a_permission_may_be_checked_after_an_await(app):
    reader = app.log_in("reader")
    assert app.get("/inside/2024", reader).json == {"year": "2024"}
    assert app.get("/inside/2025", reader).status == 403


def test_an_async_helper_guards_itself_when_it_is_awaited(app):
    assert app.get("/helped", app.log_in("reader")).status == 403
    assert app.get("/helped", app.log_in("writer")).json == {"written": True}


def test_tasks_of_one_request_know_their_user_and_no_other(app):
    tokens = {name: app.log_in(name) for name in ("reader", "writer")}
    names = ["reader", "writer"] * 30
    with ThreadPoolExecutor(8) as pool:
        for name, answer in zip(names, pool.map(lambda one: app.get("/both", tokens[one]), names), strict=True):
            assert [one["for"] for one in answer.json["both"]] == [name, name]
