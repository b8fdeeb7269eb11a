"""GET, POST and DELETE /tokens: made once, shown once, and never more than their owner may do."""

import re

import pytest
from flask import request

from flask_permjwt import current_principal, current_user, has_permissions, public, requires_login
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.policy.permissions import Grants

PASSWORD = "correct horse battery staple"
DAY = 86400


@pytest.fixture
def api(make_api):
    app = make_api(personal_tokens=True, personal_tokens_per_user=3)

    @app.get("/who")
    @public(reason="shows what is known")
    def who():
        return {
            "name": current_user.username if current_user else None,
            "token": current_principal.token_name,
            "personal": current_principal.is_personal,
            "session": current_principal.session_id,
            "id": current_principal.token_id,
            "claims": sorted(current_principal.claims),
            "may": [one for one in ("reports:read", "reports:write", "models:read") if has_permissions(one)],
        }

    @app.get("/fresh")
    @requires_login(fresh=10**9)
    def fresh():
        return {}

    return app


@pytest.fixture
def call(client, bearer):
    def call(method, path, token, **options):
        return client.open(path, method=method, headers=bearer(token), **options)

    return call


@pytest.fixture
def access(client, log_in):
    return log_in(client).json["access_token"]


@pytest.fixture
def make(call, access):
    def make(**body):
        return call("POST", "/auth/tokens", access, json={"name": "ci", "permissions": ["reports:read"], **body})

    return make


def grant(api, *permissions):
    with api.app_context():
        users = api.extensions["test_permjwt"].users
        users.grant(users.find("alice"), *permissions)
        users.commit()


def test_a_token_is_shown_once_when_it_is_made(make, call, access):
    answer = make(expires_in=DAY)
    assert answer.status_code == 201
    assert re.fullmatch(r"pjwt_[0-9A-Za-z]{49}", answer.json["token"])
    shown = {
        "id": answer.json["id"],
        "name": "ci",
        "permissions": ["reports:read"],
        "created_at": "2027-01-15T08:00:00Z",
        "expires_at": "2027-01-16T08:00:00Z",
        "last_used_at": None,
    }
    assert answer.json == {**shown, "token": answer.json["token"]}
    assert answer.headers["Cache-Control"] == "no-store"
    listed = call("GET", "/auth/tokens", access)
    assert listed.json == {"tokens": [shown]}
    assert answer.json["token"] not in listed.text


def test_nothing_of_a_token_but_its_hash_is_kept(api, make):
    text = make().json["token"]
    with api.app_context():
        permjwt = api.extensions["test_permjwt"]
        db, model = api.extensions["sqlalchemy"], permjwt.models.personal
        row = db.session.query(model).one()
        kept = " ".join(str(getattr(row, column.key)) for column in model.__table__.columns)
        dump = "\n".join(db.session.connection().connection.driver_connection.iterdump())
    assert text[5:48] not in kept + dump
    assert re.search(r"\b[0-9a-f]{64}\b", kept)


def test_the_same_guards_take_it_as_bearer(make, call):
    token = make().json["token"]
    assert call("GET", "/reports", token).json == {"you": "Alice"}
    assert call("POST", "/reports", token).status_code == 200


def test_what_came_is_told_apart_from_a_session(make, call):
    made = make().json
    who = call("GET", "/who", made["token"]).json
    assert (who["name"], who["token"], who["personal"], who["session"]) == ("Alice", "ci", True, None)
    assert who["id"] == made["id"]
    assert who["claims"] == ["exp", "iat", "jti", "scope", "sub", "ver"]
    assert who["may"] == ["reports:read"]


def test_a_token_of_a_session_is_no_personal_one(call, access):
    who = call("GET", "/who", access).json
    assert (who["token"], who["personal"]) == (None, False)


def test_it_may_do_no_more_than_it_was_made_for(api, make, call):
    grant(api, "reports:*", "models:*")
    token = make().json["token"]
    assert call("GET", "/who", token).json["may"] == ["reports:read"]
    assert call("GET", "/auth/me", token).json["permissions"] == ["reports:read"]


