"""Flask looks at no function that this library made or looked at; whatever else it calls, it looks at as ever."""

import functools
import gc
import inspect
import secrets
from weakref import ref

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, public, requires_login, requires_permissions
from flask_permjwt.web.state import app_state


@pytest.fixture
def looked_at(app, monkeypatch):
    """What Flask looked at, in order; but for what Flask-SQLAlchemy does after every request."""
    seen = []

    def look(function):
        if not function.__module__.startswith("flask_sqlalchemy."):
            seen.append(function)
        return inspect.iscoroutinefunction(function)

    monkeypatch.setattr("flask.app.iscoroutinefunction", look)
    return seen


def test_the_hook_and_what_went_through_a_decorator_of_ours_are_not_looked_at(app, bearer, looked_at):
    app.get("/below", endpoint="below")(requires_login(lambda: "below"))
    requires_login(app.get("/above", endpoint="above")(lambda: "above"))
    app.get("/open", endpoint="open")(public("greets everybody")(lambda: "open"))
    client = app.test_client()
    assert [client.get(f"/{name}", **bearer(app)).text for name in ("below", "above", "open")] == [
        "below",
        "above",
        "open",
    ]
    assert looked_at == []


def test_what_is_none_of_ours_is_looked_at(app, looked_at):
    @app.before_request
    def before():
        return None

    @app.get("/x")
    def view():
        return "x"

    assert app.test_client().get("/x").text == "x"
    assert looked_at == [before, view]


@pytest.mark.parametrize("place", ["below", "above"])
def test_a_guarded_coroutine_function_is_run_as_flask_runs_them(app, bearer, place):
    async def view():
        return "came back"

    if place == "below":
        app.get("/x")(requires_permissions("x")(view))
    else:
        requires_permissions("x")(app.get("/x")(view))
    client = app.test_client()
    for _ in range(2):
        assert client.get("/x", **bearer(app, "x")).text == "came back"
        assert client.get("/x", **bearer(app, "y")).status_code == 403


def test_a_coroutine_function_that_copies_the_marks_of_a_guarded_one_is_looked_at(app, bearer):
    @requires_login
    def guarded():
        return "came back"

    @app.get("/x")
    @functools.wraps(guarded)
    async def around():
        return guarded()

    client = app.test_client()
    assert client.get("/x").status_code == 401
    assert client.get("/x", **bearer(app)).text == "came back"


def test_a_coroutine_function_that_takes_the_place_of_a_guarded_view_is_looked_at(app, bearer):
    app.get("/x", endpoint="x")(requires_login(lambda: "first"))
    client = app.test_client()
    assert client.get("/x", **bearer(app)).text == "first"

    @requires_login
    async def second():
        return "second"

    app.view_functions["x"] = second
    assert client.get("/x", **bearer(app)).text == "second"
    assert client.get("/x").status_code == 401


def test_a_view_whose_place_another_took_is_forgotten(app, bearer):
    def take_place():
        view = requires_login(lambda: "x")
        app.view_functions["x"] = view
        assert app.test_client().get("/x", **bearer(app)).text == "x"
        return ref(view)

    app.add_url_rule("/x", "x", lambda: "first")
    first = take_place()
    take_place()
    gc.collect()
    assert first() is None


def test_a_view_that_is_no_key_of_a_dictionary_is_called(app):
    class View:
        __hash__ = None

        def __call__(self):
            return "called"

    app.add_url_rule("/x", "x", View())
    assert app.test_client().get("/x").text == "called"


@pytest.mark.parametrize("fails", ["__hash__", "__eq__"])
def test_a_view_that_fails_where_it_is_looked_up_is_called(app, fails):
    class View:
        def __hash__(self):
            return hash(next(iter(app_state(app).table.plain)))

        def __call__(self):
            return "called"

    def fail(*_):
        raise RuntimeError

    setattr(View, fails, fail)
    app.add_url_rule("/x", "x", View())
    assert app.test_client().get("/x").text == "called"


def made(kind):
    app = kind(__name__, static_folder=None)
    app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
    return app


class Own(Flask):
    """An app that does something of its own with what it calls."""

    def ensure_sync(self, func):
        return super().ensure_sync(func)


def test_an_app_that_runs_functions_in_its_own_way_goes_on_to():
    app = made(Own)
    PermJWT(app, db=SQLAlchemy(app))
    assert app.ensure_sync.__func__ is Own.ensure_sync
    app = made(Flask)
    app.ensure_sync = mine = lambda func: func
    PermJWT(app, db=SQLAlchemy(app))
    assert app.ensure_sync is mine
