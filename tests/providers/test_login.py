"""Logging in with a provider: the way there and back, and who that is here."""

import base64
import hashlib
import re

import pytest

from flask_permjwt import signals


class Nowhere:
    """A mailer that sends nothing."""

    def send(self, message):
        pass


@pytest.fixture(params=["openid", "oauth"])
def kind(request):
    return request.param


# The way there


def test_the_request_has_state_pkce_and_an_address_of_the_providers_own(site, openid, oauth, kind):
    provider = {"openid": openid, "oauth": oauth}[kind]
    answer = site.browser().begin(kind)
    assert answer.status_code == 303
    assert answer.location.startswith(f"{provider.address}/authorize?")
    asked = site.browser().asked(answer.location)
    assert len(asked["state"]) == 43
    assert (asked["response_type"], asked["client_id"]) == ("code", "the-app")
    assert asked["redirect_uri"] == f"https://app.example.com/auth/callback/{kind}"
    assert asked["code_challenge_method"] == "S256"
    assert re.fullmatch("[A-Za-z0-9_-]{43}", asked["code_challenge"])
    assert asked["scope"] == {"openid": "openid email", "oauth": "read:user user:email"}[kind]
    assert ("nonce" in asked) == (kind == "openid")
    assert "max_age" not in asked


def test_no_two_requests_share_anything_secret(site):
    browser = site.browser()
    first, second = (browser.asked(browser.begin().location) for _ in range(2))
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