def test_a_token_that_may_do_nothing_is_good_for_a_login_alone(make, call):
    token = make(permissions=[]).json["token"]
    assert call("GET", "/auth/me", token).json["permissions"] == []
    assert call("GET", "/reports", token).status_code == 403


def test_it_is_never_fresh(make, call):
    answer = call("GET", "/fresh", make().json["token"])
    assert (answer.status_code, answer.json["error"]) == (401, "insufficient_user_authentication")


def test_it_is_good_for_thirty_days_unless_said(make):
    assert make().json["expires_at"] == "2027-02-14T08:00:00Z"


def test_it_is_good_for_no_longer_than_tokens_may_be(make_api, log_in, bearer):
    api = make_api(personal_tokens=True, personal_token_expires=DAY)
    client = api.test_client()
    headers = bearer(log_in(client).json["access_token"])
    body = {"name": "ci", "permissions": []}
    made = client.post("/auth/tokens", json=body, headers=headers)
    assert made.json["expires_at"] == "2027-01-16T08:00:00Z"
    answer = client.post("/auth/tokens", json={**body, "expires_in": DAY + 1}, headers=headers)
    assert (answer.status_code, answer.json["errors"]) == (422, {"expires_in": ["Must be at most 86400."]})
    assert client.post("/auth/tokens", json={**body, "expires_in": DAY}, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        (["reports:write"], "reports:write"),
        (["reports:read", "*"], "*"),
        (["reports:*", "models:read"], "models:read reports:*"),
        (["permjwt:sessions:manage"], "permjwt:sessions:manage"),
    ],
)
def test_a_permission_that_the_owner_does_not_have_is_refused_by_name(make, asked, missing):
    answer = make(permissions=asked)
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
    assert f'scope="{missing}"' in answer.headers["WWW-Authenticate"]


def test_wildcards_that_cover_less_than_the_owner_has_are_taken(api, make):
    grant(api, "*:read")
    assert make(permissions=["reports:read", "models:read", "*:read"]).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 101},
        {"name": "a\0b"},
        {"name": "a\nb"},
        {"name": "a\u202eb"},
        {"name": "\ud800"},
        {"name": 7},
        {"name": None},
        {"name": ["ci"]},
        {"permissions": "reports:read"},
        {"permissions": None},
        {"permissions": [7]},
        {"permissions": ["**"]},
        {"permissions": ["reports:read "]},
        {"permissions": ["reports:read models:read"]},
        {"permissions": {"reports:read": True}},
        {"permissions": ["reports:read"] * 101},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": 1.5},
        {"expires_in": True},
        {"expires_in": "3600"},
        {"expires_in": None},
        {"expires_in": 10**400},
        {"owner": "somebody"},
        {"token": "pjwt_" + "0" * 49},
        {"id": "0" * 32},
    ],
)
def test_a_body_that_does_not_fit_is_422(make, body):
    answer = make(**body)
    assert answer.status_code == 422, answer.text
    assert set(answer.json["errors"]) == set(body)


def test_name_and_permissions_must_be_said(call, access):
    answer = call("POST", "/auth/tokens", access, json={})
    assert set(answer.json["errors"]) == {"name", "permissions"}


def test_a_user_has_so_many_and_room_comes_with_each_that_is_over(make, call, access, clock, log_in, client):
    made = [make(expires_in=100 + number) for number in range(3)]
    assert [one.status_code for one in made] == [201] * 3
    answer = make()
    assert (answer.status_code, answer.json["error"]) == (409, "too_many_tokens")
    assert call("DELETE", f"/auth/tokens/{made[2].json['id']}", access).status_code == 204
    assert make().status_code == 201
    assert make().status_code == 409
    clock.advance(100)
    assert make().status_code == 201


