"""POST /token: what is answered, and how it refuses, to the letter of RFC 6749."""

import base64
import re

import pytest
from werkzeug.exceptions import HTTPException

PASSWORD = "correct horse battery staple"
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")


def refused(answer, status, error):
    """Check an answer against section 5.2."""
    assert (answer.status_code, answer.json["error"]) == (status, error), answer.json
    assert DESCRIPTION.fullmatch(answer.json["error_description"])
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    return True


def test_a_password_gives_tokens_as_the_rfc_writes_them(api):
    answer = api.password()
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    assert set(answer.json) == {"access_token", "refresh_token", "token_type", "expires_in", "scope"}
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 900
    assert answer.json["scope"] == "jobs:* reports:read"
    assert "Set-Cookie" not in answer.headers
    assert api.get("/reports", answer.json["access_token"]).json == {"user": "Alice", "client": None}


def test_a_refresh_token_rotates_as_at_refresh(api, wait):
    first = api.password().json
    second = api.refresh(first["refresh_token"]).json
    assert second["refresh_token"] != first["refresh_token"]
    assert api.status(second["access_token"]) == 200
    wait(5)
    assert api.refresh(first["refresh_token"]).json["refresh_token"] == second["refresh_token"]
    wait(11)
    assert refused(api.refresh(first["refresh_token"]), 400, "invalid_grant")
    assert refused(api.refresh(second["refresh_token"]), 400, "invalid_grant")
    assert api.status(second["access_token"]) == 401


def test_both_ways_to_refresh_are_one(api):
    tokens = api.password().json
    again = api.app.test_client().post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]}).json
    assert api.refresh(again["refresh_token"]).status_code == 200


def test_a_client_gets_a_token_in_its_own_name_and_no_refresh_token(api):
    answer = api.credentials()
    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "scope"}
    assert api.get("/reports", answer.json["access_token"]).json == {"user": None, "client": api.client_id}


def test_a_client_may_prove_who_it_is_in_the_body(api):
    body = {"client_id": api.client_id, "client_secret": api.secret, "grant_type": "client_credentials"}
    assert api.token(**body).status_code == 200


@pytest.mark.parametrize("encode", [lambda text: text, lambda text: "".join(f"%{ord(one):02x}" for one in text)])
def test_credentials_by_basic_are_percent_decoded(api, encode):
    basic = f"{encode(api.client_id)}:{encode(api.secret)}"
    assert api.token(basic, grant_type="client_credentials").status_code == 200


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "Basic "])
def test_the_scheme_is_compared_in_any_case(api, scheme):
    text = base64.b64encode(f"{api.client_id}:{api.secret}".encode()).decode()
    headers = {"Authorization": f"{scheme} {text}"}
    assert api.token(headers=headers, grant_type="client_credentials").status_code == 200


@pytest.mark.parametrize(
    "basic",
    ["", "x", "nobody:", "nobody:secret", ":secret", "a:b:c", "%ff:x", b"\xff:x", "%00:x", "x:%ed%a0%80"],
)
def test_a_client_that_tried_basic_is_told_so(api, basic):
    answer = api.token(basic, grant_type="client_credentials")
    assert refused(answer, 401, "invalid_client")
    assert answer.headers.getlist("WWW-Authenticate") == ['Basic realm="api"']


@pytest.mark.parametrize(
    "text", ["Basic", "Basic ", "Basic !", "Basic YTpi YTpi", "Basic YTpi, Basic YTpi", "basic é"]
)
def test_a_malformed_header_is_no_client(api, text):
    answer = api.token(headers={"Authorization": text}, grant_type="client_credentials")
    assert refused(answer, 401, "invalid_client")


@pytest.mark.parametrize("extra", [{}, {"client_id": "nobody"}, {"client_id": "nobody", "client_secret": "x"}])
def test_a_client_that_did_not_is_not_asked_for_it(api, extra):
    answer = api.token(grant_type="client_credentials", **extra)
    assert refused(answer, 400, "invalid_client")
    assert "WWW-Authenticate" not in answer.headers


