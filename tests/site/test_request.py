"""The drawing of a request's way shows the files that a request really goes through, in their order."""

import re
import secrets
import sys
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from pages import ROOT

import flask_permjwt
from flask_permjwt import PermJWT, requires_permissions

PACKAGE = Path(flask_permjwt.__file__).parent
PASSWORD = "correct horse battery staple"
FACE = ["web/hook.py", "web/presented.py"]
NEW = [
    "web/identity.py",
    *("tokens/cache.py", "web/transports.py", "tokens/codec.py", "tokens/key_source.py"),
    *("tokens/signatures.py", "tokens/claims.py", "tokens/revocation.py"),
]
DECISION = "policy/decision.py"
DENIED = ["web/refusals.py", "web/responses.py"]
END = "web/finish.py"


@pytest.fixture
def ask():
    """Send a request; return its status and the files of ours that were entered, in order."""
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")

    @app.get("/reports")
    @requires_permissions("reports:read")
    def reports():
        return {}

    @app.get("/open")
    def opened():
        return {}

    with app.app_context():
        db.create_all()
        permjwt.users.create("alice", PASSWORD, permissions=["reports:*"])
        permjwt.users.create("bob", PASSWORD)
        db.session.commit()
    client = app.test_client()

    def log_in(name):
        return client.post("/auth/login", json={"username": name, "password": PASSWORD}).json["access_token"]

    def send(path, token=None):
        entered = []

        def note(frame, event, _):
            file = Path(frame.f_code.co_filename)
            if event == "call" and file.is_relative_to(PACKAGE):
                name = file.relative_to(PACKAGE).as_posix()
                if name not in entered:
                    entered.append(name)

        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        before = sys.getprofile()
        sys.setprofile(note)
        try:
            answer = client.get(path, headers=headers)
        finally:
            sys.setprofile(before)
        return answer.status_code, entered

    send.log_in = log_in
    send("/reports", log_in("alice"))  # the first request of a process also compiles the table
    yield send
    with app.app_context():
        db.engine.dispose()


def test_its_end_is_around_flask(ask):
    assert ask("/open")[1][0] == END


def in_order(steps, entered):
    return [one for one in entered if one in steps] == steps


def test_the_drawing_shows_these_files_and_no_others():
    drawing = (ROOT / "docs" / "_static" / "request.svg").read_text()
    shown = re.findall(r">([\w/]+\.py)<", drawing)
    assert sorted(shown) == sorted([*FACE, *NEW, DECISION, *DENIED, END])
    assert all((PACKAGE / name).exists() for name in shown)
    text = (ROOT / "docs" / "request.md").read_text()
    assert all((PACKAGE / name).exists() for name in re.findall(r"`((?:web|tokens|policy)/\w+\.py)`", text))


def test_a_new_token_goes_the_whole_way(ask):
    status, entered = ask("/reports", ask.log_in("alice"))
    assert status == 200
    assert in_order([*FACE, *NEW, DECISION], entered), entered
    assert not set(DENIED) & set(entered)


def test_a_known_token_goes_through_no_file_of_the_floor_of_tokens(ask):
    token = ask.log_in("alice")
    ask("/reports", token)
    status, entered = ask("/reports", token)
    assert status == 200
    assert in_order([*FACE, DECISION], entered), entered
    assert not [one for one in entered if one.startswith(("tokens/", "accounts/"))]
    assert not {"web/identity.py", "web/table.py"} & set(entered)


@pytest.mark.parametrize("name", [None, "bob"])
def test_who_is_denied_is_answered_by_the_last_two(ask, name):
    status, entered = ask("/reports", name and ask.log_in(name))
    assert status == (401 if name is None else 403)
    assert in_order([*FACE, DECISION, *DENIED], entered), entered


def test_where_nothing_is_needed_no_token_is_looked_for(ask):
    status, entered = ask("/open", ask.log_in("alice"))
    assert status == 200
    assert entered == [END, "web/plain.py", FACE[0]], entered
    assert not {"web/presented.py", DECISION} & set(entered)
