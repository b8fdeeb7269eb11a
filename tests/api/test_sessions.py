"""GET and DELETE /sessions, POST /logout-all, POST /confirm, and cookies that slide."""

from datetime import timedelta

import pytest
from flask import Response, request

from flask_permjwt import current_principal, requires_login, requires_permissions

CSRF = "X-CSRF-TOKEN"
HTTPS = {"base_url": "https://localhost"}
PASSWORD = "correct horse battery staple"


@pytest.fixture
def call(client, bearer):
    def call(method, path, token, **options):
        return client.open(path, method=method, headers=bearer(token), **options)

    return call


@pytest.fixture
def admin(api):
    with api.app_context():
        permjwt = api.extensions["test_permjwt"]
        permjwt.users.create("boss", PASSWORD, permissions=["permjwt:sessions:manage"])
        permjwt.users.commit()
    body = {"username": "boss", "password": PASSWORD}
    return api.test_client().post("/auth/login", json=body).json["access_token"]


def ids(answer):
    assert answer.status_code == 200, answer.json
    return [one["id"] for one in answer.json["sessions"]]


def test_ones_own_sessions_are_listed_and_the_current_one_is_marked(client, clock, log_in, call):
    first = log_in(client, headers={"User-Agent": "phone"}).json["access_token"]
    clock.advance(60)
    second = log_in(client, headers={"User-Agent": "laptop"}).json["access_token"]
    answer = call("GET", "/auth/sessions", second)
    assert [one["user_agent"] for one in answer.json["sessions"]] == ["laptop", "phone"]
    assert [one["current"] for one in answer.json["sessions"]] == [True, False]
    assert answer.json["sessions"][1] == {
        "id": call("GET", "/auth/sessions", first).json["sessions"][1]["id"],
        "created_at": "2027-01-15T08:00:00Z",
        "authenticated_at": "2027-01-15T08:00:00Z",
        "last_used_at": "2027-01-15T08:00:00Z",
        "expires_at": "2027-02-14T08:00:00Z",
        "opened_by": "password",
        "user_agent": "phone",
        "address": "127.0.0.1",
        "current": False,
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_session_that_is_deleted_is_over_and_no_other(client, log_in, call, bearer):
    first, second = log_in(client).json, log_in(client).json
    mine, other = ids(call("GET", "/auth/sessions", second["access_token"]))
    if not call("GET", "/auth/sessions", second["access_token"]).json["sessions"][0]["current"]:
        mine, other = other, mine
    assert call("DELETE", f"/auth/sessions/{other}", second["access_token"]).status_code == 204
    assert client.post("/auth/refresh", headers=bearer(first["refresh_token"])).status_code == 401
    assert client.post("/auth/refresh", headers=bearer(second["refresh_token"])).status_code == 200
    assert call("DELETE", f"/auth/sessions/{mine}", second["access_token"]).status_code == 204
    # Its token is still young, but its session is over: it may end no others.
    answer = call("GET", "/auth/sessions", second["access_token"])
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


@pytest.mark.parametrize("session_id", ["0" * 32, "x", "%00", "é", "a" * 5000, "' OR 1=1 --"])
def test_a_session_that_is_not_there_is_404(client, log_in, call, session_id):
    answer = call("DELETE", f"/auth/sessions/{session_id}", log_in(client).json["access_token"])
    assert (answer.status_code, answer.json["error"]) == (404, "unknown_session")


def test_somebody_elses_session_looks_like_none(api, client, log_in, call, admin):
    mine = log_in(client).json
    (boss,) = ids(call("GET", "/auth/sessions", admin))
    answer = call("DELETE", f"/auth/sessions/{boss}", mine["access_token"])
    assert (answer.status_code, answer.json["error"]) == (404, "unknown_session")
    assert ids(call("GET", "/auth/sessions", admin)) == [boss]


def test_only_an_administrator_lists_and_ends_other_peoples_sessions(client, log_in, call, bearer, admin):
    alice = log_in(client).json
    for refused in (
        call("GET", "/auth/sessions?user=boss", alice["access_token"]),
        call("POST", "/auth/logout-all", alice["access_token"], json={"user": "boss"}),
    ):
        assert (refused.status_code, refused.json["error"]) == (403, "insufficient_scope")
        assert "permjwt:sessions:manage" in refused.headers["WWW-Authenticate"]
    me = client.get("/auth/me", headers=bearer(alice["access_token"])).json
    for name in ("alice", "alice@example.com", me["id"]):
        (found,) = ids(call("GET", f"/auth/sessions?user={name}", admin))
    assert call("GET", "/auth/sessions?user=nobody", admin).status_code == 404
    assert call("DELETE", f"/auth/sessions/{found}", admin).status_code == 204
    assert client.post("/auth/refresh", headers=bearer(alice["refresh_token"])).status_code == 401
    again = log_in(client).json
    assert call("POST", "/auth/logout-all", admin, json={"user": "alice"}).status_code == 204
    assert client.post("/auth/refresh", headers=bearer(again["refresh_token"])).status_code == 401
    assert len(ids(call("GET", "/auth/sessions", admin))) == 1


def test_logging_out_everywhere_ends_all_sessions(client, log_in, call, bearer):
    tokens = [log_in(client).json for _ in range(3)]
    assert call("POST", "/auth/logout-all", tokens[0]["access_token"]).status_code == 204
    for one in tokens:
        assert client.post("/auth/refresh", headers=bearer(one["refresh_token"])).status_code == 401
    # The count on the user rose: whatever loads the user refuses the tokens too.
    assert call("GET", "/auth/me", tokens[1]["access_token"]).status_code == 401


def test_logging_out_everywhere_can_keep_the_current_session(client, log_in, call, bearer):
    tokens = [log_in(client).json for _ in range(3)]
    answer = call("POST", "/auth/logout-all", tokens[0]["access_token"], json={"keep_current": True})
    assert answer.status_code == 204
    assert "Set-Cookie" not in answer.headers
    statuses = [client.post("/auth/refresh", headers=bearer(one["refresh_token"])).status_code for one in tokens]
    assert statuses == [200, 401, 401]
    assert call("GET", "/auth/me", tokens[0]["access_token"]).status_code == 200


@pytest.mark.parametrize("body", [{"keep_current": "yes"}, {"keep_current": 1}, {"keep": True}, [], {"user": ""}])
def test_a_body_of_logout_all_that_does_not_fit_ends_nothing(client, log_in, call, bearer, body):
    tokens = log_in(client).json
    assert call("POST", "/auth/logout-all", tokens["access_token"], json=body).status_code == 422
    assert client.post("/auth/refresh", headers=bearer(tokens["refresh_token"])).status_code == 200


def test_a_logout_from_everywhere_by_cookie_needs_csrf_and_clears_the_cookies(client, log_in, cookies):
    found = cookies(log_in(client, "cookie", **HTTPS))
    assert client.post("/auth/logout-all", **HTTPS).json["error"] == "csrf_failed"
    answer = client.post("/auth/logout-all", headers={CSRF: found["csrf_access_token"]["value"]}, **HTTPS)
    assert answer.status_code == 204
    assert {name: one["Path"] for name, one in cookies(answer).items()} == {
        name: one["Path"] for name, one in found.items()
    }
    assert {one["Max-Age"] for one in cookies(answer).values()} == {"0"}


def test_ending_the_current_session_by_its_id_clears_the_cookies_where_they_were_set(client, log_in, cookies):
    found = cookies(log_in(client, "cookie", **HTTPS))
    (mine,) = ids(client.get("/auth/sessions", **HTTPS))
    headers = {CSRF: found["csrf_access_token"]["value"]}
    answer = client.delete(f"/auth/sessions/{mine}", headers=headers, **HTTPS)
    assert {name: one["Path"] for name, one in cookies(answer).items()} == {
        name: one["Path"] for name, one in found.items()
    }


# Step-up


@pytest.fixture
def step_up(api):
    @api.get("/fresh")
    @requires_login(fresh=timedelta(minutes=5))
    def fresh():
        return {}

    @api.route("/money", methods=["GET", "POST"])
    @requires_permissions("reports:read")
    @requires_permissions("reports:read", fresh=60, methods=["POST"])
    def money():
        return {}

    @api.get("/admin")
    @requires_permissions("reports:delete", fresh=60)
    def admin():
        return {}

    return api.test_client()


def test_a_fresh_view_asks_for_recent_authentication(step_up, clock, log_in, bearer):
    token = log_in(step_up).json["access_token"]
    clock.advance(300)
    assert step_up.get("/fresh", headers=bearer(token)).status_code == 200
    clock.advance(1)
    answer = step_up.get("/fresh", headers=bearer(token))
    assert answer.status_code == 401
    assert answer.json["error"] == "insufficient_user_authentication"
    assert answer.json["max_age"] == 300
    challenge = answer.headers["WWW-Authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert 'max_age="300"' in challenge


def test_freshness_belongs_to_the_method_and_comes_after_the_permission(step_up, clock, log_in, bearer):
    token = log_in(step_up).json["access_token"]
    clock.advance(61)
    assert step_up.get("/money", headers=bearer(token)).status_code == 200
    assert step_up.post("/money", headers=bearer(token)).json["max_age"] == 60
    assert step_up.get("/admin", headers=bearer(token)).status_code == 403
    assert step_up.get("/fresh").json["error"] == "invalid_token"


def test_a_refresh_makes_nothing_fresh(step_up, clock, log_in, bearer):
    tokens = log_in(step_up).json
    clock.advance(301)
    token = step_up.post("/auth/refresh", headers=bearer(tokens["refresh_token"])).json["access_token"]
    assert step_up.get("/fresh", headers=bearer(token)).status_code == 401


def test_a_confirmation_gives_a_fresh_token_in_the_way_it_came(step_up, clock, log_in, bearer):
    tokens = log_in(step_up).json
    clock.advance(301)
    headers = bearer(tokens["access_token"])
    answer = step_up.post("/auth/confirm", json={"password": PASSWORD}, headers=headers)
    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in"}
    assert answer.headers["Cache-Control"] == "no-store"
    fresh = answer.json["access_token"]
    assert step_up.get("/fresh", headers=bearer(fresh)).status_code == 200
    assert step_up.get("/fresh", headers=headers).status_code == 401
    # The session is fresh: a refresh says so too.
    token = step_up.post("/auth/refresh", headers=bearer(tokens["refresh_token"])).json["access_token"]
    assert step_up.get("/fresh", headers=bearer(token)).status_code == 200


def test_a_confirmation_by_cookie_sets_cookies_and_shows_no_token(step_up, clock, log_in, cookies):
    found = cookies(log_in(step_up, "cookie", **HTTPS))
    clock.advance(301)
    assert step_up.get("/fresh", **HTTPS).status_code == 401
    body = {"password": PASSWORD}
    assert step_up.post("/auth/confirm", json=body, **HTTPS).json["error"] == "csrf_failed"
    headers = {CSRF: found["csrf_access_token"]["value"]}
    answer = step_up.post("/auth/confirm", json=body, headers=headers, **HTTPS)
    assert answer.json == {"token_type": "Bearer", "expires_in": 900}
    assert set(cookies(answer)) == {"access_token", "csrf_access_token"}
    assert step_up.get("/fresh", **HTTPS).status_code == 200


def test_a_confirmation_by_a_token_that_was_narrowed_alone_gives_one_as_narrow(api, step_up, log_in, bearer):
    with api.app_context():
        users = api.extensions["test_permjwt"].users
        users.grant(users.find("alice"), "admin:all")
        api.extensions["sqlalchemy"].session.commit()
    form = {"grant_type": "refresh_token", "refresh_token": log_in(step_up).json["refresh_token"]}
    narrow = step_up.post("/auth/token", data={**form, "scope": "reports:read"}).json
    headers = bearer(narrow["access_token"])
    fresh = step_up.post("/auth/confirm", json={"password": PASSWORD}, headers=headers).json["access_token"]
    assert step_up.get("/fresh", headers=bearer(fresh)).status_code == 200
    assert step_up.get("/auth/me", headers=bearer(fresh)).json["permissions"] == ["reports:read"]


def test_a_confirmation_with_a_wrong_password_confirms_nothing(step_up, clock, log_in, bearer):
    headers = bearer(log_in(step_up).json["access_token"])
    clock.advance(301)
    answer = step_up.post("/auth/confirm", json={"password": "wrong"}, headers=headers)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_credentials")
    assert step_up.get("/fresh", headers=headers).status_code == 401


def test_an_ended_session_cannot_be_confirmed(step_up, log_in, bearer):
    headers = bearer(log_in(step_up).json["access_token"])
    assert step_up.post("/auth/logout", headers=headers).status_code == 204
    answer = step_up.post("/auth/confirm", json={"password": PASSWORD}, headers=headers)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


# Sliding cookies


@pytest.fixture
def sliding(make_api):
    api = make_api(cookie_sliding=True, refresh_token_expires=3600)

    @api.get("/mine")
    @requires_login
    def mine():
        return {}

    @api.get("/half-done")
    def half_done():
        api.extensions["test_permjwt"].users.create("half-done")
        return {"you": current_principal.subject}

    @api.get("/revoke-mine")
    @requires_login
    def revoke_mine():
        api.extensions["test_permjwt"].revocations.revoke_token(request.cookies["access_token"])
        api.extensions["sqlalchemy"].session.commit()
        return {}

    return api


@pytest.fixture
def browser(sliding, log_in, cookies):
    client = sliding.test_client()
    client.values = {name: one["value"] for name, one in cookies(log_in(client, "cookie", **HTTPS)).items()}
    return client


def test_an_access_cookie_past_half_its_life_is_renewed_in_the_response(browser, clock, cookies):
    clock.advance(449)
    assert "Set-Cookie" not in browser.get("/reports", **HTTPS).headers
    clock.advance(2)
    answer = browser.get("/reports", **HTTPS)
    found = cookies(answer)
    assert set(found) == {"access_token", "csrf_access_token"}
    assert (found["access_token"]["Max-Age"], found["access_token"]["Path"]) == ("900", "/")
    assert "HttpOnly" in found["access_token"]
    assert answer.headers["Cache-Control"] == "no-store"
    clock.advance(700)
    assert browser.get("/reports", **HTTPS).status_code == 200


def test_the_csrf_value_stays_good_while_the_cookie_slides(browser, clock, cookies):
    clock.advance(451)
    csrf = browser.values["csrf_access_token"]
    assert cookies(browser.get("/reports", **HTTPS))["csrf_access_token"]["value"] == csrf
    assert browser.post("/reports", headers={CSRF: csrf}, **HTTPS).status_code == 200


def test_sliding_never_passes_the_absolute_end_of_the_session(browser, clock, cookies):
    end = clock.now + 3600
    while clock.now < end - 1:
        clock.advance(min(500, end - 1 - clock.now))
        answer = browser.get("/reports", **HTTPS)
        assert answer.status_code == 200
        for one in cookies(answer).values():
            assert clock.now + int(one["Max-Age"]) <= end
    clock.advance(1)
    assert browser.get("/reports", **HTTPS).status_code == 401


def test_a_token_in_the_header_never_slides(sliding, clock, log_in, bearer):
    client = sliding.test_client()
    token = log_in(client).json["access_token"]
    clock.advance(800)
    assert "Set-Cookie" not in client.get("/reports", headers=bearer(token)).headers


def test_a_token_that_was_narrowed_alone_stays_so_when_it_slides(sliding, clock, cookies):
    users = sliding.extensions["test_permjwt"].users
    with sliding.app_context():
        users.grant(users.find("alice"), "admin:all")
        sliding.extensions["sqlalchemy"].session.commit()
    client = sliding.test_client()
    form = {"grant_type": "password", "username": "alice", "password": PASSWORD}
    wide = client.post("/auth/token", data=form).json
    assert wide["scope"] == "admin:all reports:read"
    form = {"grant_type": "refresh_token", "refresh_token": wide["refresh_token"], "scope": "reports:read"}
    narrow = client.post("/auth/token", data=form).json
    client.set_cookie("access_token", narrow["access_token"], secure=True)
    clock.advance(451)
    assert "access_token" in cookies(client.get("/reports", **HTTPS))
    assert client.get("/auth/me", **HTTPS).json["permissions"] == ["reports:read"]


def test_without_the_setting_nothing_slides(client, clock, log_in):
    log_in(client, "cookie", **HTTPS)
    clock.advance(800)
    assert "Set-Cookie" not in client.get("/reports", **HTTPS).headers


def test_an_ended_session_is_never_renewed(sliding, browser, clock):
    clock.advance(451)
    with sliding.app_context():
        state = sliding.extensions["permjwt"]
        with state.accounts.transaction():
            state.accounts.log_out_everywhere(state.store.find("alice").public_id, keep="somebody else's")
    assert "Set-Cookie" not in browser.get("/reports", **HTTPS).headers


@pytest.mark.parametrize("change", ["disable", "void", "delete"])
def test_a_user_who_may_not_go_on_is_not_renewed(sliding, browser, clock, change):
    clock.advance(451)
    with sliding.app_context():
        users = sliding.extensions["test_permjwt"].users
        alice = users.find("alice")
        if change == "delete":
            users.delete(alice)
        elif change == "disable":
            users.set_active(alice, False)
        else:
            users.set_password(alice, "another password")
        users.commit()
    assert "Set-Cookie" not in browser.get("/reports", **HTTPS).headers


def test_rights_are_read_again_when_a_cookie_is_renewed(sliding, browser, clock):
    with sliding.app_context():
        users = sliding.extensions["test_permjwt"].users
        users.revoke(users.find("alice"), "reports:read")
        users.grant(users.find("alice"), "reports:write")
        users.commit()
    clock.advance(451)
    browser.get("/reports", **HTTPS)
    assert browser.get("/auth/me", **HTTPS).json["permissions"] == ["reports:write"]
    assert browser.get("/reports", **HTTPS).status_code == 403


def test_logging_out_is_not_undone_by_the_renewal_in_its_own_response(browser, clock, cookies):
    clock.advance(451)
    answer = browser.post("/auth/logout", headers={CSRF: browser.values["csrf_access_token"]}, **HTTPS)
    assert {one["Max-Age"] for one in cookies(answer).values()} == {"0"}
    assert browser.get("/auth/me", **HTTPS).status_code == 401


def test_a_renewal_commits_nothing_of_the_apps_own_work(sliding, browser, clock):
    users = sliding.extensions["test_permjwt"].users
    clock.advance(451)
    assert browser.get("/half-done", **HTTPS).status_code == 200
    with sliding.app_context():
        assert users.find("half-done") is None
    assert "Set-Cookie" in browser.get("/reports", **HTTPS).headers


def test_a_database_that_is_gone_costs_the_renewal_and_not_the_request(sliding, browser, clock, caplog):
    clock.advance(451)
    with sliding.app_context():
        sliding.extensions["sqlalchemy"].engine.dispose()
        sliding.extensions["sqlalchemy"].drop_all()
    answer = browser.get("/mine", **HTTPS)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "a cookie was not renewed" in caplog.text


def test_a_token_that_was_revoked_during_its_request_is_not_renewed(sliding, browser, clock):
    clock.advance(451)
    answer = browser.get("/revoke-mine", **HTTPS)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert browser.get("/mine", **HTTPS).status_code == 401


def test_rights_that_have_grown_too_large_cost_the_renewal_and_not_the_request(make_api, clock, log_in, caplog):
    api = make_api(cookie_sliding=True, permissions_in_token=True)
    client = api.test_client()
    log_in(client, "cookie", **HTTPS)
    with api.app_context():
        users = api.extensions["test_permjwt"].users
        users.grant(users.find("alice"), *(f"a-rather-long-permission-{number}:read" for number in range(200)))
        users.commit()
    clock.advance(451)
    answer = client.get("/reports", **HTTPS)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "a cookie was not renewed" in caplog.text


def test_a_user_store_that_fails_costs_the_renewal_and_not_the_request(
    sliding, browser, clock, caplog, monkeypatch
):
    def fails(*_):
        raise RuntimeError("with a secret in it")

    clock.advance(451)
    monkeypatch.setattr("flask_permjwt.accounts.sql_store.SQLUserStore.rights", fails)
    answer = browser.get("/mine", **HTTPS)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "a cookie was not renewed" in caplog.text
    assert "secret" not in caplog.text


def test_logging_out_by_header_leaves_a_session_in_cookies_alone(sliding, browser, log_in, bearer):
    other = log_in(sliding.test_client()).json["access_token"]
    answer = browser.post("/auth/logout", headers=bearer(other), **HTTPS)
    assert answer.status_code == 204
    assert "Set-Cookie" not in answer.headers
    assert browser.get("/mine", **HTTPS).status_code == 200


def test_a_renewed_cookie_goes_to_nobody_else_whose_view_gives_the_same_response(make_api, clock, log_in, cookies):
    api = make_api(cookie_sliding=True)
    shared = Response("the same for all")

    @api.get("/shared")
    def everybody():
        bool(current_principal)
        return shared

    browser = api.test_client()
    log_in(browser, "cookie", **HTTPS)
    clock.advance(500)
    answer = browser.get("/shared", **HTTPS)
    assert "access_token" in cookies(answer)
    assert (answer.text, answer.headers["Cache-Control"]) == ("the same for all", "no-store")
    stranger = api.test_client().get("/shared", **HTTPS)
    assert cookies(stranger) == {}
    assert (stranger.text, stranger.headers.get("Cache-Control")) == ("the same for all", None)
