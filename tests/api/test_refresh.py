"""POST /refresh and POST /logout."""

import secrets

import pytest


@pytest.fixture
def tokens(client, log_in):
    return log_in(client).json


def refresh(client, token, how, bearer):
    if how == "header":
        return client.post("/auth/refresh", headers=bearer(token))
    return client.post("/auth/refresh", json={"refresh_token": token})


@pytest.mark.parametrize("how", ["header", "json"])
def test_a_refresh_token_gives_new_tokens_in_the_way_it_came(client, clock, tokens, bearer, how):
    clock.advance(1000)
    assert client.get("/reports", headers=bearer(tokens["access_token"])).status_code == 401
    answer = refresh(client, tokens["refresh_token"], how, bearer)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["refresh_token"] != tokens["refresh_token"]
    assert client.get("/reports", headers=bearer(answer.json["access_token"])).status_code == 200


def test_an_access_token_is_never_accepted_for_a_refresh(client, tokens, bearer):
    for how in ("header", "json"):
        assert refresh(client, tokens["access_token"], how, bearer).status_code == 401


def test_a_refresh_token_is_never_accepted_as_an_access_token(client, tokens, bearer):
    answer = client.get("/reports", headers=bearer(tokens["refresh_token"]))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


def test_within_the_grace_the_same_successor_is_given_again(client, clock, tokens, bearer):
    first = refresh(client, tokens["refresh_token"], "json", bearer)
    clock.advance(9)
    second = refresh(client, tokens["refresh_token"], "json", bearer)
    assert second.status_code == 200
    assert second.json["refresh_token"] == first.json["refresh_token"]


def test_reuse_after_the_grace_ends_the_session_and_no_other(client, clock, log_in, tokens, bearer):
    other = log_in(client).json
    successor = refresh(client, tokens["refresh_token"], "json", bearer).json
    clock.advance(11)
    assert refresh(client, tokens["refresh_token"], "json", bearer).status_code == 401
    assert refresh(client, successor["refresh_token"], "json", bearer).status_code == 401
    assert refresh(client, other["refresh_token"], "json", bearer).status_code == 200


def test_without_a_grace_the_first_reuse_ends_the_session(make_api, log_in, bearer):
    client = make_api(refresh_grace=0).test_client()
    tokens = log_in(client).json
    successor = refresh(client, tokens["refresh_token"], "json", bearer).json
    assert refresh(client, tokens["refresh_token"], "json", bearer).status_code == 401
    assert refresh(client, successor["refresh_token"], "json", bearer).status_code == 401


def test_a_session_ends_absolutely_however_often_it_is_refreshed(make_api, clock, log_in, bearer):
    client = make_api(refresh_token_expires=3600).test_client()
    token = log_in(client).json["refresh_token"]
    for _ in range(5):
        clock.advance(700)
        answer = refresh(client, token, "json", bearer)
        assert answer.status_code == 200
        token = answer.json["refresh_token"]
    assert answer.json["expires_in"] == 100
    clock.advance(100)
    assert refresh(client, token, "json", bearer).status_code == 401


def test_rights_are_read_again_at_refresh_never_copied(api, client, tokens, bearer):
    users = api.extensions["test_permjwt"].users
    with api.app_context():
        users.revoke(users.find("alice"), "reports:read")
        api.extensions["sqlalchemy"].session.commit()
    answer = refresh(client, tokens["refresh_token"], "json", bearer)
    assert client.get("/reports", headers=bearer(answer.json["access_token"])).status_code == 403


@pytest.mark.parametrize("change", ["disable", "password", "delete", "delete and create again"])
def test_disabling_deleting_or_a_new_password_stop_refresh_at_once(api, client, tokens, bearer, change):
    users = api.extensions["test_permjwt"].users
    with api.app_context():
        alice = users.find("alice")
        if change == "disable":
            users.set_active(alice, False)
        elif change == "password":
            users.set_password(alice, "another password")
        else:
            users.delete(alice)
            if change.endswith("again"):
                users.create("alice", "another password")
        api.extensions["sqlalchemy"].session.commit()
    assert refresh(client, tokens["refresh_token"], "json", bearer).status_code == 401


@pytest.mark.parametrize("how", ["access header", "refresh header", "refresh json"])
def test_logout_ends_the_session_whichever_token_comes(client, tokens, bearer, how):
    if how == "refresh json":
        answer = client.post("/auth/logout", json={"refresh_token": tokens["refresh_token"]})
    else:
        name = "access_token" if how == "access header" else "refresh_token"
        answer = client.post("/auth/logout", headers=bearer(tokens[name]))
    assert (answer.status_code, answer.data) == (204, b"")
    assert refresh(client, tokens["refresh_token"], "json", bearer).status_code == 401
    again = client.post("/auth/logout", json={"refresh_token": tokens["refresh_token"]})
    assert again.status_code == 204


def test_an_access_token_in_the_body_is_refused(client, tokens):
    assert client.post("/auth/logout", json={"refresh_token": tokens["access_token"]}).status_code == 401


