"""Clients that act for somebody: exactly so, and no further."""

import logging
from types import SimpleNamespace

import pytest
from flask import Flask, jsonify
from flask.testing import FlaskClient

from flask_permjwt import (
    PermissionSyntaxError,
    current_principal,
    current_user,
    requires_login,
    requires_permissions,
)
from flask_permjwt.signals import access_denied
from flask_permjwt.testing import PermJWTClient, make_client


def with_views(app):
    @app.get("/reports")
    @requires_permissions("reports:read")
    def reports():
        return jsonify(user=current_user.username, permissions=sorted(current_principal.permissions))

    @app.post("/reports")
    @requires_permissions("reports:write")
    def write():
        return jsonify(user=current_user.username)

    @app.get("/secrets")
    @requires_permissions("secrets:read", fresh=60)
    def secrets_():
        return ""

    @app.get("/me")
    @requires_login
    def me():
        return jsonify(user=current_user.username, session=current_principal.session_id)

    app.register_blueprint(app.extensions["test_permjwt"].auth_blueprint, url_prefix="/auth")
    return app


@pytest.fixture
def app(make_app, nowhere):
    return with_views(make_app(nowhere))


@pytest.fixture
def peopled(make_app, tmp_path):
    def make(**settings):
        app = with_views(make_app(f"sqlite:///{tmp_path}/app.db", tables=True, **settings))
        with app.app_context():
            users = app.extensions["test_permjwt"].users
            users.create("alice", permissions=["reports:*"])
            users.set_active(users.create("bob"), active=False)
            users.commit()
        return app

    return make


def test_the_fixture_is_a_client_of_the_fixture_app_and_anonymous(permjwt_client, app):
    assert isinstance(permjwt_client, PermJWTClient)
    assert permjwt_client.application is app
    assert permjwt_client.get("/reports").status_code == 401


def test_with_permissions_has_exactly_these_and_needs_no_database(permjwt_client, caplog):
    client = permjwt_client.with_permissions("reports:read")
    assert client.get("/reports").json == {"user": "tester", "permissions": ["reports:read"]}
    assert client.post("/reports").status_code == 403
    assert permjwt_client.with_permissions("reports:*").post("/reports").status_code == 200
    assert permjwt_client.with_permissions().get("/me").status_code == 200
    assert permjwt_client.with_permissions().get("/reports").status_code == 403
    assert permjwt_client.get("/me").status_code == 401  # it is another client
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_a_stand_in_has_a_name_or_is_an_object_of_ones_own(permjwt_client):
    assert permjwt_client.with_permissions("reports:read", user="carol").get("/reports").json["user"] == "carol"

    class Mine:
        public_id, username, active, token_version = "f" * 32, "dave", True, 7

    client = permjwt_client.with_permissions(user=Mine())
    assert client.get("/me").json["user"] == "dave"
    assert client.get("/reports").status_code == 403


def test_a_stand_in_is_fresh_unless_told(permjwt_client):
    assert permjwt_client.with_permissions("secrets:read").get("/secrets").status_code == 200
    stale = permjwt_client.with_permissions("secrets:read", fresh=False).get("/secrets")
    assert (stale.status_code, "insufficient_user_authentication" in stale.headers["WWW-Authenticate"]) == (
        401,
        True,
    )


def test_what_is_no_permission_is_refused(permjwt_client):
    with pytest.raises(PermissionSyntaxError):
        permjwt_client.with_permissions("reports read")


def test_a_header_of_ones_own_wins_over_the_stand_in(permjwt_client):
    client = permjwt_client.with_permissions("reports:read")
    assert client.get("/reports", headers={"Authorization": "Bearer a.b.c"}).status_code == 401


def test_a_stand_in_wins_over_cookies_that_were_seen_before(peopled):
    app = peopled(token_locations=["cookies"])
    alice = make_client(app).as_user("alice")
    for _ in range(2):
        assert alice.get("/reports").json["user"] == "alice"
    carol = make_client(app).with_permissions("reports:read", user="carol")
    carol.set_cookie("access_token", alice.get_cookie("access_token").value)
    assert carol.get("/reports").json["user"] == "carol"


def test_nothing_that_a_request_carries_makes_it_a_stand_in(permjwt_client):
    permjwt_client.with_permissions("reports:read")
    for name in ("flask_permjwt.testing.stand_in", "Flask-Permjwt.Testing.Stand-In"):
        response = permjwt_client.get(f"/reports?{name}=1", headers={name: "1"})
        assert response.status_code == 401


def test_the_signal_of_a_refused_stand_in_is_sent(permjwt_client, app):
    heard = []

    def hear(sender, event):
        heard.append(event)

    with access_denied.connected_to(hear, sender=app):
        permjwt_client.with_permissions().get("/reports")
    assert [(one.status, one.missing) for one in heard] == [(403, ("reports:read",))]


def test_the_time_of_a_stand_in_is_never_over(make_app, nowhere, fake_clock):
    client = make_client(with_views(make_app(nowhere, clock=fake_clock))).with_permissions("reports:read")
    assert client.get("/reports").status_code == 200
    fake_clock.advance(10 * 365 * 24 * 3600)
    assert client.get("/reports").status_code == 200


