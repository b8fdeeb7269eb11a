"""POST /introspect (RFC 7662)."""

import pytest

PASSWORD = "correct horse battery staple"
DEAD = {"active": False}


def test_an_access_token_is_told_with_the_claims_of_the_rfc(make_api):
    api = make_api(issuer="https://auth.example.com", audience=["https://api.example.com", "other"])
    token = api.password(scope="reports:read").json["access_token"]
    answer = api.introspect(token)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    subject = api.within(lambda: api.users.find("alice").public_id)
    told = answer.json
    assert len(told.pop("jti")) == 32
    assert told == {
        "active": True,
        "scope": "reports:read",
        "username": "Alice",
        "token_type": "Bearer",
        "iat": 1_800_000_000,
        "exp": 1_800_000_900,
        "sub": subject,
        "aud": ["https://api.example.com", "other"],
        "iss": "https://auth.example.com",
    }


def test_a_clients_token_names_the_client_and_no_user(api):
    told = api.introspect(api.credentials().json["access_token"]).json
    assert told["active"]
    assert (told["client_id"], told["sub"]) == (api.client_id, f"client:{api.client_id}")
    assert told["scope"] == "jobs:* reports:read"
    assert "username" not in told


def test_a_refresh_token_is_told_so_that_nobody_takes_it_for_an_access_token(api):
    told = api.introspect(api.password().json["refresh_token"]).json
    assert told["active"]
    assert told["token_type"] == "N_A"
    assert "scope" not in told


def test_permissions_are_told_as_they_are_now(api):
    token = api.password().json["access_token"]
    api.within(lambda: api.users.revoke(api.users.find("alice"), "jobs:*"))
    assert api.introspect(token).json["scope"] == "reports:read"
    api.within(lambda: api.users.revoke(api.users.find("alice"), "reports:read"))
    assert "scope" not in api.introspect(token).json


@pytest.mark.parametrize(
    "token",
    ["nonsense", "a.b.c", "\0", "\u00e9", "pjwt_" + "x" * 40, "x" * 20000, " ", "....", "e30.e30.e30"],
)
def test_whatever_is_no_token_of_ours_is_not_active(api, token):
    answer = api.introspect(token)
    assert (answer.status_code, answer.json) == (200, DEAD)


@pytest.mark.parametrize("raw", ["token=%ff%fe", "token=%ed%a0%80", b"token=\xff"])
def test_bytes_that_are_no_text_are_not_active_either(api, raw):
    root = api.app.test_client().post("/auth/login", json={"username": "root", "password": PASSWORD}).json
    answer = api.app.test_client().post(
        "/auth/introspect",
        data=raw,
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"Bearer {root['access_token']}"},
    )
    assert (answer.status_code, answer.json) == (200, DEAD)


def kill(api, how, tokens, wait):
    """Make tokens of alice worthless."""
    alice = api.users.find("alice")
    if how == "logged out":
        api.app.test_client().post("/auth/logout", json={"refresh_token": tokens["refresh_token"]})
    elif how == "revoked":
        for token in (tokens["access_token"], tokens["refresh_token"]):
            api.permjwt.revocations.revoke_token(token)
    elif how == "disabled":
        api.users.set_active(alice, False)
    elif how == "deleted":
        api.users.delete(alice)
    elif how == "new password":
        api.users.set_password(alice, "another good password")
    else:
        wait(31 * 24 * 3600)


@pytest.mark.parametrize("how", ["logged out", "revoked", "disabled", "deleted", "new password", "expired"])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_what_is_good_for_nothing_now_is_not_active(api, wait, how, kind):
    tokens = api.password().json
    assert api.introspect(tokens[kind]).json["active"]
    api.within(lambda: kill(api, how, tokens, wait))
    answer = api.introspect(tokens[kind])
    assert (answer.status_code, answer.json) == (200, DEAD)