def test_all_failures_of_a_client_read_the_same(api):
    api.within(lambda: api.clients.create("other"))
    answers = [
        api.token(("0" * 32, api.secret), grant_type="client_credentials"),
        api.token((api.client_id, "wrong"), grant_type="client_credentials"),
        api.token((api.client_id, ""), grant_type="client_credentials"),
        api.token(("other", api.secret), grant_type="client_credentials"),
    ]
    api.within(lambda: api.clients.set_active(api.client(), False))
    answers.append(api.credentials())
    assert {(answer.status_code, answer.data) for answer in answers} == {(401, answers[0].data)}


def test_a_name_is_no_client_id(api):
    assert refused(api.token(("Nightly job", api.secret), grant_type="client_credentials"), 401, "invalid_client")


def test_a_client_proves_who_it_is_in_one_way(api):
    both = (api.client_id, api.secret)
    assert refused(
        api.token(both, grant_type="client_credentials", client_id=api.client_id, client_secret=api.secret),
        400,
        "invalid_request",
    )
    assert refused(api.token(both, grant_type="client_credentials", client_id="x"), 400, "invalid_request")
    assert refused(api.token(grant_type="client_credentials", client_secret=api.secret), 400, "invalid_request")
    assert api.token(both, grant_type="client_credentials", client_id=api.client_id).status_code == 200


def test_a_way_to_prove_who_one_is_that_is_not_supported_is_said_to_be(api):
    parameters = {"client_assertion_type": "urn:x", "client_assertion": "x"}
    assert refused(api.credentials(**parameters), 401, "invalid_client")
    assert refused(api.password(**parameters), 400, "invalid_client")


@pytest.mark.parametrize("grant", ["password", "refresh_token"])
def test_a_service_account_gets_no_users_token(api, grant):
    refresh_token = api.password().json["refresh_token"]
    parameters = {"username": "alice", "password": PASSWORD, "refresh_token": refresh_token}
    answer = api.token((api.client_id, api.secret), grant_type=grant, **parameters)
    assert refused(answer, 400, "unauthorized_client")
    assert api.refresh(refresh_token).status_code == 200  # nothing was used up


@pytest.mark.parametrize("basic", [None, ":", ("web", "")])
def test_programs_without_a_secret_may_say_their_name_or_none(make_api, basic):
    api = make_api(public_clients=["web"])
    assert api.password(basic=basic).status_code == 200
    assert api.password(client_id="web").status_code == 200
    assert refused(api.password(client_id="other"), 400, "invalid_client")
    assert refused(api.password(client_id="web", client_secret="x"), 400, "invalid_client")
    assert refused(api.token(("web", ""), grant_type="client_credentials"), 401, "invalid_client")


def test_an_unknown_program_is_told_so(api):
    assert refused(api.password(client_id="web"), 400, "invalid_client")
    assert refused(api.password(client_id=api.client_id), 400, "invalid_client")


def test_credentials_of_another_scheme_are_none_of_a_client(api):
    tokens = api.password().json
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert api.password(headers=bearer).status_code == 200
    assert refused(api.token(headers=bearer, grant_type="client_credentials"), 400, "invalid_client")


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "unsupported_grant_type"),
        ({"grant_type": "PASSWORD"}, "unsupported_grant_type"),
        ({"grant_type": "password\0"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "invalid_request"),
        ({"grant_type": "password", "username": "alice"}, "invalid_request"),
        ({"grant_type": "password", "username": "alice", "password": ""}, "invalid_request"),
        ({"grant_type": "password", "username": "a" * 1025, "password": "x"}, "invalid_request"),
        ({"grant_type": "password", "username": "alice", "password": "x" * 1025}, "invalid_request"),
        ({"grant_type": "password", "username": "alice", "password": "wrong"}, "invalid_grant"),
        ({"grant_type": "password", "username": "nobody", "password": "wrong"}, "invalid_grant"),
        ({"grant_type": "password", "username": "a\0", "password": "\0"}, "invalid_grant"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "a.b.c"}, "invalid_grant"),
    ],
)
def test_what_is_wrong_is_said_with_the_code_of_the_rfc(api, parameters, error):
    answer = api.token(**parameters)
    assert refused(answer, 400, error)
    assert "WWW-Authenticate" not in answer.headers


