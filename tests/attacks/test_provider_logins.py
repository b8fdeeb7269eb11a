"""Attacks on logins by a provider (RFC 9700 section 4, RFC 6819, OpenID Connect Core section 16)."""

import base64
import hashlib
import json
import logging
import re
import time

import pytest
from joserfc.jwk import ECKey

from flask_permjwt.providers.attempts import Attempt, Seal

HOST = "https://app.example.com"


def refused(answer, error="invalid_state", status=400):
    assert (answer.status_code, answer.json["error"]) == (status, error), answer.text
    names = [one.partition("=")[0] for one in answer.headers.getlist("Set-Cookie")]
    assert not {"access_token", "refresh_token"} & set(names)
    return True


def seal_of(site):
    return site.app.extensions["permjwt"].providers.seal


def begun(site, browser, provider="openid", **query):
    """Begin a login and log in at the provider; return the way back that was not gone yet."""
    return browser.at_provider(browser.begin(provider, **query).location)


# Login CSRF: a victim is logged in as the attacker (RFC 9700 section 4.7)


def test_the_way_back_of_another_browser_logs_nobody_in(site, openid):
    attacker, victim = site.browser(), site.browser()
    way = begun(site, attacker)
    assert refused(victim.get(way))
    assert site.told("logged_in") == []
    # It was the browser: in the one that began, it goes on.
    assert attacker.get(way).status_code == 200


def test_a_victim_who_has_begun_a_login_too_is_not_logged_in_by_the_attackers_code(site):
    attacker, victim = site.browser(), site.browser()
    way = begun(site, attacker)
    state = victim.asked(victim.begin().location)["state"]
    code = way.partition("code=")[2].partition("&")[0]
    # Their own state, and the code of somebody else: PKCE holds them apart, whatever the provider does about it.
    assert refused(victim.get(f"/auth/callback/openid?code={code}&state={state}"), "invalid_code")
    assert site.users() == []


def test_a_victims_own_login_is_not_linked_to_the_attackers_account(site, openid):
    site.create("mallory")
    attacker, victim = site.browser(), site.browser()
    attacker.log_in_with_password("mallory")
    way = attacker.at_provider(attacker.post("/auth/providers/openid").json["url"])
    victim.log_in_with_password(_named(site, "victim"))
    assert refused(victim.get(way))
    assert site.owner(openid.address, "alice-there") is None


def test_a_browser_that_changed_hands_links_nothing_to_who_began(site, openid):
    for name in ("mallory", "victim"):
        site.create(name)
    browser = site.browser()
    browser.log_in_with_password("mallory")
    way = browser.at_provider(browser.post("/auth/providers/openid").json["url"])
    browser.log_in_with_password("victim")
    assert refused(browser.get(way))
    assert site.owner(openid.address, "alice-there") is None


def _named(site, name):
    site.create(name)
    return name


# A stolen state, a forged cookie


def test_a_stolen_state_is_worth_nothing_without_the_cookie(site):
    victim, thief = site.browser(), site.browser()
    way = begun(site, victim)
    state = way.partition("state=")[2]
    thief.begin()
    assert refused(thief.get(f"/auth/callback/openid?code=anything&state={state}"))
    # Not even with a cookie of the thief's own under the right name.
    value = next(one.value for one in thief.client._cookies.values())
    name = seal_of(site).cookie_name(state, secure=True)
    thief.client.set_cookie(name, value, domain="app.example.com", secure=True)
    assert refused(thief.get(way))


def test_nobody_seals_but_us(site, openid):
    now = int(time.time())
    made = Attempt(
        state="s" * 43, provider="openid", begun_at=now, expires_at=now + 600, cookie=True, target="/home/"
    )
    for secret in (b"x" * 32, b"", site.app.config["SECRET_KEY"].encode()):
        browser = site.browser()
        browser.client.set_cookie(
            seal_of(site).cookie_name("s" * 43, secure=True),
            Seal(secret).close(made),
            domain="app.example.com",
            secure=True,
        )
        assert refused(browser.get(f"/auth/callback/openid?code=x&state={'s' * 43}"))
    assert openid.asked["/token"] == 0


