"""A token tells the permissions, or has them read from the store; what does not fit is said at login."""

import json

import pytest

from flask_permjwt.tokens.claims import RIGHTS_IN_STORE
from flask_permjwt.tokens.codec import TokenType

MANY = [f"projects:number-{number}:read" for number in range(400)]


def claims(machine, login):
    return machine.state.codec.verify(login.access_token, *TokenType).claims


@pytest.mark.parametrize("setting", [True, "auto"])
def test_what_fits_is_told(pair, setting):
    here, _ = pair(permissions_in_token=setting)
    told = claims(here, here.log_in())
    assert told["permissions"] == ("reports:read",)
    assert "rights" not in told


def test_with_false_nothing_is_told_and_the_store_is_read_once(pair, monkeypatch):
    here, there = pair(permissions_in_token=False)
    login = here.log_in("bob")
    told = claims(here, login)
    assert told["rights"] == RIGHTS_IN_STORE
    assert not {"permissions", "roles", "pv"} & set(told)
    reads = []
    real = type(there.users).rights
    monkeypatch.setattr(type(there.users), "rights", lambda self, user: reads.append(1) or real(self, user))
    for _ in range(5):
        assert there.get("/reports", login).json == {"roles": ["reader"]}
    assert len(reads) == 1


def test_what_is_read_from_the_store_is_as_fresh_as_what_is_told(pair, wait):
    here, there = pair(permissions_in_token=False)
    login = here.log_in()
    assert there.status(login) == 200
    here.change("revoke", "alice", "reports:read")
    assert here.status(login) == 403
    wait(1)
    assert there.status(login) == 403
    here.change("grant", "alice", "reports:read")
    wait(1)
    assert there.status(login) == 200


def test_rights_that_were_read_before_all_that_is_known_are_read_again(pair, wait, fake_clock):
    """A user who rested for so long that the entry of a change was forgotten gets no old rights."""
    here, there = pair(permissions_in_token=False)
    there.status(here.log_in())
    here.change("revoke", "alice", "reports:read")
    for _ in range(400):
        wait(10)
        there.get("/open", here.log_in("root"))
    assert there.status(here.log_in()) == 403


@pytest.mark.parametrize("delivery", ["header", "cookie"])
def test_with_true_a_token_that_is_too_large_is_said_at_login(pair, delivery):
    here, _ = pair(permissions_in_token=True)
    here.change("grant", "alice", *MANY)
    answer = here.app.test_client().post(
        "/auth/login",
        json={"username": "alice", "password": "correct horse battery staple", "delivery": delivery},
    )
    assert (answer.status_code, answer.json["error"]) == (500, "token_too_large")
    assert "PERMJWT_PERMISSIONS_IN_TOKEN" in answer.json["error_description"]
    assert not answer.headers.getlist("Set-Cookie")


@pytest.mark.parametrize("delivery", ["header", "cookie"])
def test_by_default_what_is_too_large_is_read_from_the_store(pair, delivery):
    here, _ = pair()
    here.change("grant", "alice", *MANY)
    client = here.app.test_client()
    body = {"username": "alice", "password": "correct horse battery staple", "delivery": delivery}
    answer = client.post("/auth/login", json=body, base_url="https://localhost")
    assert answer.status_code == 200
    assert all(len(cookie) <= 4096 for cookie in answer.headers.getlist("Set-Cookie"))
    token = answer.json.get("access_token")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    assert client.get("/reports", headers=headers, base_url="https://localhost").status_code == 200
    me = client.get("/auth/me", headers=headers, base_url="https://localhost").json
    assert set(MANY) <= set(me["permissions"])


def test_a_cookie_holds_less_than_a_header(pair):
    here, _ = pair()
    here.change("grant", "alice", *MANY[:120])
    told = claims(here, here.log_in())
    assert "permissions" in told
    client = here.app.test_client()
    body = {"username": "alice", "password": "correct horse battery staple", "delivery": "cookie"}
    client.post("/auth/login", json=body, base_url="https://localhost")
    cookie = client.get_cookie("access_token", domain="localhost")
    payload = here.state.codec.verify(cookie.value, *TokenType).claims
    assert payload["rights"] == RIGHTS_IN_STORE


def test_the_largest_token_that_is_told_in_a_cookie_fits_with_all_its_attributes(pair):
    here, _ = pair(cookie_domain="a.very.long.name.of.a.domain.example.com", cookie_samesite="Strict")
    sizes = []
    for number in range(40, 90):
        with here.app.app_context():
            here.users.grant(here.users.find("alice"), *MANY[:number])
            here.db.session.commit()
        answer = here.app.test_client().post(
            "/auth/login",
            json={"username": "alice", "password": "correct horse battery staple", "delivery": "cookie"},
            environ_overrides={"SCRIPT_NAME": "/" + "p" * 100},
        )
        assert answer.status_code == 200, json.dumps(answer.json)
        sizes.append(max(map(len, answer.headers.getlist("Set-Cookie"))))
    assert max(sizes) <= 4096
    assert max(sizes) > 3700


def test_refreshing_reads_the_rights_again_and_decides_again(pair):
    here, _ = pair()
    login = here.log_in()
    here.change("grant", "alice", *MANY)
    answer = here.app.test_client().post("/auth/refresh", json={"refresh_token": login.refresh_token})
    login.access_token = answer.json["access_token"]
    assert claims(here, login)["rights"] == RIGHTS_IN_STORE
    assert here.status(login) == 200
