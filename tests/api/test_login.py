"""POST /login and GET /me."""

import base64
import io
import json
import logging

import pytest

PASSWORD = "correct horse battery staple"


def test_a_login_answers_with_tokens_and_they_open_what_was_granted(client, log_in, bearer):
    answer = log_in(client)
    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 900
    assert answer.headers["Cache-Control"] == "no-store"
    assert not answer.headers.getlist("Set-Cookie")
    shown = client.get("/reports", headers=bearer(answer.json["access_token"]))
    assert shown.json == {"you": "Alice"}


@pytest.mark.parametrize("name", ["alice", "ALICE", "\uff21lice", "alice@example.com", "ALICE@EXAMPLE.COM"])
def test_the_name_may_be_the_email_and_is_compared_folded(client, name):
    assert client.post("/auth/login", json={"username": name, "password": PASSWORD}).status_code == 200


def test_me_tells_the_front_end_what_to_show(api, client, log_in, bearer):
    token = log_in(client).json["access_token"]
    answer = client.get("/auth/me", headers=bearer(token))
    assert answer.json.pop("id")
    assert answer.json | {"id": ""} == {
        "id": "",
        "username": "Alice",
        "email": "Alice@Example.com",
        "roles": [],
        "permissions": ["reports:read"],
    }
    assert client.get("/auth/me").status_code == 401


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("alice", "wrong"),
        ("alice", PASSWORD + " "),
        ("alice", PASSWORD.upper()),
        ("nobody", PASSWORD),
        ("alice ", PASSWORD),
        ("ali\x00ce", PASSWORD),
        ("alice", "\x00"),
        ("\ud800", "\ud800"),
        ("' OR 1=1 --", "x"),
        ("a" * 1000, "x"),
        ("disabled", PASSWORD),
        ("passwordless", PASSWORD),
    ],
)
def test_every_failed_login_is_the_same_401(api, client, username, password, caplog):
    permjwt = api.extensions["test_permjwt"]
    with api.app_context():
        permjwt.users.create("disabled", PASSWORD, active=False)
        permjwt.users.create("passwordless")
        api.extensions["sqlalchemy"].session.commit()
    caplog.set_level(logging.DEBUG)
    body = json.dumps({"username": username, "password": password})
    answer = client.post("/auth/login", data=body, content_type="application/json")
    assert answer.status_code == 401
    assert answer.json == {
        "error": "invalid_credentials",
        "error_description": "The user name or the password is wrong.",
    }
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert "login failed" in caplog.text
    assert PASSWORD not in caplog.text


def test_unknown_wrong_disabled_and_passwordless_users_cost_the_same_work(api, client, monkeypatch):
    permjwt = api.extensions["test_permjwt"]
    with api.app_context():
        permjwt.users.create("disabled", PASSWORD, active=False)
        permjwt.users.create("passwordless")
        api.extensions["sqlalchemy"].session.commit()
    hasher = permjwt.users._passwords._hasher
    calls = []
    verify = type(hasher).verify
    monkeypatch.setattr(type(hasher), "verify", lambda *args: calls.append(1) or verify(*args))
    client.post("/auth/login", json={"username": "warm", "password": "up"})
    for name in ("nobody", "alice", "disabled", "passwordless", "x\x00", "no@body"):
        calls.clear()
        client.post("/auth/login", json={"username": name, "password": "wrong"})
        assert len(calls) == 1, name


@pytest.mark.parametrize(
    ("body", "content_type", "status", "error"),
    [
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"username=alice", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"", None, 415, "unsupported_media_type"),
        (b"{", "application/json", 400, "invalid_request"),
        (b"", "application/json", 400, "invalid_request"),
        (b"\xff\xfe", "application/json", 400, "invalid_request"),
        (b"[" * 20_000, "application/json", 400, "invalid_request"),
        (b"x" * 70_000, "application/json", 413, "body_too_large"),
        (b"[]", "application/json", 422, "validation_failed"),
        (b"null", "application/json", 422, "validation_failed"),
        (b'"alice"', "application/json", 422, "validation_failed"),
        (b"{}", "application/json", 422, "validation_failed"),
        (b'{"username": 1, "password": "x"}', "application/json", 422, "validation_failed"),
        (b'{"username": "a", "password": null}', "application/json", 422, "validation_failed"),
        (b'{"username": "a", "password": "x", "roles": ["admin"]}', "application/json", 422, "validation_failed"),
        (b'{"username": "a", "password": "x", "delivery": "mail"}', "application/json", 422, "validation_failed"),
        (
            json.dumps({"username": "a", "password": "x" * 1025}).encode(),
            "application/json; charset=utf-8",
            422,
            "validation_failed",
        ),
    ],
)
def test_each_fault_of_a_body_has_its_status(client, body, content_type, status, error):
    answer = client.post("/auth/login", data=body, content_type=content_type)
    assert answer.status_code == status
    assert answer.json["error"] == error
    assert answer.json["error_description"]
    assert ("errors" in answer.json) == (status == 422)