def test_no_byte_of_the_cookie_can_be_changed(site):
    browser = site.browser()
    way = begun(site, browser, next="/home/")
    ((_, _, name), kept) = next((key, one) for key, one in browser.client._cookies.items())
    body, _, mac = kept.value.partition(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    evil = base64.urlsafe_b64encode(json.dumps({**said, "target": "https://evil.example/"}).encode()).decode()
    for value in (f"{evil.rstrip('=')}.{mac}", f"{body}.", body, f".{mac}", "", f"{body}.{mac}x", "\u00e9." + mac):
        browser.client.set_cookie(name, value, domain="app.example.com", secure=True)
        assert refused(browser.get(way))


def test_the_secret_that_seals_is_of_each_app_alone(make_site, openid):
    one, other = (make_site({"openid": openid.entry()}) for _ in range(2))
    browser = one.browser()
    way = begun(one, browser)
    stranger = other.browser()
    for (_, _, name), kept in browser.client._cookies.items():
        stranger.client.set_cookie(name, kept.value, domain="app.example.com", secure=True)
    assert refused(stranger.get(way))


def test_an_attempt_is_over_after_ten_minutes(make_site, openid, fake_clock):
    fake_clock.now = time.time()
    site = make_site({"openid": openid.entry()}, parts={"clock": fake_clock})
    browser = site.browser()
    way = begun(site, browser)
    cookies = dict(browser.client._cookies)
    fake_clock.advance(600)
    browser.client._cookies.update(cookies)
    assert refused(browser.get(way))


# Replays


def test_a_way_back_is_gone_once(site, openid):
    browser = site.browser()
    way = begun(site, browser)
    cookies = dict(browser.client._cookies)
    assert browser.get(way).status_code == 200
    assert refused(browser.get(way))  # the cookie is gone
    browser.client._cookies.update(cookies)
    assert refused(browser.get(way))  # and with a copy of it, the state is used up
    assert openid.asked["/token"] == 1


def test_a_state_is_used_up_by_an_error_too(site):
    browser = site.browser()
    way = begun(site, browser)
    cookies = dict(browser.client._cookies)
    state = way.partition("state=")[2]
    assert refused(browser.get(f"/auth/callback/openid?error=access_denied&state={state}"), "access_denied", 403)
    browser.client._cookies.update(cookies)
    assert refused(browser.get(way))


def test_a_code_of_the_provider_that_was_redeemed_before_is_refused(site):
    first, second = site.browser(), site.browser()
    way = begun(site, first)
    code = way.partition("code=")[2].partition("&")[0]
    assert first.get(way).status_code == 200
    state = second.asked(second.begin().location)["state"]
    assert refused(second.get(f"/auth/callback/openid?code={code}&state={state}"), "invalid_code")


def test_an_id_token_of_another_login_is_refused(site, openid):
    openid.id_token["nonce"] = "of-another-login"
    assert refused(site.browser().log_in(), "provider_error", 502)
    openid.id_token["nonce"] = None
    assert refused(site.browser().log_in(), "provider_error", 502)
    assert site.users() == []


# Mixed-up providers (RFC 9700 section 4.4)


def test_a_code_of_one_provider_is_never_brought_to_another(site, openid, oauth):
    browser = site.browser()
    way = begun(site, browser)
    assert refused(browser.get(way.replace("/callback/openid", "/callback/oauth")))
    assert (openid.asked["/token"], oauth.asked["/token"]) == (0, 0)


@pytest.mark.parametrize("issuer", ["https://evil.example", "", "http://127.0.0.1"])
def test_an_answer_that_names_another_issuer_is_refused(site, openid, issuer):
    openid.returns = {"iss": issuer}
    if not issuer:
        openid.discovery["authorization_response_iss_parameter_supported"] = True
    assert refused(site.browser().log_in())
    assert openid.asked["/token"] == 0


def test_a_provider_that_names_itself_must_do_so(site, openid):
    openid.discovery["authorization_response_iss_parameter_supported"] = True
    assert refused(site.browser().log_in())
    openid.returns = {"iss": openid.address}
    assert site.browser().log_in().status_code == 200


def test_two_providers_cannot_speak_for_each_other(make_site, openid, make_provider):
    other = make_provider(name="other")
    site = make_site({"openid": openid.entry(), "other": other.entry()})
    site.browser().log_in("other")
    (before,) = site.users()
    openid.id_token["iss"] = other.address
    assert refused(site.browser().log_in(), "provider_error", 502)
    openid.id_token.clear()
    # The same subject at another issuer is somebody else.
    openid.person["email"] = "somebody-else@there.example"
    assert site.browser().log_in().status_code == 200
    assert len(site.users()) == 2
    assert before in site.users()


# ID tokens that are none


@pytest.mark.parametrize(
    "lie",
    [
        {"aud": "another-app"},
        {"aud": ["the-app", "another-app"]},
        {"aud": ["the-app", "another-app"], "azp": "another-app"},
        {"azp": "another-app"},
        {"iss": "https://evil.example"},
        {"sub": None},
        {"sub": ""},
        {"sub": "a" * 256},
        {"sub": "alice\n"},
        {"sub": ["alice"]},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"iat": None},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
    ],
    ids=str,
)
def test_an_id_token_that_says_anything_wrong_is_refused(site, openid, lie):
    openid.id_token.update(lie)
    assert refused(site.browser().log_in(), "provider_error", 502)
    assert site.users() == []