@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout"])
def test_what_is_wrong_with_the_credentials_is_said(client, tokens, bearer, path):
    token = tokens["refresh_token"]
    assert client.post(path).status_code == 401
    assert "error=" not in client.post(path).headers["WWW-Authenticate"]
    assert client.post(path, headers=bearer("nonsense")).status_code == 401
    assert client.post(path, headers=bearer("two words")).status_code == 400
    assert client.post(path, json={"refresh_token": "nonsense"}).status_code == 401
    assert client.post(path, json={"refresh_token": token, "x": 1}).status_code == 422
    assert client.post(path, json=[]).status_code == 422
    assert client.post(path, data=b"{", content_type="application/json").status_code == 400
    assert client.post(path, data={"refresh_token": token}).status_code == 415
    both = client.post(path, json={"refresh_token": token}, headers=bearer(token))
    assert (both.status_code, both.json["error"]) == (400, "invalid_request")
    assert client.post(f"{path}?refresh_token={token}").status_code == 401


def test_nothing_from_which_a_token_could_be_made_is_at_rest(api, client, tokens):
    refresh(client, tokens["refresh_token"], "json", None)
    permjwt = api.extensions["test_permjwt"]
    with api.app_context():
        row = permjwt._shared.db.session.query(permjwt.models.session).one()
        kept = " ".join(str(getattr(row, column.key)) for column in row.__table__.columns)
    for token in tokens.values():
        assert str(token).split(".")[-1] not in kept or not isinstance(token, str) or token == "Bearer"


def test_a_session_says_where_it_came_from(api, client, log_in):
    log_in(client, headers={"User-Agent": "Browser \x80" + "x" * 300})
    permjwt = api.extensions["test_permjwt"]
    with api.app_context():
        row = permjwt._shared.db.session.query(permjwt.models.session).one()
        assert (row.opened_by, row.address) == ("password", "127.0.0.1")
        assert row.user_agent.startswith("Browser")
        assert len(row.user_agent) == 255


def test_an_empty_object_is_no_token_and_hides_none(client, log_in, tokens, bearer):
    assert client.post("/auth/refresh", json={}).status_code == 401
    assert client.post("/auth/refresh", json={}, headers=bearer(tokens["refresh_token"])).status_code == 200
    log_in(client, "cookie", base_url="https://localhost")
    headers = {"X-CSRF-TOKEN": client.get_cookie("csrf_refresh_token").value}
    answer = client.post("/auth/refresh", json={}, headers=headers, base_url="https://localhost")
    assert answer.status_code == 200


def test_where_tokens_go_into_cookies_only_none_is_given_in_a_body(make_api, log_in):
    client = make_api(token_locations=["cookies"]).test_client()
    client.post("/auth/login", json={"username": "alice", "password": "correct horse battery staple"})
    token = (
        client.get_cookie("refresh_token", path="/auth")
        or client._cookies[("localhost", "/auth", "refresh_token")]
    )
    answer = client.post("/auth/refresh", json={"refresh_token": token.value})
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert client.post("/auth/logout", json={"refresh_token": token.value}).status_code == 204


def test_a_request_without_any_token_is_told_where_one_may_stand(client):
    assert client.post("/auth/refresh").json["error_description"].startswith("A token is needed")


def test_a_replay_by_cookie_gives_the_same_refresh_cookie_again(api, clock, log_in, cookies):
    https = {"base_url": "https://localhost"}
    client = api.test_client()
    first = cookies(log_in(client, "cookie", **https))
    headers = {"X-CSRF-TOKEN": first["csrf_refresh_token"]["value"]}
    once = cookies(client.post("/auth/refresh", headers=headers, **https))
    clock.advance(5)
    # The answer was lost: the browser still has the old cookie.
    client.set_cookie("refresh_token", first["refresh_token"]["value"], path="/auth", domain="localhost")
    answer = client.post("/auth/refresh", headers=headers, **https)
    assert answer.status_code == 200
    again = cookies(answer)
    assert set(again) == {"access_token", "csrf_access_token", "refresh_token", "csrf_refresh_token"}
    assert again["refresh_token"]["value"] == once["refresh_token"]["value"] != first["refresh_token"]["value"]


def test_logging_in_removes_what_expired_a_bite_at_a_time(api, client, clock, log_in):
    state, permjwt = api.extensions["permjwt"], api.extensions["test_permjwt"]
    db = api.extensions["sqlalchemy"]

    def kept():
        with api.app_context():
            return db.session.query(permjwt.models.session).count()

    for _ in range(5):
        log_in(client)
    clock.advance(31 * 24 * 3600)
    assert kept() == 5
    log_in(client)
    assert kept() == 1
    with api.app_context():
        state.housekeeping.prune()
    assert kept() == 1


@pytest.mark.redis
def test_workers_share_one_count_of_attempts_in_redis(make_api, redis_url):
    clients = [make_api(ratelimit_storage_uri=redis_url).test_client() for _ in range(2)]
    body = {"username": f"user{secrets.token_hex(8)}", "password": "wrong"}
    address = {"REMOTE_ADDR": f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"}
    statuses = [
        clients[number % 2].post("/auth/login", json=body, environ_overrides=address).status_code
        for number in range(11)
    ]
    assert statuses == [401] * 10 + [429]
