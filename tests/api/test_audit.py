"""What requests leave in the audit table."""

import pytest


@pytest.fixture
def told(api):
    def read():
        with api.app_context():
            found = api.extensions["permjwt"].recorder.read()
            api.extensions["sqlalchemy"].session.remove()
        return [entry for entry in found if entry.event not in {"user_created", "permissions_changed"}]

    return read


def test_a_login_says_from_where(client, log_in, told):
    log_in(client, headers={"User-Agent": "phone"}, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    (entry,) = told()
    assert (entry.event, entry.address, entry.user_agent) == ("logged_in", "192.0.2.7", "phone")


def test_a_refusal_of_a_known_user_is_a_row_and_of_nobody_a_count(api, client, log_in, bearer, told):
    headers = bearer(log_in(client).json["access_token"])
    for _ in range(3):
        assert client.get("/auth/sessions?user=x", headers=headers).status_code == 403
        assert client.get("/reports").status_code == 401
        assert client.get("/reports", headers=bearer("forged")).status_code == 401
    login, refusal = told()
    assert refusal.event == "access_denied"
    assert refusal.subject == refusal.actor == login.subject
    assert refusal.detail["missing"] == ["permjwt:sessions:manage"]
    assert refusal.detail["endpoint"] == "permjwt_auth.sessions"
    assert api.extensions["permjwt"].recorder.anonymous_denials == 6


def test_an_administrator_is_named_as_the_one_who_did_it(api, client, log_in, bearer, told):
    log_in(client)
    with api.app_context():
        permjwt = api.extensions["test_permjwt"]
        boss = permjwt.users.create(
            "boss", "correct horse battery staple", permissions=["permjwt:sessions:manage"]
        )
        permjwt.users.commit()
        boss_id = boss.public_id
    body = {"username": "boss", "password": "correct horse battery staple"}
    headers = bearer(client.post("/auth/login", json=body).json["access_token"])
    client.post("/auth/logout-all", json={"user": "alice"}, headers=headers)
    entry = told()[-1]
    assert (entry.event, entry.actor, entry.detail["count"]) == ("sessions_ended", boss_id, 1)
    assert entry.subject != boss_id


def test_a_failed_login_is_written_although_it_is_refused(client, told):
    client.post("/auth/login", json={"username": "alice", "password": "wrong"})
    client.post("/auth/login", json={"username": "hunter2 hunter2", "password": "wrong"})
    assert [(entry.event, entry.detail["reason"]) for entry in told()] == [
        ("login_failed", "wrong password"),
        ("login_failed", "unknown user"),
    ]
    assert "hunter2" not in str(told())


def test_a_refusal_for_an_address_not_verified_is_written(make_api, mailbox):
    api = make_api(registration=True, require_verified=True, mailer=mailbox)
    client = api.test_client()
    body = {"username": "bob", "password": "correct horse battery staple"}
    client.post("/auth/register", json={**body, "email": "bob@example.com"})
    assert client.post("/auth/login", json=body).status_code == 403
    with api.app_context():
        last = api.extensions["permjwt"].recorder.read()[-1]
    assert (last.event, last.detail["reason"]) == ("login_failed", "not verified")


def test_attempts_beyond_the_limit_are_not_written(client, told):
    for _ in range(15):
        client.post("/auth/login", json={"username": "alice", "password": "wrong"})
    assert len(told()) == 10


def test_it_can_be_switched_off(make_api, log_in):
    api = make_api(audit=False)
    log_in(api.test_client())
    with api.app_context():
        events = {entry.event for entry in api.extensions["permjwt"].recorder.read()}
    # What was done outside a request of the app, in its context, follows its setting too.
    assert events == set()