def test_an_id_token_with_several_audiences_names_us_as_the_one_that_it_was_made_for(site, openid):
    openid.id_token.update(aud=["the-app", "another-app"], azp="the-app")
    assert site.browser().log_in().status_code == 200


def test_an_id_token_that_somebody_else_signed_is_refused(site, openid, monkeypatch):
    usual, stranger = openid.make_id_token, ECKey.generate_key("P-256")
    monkeypatch.setattr(openid, "make_id_token", lambda nonce: usual(nonce, stranger))
    assert refused(site.browser().log_in(), "provider_error", 502)
    monkeypatch.setattr(openid, "make_id_token", lambda nonce: usual(nonce, stranger, kid="unknown"))
    assert refused(site.browser().log_in(), "provider_error", 502)


def test_an_id_token_without_a_signature_or_with_our_secret_is_refused(site, openid, monkeypatch):
    def unsigned(nonce):
        _, payload, _ = openid_token(nonce).split(".")
        header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        return f"{header}.{payload}."

    openid_token = openid.make_id_token
    monkeypatch.setattr(openid, "make_id_token", unsigned)
    assert refused(site.browser().log_in(), "provider_error", 502)
    monkeypatch.setattr(openid, "make_id_token", lambda nonce: ["no", "text"])
    assert refused(site.browser().log_in(), "provider_error", 502)


@pytest.mark.parametrize("number", [None, True, 1.5, "", "12\n34", ["1234"], {"id": 1}, "a" * 256])
def test_somebody_whom_a_provider_does_not_name_is_nobody(site, oauth, number):
    oauth.person["id"] = number
    assert refused(site.browser().log_in("oauth"), "provider_error", 502)
    assert site.users() == []


# Taking an account over by its e-mail address


@pytest.mark.parametrize("verified", [True, False])
def test_an_address_that_merely_matches_opens_no_account(site, openid, verified):
    def give(users):
        users.mark_email_verified(users.create("victim", "correct horse battery", email="victim@here.example"))

    site.change(give)
    openid.person.update(email="victim@here.example", email_verified=verified)
    browser = site.browser()
    answer = browser.log_in()
    if verified:
        assert refused(answer, "email_taken", 409)
        assert len(site.users()) == 1
    else:
        assert browser.get("/home/").json["you"] != "victim"
    assert ("victim", "victim@here.example", True) in site.users()


class Mailbox(list):
    def send(self, message):
        self.append(message)


