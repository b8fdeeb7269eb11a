"""Hammering: how often a password may be tried, wherever that is."""

import pytest

PASSWORD = "correct horse battery staple"


@pytest.fixture
def guess(client):
    def guess(name="alice", password="wrong", address="192.0.2.1", **headers):
        return client.post(
            "/auth/login",
            json={"username": name, "password": password},
            environ_overrides={"REMOTE_ADDR": address},
            headers=headers,
        )

    return guess


def test_the_eleventh_wrong_password_is_429_with_when_to_try_again(guess):
    answers = [guess() for _ in range(11)]
    assert [one.status_code for one in answers] == [401] * 10 + [429]
    last = answers[-1]
    assert last.json["error"] == "too_many_requests"
    assert 1 <= int(last.headers["Retry-After"]) <= 900
    assert "WWW-Authenticate" not in last.headers
    # The right password is not even looked at.
    assert guess(password=PASSWORD).status_code == 429


def test_no_spelling_and_no_header_resets_the_count(guess):
    spellings = ["alice", "ALICE", "\uff41lice", "alice@example.com", "Alice@EXAMPLE.com"]
    for n in range(10):
        assert guess(spellings[n % 5], **{"X-Forwarded-For": f"203.0.113.{n}"}).status_code == 401
    for name in spellings:
        assert guess(name, **{"X-Forwarded-For": "203.0.113.99"}).status_code == 429


def test_unknown_names_are_counted_like_known_ones(guess):
    assert [guess("nobody").status_code for _ in range(11)] == [401] * 10 + [429]


def test_strangers_lock_nobody_out_of_where_they_logged_in_before(guess):
    assert guess(password=PASSWORD, address="198.51.100.7").status_code == 200
    for n in range(12):
        guess(address=f"192.0.2.{n}")
    assert guess(address="192.0.2.99", password=PASSWORD).status_code == 429
    assert guess(address="198.51.100.7", password=PASSWORD).status_code == 200


def test_a_known_address_has_a_limit_of_its_own(guess):
    assert guess(password=PASSWORD, address="198.51.100.7").status_code == 200
    assert [guess(address="198.51.100.7").status_code for _ in range(11)] == [401] * 10 + [429]
    assert guess(password=PASSWORD, address="192.0.2.1").status_code == 200


def test_successful_logins_are_no_attempts(guess):
    assert {guess(password=PASSWORD).status_code for _ in range(30)} == {200}


def test_an_account_of_ones_own_does_not_reset_the_count_by_address(make_api):
    client = make_api(ratelimit_login_address="5 per hour").test_client()

    def guess(name, password):
        return client.post("/auth/login", json={"username": name, "password": password}).status_code

    for n in range(4):
        assert guess(f"victim{n}", "wrong") == 401
        assert guess("alice", PASSWORD) == 200
    assert guess("victim8", "wrong") == 401
    assert guess("victim9", "wrong") == 429
    assert guess("alice", PASSWORD) == 429


def test_all_places_that_check_a_password_share_one_count(client, log_in, bearer):
    headers = bearer(log_in(client).json["access_token"])
    for _ in range(4):
        assert client.post("/auth/confirm", json={"password": "wrong"}, headers=headers).status_code == 401
        body = {"old_password": "wrong", "new_password": "another good long password"}
        assert client.post("/auth/password", json=body, headers=headers).status_code == 401
    for _ in range(2):
        assert client.post("/auth/login", json={"username": "alice", "password": "wrong"}).status_code == 401
    for path, body in (
        ("/auth/confirm", {"password": PASSWORD}),
        ("/auth/password", {"old_password": PASSWORD, "new_password": "another good long password"}),
        ("/auth/login", {"username": "alice", "password": PASSWORD}),
    ):
        assert client.post(path, json=body, headers=headers).status_code == 429


def test_a_body_that_is_no_login_is_no_attempt(client):
    for _ in range(15):
        assert client.post("/auth/login", json={"username": "alice"}).status_code == 422
    assert client.post("/auth/login", json={"username": "alice", "password": PASSWORD}).status_code == 200


def test_it_can_be_switched_off(make_api):
    client = make_api(ratelimit_enabled=False).test_client()
    body = {"username": "alice", "password": "wrong"}
    assert {client.post("/auth/login", json=body).status_code for _ in range(30)} == {401}


def test_the_right_password_of_who_is_not_verified_is_counted_like_a_wrong_one(make_api, mailbox):
    client = make_api(mailer=mailbox, require_verified=True).test_client()

    def guess(password):
        body = {"username": "alice", "password": password}
        return client.post("/auth/login", json=body).status_code

    assert [guess(PASSWORD) for _ in range(5)] == [403] * 5
    assert [guess("wrong") for _ in range(5)] == [401] * 5
    assert [guess(PASSWORD), guess("wrong")] == [429, 429]


@pytest.mark.parametrize(("path", "name"), [("/auth/confirm", "password"), ("/auth/password", "old_password")])
def test_a_session_has_so_many_tries_from_wherever(make_api, log_in, bearer, path, name):
    client = make_api(ratelimit_login_address="1000 per hour").test_client()
    first, second = (bearer(log_in(client).json["access_token"]) for _ in range(2))
    more = {} if name == "password" else {"new_password": "another good long password"}

    def guess(headers, address, password="wrong"):
        body = {name: password, **more}
        return client.post(
            path, json=body, headers=headers, environ_overrides={"REMOTE_ADDR": address}
        ).status_code

    # From two addresses, which count apart: one of them is known.
    statuses = [guess(first, address) for _ in range(5) for address in ("127.0.0.1", "192.0.2.1")]
    assert statuses == [401] * 10
    assert guess(first, "127.0.0.1", PASSWORD) == 429
    assert guess(second, "127.0.0.1", PASSWORD) in {200, 204}


def test_an_address_that_is_not_verified_counts_as_a_name_that_nobody_has(make_api, mailbox):
    client = make_api(mailer=mailbox, require_verified=True).test_client()
    statuses = [
        client.post("/auth/login", json={"username": name, "password": PASSWORD}).status_code
        for name in ["alice@example.com"] * 11 + ["nobody@example.com"] * 11 + ["alice"]
    ]
    assert statuses == ([401] * 10 + [429]) * 2 + [403]
