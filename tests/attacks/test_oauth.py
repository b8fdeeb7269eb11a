"""Attacks on the endpoints of OAuth 2: wider scopes, other people's clients and tokens, odd bodies."""

import base64
import json
import secrets
import socket
import threading
from urllib.parse import quote, urlencode

import pytest
from argon2 import PasswordHasher
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from werkzeug.serving import make_server

from flask_permjwt import PermJWT, requires_permissions
from flask_permjwt.accounts import clients as store
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.policy.permissions import Grants
from flask_permjwt.tokens.codec import TokenType

PASSWORD = "correct horse battery staple"
FORM = "application/x-www-form-urlencoded"
CODES = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
}
HELD = {"reports:read", "jobs:*", "a:*:c"}


class Target:
    """An app with alice and two clients, and an attacker's tools."""

    def __init__(self):
        self.app = app = Flask("target")
        app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://", TESTING=True)
        app.config.update(PERMJWT_RATELIMIT_ENABLED=False)
        self.db = SQLAlchemy(app)
        self.permjwt = permjwt = PermJWT(app, db=self.db)
        app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
        self.state = app.extensions["permjwt"]

        @app.get("/reports")
        @requires_permissions("reports:read")
        def reports():
            return {}

        with app.app_context():
            self.db.create_all()
            permjwt.users.create("alice", PASSWORD, permissions=HELD)
            self.mine = self._credentials(permjwt.clients.create("mine", ["reports:read"]))
            self.other = self._credentials(permjwt.clients.create("other", ["reports:read", "admin"]))
            self.db.session.commit()

    @staticmethod
    def _credentials(made):
        return made.client.client_id, made.secret

    def raw(self, body, path="/auth/token", content_type=FORM, headers=None):
        return self.app.test_client().post(path, data=body, content_type=content_type, headers=headers)

    def token(self, basic=None, **parameters):
        headers = {}
        if basic is not None:
            headers["Authorization"] = f"Basic {base64.b64encode(':'.join(basic).encode()).decode()}"
        return self.raw(urlencode(parameters), headers=headers)

    def password(self, **parameters):
        return self.token(grant_type="password", username="alice", password=PASSWORD, **parameters)

    def granted(self, token):
        return self.state.codec.verify(token, TokenType.ACCESS).principal.grants


@pytest.fixture(scope="module")
def target():
    patch = pytest.MonkeyPatch()
    fast = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    patch.setattr("flask_permjwt.shared.Passwords", lambda: Passwords(fast))
    target = Target()
    yield target
    with target.app.app_context():
        target.db.session.remove()
        target.db.engine.dispose()
    patch.undo()


def is_refusal(answer, *codes):
    assert answer.status_code in {400, 401, 413}, answer.data
    assert answer.json["error"] in (codes or CODES)
    assert answer.headers["Cache-Control"] == "no-store"
    assert PASSWORD not in answer.text
    return True


WORDS = st.sampled_from(
    ["*", "a", "b", "c", "x", "reports", "read", "jobs", "admin", "**", "", "Reports", "\uff4aobs"]
)
SCOPES = st.lists(st.lists(WORDS, min_size=1, max_size=4).map(":".join), min_size=1, max_size=6).map(" ".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SCOPES)
def test_no_scope_gives_more_than_is_held(target, scope):
    answer = target.password(scope=scope)
    if answer.status_code != 200:
        assert is_refusal(answer, "invalid_scope")
        return
    granted = target.granted(answer.json["access_token"])
    assert granted.all == set(answer.json["scope"].split(" "))
    assert Grants(HELD).includes(granted)
    again = target.token(grant_type="refresh_token", refresh_token=answer.json["refresh_token"], scope="*")
    assert granted.includes(target.granted(again.json["access_token"]))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_no_body_of_any_bytes_gives_anything_or_breaks_anything(target, body):
    for path in ("/auth/token", "/auth/revoke", "/auth/introspect"):
        answer = target.raw(body, path)
        assert answer.status_code in {200, 400, 401}
        assert path == "/auth/revoke" or answer.status_code != 200


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=80))
def test_no_authorization_header_of_any_kind_is_a_client(target, text):
    for header in (text, f"Basic {text}", f"Basic {base64.b64encode(text.encode()).decode()}"):
        answer = target.raw("grant_type=client_credentials", headers={"Authorization": header})
        assert is_refusal(answer, "invalid_client")