def test_making_one_needs_a_fresh_login(make, clock, call, access):
    clock.advance(301)
    answer = make()
    assert (answer.status_code, answer.json["error"]) == (401, "insufficient_user_authentication")
    assert call("GET", "/auth/tokens", access).status_code == 200
    confirmed = call("POST", "/auth/confirm", access, json={"password": PASSWORD}).json["access_token"]
    body = {"name": "ci", "permissions": []}
    assert call("POST", "/auth/tokens", confirmed, json=body).status_code == 201


def test_what_is_revoked_is_void_with_the_next_request(make, call, access):
    made, other = make().json, make().json
    assert call("GET", "/reports", made["token"]).status_code == 200
    assert call("DELETE", f"/auth/tokens/{made['id']}", access).status_code == 204
    answer = call("GET", "/reports", made["token"])
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
    assert call("GET", "/reports", other["token"]).status_code == 200
    assert [one["id"] for one in call("GET", "/auth/tokens", access).json["tokens"]] == [other["id"]]


@pytest.mark.parametrize("token_id", ["0" * 32, "%00", "é", "x" * 5000, "' OR 1=1 --", "%ED%A0%80"])
def test_a_token_that_is_not_there_is_404(call, access, token_id):
    answer = call("DELETE", f"/auth/tokens/{token_id}", access)
    assert (answer.status_code, answer.json["error"]) == (404, "unknown_token")


def test_the_id_is_compared_exactly(make, call, access):
    made = make().json
    spelled = made["id"].upper()
    assert spelled != made["id"]
    assert call("DELETE", f"/auth/tokens/{spelled}", access).status_code == 404


def test_tokens_are_listed_the_newest_first_with_their_last_use(make, call, access, clock):
    first = make().json
    clock.advance(60)
    second = make().json
    clock.advance(60)
    call("GET", "/reports", first["token"])
    listed = call("GET", "/auth/tokens", access).json["tokens"]
    assert [one["id"] for one in listed] == [second["id"], first["id"]]
    assert [one["last_used_at"] for one in listed] == [None, "2027-01-15T08:02:00Z"]


def test_what_happened_is_written_down_and_told_without_the_token(api, make, call, access):
    made = make().json
    call("DELETE", f"/auth/tokens/{made['id']}", access)
    with api.app_context():
        rows = api.extensions["permjwt"].recorder.read()
    created, revoked = (
        next(one for one in rows if one.event == f"personal_token_{what}") for what in ("created", "revoked")
    )
    assert created.subject == revoked.subject == created.actor is not None
    assert created.detail == {
        "jti": made["id"],
        "label": "ci",
        "permissions": ["reports:read"],
        "expires_at": 1_800_000_000 + 30 * DAY,
    }
    assert revoked.detail == {"jti": made["id"], "label": "ci"}
    assert made["token"] not in repr(rows)


def test_they_can_be_made_unless_told_otherwise(make_api, log_in, bearer):
    client = make_api().test_client()
    headers = bearer(log_in(client).json["access_token"])
    assert client.post("/auth/tokens", json={"name": "ci", "permissions": []}, headers=headers).status_code == 201


def test_where_they_are_off_there_is_no_such_endpoint(make_api, log_in, bearer):
    client = make_api(personal_tokens=False).test_client()
    headers = bearer(log_in(client).json["access_token"])
    for method, path in (("GET", "/auth/tokens"), ("POST", "/auth/tokens"), ("DELETE", "/auth/tokens/x")):
        answer = client.open(path, method=method, headers=headers, json={})
        assert (answer.status_code, answer.json["error"]) == (404, "not_found")


def test_where_no_header_is_read_there_can_be_none(make_api):
    assert not make_api(token_locations=["cookies"]).extensions["permjwt"].settings.takes_personal_tokens
    with pytest.raises(ConfigurationError, match="PERMJWT_PERSONAL_TOKENS"):
        make_api(personal_tokens=True, token_locations=["cookies"])


