"""Where features of Flask meet ours: contexts within contexts, shared responses, headers of several lines."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest
from flask import Blueprint, Flask, Response, copy_current_request_context, make_response, request
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import (
    PermJWT,
    check_permissions,
    current_principal,
    has_permissions,
    protect,
    public,
    requires_login,
    requires_permissions,
)
from flask_permjwt.web import state


@pytest.fixture
def other(make_app):
    """Return another app of the same process, with a key of its own."""
    return make_app(secret_key=secrets.token_urlsafe(64))


def test_within_a_context_of_another_app_a_request_is_still_judged_by_its_own(app, other, bearer):
    @app.get("/reports/<name>")
    def reports(name):
        with other.app_context():
            seen = has_permissions("reports:{name}:read")
        check_permissions("reports:{name}:read")
        return {"seen": seen}

    client = app.test_client()
    assert client.get("/reports/all", **bearer(other, "reports:all:read")).status_code == 401
    assert client.get("/reports/all", **bearer(app, "reports:all:read")).json == {"seen": True}


def test_templates_are_filled_in_a_context_of_another_app_too(app, other, bearer):
    @app.get("/reports/<name>")
    def reports(name):
        with other.app_context():
            check_permissions("reports:{name}:read")
        return name

    client = app.test_client()
    assert client.get("/reports/all", **bearer(app, "reports:all:read")).status_code == 200
    assert client.get("/reports/all", **bearer(app, "reports:one:read")).status_code == 403


def test_what_was_revoked_is_asked_of_the_database_of_the_app_that_serves(tmp_path):
    db = SQLAlchemy()
    permjwt = PermJWT(db=db)
    here, there = (Flask(name, static_folder=None) for name in ("here", "there"))
    for app in (here, there):
        app.config.update(SECRET_KEY="x" + secrets.token_urlsafe(64), TESTING=True)
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / app.name}.db"
        db.init_app(app)
        permjwt.init_app(app)
        app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
        with app.app_context():
            db.create_all()
            permjwt.users.create("alice", "correct horse battery staple")
            db.session.commit()
    body = {"username": "alice", "password": "correct horse battery staple"}
    access = here.test_client().post("/auth/login", json=body).json["access_token"]
    with here.app_context():
        permjwt.revocations.revoke_token(access)
        db.session.commit()
    again = Flask("again", static_folder=None)  # the same app in another process, which knows nothing yet
    again.config.update(here.config)
    db.init_app(again)
    permjwt.init_app(again)

    @again.get("/me")
    def me():
        with there.app_context():
            return f"{current_principal.subject}"

    assert again.test_client().get("/me", headers={"Authorization": f"Bearer {access}"}).text == "None"


@pytest.mark.parametrize("has_after_request", [False, True])
def test_caches_are_told_of_a_cookie_that_only_a_thread_looked_at(app, token, has_after_request):
    if has_after_request:
        app.after_request(lambda response: response)

    @app.get("/hello")
    @public("greets everybody")
    def hello():
        ask = copy_current_request_context(lambda: f"{current_principal.subject}")
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(ask).result()

    client = app.test_client()
    client.set_cookie("access_token", token(app))
    answer = client.get("/hello")
    assert (answer.text, answer.headers.getlist("Vary")) == ("ab" * 16, ["Cookie"])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "Cookie"),
        (["Accept"], "Accept, Cookie"),
        (["Accept", "X-Tenant"], "Accept, X-Tenant, Cookie"),
        (["Accept", "cookie"], "Accept, cookie"),
        (["*"], "*, Cookie"),
    ],
)
def test_what_a_view_said_of_itself_to_caches_is_kept(app, token, said, told):
    @app.get("/mine")
    @requires_login
    def mine():
        response = make_response("mine")
        for line in said:
            response.headers.add("vary", line)
        return response

    client = app.test_client()
    client.set_cookie("access_token", token(app))
    assert client.get("/mine").headers.getlist("Vary") == [told]


def test_a_ticket_that_only_a_thread_looked_at_keeps_the_answer_out_of_caches(make_app):
    app = make_app(tickets=True)

    @app.get("/hello")
    @public("greets everybody")
    def hello():
        ask = copy_current_request_context(lambda: f"{current_principal.subject}")
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(ask).result()

    answer = app.test_client().get("/hello?ticket=pjwtt_" + "a" * 43)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_two_threads_that_ask_first_in_one_request_find_the_same_and_all_of_it(app, monkeypatch):
    together, look = Barrier(2), state.app_state

    def look_together(*given):
        with suppress(BrokenBarrierError):
            together.wait(timeout=1)
        return look(*given)

    def ask():
        found = state.request_state()
        return id(found), found.app is look()

    @app.get("/hello")
    @public("greets everybody")
    def hello():
        asking = [copy_current_request_context(ask) for _ in range(2)]
        with ThreadPoolExecutor(2) as pool, monkeypatch.context() as patched:
            patched.setattr(state, "app_state", look_together)
            found = [waiting.result() for waiting in [pool.submit(one) for one in asking]]
        return {"states": len({one for one, _ in found}), "ours": [ours for _, ours in found]}

    assert app.test_client().get("/hello").json == {"states": 1, "ours": [True, True]}


def test_a_response_that_is_given_to_everybody_stays_as_it_is_but_for_vary(app, token):
    shared = Response("the same for all")

    @app.get("/shared")
    @requires_login
    def view():
        return shared

    client = app.test_client()
    client.set_cookie("access_token", token(app))
    for _ in range(3):
        assert client.get("/shared").headers.getlist("Vary") == ["Cookie"]
    assert "Set-Cookie" not in shared.headers


def test_hooks_that_run_while_the_app_is_made_are_no_first_request(app, token):
    app.get("/hello")(public("greets everybody")(lambda: "hello"))
    with app.test_request_context("/hello"):
        app.preprocess_request()

    @app.after_request
    def name(response):
        response.headers["X-You"] = f"{current_principal.subject}"
        return response

    client = app.test_client()
    client.set_cookie("access_token", token(app))
    answer = client.get("/hello")
    assert (answer.headers["X-You"], answer.headers["Vary"]) == ("ab" * 16, "Cookie")


def test_a_view_that_forwards_with_the_hooks_of_flask_keeps_every_guard(app, bearer):
    blueprint = Blueprint("admin", __name__)
    protect(blueprint, "admin")
    blueprint.get("/nested", endpoint="nested")(lambda: "secret")
    app.register_blueprint(blueprint)
    requires_permissions("admin")(app.get("/above", endpoint="above")(lambda: "secret"))
    app.get("/below", endpoint="below")(requires_permissions("admin")(lambda: "secret"))

    @app.get("/forward/<path:path>")
    def forward(path):
        with app.test_request_context(f"/{path}", headers=dict(request.headers)):
            return app.make_response(app.preprocess_request() or app.dispatch_request())

    client = app.test_client()
    for path in ("/forward/nested", "/forward/above", "/forward/below"):
        assert client.get(path).status_code == 401
        assert client.get(path, **bearer(app, "another")).status_code == 403
        assert client.get(path, **bearer(app, "admin")).text == "secret"


def test_a_guard_below_a_route_holds_without_the_hooks_of_flask(app, bearer):
    app.get("/below", endpoint="below")(requires_permissions("admin")(lambda: "secret"))

    @app.get("/forward")
    def forward():
        return app.view_functions["below"]()

    client = app.test_client()
    assert client.get("/forward").status_code == 401
    assert client.get("/forward", **bearer(app, "admin")).text == "secret"