def test_another_machine_knows_at_once_what_the_database_says(fleet):
    here, there = fleet
    tokens = here.password().json
    assert there.introspect(tokens["access_token"]).json["active"]
    here.app.test_client().post("/auth/logout", json={"refresh_token": tokens["refresh_token"]})
    assert there.introspect(tokens["access_token"]).json == DEAD
    assert there.introspect(tokens["refresh_token"]).json == DEAD


def test_a_refresh_token_that_was_used_up_is_not_active(api):
    first = api.password().json
    second = api.refresh(first["refresh_token"]).json
    assert api.introspect(first["refresh_token"]).json == DEAD
    assert api.introspect(second["refresh_token"]).json["active"]


@pytest.mark.parametrize("how", ["disable", "delete", "rotate"])
def test_a_token_of_a_client_that_is_gone_is_not_active(fleet, how):
    here, there = fleet
    token = here.credentials().json["access_token"]
    assert there.introspect(token).json["active"]
    change = {"disable": lambda one: here.clients.set_active(one, False), "delete": here.clients.delete}
    here.within(lambda: change.get(how, here.clients.rotate_secret)(here.client()))
    assert there.introspect(token).json == DEAD


def test_a_user_without_the_permission_is_refused(api):
    alice = {"Authorization": f"Bearer {api.password().json['access_token']}"}
    answer = api.post("/auth/introspect", headers=alice, token="x")
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
    answer = api.post("/auth/introspect", token="x")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_client_asks_with_its_secret_if_it_may(api):
    token = api.password().json["access_token"]
    basic = (api.client_id, api.secret)
    answer = api.post("/auth/introspect", basic, token=token)
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
    api.within(lambda: api.clients.grant(api.client(), "permjwt:*"))
    assert api.post("/auth/introspect", basic, token=token).json["active"]
    in_body = {"client_id": api.client_id, "client_secret": api.secret}
    assert api.post("/auth/introspect", token=token, **in_body).json["active"]


@pytest.mark.parametrize("in_body", [False, True])
def test_a_client_with_a_wrong_secret_is_unauthorized_in_whatever_way_it_tried(api, in_body):
    named = {"client_id": api.client_id, "client_secret": "wrong"}
    basic, form = (None, named) if in_body else (tuple(named.values()), {})
    answer = api.post("/auth/introspect", basic, token="x", **form)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert answer.headers.getlist("WWW-Authenticate") == ['Basic realm="api"']
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_client_may_ask_with_its_token_too(api):
    api.within(lambda: api.clients.grant(api.client(), "permjwt:introspect"))
    token = api.credentials().json["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert api.post("/auth/introspect", headers=bearer, token=token).json["active"]


@pytest.mark.parametrize("basic", [":", "nobody:"])
def test_nobody_asks_without_a_secret(make_api, basic):
    api = make_api(public_clients=["nobody"])
    answer = api.post("/auth/introspect", basic, token="x")
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


def test_by_cookie_it_needs_the_csrf_value(api):
    browser, https = api.app.test_client(), {"base_url": "https://localhost"}
    browser.post("/auth/login", json={"username": "root", "password": PASSWORD, "delivery": "cookie"}, **https)
    form = {"data": "token=x", "content_type": "application/x-www-form-urlencoded", **https}
    assert browser.post("/auth/introspect", **form).status_code == 401
    value = browser.get_cookie("csrf_access_token").value
    assert browser.post("/auth/introspect", headers={"X-CSRF-TOKEN": value}, **form).json == DEAD


def test_a_request_without_a_token_is_malformed(api):
    answer = api.introspect("")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_where_nobody_can_be_asked_what_was_revoked_nothing_is_said(make_api, make_database_url, wait):
    api = make_api(make_database_url("sqlite"))
    token = api.password().json["access_token"]
    root = api.app.test_client().post("/auth/login", json={"username": "root", "password": PASSWORD}).json
    with api.app.app_context():
        api.permjwt.models.change.__table__.drop(api.db.engine)
    wait(31)
    answer = api.post("/auth/introspect", headers={"Authorization": f"Bearer {root['access_token']}"}, token=token)
    assert answer.status_code == 503
