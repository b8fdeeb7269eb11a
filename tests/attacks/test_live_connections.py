"""Attacks on connections that live on: by who was let in once, or never."""

import secrets
import threading
import time
from contextlib import suppress

import flask_sock
import flask_socketio
import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from werkzeug.exceptions import Forbidden, Unauthorized

from flask_permjwt import (
    PermJWT,
    check_permissions,
    current_principal,
    current_user,
    requires_login,
    requires_permissions,
)
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.live.socketio import SocketIO
from flask_permjwt.web.connections import KEY

PASSWORD = "correct horse battery staple"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}


@pytest.fixture
def world(tmp_path, fake_clock, monkeypatch):
    monkeypatch.setattr(
        "flask_permjwt.shared.Passwords",
        lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
    )
    app = Flask(__name__)
    app.config.update(
        TESTING=True,
        SECRET_KEY=secrets.token_urlsafe(64),
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'live.db'}",
        PERMJWT_RATELIMIT_ENABLED=False,
    )
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db, clock=fake_clock)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    server = SocketIO(app, async_mode="threading")
    world = type("World", (), {"app": app, "permjwt": permjwt, "server": server, "heard": [], "clock": fake_clock})

    @requires_permissions("chat:read")
    @server.on("connect")
    def connected(auth=None):
        world.heard.append("connected")

    @requires_login
    @server.on("disconnect")
    def gone(reason=None):
        world.heard.append("gone")

    @requires_permissions("chat:write")
    @server.on("write")
    def write(message):
        world.heard.append(message)
        return message

    @server.on("*")
    def whatever(event, *args):
        world.heard.append((event, current_principal.subject and current_user.username))
        return event

    @flask_sock.Sock(app).route("/ws")
    @requires_permissions("chat:read")
    def ws(ws):
        world.heard.append("ws")

    with app.app_context():
        db.create_all()
        for name in ("alice", "mallory"):
            rights = ["chat:read", "chat:write"] if name == "alice" else []
            permjwt.users.create(name, PASSWORD, permissions=rights)
        db.session.commit()
    yield world
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def header(world):
    def make(name="alice"):
        body = {"username": name, "password": PASSWORD}
        answer = world.app.test_client().post("/auth/login", json=body)
        return {"Authorization": f"Bearer {answer.json['access_token']}"}

    return make


def change(world, method, *arguments, name="alice"):
    with world.app.app_context():
        getattr(world.permjwt.users, method)(world.permjwt.users.find(name), *arguments)
        world.permjwt.users.commit()


def test_whoever_was_refused_at_the_handshake_is_not_connected(world, header):
    for headers in ({}, {"Authorization": "Bearer no"}, header("mallory")):
        client = world.server.test_client(world.app, headers=headers)
        assert not client.is_connected()
        with pytest.raises(RuntimeError):
            client.emit("write", "hello")
    assert world.heard == []


@pytest.mark.parametrize("kind", [flask_socketio.SocketIO, SocketIO])
def test_a_route_that_takes_every_path_makes_no_plain_request_of_an_event(world, header, kind):
    app, heard = world.app, []
    app.add_url_rule("/<path:path>", "spa", lambda path: path)
    server = kind(app, async_mode="threading", cors_allowed_origins="*")
    server.on("connect")(requires_login(lambda auth=None: None))
    server.on("hear")(lambda message: heard.append((message, current_principal.subject)))
    server.on("check")(requires_permissions("chat:read")(lambda message: heard.append((message, "may"))))
    assert not server.test_client(app).is_connected()
    browser = app.test_client()
    body = {"username": "alice", "password": PASSWORD, "delivery": "cookie"}
    browser.post("/auth/login", json=body, base_url="https://localhost")
    cookies = "; ".join(f"{one.key}={one.value}" for one in browser._cookies.values())
    foreign = {"Cookie": cookies, "Origin": "https://evil.example"}
    assert not server.test_client(app, headers=foreign).is_connected()
    client = server.test_client(app, headers=header())
    client.emit("hear", "before")
    world.clock.advance(901)
    client.emit("check", "beyond its access token")
    assert heard[1:] == [("beyond its access token", "may")]
    change(world, "void_tokens")
    with suppress(Unauthorized):  # which the library's own lets through
        client.emit("check", "after")
    assert not client.is_connected()
    assert len(heard) == 2


@pytest.mark.parametrize("shaped", [False, True])
def test_a_wrong_password_in_a_connect_handler_lets_nobody_in(world, shaped):
    server = SocketIO(world.app, async_mode="threading")

    @server.on("connect")
    def connected(auth):
        try:
            world.permjwt.check_password(**auth)
        finally:
            world.permjwt.users.commit()

    if shaped:
        server.on_error_default(lambda error: None)
    auth = {"username": "alice", "password": PASSWORD}
    assert server.test_client(world.app, auth=auth).is_connected()
    assert not server.test_client(world.app, auth={**auth, "password": "wrong"}).is_connected()


