"""Two at once: on each kind of database, one wins and nobody is left with half of anything."""

import base64
import hashlib
import threading
import time

import pytest
from login_providers import PASSWORD

CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()


@pytest.fixture
def site(make_site, openid, oauth, database_url):
    return make_site({"openid": openid.entry(), "oauth": oauth.entry()}, url=database_url)


def at_once(*calls):
    """Call all in threads of their own; return what they return."""
    start, found = threading.Barrier(len(calls)), []

    def run(call):
        start.wait()
        found.append(call())

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_somebody_new_who_comes_twice_at_once_is_one_user(site, openid):
    browsers = [site.browser() for _ in range(4)]
    ways = [one.at_provider(one.begin().location) for one in browsers]
    openid.gate = threading.Event()

    def release():
        deadline = time.monotonic() + 20
        while openid.asked["/token"] < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        openid.gate.set()

    calls = [lambda one=one, way=way: one.get(way).status_code for one, way in zip(browsers, ways, strict=True)]
    found = at_once(release, *calls)
    assert sorted(str(one) for one in found) == ["200"] * 4 + ["None"]
    assert len(site.users()) == 1
    assert len({one.get("/home/").json["id"] for one in browsers}) == 1
    assert len(site.told("user_created")) == 1
    assert len(site.told("logged_in")) == 4


def test_one_way_back_that_is_gone_twice_at_once_logs_in_once(site, openid):
    browser = site.browser()
    way = browser.at_provider(browser.begin().location)
    others = [site.browser() for _ in range(3)]
    for other in others:
        other.client._cookies.update(browser.client._cookies)
    found = at_once(*(lambda one=one: one.get(way).status_code for one in [browser, *others]))
    assert sorted(found) == [200, 400, 400, 400]
    assert openid.asked["/token"] == 1


def test_a_code_that_is_exchanged_twice_at_once_opens_one_session(site):
    code = site.browser().log_in(delivery="code", code_challenge=CHALLENGE).json["code"]
    body = {"code": code, "code_verifier": "v" * 43}
    clients = [site.app.test_client() for _ in range(4)]
    found = at_once(*(lambda one=one: one.post("/auth/exchange", json=body).status_code for one in clients))
    assert sorted(found) == [200, 400, 400, 400]
    assert len(site.told("logged_in")) == 1


def test_of_two_ways_that_are_unlinked_at_once_one_remains(site, openid, oauth):
    browser = site.browser()
    browser.log_in()
    answer = browser.post("/auth/providers/oauth")
    assert browser.get(browser.at_provider(answer.json["url"])).status_code == 200
    other = site.browser()
    other.client._cookies.update(browser.client._cookies)
    found = at_once(
        lambda: browser.post("/auth/providers/openid", method="DELETE").status_code,
        lambda: other.post("/auth/providers/oauth", method="DELETE").status_code,
    )
    assert sorted(found) == [204, 409]
    assert len([one for one in browser.get("/auth/providers").json["providers"] if one["linked"]]) == 1


def test_a_login_that_is_under_way_when_its_account_is_unlinked_opens_nothing(site, openid, monkeypatch):
    owner = site.browser()
    owner.log_in()
    name = site.users()[0][0]
    site.change(lambda users: users.set_password(users.find(name), PASSWORD))
    owner.log_in_with_password(name)
    intruder = site.browser()
    way = intruder.at_provider(intruder.begin().location)
    identities = site.permjwt.identities
    find = identities.user_of

    def find_and_be_late(*args, **options):
        found = find(*args, **options)
        assert owner.post("/auth/providers/openid", method="DELETE").status_code == 204
        return found

    monkeypatch.setattr(type(identities), "user_of", staticmethod(find_and_be_late))
    answer = intruder.get(way)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_credentials")
    assert intruder.get("/home/").status_code == 401
