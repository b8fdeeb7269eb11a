"""``scope`` narrows and never widens (RFC 6749 sections 3.3 and 6)."""

import pytest


def permissions(api, token):
    return api.get("/private", token).json["permissions"]


@pytest.fixture(params=["password", "client_credentials"])
def fetch(api, request):
    """Ask for a token with a scope, by either grant; both hold the same."""
    return api.password if request.param == "password" else api.credentials


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        ("reports:read", "reports:read"),
        ("reports:read reports:read", "reports:read"),
        ("reports:*", "reports:read"),
        ("jobs:run", "jobs:run"),
        ("jobs:* jobs:run", "jobs:* jobs:run"),
        ("*", "jobs:* reports:read"),
        ("reports:read reports:write", "reports:read"),
        ("openid email reports:read https://example.com/x?y", "reports:read"),
        ("permjwt:introspect reports:read", "reports:read"),
    ],
)
def test_what_is_not_held_is_left_out_and_the_answer_says_so(api, fetch, scope, granted):
    answer = fetch(scope=scope)
    assert answer.json["scope"] == granted
    assert permissions(api, answer.json["access_token"]) == granted.split()


@pytest.mark.parametrize(
    "scope",
    [
        "reports:write",
        "openid",
        "admin reports",
        "Reports:Read",
        "reports",
        "reports:read:x",
        "permjwt:introspect",
    ],
)
def test_where_nothing_is_left_nothing_is_given(api, fetch, scope):
    answer = fetch(scope=scope)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
    assert "access_token" not in answer.json


@pytest.mark.parametrize(
    "scope",
    [
        " ",
        "a  b",
        " a",
        "a ",
        "a\tb",
        "a\nb",
        "\0",
        'a"b',
        "a\\b",
        "caf\u00e9",
        "a\u2003b",
        "a" * 4097,
        "reports:read\x7f",
    ],
)
def test_a_malformed_scope_is_refused_before_anything_happens(api, fetch, scope):
    answer = fetch(scope=scope)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")


def test_a_login_for_nothing_leaves_no_session_behind(api):
    api.password(scope="nothing:here")
    with api.app.app_context():
        assert api.db.session.query(api.permjwt.models.session).count() == 0


def test_a_right_password_leaves_a_trace_although_nothing_came_of_it(api):
    api.password(scope="nothing:here")
    api.password(scope="**")  # which tells nothing about the password
    entries = [one for one in api.within(api.state.recorder.read) if one.event in {"logged_in", "login_failed"}]
    alice = api.within(lambda: api.users.find("alice").public_id)
    assert [(one.event, one.subject, one.detail["reason"]) for one in entries] == [
        ("login_failed", alice, "nothing of the scope")
    ]


def test_a_narrowed_session_of_somebody_who_lost_all_of_it_goes_on_with_nothing(api):
    tokens = api.password(scope="reports:read").json
    api.within(lambda: api.users.revoke(api.users.find("alice"), "reports:read"))
    answer = api.refresh(tokens["refresh_token"])
    assert answer.status_code == 200
    assert "scope" not in answer.json
    assert permissions(api, answer.json["access_token"]) == []
    api.within(lambda: api.users.grant(api.users.find("alice"), "reports:*"))
    assert api.refresh(answer.json["refresh_token"]).json["scope"] == "reports:read"


def test_a_scope_limits_what_a_token_opens(api, fetch):
    token = fetch(scope="reports:read").json["access_token"]
    assert (api.status(token), api.status(token, "/jobs")) == (200, 403)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "sessions"), ("POST", "logout-all"), ("DELETE", "sessions/{other}")]
)
def test_a_narrowed_token_touches_no_other_session(api, method, path):
    wide = api.password().json["access_token"]
    (other,) = api.get("/auth/sessions", wide).json["sessions"]
    narrow = {"Authorization": f"Bearer {api.password(scope='jobs:run').json['access_token']}"}
    answer = api.app.test_client().open(f"/auth/{path.format(other=other['id'])}", method=method, headers=narrow)
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
    assert api.status(wide) == 200
    assert api.app.test_client().post("/auth/logout", headers=narrow).status_code == 204
    assert api.app.test_client().get("/jobs", headers=narrow).status_code == 401


