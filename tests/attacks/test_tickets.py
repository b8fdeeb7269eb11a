"""Attacks with tickets: the one credential that is taken from a URL."""

import logging
import secrets
import string
import time
from datetime import datetime

import pytest
from argon2 import PasswordHasher
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from flask_permjwt import PermJWT, requires_permissions
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.accounts.tickets import PREFIX
from flask_permjwt.web.tickets import without_tickets

PASSWORD = "correct horse battery staple"
SHAPE = string.ascii_letters + string.digits + "-_"


@pytest.fixture(scope="module")
def app():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "flask_permjwt.shared.Passwords",
            lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
        )
        app = Flask(__name__)
        app.config.update(TESTING=True, SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
        db = SQLAlchemy(app)
        permjwt = PermJWT(app, db=db)
        app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")

    @app.route("/reports", methods=["GET", "POST", "DELETE"])
    @requires_permissions("reports:read")
    def reports():
        return {"args": request.args.to_dict(flat=False)}

    @app.route("/admin")
    @requires_permissions("admin")
    def admin():
        return {}

    with app.app_context():
        db.create_all()
        for name in ("mallory", "alice"):
            permjwt.users.create(name, PASSWORD, permissions=["reports:read"])
        db.session.commit()
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def ask(client):
    def call(name="mallory", path="/reports"):
        answer = client.post("/auth/login", json={"username": name, "password": PASSWORD})
        header = {"Authorization": f"Bearer {answer.json['access_token']}"}
        return client.post("/auth/ticket", json={"path": path}, headers=header).json["ticket"]

    return call


def test_tickets_cannot_be_guessed_from_each_other(ask):
    found = [ask() for _ in range(20)]
    assert len(set(found)) == 20
    assert all(len(one) == len(PREFIX) + 43 for one in found)


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        str.swapcase,
        lambda ticket: ticket[:-1],
        lambda ticket: ticket + "=",
        lambda ticket: ticket + "%00",
        lambda ticket: ticket + "%20",
        lambda ticket: ticket + "/",
        lambda ticket: "%20" + ticket,
        lambda ticket: ticket.removeprefix(PREFIX),
        lambda ticket: PREFIX + ticket,
        lambda ticket: ticket[:-1] + ("A" if ticket[-1] != "A" else "B"),
        lambda ticket: ticket + "%ED%A0%80",
        lambda ticket: PREFIX + "a" * 100_000,
    ],
)
def test_a_ticket_is_compared_exactly(client, ask, change):
    ticket = ask()
    assert client.get(f"/reports?ticket={change(ticket)}").status_code == 401
    assert client.get(f"/reports?ticket={ticket}").status_code == 200


@pytest.mark.parametrize("name", ["Ticket", "TICKET", "tickets", "ticket[]", "ticket%00", "access_token", "token"])
def test_nothing_else_in_the_query_string_is_a_credential(client, ask, name):
    ticket = ask()
    assert client.get(f"/reports?{name}={ticket}").status_code == 401


def test_an_access_token_in_place_of_a_ticket_is_refused(client):
    token = client.post("/auth/login", json={"username": "alice", "password": PASSWORD}).json["access_token"]
    assert client.get(f"/reports?ticket={token}").status_code == 401
    assert client.get(f"/reports?ticket={PREFIX}{token}").status_code == 401


def test_a_ticket_in_place_of_an_access_token_is_refused(client, ask):
    ticket = ask()
    assert client.get("/reports", headers={"Authorization": f"Bearer {ticket}"}).status_code == 401
    client.set_cookie("access_token", ticket, domain="localhost")
    assert client.get("/reports").status_code == 401
    client.delete_cookie("access_token", domain="localhost")
    body = {"ticket": ticket, "refresh_token": ticket}
    assert client.post("/reports", json=body).status_code == 401
    assert client.post("/auth/refresh", json={"refresh_token": ticket}).status_code == 401
    assert client.get(f"/reports?ticket={ticket}").status_code == 200


@pytest.mark.parametrize("override", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_ticket_changes_nothing_however_the_method_is_dressed_up(client, ask, override):
    ticket = ask()
    for method in ("post", "delete"):
        answer = getattr(client, method)(f"/reports?ticket={ticket}", headers={override: "GET"})
        assert answer.status_code == 401
    assert client.get(f"/reports?ticket={ticket}", headers={override: "POST"}).status_code == 200


def test_a_ticket_opens_no_view_that_its_user_may_not_see(client, ask):
    assert client.get(f"/admin?ticket={ask(path='/admin')}").status_code == 403


@pytest.mark.parametrize(
    "header",
    [
        {"X-Original-URL": "/reports"},
        {"X-Rewrite-URL": "/reports"},
        {"X-Forwarded-Prefix": "/reports"},
        {"X-Script-Name": "/reports"},
        {"Host": "evil.example"},
    ],
)
def test_no_header_says_which_path_was_meant(client, ask, header):
    ticket = ask("alice")
    assert client.get(f"/admin?ticket={ticket}", headers=header).json["error_description"] == (
        "The ticket is for another path."
    )


def test_a_ticket_of_one_user_beside_the_cookie_of_another_acts_for_the_one_who_asked_for_it(app, ask):
    browser = app.test_client()
    body = {"username": "alice", "password": PASSWORD, "delivery": "cookie"}
    browser.post("/auth/login", json=body, base_url="https://localhost")
    ticket = ask("mallory", "/auth/me")
    answer = browser.get(f"/auth/me?ticket={ticket}", base_url="https://localhost")
    assert answer.json["username"] == "mallory"
    assert "Set-Cookie" not in answer.headers
    assert browser.get("/auth/me", base_url="https://localhost").json["username"] == "alice"


def build(url, secret, **config):
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY=secret, SQLALCHEMY_DATABASE_URI=url, **config)
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    return app, db, permjwt