@pytest.mark.parametrize(
    "value",
    ["%ff", "%ed%a0%80", "%c0%af", "%00", "%", "%zz", "%f4%90%80%80", "\udcff", "+", "%0d%0aX-Evil:1", "%2500"],
)
@pytest.mark.parametrize("name", ["grant_type", "username", "password", "refresh_token", "client_id", "scope"])
def test_odd_bytes_are_refused_with_a_code_wherever_they_stand(target, name, value):
    parameters = {"grant_type": "password", "username": "alice", "password": "x", "refresh_token": "x"}
    if name == "refresh_token":
        parameters["grant_type"] = name
    body = "&".join(f"{key}={quote(text)}" for key, text in parameters.items() if key != name)
    answer = target.raw(f"{body}&{name}={value}".encode("utf-8", "surrogateescape"))
    assert is_refusal(answer)
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize("name", ["grant_type", "username", "password", "scope", "client_id", "anything"])
@pytest.mark.parametrize("values", [("", ""), ("", "x"), ("x", ""), ("x", "x")])
def test_a_parameter_that_stands_there_twice_is_never_one_of_the_two(target, name, values):
    good = {"grant_type": "password", "username": "alice", "password": PASSWORD}
    good.pop(name, None)
    body = urlencode([*good.items(), *((name, value) for value in values)])
    assert is_refusal(target.raw(body), "invalid_request")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps({"grant_type": "password", "username": "alice", "password": PASSWORD}), "application/json"),
        (f"grant_type=password&username=alice&password={PASSWORD}", "text/plain"),
        (f"grant_type=password&username=alice&password={PASSWORD}", ""),
        (f"grant_type=password&username=alice&password={PASSWORD}", f"{FORM}x"),
        ("[]", "application/json"),
        ("{", FORM),
        ("grant_type[]=password&username[]=alice", FORM),
        (
            '--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\npassword\r\n--x--',
            "multipart/form-data; boundary=x",
        ),
        ("grant_type=password;username=alice;password=x", FORM),
    ],
)
def test_a_body_that_is_no_form_is_refused(target, body, content_type):
    assert is_refusal(target.raw(body, content_type=content_type), "invalid_request", "unsupported_grant_type")


def test_a_body_that_is_too_large_is_refused_and_so_are_too_many_parameters(target):
    answer = target.raw("grant_type=password&x=" + "x" * 65536)
    assert (answer.status_code, answer.json["error"]) == (413, "invalid_request")
    assert is_refusal(target.raw("&".join(f"p{number}=x" for number in range(5000))), "invalid_request")
    for path in ("/auth/revoke", "/auth/introspect"):
        assert target.raw("token=" + "x" * 65536, path).status_code == 413


def test_credentials_in_the_address_are_not_looked_at(target):
    parameters = {"grant_type": "password", "username": "alice", "password": PASSWORD}
    answer = target.raw("", f"/auth/token?{urlencode(parameters)}")
    assert is_refusal(answer, "invalid_request")
    refresh_token = target.password().json["refresh_token"]
    assert is_refusal(target.raw("", f"/auth/revoke?token={refresh_token}"), "invalid_request")
    assert target.token(grant_type="refresh_token", refresh_token=refresh_token).status_code == 200


def test_a_users_refresh_token_is_nothing_at_client_credentials(target):
    refresh_token = target.password().json["refresh_token"]
    assert is_refusal(target.token(grant_type="client_credentials", refresh_token=refresh_token), "invalid_client")
    answer = target.token(target.mine, grant_type="client_credentials", refresh_token=refresh_token)
    assert target.granted(answer.json["access_token"]).all == {"reports:read"}  # the client's own
    assert is_refusal(
        target.token(target.mine, grant_type="refresh_token", refresh_token=refresh_token), "unauthorized_client"
    )


def test_a_clients_token_refreshes_nothing_and_a_users_access_token_is_no_secret(target):
    own = target.token(target.mine, grant_type="client_credentials").json["access_token"]
    assert is_refusal(target.token(grant_type="refresh_token", refresh_token=own), "invalid_grant")
    theirs = target.password().json["access_token"]
    assert is_refusal(target.token((target.mine[0], theirs), grant_type="client_credentials"), "invalid_client")


@pytest.mark.parametrize("claimed", ["other", "both", "secrets"])
def test_one_client_is_never_taken_for_another(target, claimed):
    basic, body = target.mine, {"client_id": target.other[0]}
    if claimed == "both":
        body["client_secret"] = target.other[1]
    elif claimed == "secrets":
        basic, body = (target.other[0], target.mine[1]), {}
    assert is_refusal(target.token(basic, grant_type="client_credentials", **body))


