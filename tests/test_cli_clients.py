"""The commands under ``flask permjwt client``."""

import json
import re
import secrets

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT


@pytest.fixture
def app():
    app = Flask(__name__, static_folder=None)
    app.config.update(TESTING=True, SECRET_KEY=secrets.token_hex(32), SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    app.extensions["test_permjwt"] = permjwt
    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def run(app):
    return lambda *arguments: app.test_cli_runner().invoke(args=["permjwt", "client", *arguments])


def fetch(app, client_id, secret):
    body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return app.test_client().post("/auth/token", data=body)


def shown(output):
    return re.search(r"client_id +(\S+)\nclient_secret +(\S+)", output).groups()


def test_create_shows_the_secret_this_once_and_what_is_shown_works(app, run):
    result = run("create", "Nightly job", "-p", "reports:read", "-p", "jobs:*")
    assert result.exit_code == 0
    client_id, secret = shown(result.output)
    assert "not shown again" in result.output
    assert fetch(app, client_id, secret).json["scope"] == "jobs:* reports:read"
    for other in (run("list"), run("list", "--json")):
        assert secret not in other.output
    assert secret not in app.test_cli_runner().invoke(args=["permjwt", "audit", "--json"]).output


def test_for_machines_it_is_json(app, run):
    made = json.loads(run("create", "job", "--json").output)
    assert fetch(app, made["client_id"], made["client_secret"]).status_code == 200
    again = json.loads(run("rotate", "job", "--json").output)
    assert again["client_id"] == made["client_id"]
    assert fetch(app, made["client_id"], made["client_secret"]).status_code == 400
    assert fetch(app, made["client_id"], again["client_secret"]).status_code == 200
    listed = json.loads(run("list", "--json").output)["clients"]
    assert [set(one) for one in listed] == [
        {"name", "client_id", "active", "permissions", "created_at", "secret_set_at"}
    ]


def test_list(run):
    assert "There are no clients." in run("list").output
    run("create", "b", "-p", "x:read")
    run("create", "a")
    lines = run("list").output.splitlines()
    assert lines[0].split() == ["client", "client_id", "active", "secret", "since", "permissions"]
    assert [line.split()[0] for line in lines[1:]] == ["a", "b"]
    assert lines[2].endswith("x:read")
    assert "There may be more" in run("list", "--limit", "1").output


def test_grant_and_revoke(app, run):
    client_id, secret = shown(run("create", "job").output)
    assert run("grant", "JOB", "a:b", "c").exit_code == 0
    assert fetch(app, client_id, secret).json["scope"] == "a:b c"
    result = run("revoke", client_id, "a:b", "d")
    assert "Took a:b" in result.output
    assert "was not granted d" in result.output
    assert fetch(app, client_id, secret).json["scope"] == "c"


def test_disable_enable_and_delete(app, run):
    client_id, secret = shown(run("create", "job").output)
    assert "void" in run("disable", "job").output
    assert fetch(app, client_id, secret).status_code == 400
    assert run("enable", "job").exit_code == 0
    assert fetch(app, client_id, secret).status_code == 200
    assert "void" in run("delete", "job").output
    assert fetch(app, client_id, secret).status_code == 400
    assert run("delete", "job").exit_code == 1


def test_rotate_with_an_overlap(app, run):
    client_id, former = shown(run("create", "job").output)
    result = run("rotate", "job", "--overlap", "3600")
    assert "good for 3600 s" in result.output
    assert (
        fetch(app, client_id, former).status_code
        == fetch(app, client_id, shown(result.output)[1]).status_code
        == 200
    )
    result = run("rotate", "job")
    assert "void" in result.output
    assert fetch(app, client_id, former).status_code == 400


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", "job"], "exists already"),
        (["create", " x"], "client name"),
        (["create", "0" * 32], "32 hexadecimal digits"),
        (["create", "x", "-p", "re*"], "no grant"),
        (["grant", "nobody", "x"], "no client"),
        (["grant", "job", "re*"], "no grant"),
        (["revoke", "nobody", "x"], "no client"),
        (["rotate", "nobody"], "no client"),
        (["disable", "nobody"], "no client"),
        (["enable", "nobody"], "no client"),
        (["delete", "nobody"], "no client"),
    ],
)
def test_what_cannot_be_done_is_said_in_clear_words_with_exit_code_1(run, arguments, words):
    run("create", "job")
    result = run(*arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_the_audit_names_clients(app, run):
    client_id, secret = shown(run("create", "job").output)
    fetch(app, client_id, secret)
    output = app.test_cli_runner().invoke(args=["permjwt", "audit"]).output
    assert "client_created" in output
    assert "job (client)" in output
    run("delete", "job")
    assert f"client:{client_id}" in app.test_cli_runner().invoke(args=["permjwt", "audit"]).output