@pytest.mark.parametrize("what", ["AUDIENCE", "ISSUER"])
def test_a_ticket_opens_no_app_that_would_not_take_the_token_that_asked_for_it(tmp_path, monkeypatch, what):
    monkeypatch.setattr(
        "flask_permjwt.shared.Passwords",
        lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
    )
    url, secret = f"sqlite:///{tmp_path / 'shared.db'}", secrets.token_urlsafe(64)
    shop, db, permjwt = build(url, secret, **{f"PERMJWT_{what}": "https://shop.example"})
    office, office_db, _ = build(url, secret, **{f"PERMJWT_{what}": "https://office.example"})
    plain, plain_db, _ = build(url, secret)
    with shop.app_context():
        db.create_all()
        permjwt.users.create("alice", PASSWORD)
        db.session.commit()
    answer = shop.test_client().post("/auth/login", json={"username": "alice", "password": PASSWORD})
    header = {"Authorization": f"Bearer {answer.json['access_token']}"}

    def statuses(app):
        body = {"path": "/auth/me"}
        ticket = shop.test_client().post("/auth/ticket", json=body, headers=header).json["ticket"]
        client = app.test_client()
        return [
            one.status_code
            for one in (client.get("/auth/me", headers=header), client.get(f"/auth/me?ticket={ticket}"))
        ]

    assert statuses(shop) == [200, 200]
    assert statuses(office) == [401, 401]
    assert len(set(statuses(plain))) == 1
    for app, its in ((shop, db), (office, office_db), (plain, plain_db)):
        with app.app_context():
            its.engine.dispose()


def test_tickets_are_removed_as_fast_as_somebody_can_ask_for_them(app):
    housekeeping, now = app.extensions["permjwt"].housekeeping, time.time()
    with app.app_context():
        db = app.extensions["sqlalchemy"]
        model = housekeeping._codes._model
        long_ago = datetime(2020, 1, 1)  # noqa: DTZ001  # as it is stored
        row = {"purpose": "ticket", "subject": "x", "detail": None, "created_at": long_ago, "expires_at": long_ago}
        db.session.execute(insert(model), [{**row, "digest": f"{number:064x}"} for number in range(1700)])
        db.session.commit()

        def left():
            return db.session.scalar(select(func.count()).select_from(model).where(model.expires_at == long_ago))

        counts = []
        with pytest.MonkeyPatch.context() as patch:
            for second in (100, 100, 101, 102, 103, 104, 113):
                patch.setattr(housekeeping, "_clock", lambda second=second: now + second)
                housekeeping.tidy_up()
                counts.append(left())
        assert counts[:4] == [1200, 1200, 700, 200]
        assert counts[4:] == [0, 0, 0]
        assert housekeeping._next > now + 113  # nothing is left: ten seconds again


def test_a_bad_ticket_never_falls_through_to_the_cookie(app):
    browser = app.test_client()
    body = {"username": "alice", "password": PASSWORD, "delivery": "cookie"}
    browser.post("/auth/login", json=body, base_url="https://localhost")
    assert browser.get("/reports", base_url="https://localhost").status_code == 200
    assert browser.get(f"/reports?ticket={PREFIX}x", base_url="https://localhost").status_code == 401


def test_no_ticket_is_logged_or_told_back(client, ask, caplog):
    with caplog.at_level(logging.DEBUG):
        ticket = ask()
        for address in (f"/admin?ticket={ticket}", f"/reports?ticket={ticket}", f"/reports?ticket={ticket}"):
            answer = client.get(address)
            assert ticket not in answer.text + str(answer.headers)
    assert ticket not in caplog.text
    assert ticket.removeprefix(PREFIX) not in caplog.text


def test_odd_bodies_are_refused_and_never_a_server_error(client):
    token = client.post("/auth/login", json={"username": "alice", "password": PASSWORD}).json["access_token"]
    header = {"Authorization": f"Bearer {token}"}
    bodies = [[], "x", 1, {}, {"path": {}}, {"path": "/reports", "user": "mallory"}, {"path": "/\ud800"}]
    for body in bodies:
        assert client.post("/auth/ticket", json=body, headers=header).status_code == 422, body
    assert client.post("/auth/ticket", data=b"\xff", headers=header).status_code == 415
    assert client.post("/auth/ticket", headers=header).status_code == 415


query = st.text(st.sampled_from(SHAPE + "&=;%+ \0?#/é\ud800"), max_size=40)


@given(before=query, after=query, name=st.sampled_from(["ticket", "%74icket", "ticke%74"]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_taken_out_of_a_query_string_leaves_the_rest_as_it_was(before, after, name):
    kept = [part for part in (before, after) if part and "ticket" not in part]
    ticket = f"{name}={PREFIX}{'a' * 43}"
    assert without_tickets("&".join([*kept[:1], ticket, *kept[1:]])) == "&".join(kept)


@given(raw=st.binary(max_size=60))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_in_a_query_string_are_a_server_error(app, raw):
    line = raw.decode("latin-1")
    for text in (f"ticket={line}", f"ticket={PREFIX}{line}", f"{line}&ticket={PREFIX}{line}&ticket="):
        answer = app.test_client().get("/reports", environ_overrides={"QUERY_STRING": text})
        assert answer.status_code in {400, 401}
