"""The order law where a request is there while guards are written: a served one, or a context that is pushed."""

import secrets

import pytest
from flask import Blueprint, Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import ConfigurationError, PermJWT, public, requires_permissions

guard = requires_permissions("reports:read")


def made_with_guards_above(make_flask, *, init_first):
    """Build an app whose guards stand above routes of a blueprint and its own, and above a gate."""
    app, blueprint, gated = make_flask(), Blueprint("b", __name__), Blueprint("gated", __name__)
    if init_first:
        PermJWT(app, db=app.extensions["db"])
    guard(blueprint.get("/nested", endpoint="nested")(lambda: "secret"))
    guard(app.get("/own", endpoint="own")(lambda: "secret"))
    guard(gated.before_request(lambda: None))
    gated.get("/gated", endpoint="view")(lambda: "secret")
    app.register_blueprint(blueprint)
    app.register_blueprint(gated)
    if not init_first:
        PermJWT(app, db=app.extensions["db"])
    return app


@pytest.fixture
def make_flask():
    def make():
        app = Flask("made", static_folder=None)
        app.config.update(TESTING=True, SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
        app.extensions["db"] = SQLAlchemy(app)
        return app

    return make


@pytest.mark.parametrize("init_first", [False, True])
def test_a_context_that_is_pushed_while_an_app_is_made_takes_no_guard_away(make_flask, guarded_by, init_first):
    with make_flask().test_request_context():
        made = made_with_guards_above(make_flask, init_first=init_first)
    with made.app_context():
        made.extensions["db"].create_all()
    for path in ("/nested", "/own", "/gated"):
        guarded_by(made, path, "reports:read")


@pytest.mark.parametrize("init_first", [False, True])
def test_an_app_that_is_made_while_another_serves_is_guarded_or_refuses_to_serve(app, make_flask, init_first):
    made = []

    @app.get("/make")
    def make():
        made.append(made_with_guards_above(make_flask, init_first=init_first))
        return "made"

    assert app.test_client().get("/make").status_code == 200
    for path in ("/nested", "/own", "/gated"):
        with pytest.raises(ConfigurationError, match="while a request was served"):
            made[0].test_client().get(path)
        requires_permissions("another:one")(lambda: None)  # declarations have tables compiled anew


def test_a_view_whose_calls_are_guarded_at_each_request_may_be_public_in_the_next_app(app, make_app, bearer):
    @public("open at its own route")
    def show():
        return "shown"

    @app.get("/show")
    def closed():
        return requires_permissions("reports:read")(show)()

    assert app.test_client().get("/show").status_code == 401
    assert app.test_client().get("/show", **bearer(app, "reports:read")).status_code == 200
    after = make_app()
    after.get("/open")(show)
    assert after.test_client().get("/open").text == "shown"
