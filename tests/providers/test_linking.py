"""Linking: a user adds and removes ways to log in."""

import time

import pytest

from flask_permjwt import signals
from flask_permjwt.signals import IdentityLinked, IdentityUnlinked


@pytest.fixture
def alice(site):
    """Return alice, logged in with her password."""
    site.create("alice", email="alice@here.example")
    browser = site.browser()
    browser.log_in_with_password("alice")
    return browser


def link(browser, provider="openid", **body):
    answer = browser.post(f"/auth/providers/{provider}", json=body)
    assert answer.status_code == 200, answer.text
    return browser.get(browser.at_provider(answer.json["url"]))


def linked(browser):
    return {one["name"]: one["linked"] for one in browser.get("/auth/providers").json["providers"]}


def test_a_user_links_a_provider_and_logs_in_by_it(site, alice, openid):
    seen = []
    with signals.identity_linked.connected_to(lambda app, event: seen.append(event)):
        answer = link(alice)
    assert (answer.status_code, answer.json) == (200, {"linked": "openid"})
    assert not any("access_token" in one for one in answer.headers.getlist("Set-Cookie"))
    assert linked(alice) == {"openid": True, "oauth": False}
    you = alice.get("/home/").json["id"]
    (row,) = site.told("identity_linked")
    assert (row.subject, row.actor, row.detail) == (
        you,
        you,
        {"issuer": openid.address, "provider": "openid"},
    )
    assert [type(one) for one in seen] == [IdentityLinked]
    # Once more is no news.
    assert link(alice, next="/home/").location == "/home/"
    assert len(site.told("identity_linked")) == 1

    other = site.browser()
    other.log_in()
    assert other.get("/home/").json["you"] == "alice"
    assert [one[:2] for one in site.users()] == [("alice", "alice@here.example")]


def test_the_list_tells_when_and_whether_there_is_a_password(site, alice):
    before = alice.get("/auth/providers").json
    assert before["password"] is True
    assert before["providers"] == [
        {"name": "openid", "linked": False, "linked_at": None},
        {"name": "oauth", "linked": False, "linked_at": None},
    ]
    link(alice)
    after = alice.get("/auth/providers").json["providers"][0]
    assert after["linked_at"][:10] == time.strftime("%Y-%m-%d", time.gmtime())
    assert site.browser().get("/auth/providers").status_code == 401


def test_what_is_another_users_stays_theirs(site, alice, openid):
    site.browser().log_in()
    answer = link(alice)
    assert (answer.status_code, answer.json["error"]) == (409, "identity_taken")
    assert linked(alice) == {"openid": False, "oauth": False}


def test_a_password_is_a_way_that_remains(site, alice, openid):
    link(alice)
    seen = []
    with signals.identity_unlinked.connected_to(lambda app, event: seen.append(event)):
        assert alice.post("/auth/providers/openid", method="DELETE").status_code == 204
    assert linked(alice) == {"openid": False, "oauth": False}
    assert [type(one) for one in seen] == [IdentityUnlinked]
    (row,) = site.told("identity_unlinked")
    assert row.detail == {"issuer": openid.address, "provider": "openid"}
    answer = alice.post("/auth/providers/openid", method="DELETE")
    assert (answer.status_code, answer.json["error"]) == (404, "unknown_provider")


def test_nobody_is_left_without_a_way_to_log_in(site, openid, oauth):
    browser = site.browser()
    browser.log_in()
    answer = browser.post("/auth/providers/openid", method="DELETE")
    assert (answer.status_code, answer.json["error"]) == (409, "last_login")
    link(browser, "oauth")
    assert browser.post("/auth/providers/openid", method="DELETE").status_code == 204
    assert browser.post("/auth/providers/oauth", method="DELETE").json["error"] == "last_login"
    assert linked(browser) == {"openid": False, "oauth": True}


def test_a_provider_that_is_no_longer_in_the_settings_is_no_way(site, openid):
    browser = site.browser()
    browser.log_in()
    name = browser.get("/home/").json["you"]
    site.change(lambda users: site.permjwt.identities.link(users.find(name), "https://gone.example", "alice"))
    assert browser.post("/auth/providers/openid", method="DELETE").json["error"] == "last_login"


def test_unlinking_ends_the_other_sessions_as_a_new_password_does(site, alice):
    link(alice)
    other = site.browser()
    other.log_in()
    assert alice.post("/auth/providers/openid", method="DELETE").status_code == 204
    assert other.get("/home/").status_code == 401
    assert alice.get("/home/").status_code == 200
    (row,) = site.told("sessions_ended")
    assert row.detail["count"] == 1


def test_somebody_who_was_deleted_keeps_nothing(site, alice, openid):
    browser = site.browser()
    browser.log_in()
    name = browser.get("/home/").json["you"]
    site.change(lambda users: users.delete(users.find(name)))
    assert link(alice).json == {"linked": "openid"}


# What both ask for


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_proof_of_who_one_is_must_be_fresh(make_site, openid, fake_clock, method):
    fake_clock.now = float(int(time.time()))
    site = make_site({"openid": openid.entry()}, parts={"clock": fake_clock})
    site.create("alice")
    browser = site.browser()
    browser.log_in_with_password("alice")
    fake_clock.advance(301)
    answer = browser.post("/auth/providers/openid", method=method)
    assert (answer.status_code, answer.json["error"]) == (401, "insufficient_user_authentication")
    assert answer.json["max_age"] == 300


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_cookies_need_their_csrf_value(alice, method):
    answer = alice.client.open("/auth/providers/openid", method=method, base_url="https://app.example.com")
    assert (answer.status_code, answer.json["error"]) == (401, "csrf_failed")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_nobody_links_for_nobody(site, method):
    assert site.browser().post("/auth/providers/openid", method=method).status_code == 401


def test_a_session_that_ended_meanwhile_links_nothing(site, alice, openid):
    url = alice.post("/auth/providers/openid").json["url"]
    alice.post("/auth/logout")
    answer = alice.get(alice.at_provider(url))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_state")
    assert site.owner(openid.address, "alice-there") is None


def test_a_header_client_links_in_the_browser_that_asked(site, openid):
    site.create("alice")
    client = site.app.test_client()
    body = {"username": "alice", "password": "correct horse battery staple"}
    token = client.post("/auth/login", json=body).json["access_token"]
    browser = site.browser()
    answer = browser.post(
        "/auth/providers/openid", headers={"Authorization": f"Bearer {token}"}, json={"next": "/app/done"}
    )
    assert browser.get(browser.at_provider(answer.json["url"])).location == "/app/done"
    assert site.owner(openid.address, "alice-there") is not None


def test_next_is_checked_here_too(alice):
    for target in ("//evil.example", "https://evil.example/", "/nowhere"):
        answer = alice.post("/auth/providers/openid", json={"next": target})
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")
