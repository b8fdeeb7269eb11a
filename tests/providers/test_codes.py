"""Codes: how a native or single-page client gets its tokens."""

import base64
import hashlib
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from login_providers import PASSWORD

from flask_permjwt.errors import ConfigurationError

VERIFIER = "verifier-of-the-client-0123456789-abcdefghij"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
NATIVE = "com.example.app:/login"


@pytest.fixture
def clock(fake_clock):
    fake_clock.now = float(int(time.time()))
    return fake_clock


@pytest.fixture
def site(make_site, openid, oauth, clock):
    targets = [NATIVE, "https://spa.example.com/in?from=login", "http://127.0.0.1/done"]
    return make_site(
        {"openid": openid.entry(), "oauth": oauth.entry()}, provider_targets=targets, parts={"clock": clock}
    )


def begin(site, browser=None, **query):
    browser = browser or site.browser()
    return browser.log_in(delivery="code", code_challenge=CHALLENGE, **query)


def exchange(site, code, verifier=VERIFIER, **options):
    body = {"code": code, "code_verifier": verifier}
    return site.app.test_client().post("/auth/exchange", json=body, **options)


@pytest.mark.parametrize("provider", ["openid", "oauth"])
def test_a_code_becomes_the_tokens_of_an_ordinary_session(site, provider):
    browser = site.browser()
    answer = browser.log_in(provider, delivery="code", code_challenge=CHALLENGE)
    assert sorted(answer.json) == ["code", "expires_in"]
    assert answer.json["expires_in"] == 60
    assert browser.get("/home/").status_code == 401  # no cookie was set
    tokens = exchange(site, answer.json["code"], headers={"User-Agent": "the phone"})
    assert tokens.status_code == 200
    assert sorted(tokens.json) == ["access_token", "expires_in", "refresh_token", "token_type"]
    headers = {"Authorization": f"Bearer {tokens.json['access_token']}"}
    (session,) = site.app.test_client().get("/auth/sessions", headers=headers).json["sessions"]
    assert (session["opened_by"], session["user_agent"]) == (provider, "the phone")
    assert [one.detail for one in site.told("logged_in")] == [{"method": provider}]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/app/in", "/app/in?code={}"),
        ("/app/in?a=1#b", "/app/in?a=1&code={}#b"),
        (NATIVE, "com.example.app:/login?code={}"),
        ("https://spa.example.com/in?from=login", "https://spa.example.com/in?from=login&code={}"),
        ("http://127.0.0.1:52431/done", "http://127.0.0.1:52431/done?code={}"),
    ],
)
def test_the_code_goes_where_the_client_waits_for_it(site, target, expected):
    answer = begin(site, next=target)
    code = dict(parse_qsl(urlsplit(answer.location).query))["code"]
    assert answer.location == expected.format(code)
    assert exchange(site, code).status_code == 200


def test_a_client_that_waits_is_told_what_went_wrong(site, openid):
    browser = site.browser()
    begun = browser.begin(delivery="code", code_challenge=CHALLENGE, next=NATIVE)
    state = browser.asked(begun.location)["state"]
    answer = browser.get(f"/auth/callback/openid?error=access_denied&error_description=%3Cb%3E&state={state}")
    assert answer.status_code == 303
    said = dict(parse_qsl(urlsplit(answer.location).query))
    assert answer.location.startswith(f"{NATIVE}?")
    assert said["error"] == "access_denied"
    assert "<b>" not in said["error_description"]


def test_cookies_are_never_delivered_by_way_of_another_place(site):
    for target in (NATIVE, "https://spa.example.com/in?from=login"):
        assert site.browser().begin(next=target).json["error"] == "invalid_target"


def test_a_code_is_good_once_and_for_a_minute(site, clock):
    code = begin(site).json["code"]
    clock.advance(59)
    assert exchange(site, code).status_code == 200
    answer = exchange(site, code)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_code")
    code = begin(site).json["code"]
    clock.advance(60)
    assert exchange(site, code).json["error"] == "invalid_code"


def test_whoever_is_disabled_or_resets_the_password_meanwhile_gets_nothing(site):
    code = begin(site).json["code"]
    name = site.users()[0][0]
    site.change(lambda users: users.void_tokens(users.find(name)))
    assert exchange(site, code).json["error"] == "invalid_credentials"
    code = begin(site).json["code"]
    site.change(lambda users: users.set_active(users.find(name), active=False))
    assert exchange(site, code).json["error"] == "invalid_credentials"
    assert [one.detail["reason"] for one in site.told("login_failed")] == ["disabled", "disabled"]


def test_a_code_of_an_account_that_was_unlinked_meanwhile_is_good_for_nothing(site, openid):
    browser = site.browser()
    browser.log_in()
    name = site.users()[0][0]
    site.change(lambda users: users.set_password(users.find(name), PASSWORD))
    code = begin(site).json["code"]
    browser.log_in_with_password(name)
    assert browser.post("/auth/providers/openid", method="DELETE").status_code == 204
    answer = exchange(site, code)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_credentials")
    assert [one.detail["reason"] for one in site.told("login_failed")] == ["not linked"]
    assert [one.detail["method"] for one in site.told("logged_in")] == ["openid", "password"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"code": "x"}, 422),
        ({"code": "x", "code_verifier": "short"}, 422),
        ({"code": "x", "code_verifier": "v" * 129}, 422),
        ({"code": "x", "code_verifier": "v" * 43 + "\n"}, 422),
        ({"code": ["x"], "code_verifier": "v" * 43}, 422),
        ({"code": "x" * 300, "code_verifier": "v" * 43}, 422),
        ({"code": "\ud800", "code_verifier": "v" * 43}, 400),
        ([], 422),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(site, body, status):
    assert site.app.test_client().post("/auth/exchange", json=body).status_code == status


def test_an_app_that_gives_tokens_in_cookies_only_exchanges_nothing(make_site, openid):
    site = make_site({"openid": openid.entry()}, token_locations=["cookies"])
    assert exchange(site, "x").json["error"] == "invalid_request"
    assert site.browser().begin(delivery="code", code_challenge=CHALLENGE).status_code == 400


@pytest.mark.parametrize(
    "target",
    [
        "app:/login",
        "javascript:alert(1)",
        "http://example.com/in",
        "https://*.example.com/",
        "https://example.com/#in",
        "com.example.app:",
        "https://example.com/a b",
        "/app",
    ],
)
def test_places_that_cannot_be_held_apart_are_refused_at_the_start(make_site, openid, target):
    with pytest.raises(ConfigurationError, match="PERMJWT_PROVIDER_TARGETS"):
        make_site({"openid": openid.entry()}, provider_targets=[target])


def test_places_need_providers_and_a_header(make_site, openid):
    with pytest.raises(ConfigurationError, match="PERMJWT_PROVIDER_TARGETS"):
        make_site({}, provider_targets=[NATIVE])
    with pytest.raises(ConfigurationError, match="PERMJWT_PROVIDER_TARGETS"):
        make_site({"openid": openid.entry()}, provider_targets=[NATIVE], token_locations=["cookies"])
