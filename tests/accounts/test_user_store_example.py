"""The example of a user store of one's own, behind the whole extension."""

import importlib.util
import secrets
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, current_user, requires_permissions
from flask_permjwt.accounts.passwords import Passwords

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "own_user_store.py"
PASSWORD = "correct horse battery staple"


@pytest.fixture
def example(monkeypatch, fast_passwords):
    spec = importlib.util.spec_from_file_location("own_user_store", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "own_user_store", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "Passwords", lambda: fast_passwords)
    return module


@pytest.fixture
def store(example, tmp_path):
    return example.FileUserStore(tmp_path / "users.json")


@pytest.fixture
def client(store, fake_clock, make_database_url):
    app = Flask(__name__)
    app.config.update(
        TESTING=True,
        SECRET_KEY=secrets.token_urlsafe(64),
        SQLALCHEMY_DATABASE_URI=make_database_url("sqlite"),
        PERMJWT_PERSONAL_TOKENS=True,
    )
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db, user_store=store, clock=fake_clock)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")

    @app.get("/reports")
    @requires_permissions("reports:read")
    def reports():
        return {"you": current_user.username}

    with app.app_context():
        db.create_all()
    yield app.test_client()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def alice(store):
    return store.create("Alice", PASSWORD, "alice@example.com", ["reports:*"])


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_who_lives_in_the_file_logs_in_is_served_and_refreshes(client, alice):
    body = {"username": "ALICE@example.com", "password": PASSWORD}
    tokens = client.post("/auth/login", json=body).json
    assert client.get("/reports", headers=bearer(tokens["access_token"])).json == {"you": "Alice"}
    again = client.post("/auth/refresh", headers=bearer(tokens["refresh_token"]))
    assert again.status_code == 200
    assert client.post("/auth/logout", headers=bearer(again.json["access_token"])).status_code == 204
    assert client.post("/auth/refresh", headers=bearer(again.json["refresh_token"])).status_code == 401


def test_who_was_disabled_or_voided_in_the_file_refreshes_no_more(client, store, alice):
    for change in ({"active": False}, {"token_version": 2}):
        store._save(alice)
        body = {"username": "alice", "password": PASSWORD}
        tokens = client.post("/auth/login", json=body).json
        store._save(replace(alice, **change))
        assert client.post("/auth/refresh", headers=bearer(tokens["refresh_token"])).status_code == 401


def test_who_lives_in_the_file_has_personal_tokens_which_end_with_the_version(client, store, alice):
    body = {"username": "alice", "password": PASSWORD}
    login = bearer(client.post("/auth/login", json=body).json["access_token"])
    wanted = {"name": "ci", "permissions": ["reports:read"]}
    refused = client.post("/auth/tokens", json={**wanted, "permissions": ["*"]}, headers=login)
    assert refused.status_code == 403
    made = client.post("/auth/tokens", json=wanted, headers=login).json
    assert client.get("/reports", headers=bearer(made["token"])).json == {"you": "Alice"}
    assert [one["id"] for one in client.get("/auth/tokens", headers=login).json["tokens"]] == [made["id"]]
    store._save(replace(alice, token_version=2))
    client.application.extensions["permjwt"].tokens.forget()
    rights = client.application.extensions["permjwt"].tokens._rights
    rights._held.forget(alice.public_id)
    assert client.get("/reports", headers=bearer(made["token"])).status_code == 401


def test_a_hash_is_renewed_in_the_file_unless_the_password_was_changed(store, alice):
    store.save_password_hash(alice, "stronger")
    assert store.get(alice.public_id).password_hash == "stronger"
    store.save_password_hash(alice, "too late")
    assert store.get(alice.public_id).password_hash == "stronger"


def test_the_file_keeps_the_laws_of_names(store, alice):
    assert store.find("alice") == store.find("ALICE") == alice
    for nobody in ("", " alice", "al\0ice", "\ud800", "@"):
        assert store.find(nobody) is None
    assert store.get("0" * 32) is None
    for name, email in (("ALICE", None), ("bob", "Alice@EXAMPLE.com")):
        with pytest.raises(ValueError, match="taken"):
            store.create(name, PASSWORD, email, [])


def test_the_rights_of_who_was_deleted_are_none(store, example):
    nobody = example.FileUser("nobody", None, None, ["*"])
    assert store.rights(nobody).permissions == frozenset()


def test_passwords_in_the_example_are_hashed_as_in_the_database(example):
    assert isinstance(example.Passwords(), Passwords)


def test_the_commands_about_sessions_and_tokens_know_these_users(client, store, alice):
    run = client.application.test_cli_runner().invoke
    answer = client.post("/auth/login", json={"username": "alice", "password": PASSWORD})
    login = bearer(answer.json["access_token"])
    made = client.post(
        "/auth/tokens", json={"name": "nightly", "permissions": ["reports:read"]}, headers=login
    ).json

    assert "password" in run(args=["permjwt", "sessions", "alice"]).output
    assert "nightly" in run(args=["permjwt", "tokens", "list", "alice"]).output
    assert run(args=["permjwt", "tokens", "revoke", "alice", made["id"]]).output == "Revoked 1 token of alice.\n"
    assert run(args=["permjwt", "logout", "alice"]).output == "Ended 1 session of alice.\n"
    assert client.get("/reports", headers=login).status_code == 401

    refused = run(args=["permjwt", "disable", "alice"])
    assert (refused.exit_code, "keeps its users elsewhere" in refused.output) == (1, True)
    assert run(args=["permjwt", "sessions", "bob"]).output == "Error: There is no user 'bob'.\n"
