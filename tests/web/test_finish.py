"""The end of a request: what a response depended on is in it, whatever else happened to it on its way out."""

import secrets
import sys

import pytest
from flask import Flask, Response, abort, request
from flask_sqlalchemy import SQLAlchemy
from werkzeug.exceptions import HTTPException
from werkzeug.test import Client, create_environ

from flask_permjwt import PermJWT, current_principal, requires_login


@pytest.fixture
def browser(app, token):
    client = app.test_client()
    client.set_cookie("access_token", token(app))
    return client


def name():
    return f"{current_principal.subject}"


def test_no_function_of_the_app_can_take_away_what_caches_are_told(app, browser):
    @app.after_request
    def say_another_thing(response):
        response.headers["Vary"] = "Accept"
        return response

    app.get("/x")(requires_login(name))
    assert browser.get("/x").headers.getlist("Vary") == ["Accept, Cookie"]


@pytest.mark.parametrize("fails", ["the view", "after the view"])
def test_an_answer_to_a_fault_depends_on_what_was_looked_at(app, browser, fails):
    app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)

    def fail(_=None):
        raise RuntimeError

    app.get("/x")(requires_login(fail if fails == "the view" else name))
    if fails == "after the view":
        app.after_request(fail)
    answer = browser.get("/x")
    assert (answer.status_code, answer.headers["Vary"]) == (500, "Cookie")


@pytest.mark.parametrize("handled", [False, True])
def test_a_refusal_depends_on_what_was_looked_at(app, handled):
    if handled:
        app.register_error_handler(HTTPException, lambda error: (error.description, error.code))
    app.get("/x")(requires_login(name))
    answer = app.test_client().get("/x")
    assert (answer.status_code, answer.headers.getlist("Vary")) == (401, ["Cookie"])


def test_what_looks_at_nobody_is_left_alone(app, browser, bearer):
    app.get("/open", endpoint="open")(lambda: "open")
    app.get("/closed", endpoint="closed")(requires_login(name))
    assert "Vary" not in browser.get("/open").headers
    assert "Vary" not in app.test_client().get("/closed", **bearer(app)).headers
    assert "Vary" not in browser.get("/nowhere").headers


def test_an_app_whose_answers_depend_on_no_header_but_authorization_is_not_wrapped(make_app):
    app = make_app(token_locations=["headers"], tickets=False)
    assert "wsgi_app" not in vars(app)
    assert "wsgi_app" in vars(make_app(token_locations=["headers"], tickets=False, header_name="X-Token"))


def test_who_looks_twice_says_so_once(app, browser):
    def twice():
        app.preprocess_request()
        return "x"

    # Of what lives on, the hook asks anew each time.
    app.add_url_rule("/x", "x", requires_login(twice), websocket=True)
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    answer = browser.get("/x", base_url="ws://localhost", headers=upgrade)
    assert (answer.text, answer.headers.getlist("Vary")) == ("x", ["Cookie"])


def test_what_is_wrapped_in_between_may_answer_without_flask():
    app = Flask(__name__, static_folder=None)
    app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
    inner = app.wsgi_app

    def healthy(environ, start_response):
        if environ["PATH_INFO"] == "/health":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"well"]
        return inner(environ, start_response)

    app.wsgi_app = healthy
    PermJWT(app, db=SQLAlchemy(app))
    app.get("/x")(requires_login(name))
    client = app.test_client()
    assert client.get("/health").text == "well"
    assert client.get("/x").headers["Vary"] == "Cookie"
    with app.app_context():
        assert client.get("/health").headers.get("Vary") is None


def keeping(inner):
    """Return a middleware that gives everybody what one was given, unless it is told what that depended on."""
    kept = {}

    def keep(environ, start_response):
        path, told = environ["PATH_INFO"], []
        if path not in kept:
            body = b"".join(inner(environ, lambda *given: told.append(given)))
            status, lines = told[-1]
            if {name for name, _ in lines} & {"Vary", "Cache-Control"}:
                start_response(status, lines)
                return [body]
            kept[path] = status, lines, body
        status, lines, body = kept[path]
        start_response(status, lines)
        return [body]

    return keep