def test_a_name_that_looks_like_a_client_is_no_user_and_a_user_no_client(target):
    client_id, secret = target.mine
    for name in (client_id, f"client:{client_id}", "mine"):
        answer = target.token(grant_type="password", username=name, password=secret)
        assert is_refusal(answer, "invalid_grant")
    with target.app.app_context():
        public_id = target.permjwt.users.find("alice").public_id
    for name in ("alice", public_id, f"client:{client_id}"):
        assert is_refusal(target.token((name, PASSWORD), grant_type="client_credentials"), "invalid_client")


def test_an_unknown_client_costs_the_work_of_a_wrong_secret(target, monkeypatch):
    """Counted, and not timed: statements, hashes and comparisons."""
    work = []
    real_digest, real_compare = store._digest, store.hmac.compare_digest
    monkeypatch.setattr(store, "_digest", lambda text: work.append("hash") or real_digest(text))

    class Hmac:
        @staticmethod
        def compare_digest(one, other):
            work.append(("compare", len(one), len(other)))
            return real_compare(one, other)

    monkeypatch.setattr(store, "hmac", Hmac)
    with target.app.app_context():
        engine = target.db.engine

    def note(_connection, _cursor, statement, *_):
        work.append(statement.partition(" WHERE")[0])

    event.listen(engine, "before_cursor_execute", note)
    done = []
    for client_id in (target.mine[0], "0" * 32, "nobody", "\ud7ff" * 10, "x" * 5000):
        work.clear()
        assert is_refusal(
            target.token(grant_type="client_credentials", client_id=client_id, client_secret="wrong")
        )
        done.append(list(work))
    event.remove(engine, "before_cursor_execute", note)
    assert sum(step == "hash" for step in done[0]) == 1
    assert sum(step[0] == "compare" for step in done[0]) == 2
    assert all(one == done[0] for one in done)


def test_an_answer_that_refuses_tells_nothing_of_the_secret(target, caplog):
    answer = target.token((target.mine[0], target.other[1]), grant_type="client_credentials")
    for secret in (target.mine[1], target.other[1], store._digest(target.mine[1])):
        assert secret not in answer.text + str(answer.headers) + caplog.text
    target.password()
    assert PASSWORD not in caplog.text


def test_of_many_who_refresh_at_once_all_get_one_successor_and_none_is_logged_out(tmp_path):
    app = Flask("threads")
    app.config.update(
        SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'app.db'}"
    )
    app.config.update(SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 30}})
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    with app.app_context():
        db.create_all()
        permjwt.users.create("alice", PASSWORD)
        db.session.commit()
    form = {"grant_type": "password", "username": "alice", "password": PASSWORD}
    token = app.test_client().post("/auth/token", data=form).json["refresh_token"]
    answers, barrier = [], threading.Barrier(4)

    def refresh():
        barrier.wait()
        form = {"grant_type": "refresh_token", "refresh_token": token}
        answers.append(app.test_client().post("/auth/token", data=form).json)

    threads = [threading.Thread(target=refresh) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["refresh_token"] for answer in answers}) == 1
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_a_form_that_the_app_read_before_us_is_read_all_the_same():
    app = Flask("reads")
    app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://", TESTING=True)
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    app.before_request(lambda: request.form.get("anything") and None)
    with app.app_context():
        db.create_all()
        made = permjwt.clients.create("job")
        form = {"client_id": made.client.client_id, "client_secret": made.secret}
        db.session.commit()
    client = app.test_client()
    form["grant_type"] = "client_credentials"
    assert client.post("/auth/token", data=form).status_code == 200
    twice = urlencode([*form.items(), ("grant_type", "client_credentials")])
    assert client.post("/auth/token", data=twice, content_type=FORM).json["error"] == "invalid_request"
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_two_authorization_headers_are_no_client(target):
    server = make_server("127.0.0.1", 0, target.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    good = base64.b64encode(":".join(target.mine).encode()).decode()
    bad = base64.b64encode(b"x:y").decode()
    try:
        for first, second in ((good, bad), (bad, good), (good, good)):
            body = "grant_type=client_credentials"
            lines = [
                "POST /auth/token HTTP/1.0",
                "Host: localhost",
                f"Content-Type: {FORM}",
                f"Content-Length: {len(body)}",
                f"Authorization: Basic {first}",
                f"Authorization: Basic {second}",
            ]
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
                connection.sendall(("\r\n".join([*lines, "", ""]) + body).encode())
                answer = b""
                while received := connection.recv(65536):
                    answer += received
            assert b"invalid_client" in answer
            assert b"access_token" not in answer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