def test_schema_errors_are_named_by_field(client):
    answer = client.post("/auth/login", json={"username": "", "extra": 1})
    assert set(answer.json["errors"]) == {"username", "password", "extra"}


def test_a_password_that_is_too_long_is_refused_before_hashing(api, client, monkeypatch):
    hasher = api.extensions["test_permjwt"].users._passwords._hasher
    monkeypatch.setattr(type(hasher), "verify", lambda *args: pytest.fail("hashed"))
    body = {"username": "alice", "password": "x" * 1025}
    assert client.post("/auth/login", json=body).status_code == 422


def test_delivery_follows_what_the_api_takes(make_api, log_in):
    headers = make_api(token_locations=["headers"]).test_client()
    assert log_in(headers, "cookie").status_code == 422
    cookies = make_api(token_locations=["cookies"]).test_client()
    assert log_in(cookies, "header").status_code == 422
    answer = cookies.post("/auth/login", json={"username": "alice", "password": PASSWORD})
    assert set(answer.json) == {"token_type", "expires_in"}
    assert len(answer.headers.getlist("Set-Cookie")) == 4


def test_a_user_disabled_or_changed_meanwhile_has_no_current_user(api, client, log_in, bearer):
    token = log_in(client).json["access_token"]
    permjwt = api.extensions["test_permjwt"]
    with api.app_context():
        permjwt.users.set_password(permjwt.users.find("alice"), "another password")
        api.extensions["sqlalchemy"].session.commit()
    answer = client.get("/auth/me", headers=bearer(token))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


def test_claims_are_those_of_the_contract(make_api, log_in):
    api = make_api(issuer="https://api.example.com", audience="reports", permissions_claim="data.permissions")
    answer = log_in(api.test_client())
    parts = [
        [json.loads(base64.urlsafe_b64decode(part + "==")) for part in answer.json[name].split(".")[:2]]
        for name in ("access_token", "refresh_token")
    ]
    (header, access), (refresh_header, refresh) = parts
    assert (header["typ"], refresh_header["typ"]) == ("at+jwt", "rt+jwt")
    assert access["iss"] == "https://api.example.com"
    assert access["aud"] == "reports"
    assert access["data"] == {"permissions": ["reports:read"]}
    assert access["exp"] - access["iat"] == 900
    assert refresh["exp"] - refresh["iat"] == 30 * 24 * 3600
    assert access["pv"] == {"u": 1}
    assert len(access["sub"]) == 32
    assert access["sid"] == refresh["sid"]
    assert "data" not in refresh
    assert "roles" not in refresh


def test_a_body_without_a_length_is_refused_at_the_limit_and_never_cut(client):
    body = json.dumps({"username": "alice", "password": PASSWORD}).encode() + b" " * 200_000
    answer = client.post(
        "/auth/login",
        input_stream=io.BytesIO(body),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert (answer.status_code, answer.json["error"]) == (413, "body_too_large")


def test_a_smaller_limit_of_the_app_holds_here_too(api, client):
    api.config["MAX_CONTENT_LENGTH"] = 1000
    body = {"username": "alice", "password": "x" * 1020}
    assert client.post("/auth/login", json=body).status_code == 413


def test_the_token_type_is_the_scheme_that_is_asked_for(make_api, log_in):
    client = make_api(header_type="JWT").test_client()
    answer = log_in(client)
    assert answer.json["token_type"] == "JWT"
    headers = {"Authorization": f"JWT {answer.json['access_token']}"}
    assert client.get("/reports", headers=headers).status_code == 200
    assert log_in(make_api(header_type="", header_name="X-Token").test_client()).json["token_type"] == "Bearer"


def test_the_prefix_may_hold_arguments(make_api, log_in, cookies, bearer):
    client = make_api(prefix="/<tenant>/auth").test_client()
    answer = log_in(client, "cookie", prefix="/t1/auth")
    assert cookies(answer)["refresh_token"]["Path"] == "/t1/auth"
    token = log_in(client, prefix="/t1/auth").json["access_token"]
    assert client.get("/t1/auth/me", headers=bearer(token)).status_code == 200
    assert client.post("/t1/auth/logout", headers=bearer(token)).status_code == 204


def test_asking_who_one_is_commits_nothing(api, client, log_in, bearer):
    users = api.extensions["test_permjwt"].users

    @api.url_value_preprocessor
    def half_done(endpoint, values):
        if endpoint == "permjwt_auth.me":
            users.create("half done")

    token = log_in(client).json["access_token"]
    assert client.get("/auth/me", headers=bearer(token)).status_code == 200
    with api.app_context():
        assert users.find("half done") is None