def test_a_client_that_asks_for_json_is_told_the_address(site, openid):
    browser = site.browser()
    answer = browser.get("/auth/login/openid", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert list(answer.json) == ["url"]
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Cache-Control"] == "no-store"
    assert browser.get(browser.at_provider(answer.json["url"])).status_code == 200
    for accepted in ("application/json, text/plain, */*", "APPLICATION/JSON, text/html;q=0.5"):
        assert browser.get("/auth/login/openid", headers={"Accept": accepted}).status_code == 200
    pages = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
    for accepted in ("*/*", "", pages, "text/html, application/json", "application/json;q=0, */*"):
        assert browser.get("/auth/login/openid", headers={"Accept": accepted}).status_code == 303


def test_the_cookie_of_a_login_is_for_this_host_and_no_script_and_holds_no_secret(site):
    answer = site.browser().begin(next="/home/")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    name, _, value = cookie.partition(";")[0].partition("=")
    assert re.fullmatch("__Host-permjwt_login_[0-9a-f]{8}_[0-9a-f]{16}", name)
    attributes = {one for one in cookie.split("; ")[1:] if not one.startswith("Expires=")}
    assert attributes == {"Secure", "HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax"}
    asked = site.browser().asked(answer.location)
    body = value.partition(".")[0]
    held = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()
    assert asked["state"] in held
    assert asked["nonce"] not in held + value
    assert "verifier" not in held


def test_without_https_the_cookie_has_no_prefix_that_browsers_would_refuse(make_site, openid):
    site = make_site({"openid": openid.entry()}, cookie_secure=False)
    (cookie,) = site.browser().begin().headers.getlist("Set-Cookie")
    assert cookie.startswith("permjwt_login_")
    assert "Secure" not in cookie


def test_a_browser_keeps_five_logins_under_way_and_forgets_the_others(site):
    browser = site.browser()
    begun = [browser.begin() for _ in range(8)]
    assert len(browser.cookies()) == 5
    assert browser.get(browser.at_provider(begun[-1].location)).status_code == 200


def test_two_tabs_log_in_beside_each_other(site, oauth):
    oauth.emails = []
    browser = site.browser()
    one, other = browser.begin(), browser.begin("oauth")
    assert browser.get(browser.at_provider(other.location)).status_code == 200
    assert browser.get(browser.at_provider(one.location)).status_code == 200
    assert browser.cookies() == []


def test_two_apps_on_one_host_leave_each_others_logins_alone(make_site, openid):
    one, other = (make_site({"openid": openid.entry()}) for _ in range(2))
    first, second = one.browser(), other.browser()
    begun = first.begin()
    # It is one browser: what the first app has set, the second is sent too.
    second.client._cookies.update(first.client._cookies)
    for _ in range(6):
        second.begin()
    assert first.cookies()[0] in second.cookies()
    first.client._cookies = second.client._cookies
    assert first.get(first.at_provider(begun.location)).status_code == 200


# Who that is


def test_somebody_new_is_a_user_who_may_do_nothing(site, openid):
    browser = site.browser()
    answer = browser.log_in(next="/home/?a=1#b")
    assert (answer.status_code, answer.location) == (303, "/home/?a=1#b")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    you = browser.get("/home/").json
    assert you["id"] == site.owner(openid.address, "alice-there")
    assert site.users() == [(you["you"], "alice@there.example", True)]
    assert browser.get("/auth/me").json["permissions"] == []


def test_a_provider_of_oauth_alone_is_asked_for_the_number_and_the_verified_address(site, oauth):
    browser = site.browser()
    assert browser.log_in("oauth").status_code == 200
    assert browser.get("/home/").json["id"] == site.owner(oauth.address, "1234")
    assert site.users()[0][1:] == ("alice@there.example", True)
    assert oauth.sent["client_secret"] == oauth.client.client_secret


def test_the_secret_of_an_openid_client_goes_in_the_header(site, openid):
    site.browser().log_in()
    assert openid.sent["Authorization"].startswith("Basic ")
    assert "client_secret" not in openid.sent


def test_the_same_subject_is_the_same_user_whatever_else_changed(site, openid):
    first = site.browser()
    first.log_in()
    openid.person.update(email="other@there.example")
    second = site.browser()
    second.log_in()
    assert first.get("/home/").json == second.get("/home/").json
    assert len(site.users()) == 1


def test_the_session_says_how_it_was_opened_and_the_audit_too(site, openid):
    seen = []
    with signals.logged_in.connected_to(lambda app, event: seen.append(event)):
        browser = site.browser()
        browser.log_in()
    (session,) = browser.get("/auth/sessions").json["sessions"]
    assert (session["opened_by"], session["current"]) == ("openid", True)
    assert [one.event for one in site.told()] == ["user_created", "email_verified", "logged_in"]
    (row,) = site.told("logged_in")
    assert row.detail == {"method": "openid"}
    assert [(one.method, one.subject, one.session_id) for one in seen] == [("openid", row.subject, session["id"])]


def test_it_is_an_ordinary_session_that_refreshes_and_ends(site):
    browser = site.browser()
    browser.log_in()
    csrf = {"X-CSRF-TOKEN": browser.client.get_cookie("csrf_refresh_token", "app.example.com").value}
    assert browser.post("/auth/refresh", headers=csrf).status_code == 200
    assert browser.post("/auth/logout").status_code == 204
    assert browser.get("/home/").status_code == 401


def test_where_no_users_are_made_only_linked_ones_log_in(make_site, openid):
    site = make_site({"openid": openid.entry(create=False)})
    answer = site.browser().log_in()
    assert (answer.status_code, answer.json["error"]) == (403, "identity_refused")
    assert site.users() == []
    site.create("alice")
    site.change(lambda users: site.permjwt.identities.link(users.find("alice"), openid.address, "alice-there"))
    browser = site.browser()
    browser.log_in()
    assert browser.get("/home/").json["you"] == "alice"


@pytest.mark.parametrize("what", ["disable", "delete"])
def test_who_is_disabled_or_deleted_here_is_out(site, what):
    site.browser().log_in()
    name = site.users()[0][0]
    if what == "disable":
        site.change(lambda users: users.set_active(users.find(name), active=False))
    else:
        site.change(lambda users: users.delete(users.find(name)))
    answer = site.browser().log_in()
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_credentials")
    (row,) = site.told("login_failed")
    assert row.detail == {"reason": "disabled", "method": "openid"}


def test_only_who_has_the_claims_that_are_asked_for_is_let_in(make_site, openid):
    site = make_site({"openid": openid.entry(claims={"hd": "example.com"})})
    for domain in (None, "evil.example", ["example.com"]):
        openid.person["hd"] = domain
        answer = site.browser().log_in()
        assert (answer.status_code, answer.json["error"]) == (403, "identity_refused")
    assert site.users() == []
    openid.person["hd"] = "example.com"
    assert site.browser().log_in().status_code == 200


# Addresses


@pytest.mark.parametrize("said", [False, None, "true", 1, "false"])
def test_an_address_that_the_provider_did_not_verify_is_not_taken(site, openid, said):
    openid.person["email_verified"] = said
    assert site.browser().log_in().status_code == 200
    assert site.users()[0][1:] == (None, False)


def test_githubs_addresses_count_when_primary_and_verified(site, oauth):
    oauth.person.update(email="public@there.example")
    oauth.emails = [
        {"email": "a@there.example", "primary": False, "verified": True},
        {"email": "b@there.example", "primary": True, "verified": False},
        "nonsense",
    ]
    assert site.browser().log_in("oauth").status_code == 200
    assert site.users()[0][1:] == (None, False)


def test_an_address_that_is_nobodys_in_our_grammar_is_left_out(site, openid):
    openid.person["email"] = "no address"
    assert site.browser().log_in().status_code == 200
    assert site.users()[0][1:] == (None, False)


def test_a_taken_address_that_is_not_verified_here_is_left_to_its_user(site):
    site.create("mallory", email="alice@there.example")
    browser = site.browser()
    assert browser.log_in().status_code == 200
    assert browser.get("/home/").json["you"] != "mallory"
    assert ("mallory", "alice@there.example", False) in site.users()


class TestWhereAddressesMustBeVerified:
    @pytest.fixture
    def site(self, make_site, openid):
        return make_site({"openid": openid.entry()}, require_verified=True, parts={"mailer": Nowhere()})

    def test_a_provider_that_has_verified_it_is_enough(self, site):
        browser = site.browser()
        assert browser.log_in().status_code == 200
        assert browser.get("/home/").status_code == 200

    def test_without_that_nobody_is_created(self, site, openid):
        openid.person["email_verified"] = False
        answer = site.browser().log_in()
        assert (answer.status_code, answer.json["error"]) == (403, "email_not_verified")
        assert site.users() == []

    def test_a_linked_user_whose_address_is_not_verified_here_is_refused(self, site, openid):
        site.create("alice", email="alice@there.example")
        site.change(lambda users: site.permjwt.identities.link(users.find("alice"), openid.address, "alice-there"))
        answer = site.browser().log_in()
        assert (answer.status_code, answer.json["error"]) == (403, "email_not_verified")
        (row,) = site.told("login_failed")
        assert row.detail == {"reason": "not verified", "method": "openid"}

    def test_an_address_that_names_nobody_yet_goes_to_who_has_proved_it(self, site):
        squatter = site.create("squatter", email="alice@there.example")
        browser = site.browser()
        assert browser.log_in().status_code == 200
        assert browser.get("/auth/me").json["email"] == "alice@there.example"
        assert ("squatter", None, False) in site.users()
        (row,) = site.told("email_lost")
        assert row.subject == squatter


# When they proved it


def test_how_long_ago_they_logged_in_there_is_how_fresh_the_session_is(site, openid):
    openid.id_token["auth_time"] = 1_700_000_000
    browser = site.browser()
    browser.log_in()
    (session,) = browser.get("/auth/sessions").json["sessions"]
    assert session["authenticated_at"] == "2023-11-14T22:13:20Z"
    assert browser.post("/auth/providers/oauth").json["error"] == "insufficient_user_authentication"


def test_a_fresh_login_has_the_provider_ask_again(site, openid):
    browser = site.browser()
    begun = browser.begin(fresh="true")
    asked = browser.asked(begun.location)
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    assert browser.get(browser.at_provider(begun.location)).status_code == 200
    openid.id_token["auth_time"] = 1_700_000_000
    answer = browser.log_in(fresh="true")
    assert (answer.status_code, answer.json["error"]) == (403, "identity_refused")


def test_who_cannot_tell_when_it_asked_is_not_asked_for_a_fresh_login(site):
    answer = site.browser().begin("oauth", fresh="true")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


# The way on


def test_without_next_the_way_leads_to_the_first_page_or_to_an_answer(make_site, openid):
    site = make_site({"openid": openid.entry()})
    answer = site.browser().log_in()
    assert (answer.status_code, sorted(answer.json)) == (200, ["expires_in", "token_type"])

    site = make_site({"openid": openid.entry()})
    site.app.add_url_rule("/", "first", lambda: "first page")
    assert site.browser().log_in().location == "/"


def test_strict_cookies_come_with_a_page_that_goes_on_by_itself(make_site, openid):
    site = make_site({"openid": openid.entry()}, cookie_samesite="Strict")
    answer = site.browser().log_in(next="/app/a?x=1&y=%22")
    assert answer.status_code == 200
    assert 'content="0;url=/app/a?x=1&amp;y=%22"' in answer.text
    assert any(one.startswith("access_token=") for one in answer.headers.getlist("Set-Cookie"))


def test_an_app_under_a_path_and_a_blueprint_with_arguments_find_their_own_way(make_site, openid):
    site = make_site({"openid": openid.entry()})
    site.app.register_blueprint(site.permjwt.auth_blueprint, name="elsewhere", url_prefix="/<team>/auth")
    openid.client.redirect_uris.append("https://app.example.com/root/blue/auth/callback/openid")
    client = site.app.test_client()
    options = {"base_url": "https://app.example.com/root"}
    begun = client.get("/blue/auth/login/openid?next=/root/home/", **options)
    assert site.browser().asked(begun.location)["redirect_uri"] == openid.client.redirect_uris[-1]
    assert client.get("/blue/auth/login/openid?next=/home/", **options).status_code == 400
    back = site.browser().at_provider(begun.location).removeprefix("/root")
    answer = client.get(back, **options)
    assert (answer.status_code, answer.location) == (303, "/root/home/")
    refresh = next(one for one in answer.headers.getlist("Set-Cookie") if one.startswith("refresh_token="))
    assert "Path=/root/blue/auth;" in f"{refresh};"
    assert client.get("/home/", **options).status_code == 200


def test_the_address_to_come_back_to_can_be_told(make_site, openid):
    site = make_site({"openid": openid.entry(redirect_uri="https://front.example.com/back")})
    assert (
        site.browser().asked(site.browser().begin().location)["redirect_uri"] == "https://front.example.com/back"
    )


def test_a_header_only_app_gives_codes(make_site, openid):
    site = make_site({"openid": openid.entry()}, token_locations=["headers"])
    assert site.browser().begin(delivery="cookie").status_code == 400
    assert site.browser().begin().status_code == 400  # a code needs a challenge
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    assert site.browser().begin(code_challenge=challenge).status_code == 303


@pytest.mark.parametrize(
    "query",
    [
        {"delivery": "header"},
        {"delivery": "code"},
        {"delivery": "code", "code_challenge": "short"},
        {"delivery": "code", "code_challenge": "=" * 43},
        {"delivery": "cookie", "code_challenge": "a" * 43},
        {"fresh": "1"},
        {"next": ["/home/", "/app/a"]},
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_sent_away(site, query):
    answer = site.browser().get("/auth/login/openid", query_string=query)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert "Set-Cookie" not in answer.headers


def test_unknown_providers_and_apps_without_any_are_404(site, make_site):
    for path in ("login/nobody", "callback/nobody", "login/OPENID"):
        assert site.browser().get(f"/auth/{path}").json["error"] == "unknown_provider"
    bare = make_site({})
    body = {"code": "x", "code_verifier": "v" * 43}
    for answer in (
        bare.browser().get("/auth/login/openid"),
        bare.browser().get("/auth/callback/openid?state=x&code=y"),
        bare.browser().post("/auth/exchange", json=body),
    ):
        assert (answer.status_code, answer.json["error"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("entry", "settings", "reason"),
    [
        ({"create": False}, {}, "not let in"),
        ({"claims": {"department": "research"}}, {}, "not let in"),
        ({}, {}, "address taken"),
        ({}, {"require_verified": True, "parts": {"mailer": Nowhere()}}, "not verified"),
    ],
)
def test_whoever_is_not_let_in_is_written_down(make_site, openid, entry, settings, reason):
    site = make_site({"openid": openid.entry(**entry)}, **settings)
    site.create("alice", email="alice@there.example")
    site.change(lambda users: users.mark_email_verified(users.find("alice")))
    if reason == "not verified":
        openid.person["email_verified"] = False
    answer = site.browser().log_in()
    assert answer.status_code in {403, 409}
    (row,) = site.told("login_failed")
    assert (row.subject, row.detail) == (None, {"reason": reason, "method": "openid"})
    assert len(site.users()) == 1


def test_logins_are_counted_by_address(make_site, openid):
    site = make_site({"openid": openid.entry()}, ratelimit_provider="3 per hour")
    heard = []
    with signals.throttled.connected_to(lambda app, event: heard.append((event.method, event.address))):
        browser = site.browser()
        # What succeeds is no failure; what is begun is counted.
        assert [browser.log_in().status_code for _ in range(3)] == [200] * 3
        answer = browser.begin()
        assert (answer.status_code, answer.json["error"]) == (429, "too_many_requests")
        assert "Retry-After" in answer.headers
        answers = [browser.get("/auth/callback/openid?state=x&code=y").status_code for _ in range(4)]
        assert answers == [400, 400, 400, 429]
        body = {"code": "x", "code_verifier": "v" * 43}
        assert [browser.post("/auth/exchange", json=body).status_code for _ in range(4)] == [400, 400, 400, 429]
    assert heard == [("openid", "127.0.0.1"), ("openid", "127.0.0.1"), ("exchange", "127.0.0.1")]
    other = browser.get("/auth/login/openid", environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    assert other.status_code == 303