def test_a_token_narrowed_to_managing_sessions_manages_them(api):
    manage = "permjwt:sessions:manage"
    api.within(lambda: api.users.grant(api.users.find("alice"), manage))
    narrow = api.password(scope=manage).json["access_token"]
    assert api.status(narrow, "/auth/sessions?user=root") == 200
    assert api.status(narrow, "/auth/sessions") == 200


def test_refreshing_never_widens_whatever_is_asked_for(api):
    tokens = api.password(scope="reports:read").json
    for scope in (None, "reports:read", "reports:read jobs:run", "*"):
        extra = {} if scope is None else {"scope": scope}
        answer = api.refresh(tokens["refresh_token"], **extra)
        assert answer.json["scope"] == "reports:read"
        assert permissions(api, answer.json["access_token"]) == ["reports:read"]
        tokens = answer.json
    answer = api.refresh(tokens["refresh_token"], scope="jobs:run")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
    # What was refused used nothing up.
    assert api.refresh(tokens["refresh_token"]).status_code == 200


def test_a_refresh_may_narrow_its_access_token_and_the_next_one_is_wide_again(api):
    tokens = api.password(scope="reports:read jobs:run").json
    narrow = api.refresh(tokens["refresh_token"], scope="jobs:run").json
    assert narrow["scope"] == "jobs:run"
    assert permissions(api, narrow["access_token"]) == ["jobs:run"]
    assert api.refresh(narrow["refresh_token"]).json["scope"] == "jobs:run reports:read"


def test_what_is_granted_later_is_no_part_of_a_scope_that_was_narrowed(api):
    tokens = api.password(scope="reports:read reports:write").json
    api.within(lambda: api.users.grant(api.users.find("alice"), "reports:write", "reports:*"))
    assert permissions(api, tokens["access_token"]) == ["reports:read"]
    tokens = api.refresh(tokens["refresh_token"]).json
    assert tokens["scope"] == "reports:read"
    assert permissions(api, tokens["access_token"]) == ["reports:read"]


def test_what_is_granted_later_is_no_part_of_a_clients_scope_either(api):
    token = api.credentials(scope="reports:read reports:write").json["access_token"]
    api.within(lambda: api.clients.grant(api.client(), "reports:write", "reports:*"))
    assert permissions(api, token) == ["reports:read"]
    assert api.credentials(scope="reports:read reports:write").json["scope"] == "reports:read reports:write"


def test_without_a_scope_a_token_follows_what_is_granted(api, fetch):
    token = fetch().json["access_token"]
    api.within(lambda: api.users.grant(api.users.find("alice"), "reports:write"))
    api.within(lambda: api.clients.grant(api.client(), "reports:write"))
    assert permissions(api, token) == ["jobs:*", "reports:read", "reports:write"]


def test_who_may_do_nothing_gets_a_token_without_a_scope(api):
    api.within(lambda: api.clients.revoke(api.client(), "reports:read", "jobs:*"))
    answer = api.credentials()
    assert answer.status_code == 200
    assert "scope" not in answer.json
    assert permissions(api, answer.json["access_token"]) == []


def test_a_scope_limits_also_where_permissions_stay_out_of_tokens(make_api):
    api = make_api(permissions_in_token=False)
    for fetch in (api.password, api.credentials):
        token = fetch(scope="reports:read").json["access_token"]
        assert permissions(api, token) == ["reports:read"]


@pytest.mark.parametrize("words", [60, 700])
def test_a_scope_of_which_more_is_held_than_a_token_can_say_is_no_fault_of_the_server(api, fetch, words):
    many = [f"a{number}:*" for number in range(100)]
    api.within(lambda: api.users.grant(api.users.find("alice"), *many))
    api.within(lambda: api.clients.grant(api.client(), *many))
    answer = fetch(scope=" ".join(f"*:{number}" for number in range(words)))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
    assert fetch(scope="*:1 *:2").status_code == 200