def test_with_a_cookie_one_is_made_with_its_csrf_value(make_api, log_in, cookies):
    api = make_api(personal_tokens=True, token_locations=["headers", "cookies"])
    client = api.test_client()
    csrf = cookies(log_in(client, "cookie", base_url="https://localhost"))["csrf_access_token"]["value"]
    body = {"name": "ci", "permissions": []}
    bare = client.post("/auth/tokens", json=body, base_url="https://localhost")
    assert (bare.status_code, bare.json["error"]) == (401, "csrf_failed")
    headers = {"X-CSRF-TOKEN": csrf}
    made = client.post("/auth/tokens", json=body, headers=headers, base_url="https://localhost")
    assert made.status_code == 201


def test_a_narrowed_session_makes_lists_and_revokes_none(api, client, bearer):
    with api.app_context():
        state, users = api.extensions["permjwt"], api.extensions["test_permjwt"].users
        tokens = state.accounts.open_session(
            users.find("alice").public_id, opened_by="test", bind_csrf=False, limit=Grants(["reports:read"])
        )
        users.commit()
    headers = bearer(tokens.access_token)
    assert client.get("/reports", headers=headers).status_code == 200
    body = {"name": "ci", "permissions": []}
    for method, path in (("GET", "/auth/tokens"), ("POST", "/auth/tokens"), ("DELETE", "/auth/tokens/x")):
        answer = client.open(path, method=method, headers=headers, json=body)
        assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/auth/password", {"old_password": PASSWORD, "new_password": "another good long password"}),
        ("POST", "/auth/providers/google", {}),
        ("DELETE", "/auth/providers/google", None),
    ],
)
def test_a_narrowed_session_gets_no_way_to_a_whole_one(api, client, bearer, log_in, method, path, body):
    with api.app_context():
        state, users = api.extensions["permjwt"], api.extensions["test_permjwt"].users
        tokens = state.accounts.open_session(
            users.find("alice").public_id, opened_by="test", bind_csrf=False, limit=Grants(["*"])
        )
        users.commit()
    answer = client.open(path, method=method, headers=bearer(tokens.access_token), json=body)
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
    assert log_in(client).status_code == 200


def test_what_is_read_beside_unfinished_work_of_the_app_is_not_remembered(api, make, bearer):
    """In memory, there is no second connection: it may yet be rolled back."""
    made = make().json
    with api.test_request_context("/who", headers=bearer(made["token"])):
        users, db = api.extensions["test_permjwt"].users, api.extensions["sqlalchemy"]
        users.grant(users.find("alice"), "models:read")
        assert has_permissions("reports:read")
        db.session.rollback()
    tokens = api.extensions["permjwt"].tokens
    assert all(
        seen.holds_until <= tokens._monotonic()
        for seen in tokens._by_header.younger.values()
        if not seen.is_signed
    )


def test_a_session_that_has_ended_makes_none(api, make, call, access):
    with api.app_context():
        users = api.extensions["test_permjwt"].users
        model = api.extensions["test_permjwt"].models.session
        api.extensions["sqlalchemy"].session.query(model).update({"ended_at": model.created_at})
        users.commit()
    answer = make()
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


def test_a_user_whose_address_must_be_verified_and_no_longer_is_has_no_good_tokens(
    make_api, log_in, bearer, mailbox, clock
):
    api = make_api(personal_tokens=True, require_verified=True, mailer=mailbox)
    permjwt = api.extensions["test_permjwt"]
    with api.app_context():
        permjwt.users.mark_email_verified(permjwt.users.find("alice"))
        permjwt.users.commit()
    client = api.test_client()
    headers = bearer(log_in(client).json["access_token"])
    made = client.post("/auth/tokens", json={"name": "ci", "permissions": ["reports:read"]}, headers=headers).json
    with api.app_context():
        permjwt.users.find("alice").email = "other@example.com"
        permjwt.users.commit()
    answer = client.get("/reports", headers=bearer(made["token"]))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


def test_the_principal_stays_the_same_within_a_request(api, make, client, bearer):
    """As for long connections, which ask again and again."""
    token = make().json["token"]
    with api.test_request_context("/who", headers=bearer(token)):
        assert current_principal.token_name == "ci"
        assert request.view_args is not None
        for _ in range(3):
            assert has_permissions("reports:read")
            assert not has_permissions("reports:write")
