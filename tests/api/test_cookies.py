"""Cookies and CSRF: what is set, where it goes, and what an unsafe request must repeat."""

import pytest

CSRF = "X-CSRF-TOKEN"


@pytest.fixture
def browser(client, log_in, cookies):
    """A client that is logged in by cookies, as a browser on https would be."""
    answer = log_in(client, "cookie", base_url="https://localhost")
    client.values = {name: one["value"] for name, one in cookies(answer).items()}
    return client


def call(client, method, path, csrf=None, **options):
    headers = {CSRF: client.values[csrf]} if csrf in client.values else {CSRF: csrf} if csrf else {}
    return client.open(path, method=method, base_url="https://localhost", headers=headers, **options)


def test_a_login_by_cookie_sets_four_cookies_and_shows_no_token(client, log_in, cookies):
    answer = log_in(client, "cookie")
    assert answer.json == {"token_type": "Bearer", "expires_in": 900}
    assert answer.headers["Cache-Control"] == "no-store"
    found = cookies(answer)
    for name, path, age, readable in (
        ("access_token", "/", "900", False),
        ("csrf_access_token", "/", "900", True),
        ("refresh_token", "/auth", "2592000", False),
        ("csrf_refresh_token", "/", "2592000", True),
    ):
        one = found[name]
        assert (one["Path"], one["Max-Age"], one["SameSite"]) == (path, age, "Lax")
        assert "Secure" in one
        assert ("HttpOnly" not in one) == readable
        assert "Domain" not in one
        assert "Partitioned" not in one


def test_attributes_follow_the_settings(make_api, log_in, cookies):
    api = make_api(
        cookie_samesite="None", cookie_domain="example.com", cookie_partitioned=True, access_cookie_name="at"
    )
    found = cookies(log_in(api.test_client(), "cookie", base_url="https://example.com"))
    assert found["at"]["SameSite"] == "None"
    assert found["at"]["Domain"] == "example.com"
    assert "Partitioned" in found["at"]


@pytest.mark.parametrize(
    ("prefix", "root", "path"),
    [
        ("/auth", "", "/auth"),
        ("/api/v1/auth", "", "/api/v1/auth"),
        ("/auth", "/app", "/app/auth"),
        (None, "", "/"),
        (None, "/app", "/app"),
    ],
)
def test_the_refresh_cookie_goes_to_the_blueprint_only(make_api, log_in, cookies, prefix, root, path):
    client = make_api(prefix=prefix).test_client()
    answer = log_in(client, "cookie", prefix=prefix or "", environ_overrides={"SCRIPT_NAME": root})
    assert cookies(answer)["refresh_token"]["Path"] == path
    assert cookies(answer)["access_token"]["Path"] == (root or "/")


def test_safe_methods_need_the_cookie_alone_and_unsafe_ones_the_csrf_value(browser):
    assert call(browser, "GET", "/reports").status_code == 200
    answer = call(browser, "POST", "/reports")
    assert (answer.status_code, answer.json["error"]) == (401, "csrf_failed")
    assert call(browser, "POST", "/reports", csrf="csrf_access_token").status_code == 200


@pytest.mark.parametrize("value", ["", "wrong", "csrf_refresh_token", "\u00e9", "\x80\xff"])
def test_a_wrong_csrf_value_is_401_whatever_it_is(browser, value):
    answer = call(browser, "POST", "/reports", csrf=value)
    assert (answer.status_code, answer.json["error"]) == (401, "csrf_failed")


def test_csrf_values_of_another_session_do_not_do(api, browser, log_in, cookies):
    other = cookies(log_in(api.test_client(), "cookie"))["csrf_access_token"]["value"]
    assert call(browser, "POST", "/reports", csrf=other).status_code == 401


def test_a_header_token_put_into_a_cookie_has_no_csrf_value_to_repeat(api, log_in):
    client = api.test_client()
    token = log_in(client).json["access_token"]
    client.set_cookie("access_token", token)
    assert client.get("/reports").status_code == 200
    for value in ("", "None", "null"):
        assert client.post("/reports", headers={CSRF: value}).status_code == 401


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Basic dXNlcjpwYXNz", 401),
        ("Negotiate", 401),
        ("Bearer", 400),
        ("Bearer two words", 400),
        ("Bearer nonsense", 401),
        ("bearer nonsense", 401),
    ],
)
def test_a_junk_header_never_switches_csrf_off_or_falls_through(browser, header, status):
    answer = browser.post("/reports", base_url="https://localhost", headers={"Authorization": header})
    assert answer.status_code == status


def test_another_scheme_is_no_credential_of_ours_and_the_cookie_is_looked_at(browser):
    headers = {"Authorization": "Basic dXNlcjpwYXNz", CSRF: browser.values["csrf_access_token"]}
    assert browser.post("/reports", base_url="https://localhost", headers=headers).status_code == 200


def test_the_header_wins_over_the_cookie(browser, log_in):
    headers = {"Authorization": "Bearer nonsense"}
    assert browser.get("/reports", base_url="https://localhost", headers=headers).status_code == 401