@pytest.mark.parametrize("verified", [False, True])
def test_who_registered_with_the_victims_address_keeps_no_way_in(make_site, openid, verified):
    mails = Mailbox()
    site = make_site({"openid": openid.entry()}, parts={"mailer": mails})
    # The attacker comes first, and links an account of theirs to the user with the victim's address.
    user = site.create("early", email="victim@here.example")
    if verified:
        site.change(lambda users: users.mark_email_verified(users.find("early")))
    attacker = site.browser()
    attacker.log_in_with_password("early")
    attacker.get(attacker.at_provider(attacker.post("/auth/providers/openid").json["url"]))
    assert site.owner(openid.address, "alice-there") == user
    # The victim finds the name taken, and asks for a new password.
    victim = site.browser()
    mails.clear()
    victim.post("/auth/password/forgot", json={"email": "victim@here.example"})
    code = re.search(r"^[A-Za-z0-9_-]{43}$", mails[0].text, re.MULTILINE)[0]
    body = {"token": code, "new_password": "a staple of horses in correct batteries"}
    assert victim.post("/auth/password/reset", json=body).status_code == 204
    # One whose address was verified is who they are, and what they linked is theirs.
    assert site.owner(openid.address, "alice-there") == (user if verified else None)
    attacker.log_in()
    assert (attacker.get("/home/").json["id"] == user) is verified
    assert [one.event for one in site.told("identity_unlinked")] == ([] if verified else ["identity_unlinked"])


def test_the_id_of_a_user_here_is_no_subject_there(site, openid):
    victim = site.create("victim")
    openid.person["sub"] = victim
    browser = site.browser()
    browser.log_in()
    assert browser.get("/home/").json["you"] != "victim"


def test_the_user_name_of_a_new_user_is_nobodys_choice(site, openid):
    openid.person.update(preferred_username="admin", name="admin", sub="admin")
    browser = site.browser()
    browser.log_in()
    assert browser.get("/home/").json["you"].startswith("127.0.0.1-")


# Codes for clients: stolen on the way (RFC 8252 section 8.1)


def challenge(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def test_a_stolen_code_is_worth_nothing_without_the_verifier(site):
    code = site.browser().log_in(delivery="code", code_challenge=challenge("v" * 43)).json["code"]
    client = site.app.test_client()
    for verifier in ("w" * 43, challenge("v" * 43)):
        answer = client.post("/auth/exchange", json={"code": code, "code_verifier": verifier})
        assert refused(answer, "invalid_code")
    answer = client.post("/auth/exchange", json={"code": code, "code_verifier": "v" * 43})
    assert answer.status_code == 200


def test_the_attackers_code_is_not_exchanged_by_the_victims_client(site):
    code = site.browser().log_in(delivery="code", code_challenge=challenge("attackers" * 5)).json["code"]
    answer = site.app.test_client().post("/auth/exchange", json={"code": code, "code_verifier": "victims-" * 6})
    assert refused(answer, "invalid_code")


def test_codes_are_for_one_thing_and_kept_as_hashes(site):
    answer = site.browser().log_in(delivery="code", code_challenge=challenge("v" * 43))
    code = answer.json["code"]
    with site.app.app_context():
        rows = site.db.session.execute(site.db.text("SELECT * FROM permjwt_codes")).all()
        site.db.session.remove()
    assert len(rows) == 2  # the code, and the state that was used up
    assert code not in str(rows)
    client = site.app.test_client()
    for path, body in (("verify", {}), ("password/reset", {"new_password": "another good horse"})):
        assert client.post(f"/auth/{path}", json={"token": code, **body}).status_code in {400, 404}
    digest = next(row.digest for row in rows if row.purpose == "login")
    assert refused(client.post("/auth/exchange", json={"code": digest, "code_verifier": "v" * 43}), "invalid_code")


# Open redirects (RFC 9700 section 4.11)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "http://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\\/evil.example/",
        "\\/evil.example",
        "https:evil.example",
        "https:/evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/%2f/evil.example/",
        "/%2F%2Fevil.example/",
        "/%5cevil.example/",
        "/%5C%5Cevil.example/",
        "/%252f%252fevil.example/",
        "/%25252f/evil.example/",
        "/app/..//evil.example/",
        "/..//evil.example/",
        "/./evil.example",
        "/app/%2e%2e//evil.example/",
        "/\t/evil.example/",
        "/\n/evil.example/",
        "/app/a\r\nSet-Cookie: a=b",
        "/app/a%0d%0aSet-Cookie:%20a=b",
        "/app/a%00",
        " //evil.example/",
        "\x00//evil.example/",
        "/app/\u2215\u2215evil.example",
        "/app/a b",
        "app/a",
        "?next=/home/",
        "@evil.example",
        "https://app.example.com@evil.example/",
        "https://app.example.com/home/",
        "//app.example.com/home/",
        ".evil.example",
        "/nowhere",
        "/only-post",
        "/auth/login/openid",
        "/auth/logout",
        "/auth/me",
        "/app/" + "a" * 1024,
    ],
)
@pytest.mark.parametrize("delivery", ["cookie", "code"])
def test_next_leads_to_a_page_of_this_app_and_nowhere_else(site, openid, target, delivery):
    more = {"delivery": "code", "code_challenge": "a" * 43} if delivery == "code" else {}
    answer = site.browser().begin(next=target, **more)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")
    assert "evil" not in answer.text
    assert openid.asked["/authorize"] == 0


