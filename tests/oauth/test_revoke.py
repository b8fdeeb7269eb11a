"""POST /revoke (RFC 7009)."""

import pytest


def revoke(api, token, basic=None, **parameters):
    return api.post("/auth/revoke", basic, token=token, **parameters)


def test_an_access_token_is_void_at_once_and_its_session_goes_on(api):
    tokens = api.password().json
    answer = revoke(api, tokens["access_token"])
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    assert api.status(tokens["access_token"]) == 401
    assert api.status(api.refresh(tokens["refresh_token"]).json["access_token"]) == 200


def test_a_refresh_token_takes_its_session_and_all_its_tokens_with_it(api):
    tokens = api.password().json
    assert revoke(api, tokens["refresh_token"]).status_code == 200
    assert api.status(tokens["access_token"]) == 401
    assert api.refresh(tokens["refresh_token"]).status_code == 400


def test_a_refresh_token_that_was_used_up_ends_its_session_too(api):
    first = api.password().json
    second = api.refresh(first["refresh_token"]).json
    assert revoke(api, first["refresh_token"]).status_code == 200
    assert api.status(second["access_token"]) == 401


def test_it_is_known_elsewhere_within_the_interval(fleet, wait):
    here, there = fleet
    token = here.password().json["access_token"]
    assert there.status(token) == 200
    revoke(here, token)
    wait(1)
    assert there.status(token) == 401


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "\0", "\u00e9", "pjwt_" + "x" * 40, "x" * 20000])
def test_for_a_token_that_nobody_knows_the_answer_is_200(api, token):
    assert revoke(api, token).status_code == 200


@pytest.mark.parametrize("raw", ["token=%ff%fe", "token=%ed%a0%80", b"token=\xff"])
def test_bytes_that_are_no_text_are_an_unknown_token(api, raw):
    answer = api.app.test_client().post("/auth/revoke", data=raw, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200


def test_an_expired_token_is_no_news(api, wait):
    token = api.password().json["access_token"]
    wait(900)
    before = len(api.within(api.state.recorder.read))
    assert revoke(api, token).status_code == 200
    assert len(api.within(api.state.recorder.read)) == before


def test_the_same_token_again_writes_nothing(api):
    token = api.password().json["access_token"]
    revoke(api, token)
    with api.app.app_context():
        before = api.db.session.query(api.permjwt.models.change).count()
    for _ in range(3):
        assert revoke(api, token).status_code == 200
    with api.app.app_context():
        assert api.db.session.query(api.permjwt.models.change).count() == before


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", ""])
def test_a_hint_may_be_wrong(api, hint):
    tokens = api.password().json
    assert revoke(api, tokens["refresh_token"], token_type_hint=hint).status_code == 200
    assert api.status(tokens["access_token"]) == 401


def test_a_clients_token_is_revoked_by_that_client_alone(api):
    token = api.credentials().json["access_token"]
    answer = revoke(api, token)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client")
    other = api.within(lambda: api.clients.create("other"))
    with api.app.app_context():
        other_id = api.clients.find("other").client_id
    answer = revoke(api, token, (other_id, other.secret))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    answer = revoke(api, token, (api.client_id, "wrong"))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="api"'
    assert api.status(token) == 200
    assert revoke(api, token, (api.client_id, api.secret)).status_code == 200
    assert api.status(token) == 401
    assert api.status(api.credentials().json["access_token"]) == 200


def test_a_client_does_not_revoke_a_users_token(api):
    tokens = api.password().json
    for token in (tokens["access_token"], tokens["refresh_token"]):
        answer = revoke(api, token, (api.client_id, api.secret))
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert api.status(tokens["access_token"]) == 200


def test_what_is_malformed_is_refused(api):
    assert api.post("/auth/revoke").json["error"] == "invalid_request"
    assert api.post("/auth/revoke", token="").json["error"] == "invalid_request"
    assert api.app.test_client().post("/auth/revoke", json={"token": "x"}).json["error"] == "invalid_request"
    assert api.app.test_client().get("/auth/revoke?token=x").status_code == 405


def test_it_is_written_down(api):
    token = api.credentials().json["access_token"]
    revoke(api, token, (api.client_id, api.secret))
    entry = api.within(api.state.recorder.read)[-1]
    assert (entry.event, entry.subject) == ("token_revoked", f"client:{api.client_id}")
    assert token not in str(entry)