def test_csrf_can_be_switched_off(make_api, log_in):
    client = make_api(csrf_protect=False).test_client()
    log_in(client, "cookie", base_url="https://localhost")
    assert client.post("/reports", base_url="https://localhost").status_code == 200


def test_cookies_are_not_read_where_they_are_not_in_use(make_api, log_in):
    client = make_api(token_locations=["headers"]).test_client()
    client.set_cookie("access_token", log_in(client).json["access_token"])
    answer = client.get("/reports")
    assert answer.status_code == 401
    assert "Cookie" not in answer.headers.get("Vary", "")


def test_responses_that_depend_on_cookies_say_so(browser, api):
    assert "Cookie" in call(browser, "GET", "/reports").headers["Vary"]
    assert "Cookie" in api.test_client().get("/reports").headers["Vary"]


def test_refresh_by_cookie_needs_its_own_csrf_value_and_sets_cookies(browser, cookies, clock):
    assert call(browser, "POST", "/auth/refresh").status_code == 401
    assert call(browser, "POST", "/auth/refresh", csrf="csrf_access_token").status_code == 401
    clock.advance(1000)
    answer = call(browser, "POST", "/auth/refresh", csrf="csrf_refresh_token")
    assert answer.json == {"token_type": "Bearer", "expires_in": 900}
    found = cookies(answer)
    assert len(found) == 4
    assert found["refresh_token"]["Max-Age"] == str(30 * 24 * 3600 - 1000)
    browser.values = {name: one["value"] for name, one in found.items()}
    assert call(browser, "POST", "/reports", csrf="csrf_access_token").status_code == 200


def test_a_lost_answer_is_given_again_with_the_same_refresh_cookies(api, browser, cookies):
    def again():
        client = api.test_client()
        client.set_cookie("refresh_token", browser.values["refresh_token"], path="/auth")
        client.values = browser.values
        return cookies(client.post("/auth/refresh", headers={CSRF: browser.values["csrf_refresh_token"]}))

    first, second = again(), again()
    for name in ("refresh_token", "csrf_refresh_token"):
        assert first[name]["value"] == second[name]["value"]


def test_logout_by_cookie_needs_csrf_and_deletes_what_was_set(browser, cookies):
    assert call(browser, "POST", "/auth/logout").status_code == 401
    answer = call(browser, "POST", "/auth/logout", csrf="csrf_access_token")
    assert answer.status_code == 204
    found = cookies(answer)
    assert {name: one["Path"] for name, one in found.items()} == {
        "access_token": "/",
        "csrf_access_token": "/",
        "refresh_token": "/auth",
        "csrf_refresh_token": "/",
    }
    for one in found.values():
        assert (one["value"], one["Max-Age"], one["SameSite"]) == ("", "0", "Lax")
        assert "Secure" in one
    assert call(browser, "GET", "/reports").status_code == 401
    assert browser.get_cookie("refresh_token", path="/auth") is None


def test_an_idle_client_logs_out_with_its_refresh_cookie_alone(browser, clock):
    clock.advance(1000)
    assert call(browser, "POST", "/auth/logout", csrf="csrf_access_token").status_code == 401
    assert call(browser, "POST", "/auth/logout", csrf="csrf_refresh_token").status_code == 204


def test_a_token_that_does_not_fit_into_a_cookie_is_a_clear_error_and_no_dropped_cookie(make_api, log_in):
    api = make_api(permissions_in_token=True)
    client = api.test_client()
    users = api.extensions["test_permjwt"].users
    with api.app_context():
        users.grant(users.find("alice"), *[f"projects:number-{number}:read" for number in range(200)])
        api.extensions["sqlalchemy"].session.commit()
    answer = log_in(client, "cookie")
    assert (answer.status_code, answer.json["error"]) == (500, "token_too_large")
    assert not answer.headers.getlist("Set-Cookie")
    assert log_in(client).status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer\tx", "Bearer:x", "Bearer,x", "Bearer=abc", "Bearer\u00a0x", 'Bearer"x"']
)
def test_a_malformed_header_of_our_scheme_never_falls_through_to_the_cookie(browser, header):
    answer = browser.get("/reports", base_url="https://localhost", headers={"Authorization": header})
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_a_host_cookie_keeps_the_path_that_its_name_asks_for(make_api, log_in, cookies):
    client = make_api(access_cookie_name="__Host-access").test_client()
    answer = log_in(client, "cookie", environ_overrides={"SCRIPT_NAME": "/app"})
    assert cookies(answer)["__Host-access"]["Path"] == "/"


def test_a_path_is_written_so_that_clients_send_it_back(make_api, log_in, cookies):
    client = make_api(prefix="/a%b;c/auth").test_client()
    answer = log_in(client, "cookie", prefix="/a%25b%3Bc/auth")
    assert cookies(answer)["refresh_token"]["Path"] == "/a%25b%3Bc/auth"
