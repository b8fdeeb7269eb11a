"""Attacks on the request: headers sent twice, cookies without CSRF, credentials in the wrong place."""

import secrets
import socket
import threading

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from werkzeug.serving import make_server

from flask_permjwt import PermJWT, current_principal, requires_login, requires_permissions
from flask_permjwt.tokens.codec import TokenType
from flask_permjwt.web.state import app_state


@pytest.fixture
def target():
    """A small app: /guarded needs a login, /edit a permission, /who tells who one is."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
    PermJWT(app, db=SQLAlchemy(app))
    app.route("/guarded", methods=["GET", "POST"], endpoint="guarded")(requires_login(lambda: "in"))
    app.post("/edit", endpoint="edit")(requires_permissions("x:edit")(lambda: "in"))
    app.get("/who", endpoint="who")(lambda: str(current_principal.subject))
    return app


@pytest.fixture
def mint(target):
    """Mint a token for the target."""

    def call(*permissions, kind=TokenType.ACCESS, **claims):
        state = app_state(target)
        now = int(state.clock())
        base = {"sub": "ab" * 16, "iat": now, "exp": now + 60, "jti": secrets.token_hex(16), "sid": "c" * 32}
        return state.codec.encode(kind, {**base, "ver": 1, "roles": [], **claims}, permissions)

    return call


@pytest.fixture
def raw(target):
    """Send bytes to the target over a socket and return the status line and the whole answer."""
    server = make_server("127.0.0.1", 0, target, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()

    def send(method, path, *lines):
        request = "\r\n".join([f"{method} {path} HTTP/1.0", "Host: localhost", *lines, "", ""])
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(request.encode("latin-1"))
            answer = b""
            while received := connection.recv(65536):
                answer += received
        return int(answer.split(b" ", 2)[1]), answer

    yield send
    server.shutdown()
    thread.join()
    server.server_close()


def test_two_authorization_headers_are_refused_even_when_both_are_good(raw, mint):
    line = f"Authorization: Bearer {mint()}"
    assert raw("GET", "/guarded", line)[0] == 200
    assert raw("GET", "/guarded", line, line)[0] == 400
    assert raw("GET", "/guarded", line, "Authorization: Bearer x")[0] == 400
    assert raw("GET", "/guarded", "Authorization: Bearer x", line)[0] == 400


def test_two_tokens_in_one_header_are_refused(raw, mint):
    token = mint()
    for value in (f"Bearer {token} {token}", f"Bearer {token},{token}", f"Bearer {token}, Bearer {token}"):
        assert raw("GET", "/guarded", f"Authorization: {value}")[0] == 400


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
def test_the_scheme_is_matched_in_any_case(raw, mint, scheme):
    assert raw("GET", "/guarded", f"Authorization: {scheme} {mint()}")[0] == 200


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "Bearer\t{token}",
        "Bearer {token}\tx",
        "Bearer {token};x",
        "Bearer {token}\x00",
        "Bearer \xe9",
        "Bearer {token} =",
        'Bearer "{token}"',
        "Bearer token={token}",
    ],
)
def test_malformed_credentials_are_400_and_never_500_or_let_in(raw, mint, value):
    status, answer = raw("GET", "/guarded", f"Authorization: {value.format(token=mint())}")
    assert status in (400, 401)
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "value", ["{token}", "Basic {token}", "Token {token}", "JWT {token}", "BearerX {token}", ", Bearer {token}"]
)
def test_another_scheme_carries_no_token_of_ours(raw, mint, value):
    status, answer = raw("GET", "/guarded", f"Authorization: {value.format(token=mint())}")
    assert status == 401
    assert b"error=" not in answer.split(b"WWW-Authenticate")[1].split(b"\r\n")[0]


@pytest.mark.parametrize("name", ["token", "access_token", "jwt", "authorization", "ticket"])
def test_no_credential_is_taken_from_the_url_or_a_form(target, mint, name):
    client = target.test_client()
    assert client.get(f"/guarded?{name}={mint()}").status_code == 401
    assert client.get(f"/guarded?{name}=Bearer%20{mint()}").status_code == 401
    assert client.post("/guarded", data={name: mint()}).status_code == 401
    assert client.post("/guarded", json={name: mint()}).status_code == 401


@pytest.mark.parametrize(
    "header",
    ["X-Authorization", "Proxy-Authorization", "X-HTTP-Authorization", "X-Access-Token", "Cookie2"],
)
def test_no_other_header_is_looked_at(target, mint, header):
    assert target.test_client().get("/guarded", headers={header: f"Bearer {mint()}"}).status_code == 401


def test_a_cookie_without_its_csrf_value_changes_nothing(target, mint):
    client = target.test_client()
    client.set_cookie("access_token", mint("x:edit", csrf="the value"))
    client.set_cookie("csrf_access_token", "the value")
    answer = client.post("/edit")
    assert (answer.status_code, answer.json["error"]) == (401, "csrf_failed")
    assert client.post("/edit?X-CSRF-TOKEN=the value").status_code == 401
    assert client.post("/edit", data={"csrf_token": "the value"}).status_code == 401
    assert client.post("/edit", headers={"X-CSRF-TOKEN": "the value"}).status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "head", "TRACE", "get"])
def test_a_safe_methods_name_in_an_override_header_does_not_switch_csrf_off(target, mint, method):
    client = target.test_client()
    client.set_cookie("access_token", mint("x:edit", csrf="the value"))
    assert client.post("/edit", headers={"X-HTTP-Method-Override": method}).status_code == 401


@pytest.mark.parametrize(
    "value", ["", "the valu", "the value ", "THE VALUE", "\u00e9", "\x80", "the value, the value"]
)
def test_a_csrf_value_that_is_nearly_right_is_wrong(target, mint, value):
    client = target.test_client()
    client.set_cookie("access_token", mint("x:edit", csrf="the value"))
    environ = {"HTTP_X_CSRF_TOKEN": value.encode().decode("latin-1")}
    answer = client.post("/edit", environ_overrides=environ)
    assert (answer.status_code, answer.json["error"]) == (401, "csrf_failed")


@pytest.mark.parametrize("csrf", ["", None, 5, ["the value"], {"the": "value"}, True])
def test_a_token_whose_csrf_claim_has_a_wrong_shape_is_never_enough(target, mint, csrf):
    client = target.test_client()
    client.set_cookie("access_token", mint("x:edit", csrf=csrf))
    for value in ("", str(csrf), "the value"):
        assert client.post("/edit", headers={"X-CSRF-TOKEN": value}).status_code == 401


def test_a_refresh_token_is_never_accepted_as_an_access_token(target, mint):
    token = mint("x:edit", kind=TokenType.REFRESH, csrf="v")
    client = target.test_client()
    assert client.get("/guarded", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    client.set_cookie("access_token", token)
    assert client.get("/guarded").status_code == 401
    assert client.post("/edit", headers={"X-CSRF-TOKEN": "v"}).status_code == 401


def test_the_refresh_cookie_opens_no_view(target, mint):
    client = target.test_client()
    client.set_cookie("refresh_token", mint())
    client.set_cookie("refresh_token", mint(kind=TokenType.REFRESH))
    assert client.get("/guarded").status_code == 401


def test_a_second_anonymous_request_in_the_same_application_context_is_anonymous(target, mint):
    headers = {"Authorization": f"Bearer {mint()}"}
    with target.app_context():
        client = target.test_client()
        assert client.get("/who", headers=headers).text == "ab" * 16
        assert client.get("/who").text == "None"
        assert client.get("/guarded").status_code == 401
        with target.test_request_context("/who", headers=headers):
            assert target.dispatch_request() == "ab" * 16
            with target.test_request_context("/who"):
                assert target.dispatch_request() == "None"


def test_the_same_environment_used_for_a_second_request_carries_no_identity_over(target, mint):
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/who",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "HTTP_AUTHORIZATION": f"Bearer {mint()}",
    }
    assert b"".join(target(environ, lambda *_: None)) == b"ab" * 16
    del environ["HTTP_AUTHORIZATION"]
    assert b"".join(target(environ, lambda *_: None)) == b"None"


def test_a_million_bytes_of_token_are_refused_quickly_and_quietly(target, caplog):
    client = target.test_client()
    for token in ("a" * 1_000_000, "a." * 500_000, f"{'a' * 500_000}.{'b' * 499_000}.c"):
        answer = client.get("/guarded", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
        assert token[:100] not in answer.text
    assert "aaaa" not in caplog.text


def test_an_error_never_repeats_the_token_or_says_what_went_on_inside(target, mint):
    token = mint()[:-2] + "xx"
    answer = target.test_client().get("/guarded", headers={"Authorization": f"Bearer {token}"})
    assert token[-20:] not in answer.text + str(answer.headers)
    assert "jwt" not in answer.text.lower()
