"""Providers that refuse, lie, drip or are down: a clear answer, in time, and never a 500."""

import json
import socket
import threading
import time

import pytest

from flask_permjwt.tokens.issuers.http import HttpFetcher


def answers(answer, status, error):
    assert (answer.status_code, answer.json["error"]) == (status, error), answer.text
    assert "Set-Cookie" not in answer.headers or "access_token=" not in str(answer.headers)


def come_back(site, query, provider="openid"):
    browser = site.browser()
    state = browser.asked(browser.begin(provider).location)["state"]
    return browser.get(f"/auth/callback/{provider}?state={state}&{query}")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("access_denied", 403, "access_denied"),
        ("login_required", 403, "access_denied"),
        ("consent_required", 403, "access_denied"),
        ("server_error", 502, "provider_error"),
        ("invalid_scope", 502, "provider_error"),
        ("of-its-own", 502, "provider_error"),
        ("", 502, "provider_error"),
    ],
)
def test_what_the_provider_refuses_has_an_answer(site, caplog, code, status, error):
    answers(come_back(site, f"error={code}&code=x"), status, error)
    if code == "invalid_scope":
        assert "invalid_scope" in caplog.text
    assert "of-its-own" not in caplog.text.replace(f"error={code}", "")


@pytest.mark.parametrize("provider", ["openid", "oauth"])
@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (400, b'{"error":"invalid_grant"}', {}, (400, "invalid_code")),
        (200, b'{"error":"bad_verification_code"}', {}, (400, "invalid_code")),
        (401, b'{"error":"invalid_client","error_description":"secret"}', {}, (502, "provider_error")),
        (200, b'{"error":["invalid_grant"]}', {}, (502, "provider_error")),
        (500, b"oops", {}, (502, "provider_error")),
        (503, b"", {}, (502, "provider_error")),
        (200, b"", {}, (502, "provider_error")),
        (200, b"[]", {}, (502, "provider_error")),
        (200, b"[" * 100_000, {}, (502, "provider_error")),
        (200, b"\xff\xfe", {}, (502, "provider_error")),
        (200, b"{}", {}, (502, "provider_error")),
        (200, b'{"access_token":null,"token_type":"bearer"}', {}, (502, "provider_error")),
        (200, b'{"access_token":"x","token_type":"mac"}', {}, (502, "provider_error")),
        (200, b'{"access_token":"x","token_type":"bearer","expires_in":"soon"}', {}, (502, "provider_error")),
        (200, b'{"access_token":"x","token_type":7}', {}, (502, "provider_error")),
        (200, b'{"access_token":"x\\r\\nHost: evil","token_type":"bearer"}', {}, (502, "provider_error")),
        (200, b" " * 600_000, {}, (502, "provider_error")),
        (200, b"x", {"Content-Encoding": "gzip"}, (502, "provider_error")),
        (302, b"", {"Location": "http://127.0.0.1:9/"}, (502, "provider_error")),
        (307, b"", {"Location": "http://127.0.0.1:9/"}, (502, "provider_error")),
    ],
)
def test_a_token_endpoint_that_answers_nonsense(site, openid, oauth, provider, status, body, headers, expected):
    {"openid": openid, "oauth": oauth}[provider].answers["/token"] = (status, body, headers)
    answers(site.browser().log_in(provider), *expected)


@pytest.mark.parametrize("path", ["/user", "/user/emails"])
@pytest.mark.parametrize(
    ("status", "body"),
    [(401, b"{}"), (500, b"{}"), (200, b"nonsense"), (200, b"[" * 100_000), (302, b"{}"), (200, b" " * 600_000)],
)
def test_who_somebody_is_cannot_be_told(site, oauth, path, status, body):
    oauth.answers[path] = (status, body, {"Location": "/elsewhere"})
    answers(site.browser().log_in("oauth"), 502, "provider_error")
    assert site.users() == []


@pytest.mark.parametrize("status", [403, 404])
def test_who_may_not_see_addresses_is_let_in_without_one(site, oauth, status):
    oauth.answers["/user/emails"] = (status, b"{}", {})
    assert site.browser().log_in("oauth").status_code == 200
    assert site.users()[0][1:] == (None, False)
    oauth.answers["/user"] = (status, b"{}", {})
    answers(site.browser().log_in("oauth"), 502, "provider_error")


@pytest.mark.parametrize("said", [[], "text", 7, None])
def test_what_is_no_object_is_nobody(site, oauth, said):
    oauth.answers["/user"] = (200, json.dumps(said).encode(), {})
    answers(site.browser().log_in("oauth"), 502, "provider_error")


@pytest.mark.parametrize(
    "lie",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": 7},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "ftp://evil.example"},
    ],
    ids=str,
)
def test_metadata_that_lie_send_nobody_anywhere(site, openid, lie):
    openid.discovery.update(lie)
    answers(site.browser().begin(), 502, "provider_error")


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"issuer":1,"issuer":2}', b"{" * 100_000])
def test_metadata_that_are_none(site, openid, body):
    openid.answers["/.well-known/openid-configuration"] = (200, body, {})
    answers(site.browser().begin(), 502, "provider_error")


