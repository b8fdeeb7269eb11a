"""Personal access tokens at the endpoints of OAuth 2."""

import pytest

PASSWORD = "correct horse battery staple"
DEAD = {"active": False}


@pytest.fixture
def api(make_api):
    return make_api(personal_tokens=True)


def make(api, **body):
    bearer = {"Authorization": f"Bearer {api.password().json['access_token']}"}
    body = {"name": "ci", "permissions": ["reports:read"], **body}
    answer = api.app.test_client().post("/auth/tokens", json=body, headers=bearer)
    assert answer.status_code == 201, answer.json
    return answer.json


def test_one_is_told_as_an_access_token_of_its_owner(api):
    made = make(api)
    told = api.introspect(made["token"]).json
    assert (told["active"], told["username"], told["token_type"]) == (True, "Alice", "Bearer")
    assert (told["scope"], told["jti"]) == ("reports:read", made["id"])
    assert told["exp"] - told["iat"] == 30 * 24 * 3600


def test_its_scope_is_what_its_owner_may_do_now(api):
    token = make(api)["token"]
    api.within(lambda: api.users.revoke(api.users.find("alice"), "reports:read"))
    assert "scope" not in api.introspect(token).json


@pytest.mark.parametrize("how", ["revoked", "expired", "disabled", "deleted", "new password"])
def test_one_that_is_good_for_nothing_is_not_active(api, wait, how):
    made = make(api)
    alice = lambda: api.users.find("alice")  # noqa: E731
    if how == "revoked":
        assert api.post("/auth/revoke", token=made["token"]).status_code == 200
    elif how == "expired":
        wait(30 * 24 * 3600)
    elif how == "disabled":
        api.within(lambda: api.users.set_active(alice(), False))
    elif how == "deleted":
        api.within(lambda: api.users.delete(alice()))
    else:
        api.within(lambda: api.users.set_password(alice(), "another good password"))
    assert api.introspect(made["token"]).json == DEAD


def test_whoever_holds_one_revokes_it_at_once(api):
    token = make(api)["token"]
    assert api.status(token) == 200
    assert api.post("/auth/revoke", token=token).status_code == 200
    assert api.status(token) == 401
    assert api.post("/auth/revoke", token=token).status_code == 200


def test_no_client_revokes_one(api):
    token = make(api)["token"]
    answer = api.post("/auth/revoke", (api.client_id, api.secret), token=token)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert api.status(token) == 200


def test_it_is_nothing_at_the_token_endpoint(api):
    token = make(api)["token"]
    assert api.refresh(token).json["error"] == "invalid_grant"
    answer = api.token((api.client_id, token), grant_type="client_credentials")
    assert answer.json["error"] == "invalid_client"


def test_a_client_makes_none(api):
    bearer = {"Authorization": f"Bearer {api.credentials().json['access_token']}"}
    client = api.app.test_client()
    body = {"name": "ci", "permissions": ["reports:read"]}
    assert client.post("/auth/tokens", json=body, headers=bearer).status_code == 401
    assert client.get("/auth/tokens", headers=bearer).status_code == 401


def test_where_they_are_not_taken_none_is_active(api, make_api):
    off = make_api()
    assert off.introspect(make(api)["token"]).json == DEAD