def test_an_access_token_is_never_taken_for_a_refresh_token(api):
    for tokens in (api.password().json, api.credentials().json):
        assert refused(api.refresh(tokens["access_token"]), 400, "invalid_grant")


def test_parameters_without_a_value_are_as_if_left_out(api):
    answer = api.password(scope="", client_id="", client_secret="")
    assert answer.json["scope"] == "jobs:* reports:read"


def test_unknown_parameters_are_ignored(api):
    assert api.password(resource="https://example.com", anything="x").status_code == 200


def test_where_passwords_are_switched_off_the_grant_is_not_supported(make_api):
    api = make_api(password_grant=False)
    assert refused(api.password(), 400, "unsupported_grant_type")
    login = api.app.test_client().post("/auth/login", json={"username": "alice", "password": PASSWORD})
    assert api.refresh(login.json["refresh_token"]).status_code == 200


def test_where_tokens_go_into_cookies_only_there_is_no_such_endpoint(make_api):
    api = make_api(token_locations=["cookies"])
    assert api.password().status_code == api.credentials().status_code == 404
    assert (
        api.post("/auth/revoke", token="x").status_code
        == api.post("/auth/introspect", token="x").status_code
        == 404
    )


def test_passwords_are_counted_with_those_of_login(api):
    for number in range(10):
        if number % 2:
            assert refused(api.password(password="wrong"), 400, "invalid_grant")
        else:
            body = {"username": "alice", "password": "wrong"}
            assert api.app.test_client().post("/auth/login", json=body).status_code == 401
    answer = api.password()
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"


def test_logins_and_failures_are_written_down(api):
    api.password()
    api.password(password="wrong")
    api.credentials()
    api.token((api.client_id, "wrong"), grant_type="client_credentials")
    api.token(("nobody", "wrong"), grant_type="client_credentials")
    entries = api.within(api.state.recorder.read)
    subject = f"client:{api.client_id}"
    assert [(one.event, one.detail.get("method"), one.detail.get("reason")) for one in entries[-5:]] == [
        ("logged_in", "password", None),
        ("login_failed", "password", "wrong password"),
        ("logged_in", "client_credentials", None),
        ("login_failed", "client", "wrong secret"),
        ("login_failed", "client", "unknown client"),
    ]
    assert [one.subject for one in entries[-3:]] == [subject, subject, None]


def test_wrong_secrets_are_counted_by_address_and_never_keep_the_right_one_out(make_api):
    api = make_api(ratelimit_login_address="3 per hour")
    wrong = [api.token((api.client_id, "wrong"), grant_type="client_credentials").status_code for _ in range(5)]
    assert wrong == [401, 401, 401, 429, 429]
    assert api.credentials().status_code == 200
    entries = api.within(api.state.recorder.read)
    assert sum(one.event == "login_failed" for one in entries) == 3  # no flood of rows


def test_an_answer_never_depends_on_cookies(api):
    browser = api.app.test_client()
    https = {"base_url": "https://localhost"}
    browser.post("/auth/login", json={"username": "root", "password": PASSWORD, "delivery": "cookie"}, **https)
    body = f"grant_type=password&username=alice&password={PASSWORD}"
    answer = browser.post("/auth/token", data=body, content_type="application/x-www-form-urlencoded", **https)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    answer = browser.post(
        "/auth/token", data="grant_type=refresh_token", content_type="application/x-www-form-urlencoded", **https
    )
    assert refused(answer, 400, "invalid_request")


def test_no_error_handler_of_the_app_shapes_what_clients_read(api):
    @api.app.errorhandler(HTTPException)
    def shape(error):
        return {"message": error.name}, error.code

    answer = api.password(password="wrong")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    answer = api.token(("nobody", "x"), grant_type="client_credentials")
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="api"'
    answer = api.post("/auth/revoke")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    answer = api.post("/auth/introspect", token="x")
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert answer.headers["Cache-Control"] == "no-store"
    # Where the endpoint is none of OAuth 2, handlers go on as before.
    assert api.app.test_client().get("/reports").json == {"message": "Unauthorized"}