def test_keys_that_cannot_be_had_are_no_500(site, openid):
    openid.answers["/keys"] = (500, b"", {})
    answers(site.browser().log_in(), 502, "provider_error")


def test_a_provider_that_only_takes_the_secret_in_the_body_gets_it_there(site, openid):
    openid.discovery["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert site.browser().log_in().status_code == 200
    assert openid.sent["client_secret"] == openid.client.client_secret
    assert openid.sent["Authorization"] == ""


def test_metadata_are_asked_for_once_a_day_and_last_while_it_is_down(make_site, openid, fake_clock):
    site = make_site({"openid": openid.entry()}, parts={"monotonic": fake_clock})
    well_known = "/.well-known/openid-configuration"
    for _ in range(3):
        assert site.browser().begin().status_code == 303
    assert openid.asked[well_known] == 1
    fake_clock.advance(24 * 3600)
    openid.answers[well_known] = (500, b"", {})
    for _ in range(3):
        assert site.browser().begin().status_code == 303
    assert openid.asked[well_known] == 2
    fake_clock.advance(10)
    assert site.browser().begin().status_code == 303
    assert openid.asked[well_known] == 3


def test_one_who_waits_for_a_slow_provider_keeps_nobody_else_waiting(make_site, openid, fake_clock):
    site = make_site({"openid": openid.entry()}, parts={"monotonic": fake_clock})
    assert site.browser().begin().status_code == 303
    fake_clock.advance(24 * 3600)
    openid.gate = threading.Event()
    found = []
    first = threading.Thread(target=lambda: found.append(site.browser().begin().status_code))
    first.start()
    deadline = time.monotonic() + 20
    while openid.asked["/.well-known/openid-configuration"] < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert site.browser().begin().status_code == 303
    assert found == []
    openid.gate.set()
    first.join()
    assert found == [303]
    assert openid.asked["/.well-known/openid-configuration"] == 2


def test_a_provider_that_is_down_is_not_asked_by_everybody(make_site, openid, fake_clock):
    site = make_site({"openid": openid.entry()}, parts={"monotonic": fake_clock})
    openid.answers["/.well-known/openid-configuration"] = (500, b"", {})
    for _ in range(5):
        answers(site.browser().begin(), 502, "provider_error")
    assert openid.asked["/.well-known/openid-configuration"] == 1
    openid.answers.clear()
    fake_clock.advance(10)
    assert site.browser().begin().status_code == 303


def test_a_new_key_of_the_provider_is_found(make_site, openid, fake_clock):
    site = make_site({"openid": openid.entry()}, parts={"monotonic": fake_clock})
    assert site.browser().log_in().status_code == 200
    openid.key = openid.key.generate_key("P-256", {"kid": "k2", "use": "sig"})
    usual = openid.make_id_token
    openid.make_id_token = lambda nonce: usual(nonce, kid="k2")
    fake_clock.advance(31)
    assert site.browser().log_in().status_code == 200


def test_a_provider_that_says_nothing_is_not_waited_for(make_site, oauth, monkeypatch):
    monkeypatch.setattr(
        "flask_permjwt.tokens.issuers.http.HttpFetcher", lambda: HttpFetcher(silence=0.2, whole=0.5)
    )
    site = make_site({"oauth": oauth.entry()})
    browser = site.browser()
    way = browser.at_provider(browser.begin("oauth").location)
    oauth.gate = threading.Event()
    start = time.monotonic()
    answers(browser.get(way), 502, "provider_error")
    assert time.monotonic() - start < 5


def test_a_provider_that_drips_is_not_waited_for(make_site, oauth, monkeypatch):
    monkeypatch.setattr(
        "flask_permjwt.tokens.issuers.http.HttpFetcher", lambda: HttpFetcher(silence=0.4, whole=0.8)
    )
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
            while not over.wait(0.1):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    token_url = f"http://127.0.0.1:{listener.getsockname()[1]}/token"
    site = make_site({"oauth": oauth.entry(token_url=token_url)})
    start = time.monotonic()
    answers(site.browser().log_in("oauth"), 502, "provider_error")
    assert time.monotonic() - start < 5
    over.set()
    thread.join()
    listener.close()


def test_no_connection_to_the_database_is_held_while_the_provider_is_asked(make_site, oauth, make_database_url):
    site = make_site({"oauth": oauth.entry()}, url=make_database_url("sqlite"))
    browser = site.browser()
    way = browser.at_provider(browser.begin("oauth").location)
    oauth.gate = threading.Event()
    answers_found = []
    thread = threading.Thread(target=lambda: answers_found.append(browser.get(way).status_code))
    with site.app.app_context():
        pool = site.db.engine.pool
    thread.start()
    deadline = time.monotonic() + 10
    while oauth.asked["/token"] == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert oauth.asked["/token"] == 1
    assert pool.checkedout() == 0
    oauth.gate.set()
    thread.join()
    assert answers_found == [200]


def test_passwords_of_the_machine_are_not_sent(site, openid, oauth, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login root password toor\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert site.browser().log_in("oauth").status_code == 200
    assert oauth.sent["Authorization"] == ""