class Holding(Flask):
    """An app that holds each response back until all of it is there."""

    def wsgi_app(self, environ, start_response):
        return keeping(super().wsgi_app)(environ, start_response)


@pytest.mark.parametrize("kind", [Flask, Holding])
def test_what_was_wrapped_around_the_app_before_is_told_what_a_response_depends_on(kind, token):
    app, now = kind(__name__, static_folder=None), [1_800_000_000]
    app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
    app.config.update(PERMJWT_TICKETS=True, PERMJWT_COOKIE_SLIDING=True, PERMJWT_COOKIE_SECURE=False)
    if kind is Flask:
        app.wsgi_app = keeping(app.wsgi_app)
    permjwt = PermJWT(app, db=SQLAlchemy(app), clock=lambda: now[0])
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    shared = Response("x")
    app.get("/x", endpoint="x")(requires_login(lambda: shared))
    app.get("/open", endpoint="open")(lambda: "open")
    with app.app_context():
        app.extensions["sqlalchemy"].create_all()
        permjwt.users.create("alice", "correct horse battery staple")
        permjwt.users.commit()
    browser, nobody = app.test_client(), app.test_client()
    body = {"username": "alice", "password": "correct horse battery staple", "delivery": "cookie"}
    assert browser.post("/auth/login", json=body).status_code == 200
    assert browser.get("/x").headers.getlist("Vary") == ["Cookie"]
    assert nobody.get("/x").status_code == 401
    assert "Vary" not in nobody.get("/open").headers
    assert nobody.get("/x?ticket=pjwtt_" + "a" * 43).headers["Cache-Control"] == "no-store"
    now[0] += 500
    answer = browser.get("/x")
    renewed = [one.split("=")[0] for one in answer.headers.getlist("Set-Cookie")]
    assert renewed == ["access_token", "csrf_access_token"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert {name for name, _ in shared.headers} - {"Vary"} == {"Content-Type", "Content-Length"}


def test_a_response_may_begin_when_flask_is_done_with_it(app, browser):
    class Late(Response):
        def __call__(self, environ, start_response):
            yield from super().__call__(environ, start_response)

    app.get("/x", endpoint="x")(requires_login(lambda: Late("late")))
    assert browser.get("/x").text == "late"


def test_an_answer_that_is_asked_for_within_another_is_told_apart(make_app, token):
    inner, outer = make_app(), make_app()
    inner.get("/who", endpoint="who")(lambda: name())  # noqa: PLW0108  # a guard marks the function itself
    inner.get("/open", endpoint="open")(lambda: "open")

    @outer.get("/<path:path>")
    @requires_login
    def forward(path):
        said = Client(inner).get(f"/{path}")
        own = Response.from_app(inner, request.environ)
        return {"inside": said.headers.getlist("Vary"), "forwarded": own.headers.getlist("Vary")}

    client = outer.test_client()
    client.set_cookie("access_token", token(outer))
    for path, told in (("open", []), ("who", ["Cookie"])):
        answer = client.get(f"/{path}")
        assert answer.json == {"inside": told, "forwarded": told}
        assert answer.headers.getlist("Vary") == ["Cookie"]


def test_the_server_is_told_of_a_fault_as_it_was_and_lines_of_others_stay_as_they_are(app, token):
    lines, told = [("Content-Type", "text/plain")], []

    class Own(Response):
        def __call__(self, environ, start_response):
            try:
                abort(500)
            except HTTPException:
                start_response("200 OK", lines, sys.exc_info())
            return [b"x"]

    @app.get("/x")
    @requires_login
    def view():
        return Own()

    environ = create_environ("/x", headers={"Cookie": f"access_token={token(app)}"})
    app(environ, lambda *given: told.append(given))
    (status, given, fault), *others = told
    assert (status, given, others) == ("200 OK", [("Content-Type", "text/plain"), ("Vary", "Cookie")], [])
    assert fault[0] is not None
    assert lines == [("Content-Type", "text/plain")]