@pytest.mark.parametrize(
    "listed",
    [
        "com.example.app:/login",
        "https://spa.example.com/in",
        "http://127.0.0.1/done",
        "http://localhost:3000/done",
    ],
)
@pytest.mark.parametrize(
    "twist",
    [
        lambda one: one + "/more",
        lambda one: one + "?a=1",
        lambda one: one + "#a",
        lambda one: one.replace("example", "evil"),
        lambda one: one.replace("://", "://evil@"),
        lambda one: one.replace("127.0.0.1", "127.0.0.1.evil.example"),
        lambda one: one.replace("127.0.0.1", "user@127.0.0.1"),
        lambda one: one.replace("127.0.0.1", "127.0.0.1:99999"),
        lambda one: one.replace("127.0.0.1", "127.0.0.1:80:80"),
        lambda one: one.replace("127.0.0.1", "127.0.0.2"),
        lambda one: one.replace(":3000", ":3001"),
        lambda one: one.replace("spa.example.com", "spa.example.com:8443"),
        lambda one: one.upper(),
        lambda one: one + "\n",
        lambda one: "\t" + one,
    ],
)
def test_codes_go_to_listed_places_exactly(make_site, openid, listed, twist):
    target = twist(listed)
    if target == listed:
        return
    site = make_site({"openid": openid.entry()}, provider_targets=[listed])
    query = {"delivery": "code", "code_challenge": "a" * 43}
    assert site.browser().begin(next=listed, **query).status_code == 303
    assert refused(site.browser().begin(next=target, **query), "invalid_target")


# What comes twice, or is no text


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=x",
        "state=",
        "state=x&state=y&code=z",
        "state={state}&state={state}&code=z",
        "state={state}&code=x&code=y",
        "state={state}&code=x&iss=a&iss=b",
        "state={state}",
        "state={state}&code=",
        "state={state}&code=" + "x" * 5000,
        "state=" + "x" * 5000,
        "state=%00%ff%fe&code=x",
        "state=\ud800",
    ],
)
def test_what_comes_back_malformed_is_refused(site, openid, query):
    browser = site.browser()
    state = browser.asked(browser.begin().location)["state"]
    path = f"/auth/callback/openid?{query.format(state=state)}".encode("utf-8", "surrogatepass").decode("latin-1")
    assert refused(browser.get(path))
    assert openid.asked["/token"] == 0


def test_nothing_that_a_provider_says_is_repeated_or_logged(site, openid, caplog):
    caplog.set_level(logging.DEBUG)
    browser = site.browser()
    begun = browser.begin()
    state = browser.asked(begun.location)["state"]
    answer = browser.get(
        f"/auth/callback/openid?error=%3Cscript%3E&error_description=%3Cscript%3E&error_uri=evil&state={state}"
    )
    assert refused(answer, "provider_error", 502)
    assert "<script" not in answer.text
    browser.log_in()
    # What the provider itself logs, in this same process, is its own affair.
    theirs = ("authlib.oauth2.rfc6749", "werkzeug", "provider")
    ours = [one for one in caplog.records if not one.name.startswith(theirs)]
    assert ours
    text = " ".join(one.getMessage() for one in ours)
    assert "<script" not in text
    for secret in (openid.client.client_secret, openid.sent["code"], openid.sent["code_verifier"], *openid.tokens):
        assert secret not in text
