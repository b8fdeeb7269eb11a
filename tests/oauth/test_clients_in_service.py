"""Tokens of clients: changes take effect everywhere, and nobody takes them for a user's."""

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event

from flask_permjwt import PermJWT, current_user, requires_permissions


def lose(api, how):
    client = api.client()
    if how == "disable":
        api.clients.set_active(client, False)
    elif how == "delete":
        api.clients.delete(client)
    else:
        api.clients.rotate_secret(client)


@pytest.mark.parametrize("how", ["disable", "delete", "rotate"])
def test_a_clients_tokens_are_void_at_once_here_and_within_the_interval_elsewhere(fleet, wait, how):
    here, there = fleet
    token = here.credentials().json["access_token"]
    assert here.status(token) == there.status(token) == 200
    here.within(lambda: lose(here, how))
    assert here.status(token) == 401
    wait(1)
    assert there.status(token) == 401
    assert there.credentials().status_code == 401


def test_nothing_happens_to_tokens_before_the_commit(fleet):
    here, _ = fleet
    token = here.credentials().json["access_token"]
    with here.app.app_context():
        here.clients.set_active(here.client(), False)
        assert here.status(token) == 200
        here.db.session.rollback()
    assert here.status(token) == 200


def test_permissions_change_in_living_tokens_within_the_interval(fleet, wait):
    here, there = fleet
    token = here.credentials().json["access_token"]
    assert (there.status(token), there.status(token, "/jobs")) == (200, 200)
    here.within(lambda: here.clients.revoke(here.client(), "reports:read"))
    assert (here.status(token), here.status(token, "/jobs")) == (403, 200)
    wait(1)
    assert (there.status(token), there.status(token, "/jobs")) == (403, 200)
    there.within(lambda: there.clients.grant(there.client(), "reports:read"))
    assert there.status(token) == 200
    wait(1)
    assert here.status(token) == 200


def test_what_changed_is_read_once_and_remembered(api):
    token = api.credentials().json["access_token"]
    api.within(lambda: api.clients.revoke(api.client(), "jobs:*"))
    api.status(token)
    asked = []
    with api.app.app_context():
        engine = api.db.engine
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    for _ in range(5):
        assert api.status(token) == 200
    assert asked == []


def test_a_client_that_is_enabled_again_gets_new_tokens_and_its_old_ones_stay_void(api):
    token = api.credentials().json["access_token"]
    api.within(lambda: api.clients.set_active(api.client(), False))
    api.within(lambda: api.clients.set_active(api.client(), True))
    assert api.status(token) == 401
    assert api.status(api.credentials().json["access_token"]) == 200


def test_within_the_overlap_both_secrets_and_all_tokens_are_good(api, wait):
    token, former = api.credentials().json["access_token"], api.secret
    made = api.within(lambda: api.clients.rotate_secret(api.client(), overlap=60))
    assert api.status(token) == 200
    assert api.credentials().status_code == 200
    api.secret = made.secret
    assert api.credentials().status_code == 200
    wait(60)
    assert api.credentials().status_code == 200
    api.secret = former
    assert api.credentials().status_code == 401


def test_a_second_rotation_voids_what_the_first_let_live(api):
    first = api.secret
    second = api.within(lambda: api.clients.rotate_secret(api.client(), overlap=3600)).secret
    token = api.credentials().json["access_token"]
    api.within(lambda: api.clients.rotate_secret(api.client()))
    assert api.status(token) == 401
    for secret in (first, second):
        api.secret = secret
        assert api.credentials().status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/auth/me", 401),
        ("get", "/auth/sessions", 401),
        ("delete", "/auth/sessions/" + "0" * 32, 401),
        ("post", "/auth/logout-all", 401),
        ("post", "/auth/logout", 401),
        ("post", "/auth/refresh", 401),
    ],
)
def test_what_is_about_users_and_sessions_is_not_for_clients(api, method, path, status):
    api.within(lambda: api.clients.grant(api.client(), "permjwt:sessions:manage"))
    bearer = {"Authorization": f"Bearer {api.credentials().json['access_token']}"}
    assert getattr(api.app.test_client(), method)(path, headers=bearer).status_code == status


@pytest.mark.parametrize("path", ["/auth/confirm", "/auth/password"])
def test_a_client_has_no_password_to_prove_or_change(api, path):
    bearer = {"Authorization": f"Bearer {api.credentials().json['access_token']}"}
    body = {"password": "x"} if path == "/auth/confirm" else {"old_password": "x", "new_password": "y" * 20}
    assert api.app.test_client().post(path, json=body, headers=bearer).status_code == 401


def test_a_client_is_never_fresh(api):
    token = api.credentials().json["access_token"]
    with api.app.test_request_context(headers={"Authorization": f"Bearer {token}"}):
        principal = api.state.codec.decode(token, "at+jwt", now=api.clock()).principal
    assert not principal.is_fresh(10**6, now=api.clock())


def test_a_clients_token_says_what_rfc_9068_asks_for(make_api):
    api = make_api(issuer="https://auth.example.com", audience="https://api.example.com")
    token = api.credentials(scope="reports:read").json["access_token"]
    claims = dict(api.state.codec.decode(token, "at+jwt", now=api.clock()).claims)
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"} <= set(claims)
    assert claims["client_id"] == api.client_id
    assert claims["sub"] == f"client:{api.client_id}"
    assert "sid" not in claims
    assert "auth_time" not in claims


def test_where_users_live_elsewhere_clients_live_in_the_database_all_the_same(make_api, fake_clock, steady):
    class Nobody:
        def find(self, name):
            return None

        get = rights = find

        def save_password_hash(self, user, password_hash):
            raise AssertionError

    app = Flask("elsewhere")
    app.config.update(TESTING=True, SECRET_KEY="x" * 64, SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db, user_store=Nobody(), clock=fake_clock, monotonic=steady)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")

    @app.get("/reports")
    @requires_permissions("reports:read")
    def reports():
        return {"nobody": not current_user}

    with app.app_context():
        db.create_all()
        made = permjwt.clients.create("job", ["reports:read"])
        body = {"client_id": made.client.client_id, "client_secret": made.secret}
        db.session.commit()
    client = app.test_client()
    token = client.post("/auth/token", data={"grant_type": "client_credentials", **body}).json["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.get("/reports", headers=bearer).json == {"nobody": True}
    with app.app_context():
        permjwt.clients.revoke(permjwt.clients.find("job"), "reports:read")
        db.session.commit()
    assert client.get("/reports", headers=bearer).status_code == 403