def test_an_event_by_the_name_of_a_handshake_opens_nothing(world, header):
    headers = header()
    client = world.server.test_client(world.app, headers=headers)
    assert client.is_connected()
    change(world, "revoke", "chat:read")
    with pytest.raises(flask_socketio.ConnectionRefusedError):
        client.emit("connect", {})
    assert world.heard == ["connected"]


def test_an_event_by_the_name_of_the_end_is_guarded_as_any(world, header):
    client = world.server.test_client(world.app, headers=header())
    world.app.test_client().post("/auth/logout", headers=header())
    change(world, "void_tokens")
    client.emit("disconnect", "really")
    assert "gone" not in world.heard


def test_no_event_of_a_session_that_has_ended_is_heard_whatever_its_name(world, header):
    client = world.server.test_client(world.app, headers=header())
    assert client.emit("anything", callback=True) == "anything"
    change(world, "void_tokens")
    client.emit("something")
    assert ("something", None) not in world.heard
    assert ("something", "alice") not in world.heard
    assert not client.is_connected()


def test_the_payload_of_a_handshake_is_no_credential(world, header):
    token = header()["Authorization"].partition(" ")[2]
    for auth in ({"token": token}, {"Authorization": f"Bearer {token}"}, token):
        assert not world.server.test_client(world.app, auth=auth).is_connected()
    assert not world.server.test_client(world.app, query_string=f"?access_token={token}").is_connected()


def test_a_connection_is_kept_where_no_header_reaches(world, header):
    headers = {"X-Real": "1", KEY: "x", KEY.replace(".", "-"): "x"}
    client = world.app.test_client()
    assert client.get("/ws", headers={**UPGRADE, **headers}).status_code == 401
    assert world.heard == []


def test_a_plain_request_to_a_websocket_and_an_upgrade_of_a_plain_view_lead_nowhere(world, header):
    client = world.app.test_client()
    assert client.get("/ws", headers=header()).status_code == 400
    assert client.get("/auth/me", headers={**UPGRADE, **header()}).status_code == 400


def test_a_websocket_of_somebody_without_the_permission_is_refused_before_the_handshake(world, header):
    answer = world.app.test_client().get("/ws", headers={**UPGRADE, **header("mallory")})
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://localhost.evil.example", "\xff"])
def test_a_websocket_with_a_cookie_from_elsewhere_is_refused_before_the_handshake(world, origin):
    client = world.app.test_client()
    body = {"username": "alice", "password": PASSWORD, "delivery": "cookie"}
    client.post("/auth/login", json=body, base_url="https://localhost")
    environ = {"HTTP_ORIGIN": origin}
    answer = client.get("/ws", headers=UPGRADE, base_url="https://localhost", environ_overrides=environ)
    assert (answer.status_code, answer.json["error"]) == (401, "foreign_origin")
    # A page that is no connection may be asked for from anywhere: it is for CORS to say who may read it.
    answer = client.get("/auth/me", base_url="https://localhost", environ_overrides=environ)
    assert answer.status_code == 200


def test_two_events_at_the_very_moment_of_expiry_are_both_heard_and_none_after_the_end(world, header):
    client = world.server.test_client(world.app, headers=header())
    for _ in range(5):
        world.clock.advance(901)
        threads = [threading.Thread(target=client.emit, args=("write", "both")) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert world.heard.count("both") == 20
    with world.app.app_context():
        for session in world.permjwt.models.session.query.all():
            session.ended_at = session.created_at
        world.permjwt.users.commit()
    world.clock.advance(901)
    client.emit("write", "after")
    assert "after" not in world.heard


def test_a_connection_that_is_over_does_not_come_back_to_life(world, header):
    client = world.server.test_client(world.app, headers=header())
    environ = next(iter(world.server.server.environ.values()))
    change(world, "void_tokens")
    client.emit("write", "one")
    assert environ[KEY]._end is not None
    state = world.app.extensions["permjwt"]
    state.freshness.state._slices = ()
    state.freshness.state.doubt()
    with world.app.request_context(environ), pytest.raises(type(environ[KEY]._end)):
        environ[KEY].judge(state, None)


def test_what_is_judged_costs_no_query_while_nothing_has_changed(world, header):
    from sqlalchemy import event  # noqa: PLC0415

    client = world.server.test_client(world.app, headers=header())
    client.emit("write", "warm")
    asked = []
    with world.app.app_context():
        engine = world.permjwt.users._db.engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    began = time.monotonic()
    for _ in range(20):
        client.emit("write", "more")
    # The feed is asked once a second.
    assert len(asked) <= 2 * (time.monotonic() - began + 1)


def test_outside_of_a_connection_nothing_is_closed_and_a_denial_is_a_response(world, header):
    context = world.app.test_request_context("/auth/me", headers=header("mallory"))
    with context, pytest.raises(Forbidden) as caught:
        check_permissions("chat:read")
    assert caught.value.get_response().json["error"] == "insufficient_scope"