@pytest.mark.parametrize("locations", [["headers"], ["cookies"], ["headers", "cookies"]])
def test_a_user_has_the_rights_and_the_session_of_a_login(peopled, locations):
    app = peopled(token_locations=locations)
    client = make_client(app).as_user("Alice")
    assert client.get("/reports").json == {"user": "alice", "permissions": ["reports:*"]}
    assert client.post("/reports").status_code == 200
    assert client.get("/secrets").status_code == 403
    (one,) = client.get("/auth/sessions").json["sessions"]
    assert one["id"] == client.get("/me").json["session"]
    assert client.post("/auth/logout").status_code in {200, 204}
    assert client.get("/reports").status_code == 401


@pytest.mark.parametrize("locations", [["headers"], ["cookies"]])
def test_stand_ins_and_users_go_side_by_side(peopled, locations):
    anonymous = make_client(peopled(token_locations=locations))
    alice, tester = anonymous.as_user("alice"), anonymous.with_permissions("secrets:read")
    assert [one.get("/secrets").status_code for one in (alice, tester, anonymous)] == [403, 200, 401]
    assert [one.post("/reports").status_code for one in (alice, tester, anonymous)] == [200, 403, 401]


def test_a_refusal_of_a_real_user_is_written_down(peopled):
    app = peopled()
    make_client(app).with_permissions().get("/reports")
    make_client(app).as_user("alice").get("/secrets")
    with app.app_context():
        events = [one.event for one in app.extensions["permjwt"].recorder.read()]
    assert events.count("access_denied") == 1


@pytest.mark.parametrize(("name", "said"), [("nobody", "no user 'nobody'"), ("bob", "is disabled")])
def test_who_cannot_log_in_has_no_client(peopled, name, said):
    with pytest.raises(LookupError, match=said):
        make_client(peopled()).as_user(name)


def test_the_apps_own_client_class_is_kept(make_app, nowhere):
    class Mine(FlaskClient):
        def open(self, *args, **kwargs):
            response = super().open(*args, **kwargs)
            response.mine = True
            return response

    app = with_views(make_app(nowhere))
    app.test_client_class = Mine
    client = make_client(app).with_permissions("reports:read")
    assert isinstance(client, Mine)
    response = client.get("/reports")
    assert (response.mine, response.status_code) == (True, 200)


def test_the_apps_client_class_may_be_ours(make_app, nowhere):
    app = with_views(make_app(nowhere))
    for kind in (PermJWTClient, type("Mine", (PermJWTClient,), {})):
        app.test_client_class = kind
        client = app.test_client().with_permissions("reports:read")
        assert type(client) is kind
        assert client.get("/reports").status_code == 200


def test_an_app_without_permjwt_is_told_so():
    with pytest.raises(RuntimeError, match="init_app"):
        make_client(Flask("bare"))
    with pytest.raises(TypeError, match="does your fixture app return one"):
        make_client(lambda: None)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"SERVER_NAME": "shop.example:8443"},
        {"SERVER_NAME": "api.shop.example", "PERMJWT_COOKIE_DOMAIN": ".shop.example"},
        {"APPLICATION_ROOT": "/shop"},
        {"PERMJWT_ACCESS_COOKIE_NAME": "__Host-access", "PERMJWT_COOKIE_PARTITIONED": True},
    ],
    ids=str,
)
def test_by_cookies_a_user_comes_as_from_a_login_and_goes_on(make_app, tmp_path, fake_clock, settings):
    app = Flask("an_app", static_folder=None)
    app.config.update(settings)
    options = {"token_locations": ["cookies"], "refresh_grace": 0}
    app = with_views(make_app(f"sqlite:///{tmp_path}/app.db", app=app, tables=True, clock=fake_clock, **options))
    with app.app_context():
        users = app.extensions["test_permjwt"].users
        users.create("alice", permissions=["reports:*"])
        users.commit()
    alice = make_client(app).as_user("alice")
    assert alice.post("/reports").status_code == 200
    for _ in range(3):
        # Each is refused where the one before is brought again.
        fake_clock.advance(5)
        assert alice.post("/auth/refresh").status_code == 200
        assert alice.post("/reports").status_code == 200
    assert alice.post("/reports", headers={"X-CSRF-Token": "wrong"}).status_code == 401
    assert alice.post("/auth/logout").status_code == 204
    assert alice.get("/reports").status_code == 401


def test_any_number_of_permissions_can_be_had(permjwt_client):
    many = [f"thing{first}:part{second}" for first in range(20) for second in range(100)]
    client = permjwt_client.with_permissions(*many, "reports:read")
    assert len(client.get("/reports").json["permissions"]) == 2001
    assert client.post("/reports").status_code == 403


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (None, "has no public_id and no username"),
        (5, "int has no public_id"),
        (SimpleNamespace(username="bob", active=True), "has no public_id and no token_version"),
        ("a" * 300, "too long"),
        ("a\nb", "cannot be printed"),
    ],
    ids=str,
)
def test_who_is_nobody_is_told_where_the_client_is_made(permjwt_client, user, said):
    with pytest.raises(TypeError, match=said):
        permjwt_client.with_permissions(user=user)


@pytest.mark.parametrize("junk", ["1", 1, ["reports:read"], lambda: None], ids=type)
def test_what_a_server_puts_into_the_environment_makes_nobody_a_stand_in(permjwt_client, junk):
    permjwt_client.with_permissions("reports:read")
    answer = permjwt_client.get("/reports", environ_overrides={"flask_permjwt.testing.stand_in": junk})
    assert answer.status_code == 401
