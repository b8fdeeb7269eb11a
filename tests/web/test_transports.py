"""Where tokens stand: other headers, other schemes, and what is no credential of ours."""

import pytest
from flask import after_this_request
from flask.globals import request_ctx

from flask_permjwt import check_permissions, current_principal, current_user, public, requires_login
from flask_permjwt.web.transports import Credential, Source


@pytest.fixture
def call(make_app, token):
    """Call a guarded view with a header; ``{}`` in its value stands for a good token."""

    def send(header, value, **settings):
        app = make_app(**settings)
        app.get("/x")(requires_login(lambda: "in"))
        return app.test_client().get("/x", headers={header: value.format(token(app))})

    return send


def test_another_header_and_scheme(call):
    own = {"header_name": "X-Token", "header_type": "JWT"}
    assert call("X-Token", "JWT {}", **own).status_code == 200
    assert call("X-Token", "jwt {}", **own).status_code == 200
    assert call("X-Token", "Bearer {}", **own).status_code == 401
    assert call("X-Token", "{}", **own).status_code == 401
    assert call("Authorization", "Bearer {}", **own).status_code == 401


def test_without_a_scheme_the_header_is_the_token(call):
    own = {"header_name": "X-Token", "header_type": ""}
    assert call("X-Token", "{}", **own).status_code == 200
    assert call("X-Token", "Bearer {}", **own).status_code == 400
    assert call("X-Token", "two words", **own).status_code == 400


def test_headers_are_not_read_where_they_are_not_in_use(call):
    assert call("Authorization", "Bearer {}", token_locations=["cookies"]).status_code == 401
    assert call("Authorization", "Bearer two words", token_locations=["cookies"]).status_code == 401


def test_the_challenge_is_bearer_whatever_the_scheme_is_called(call):
    answer = call("X-Token", "JWT x", header_name="X-Token", header_type="JWT")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="api", error="invalid_token"')


@pytest.mark.parametrize("value", ["", " ", "\t"])
def test_an_empty_header_is_no_credential(call, value):
    answer = call("Authorization", value)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_another_csrf_header(make_app, token):
    app = make_app(csrf_header_name="X-XSRF-Token")
    app.post("/x")(requires_login(lambda: "in"))
    client = app.test_client()
    client.set_cookie("access_token", token(app, csrf="v"))
    assert client.post("/x", headers={"X-CSRF-TOKEN": "v"}).status_code == 401
    assert client.post("/x", headers={"X-XSRF-Token": "v"}).status_code == 200


@pytest.fixture
def deleted(app, bearer):
    """An app with a token of a user who does not exist."""
    app.get("/public", endpoint="public")(public(reason="x")(lambda: f"{bool(current_user)}"))
    app.get("/open", endpoint="open")(lambda: f"{bool(current_user)}")
    app.get("/guarded", endpoint="guarded")(requires_login(lambda: f"{current_user.username}"))
    return app


def test_the_current_user_of_a_token_whose_user_is_gone_is_nobody_or_401(deleted, bearer):
    client = deleted.test_client()
    assert client.get("/public", **bearer(deleted)).text == "False"
    assert client.get("/open", **bearer(deleted)).text == "False"
    assert client.get("/public").text == "False"
    answer = client.get("/guarded", **bearer(deleted))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


def test_the_user_is_loaded_on_first_use_only_and_once(app, bearer, monkeypatch):
    users = app.extensions["test_permjwt"].users
    with app.app_context():
        alice = users.create("alice", permissions=["x"])
        app.extensions["sqlalchemy"].session.commit()
        claims = {"sub": alice.public_id, "ver": alice.token_version}
    app.get("/not", endpoint="not")(requires_login(lambda: str(current_principal.subject)))
    app.get("/twice", endpoint="twice")(requires_login(lambda: current_user.username + current_user.username))
    loads = []
    get = type(users).get
    monkeypatch.setattr(type(users), "get", lambda *args: loads.append(1) or get(*args))
    client = app.test_client()
    assert client.get("/not", **bearer(app, **claims)).status_code == 200
    assert loads == []
    assert client.get("/twice", **bearer(app, **claims)).text == "alicealice"
    assert loads == [1]


def test_the_principal_of_a_request_cannot_be_changed(app, bearer):
    @app.get("/x")
    @requires_login
    def view():
        faults = []
        for change in (
            lambda: setattr(current_principal, "subject", "root"),
            lambda: current_principal.claims.update(sub="root"),
            lambda: current_principal.claims["nested"]["deep"].append("root"),
            lambda: current_principal.permissions.add("*"),
            lambda: current_principal.roles.add("root"),
        ):
            try:
                change()
            except (AttributeError, TypeError) as fault:
                faults.append(type(fault).__name__)
        return str(len(faults))

    assert app.test_client().get("/x", **bearer(app, nested={"deep": []})).text == "5"
    principal_fields = ["subject", "permissions", "roles", "claims", "token_id", "session_id", "expiry"]
    with app.test_request_context("/x", **bearer(app, "a:*", roles=["editor"])):
        assert current_principal.can("a:b")
        assert not current_principal.can("a:b", "b")
        assert current_principal.roles == {"editor"}
        assert all(getattr(current_principal, field) for field in principal_fields)


def test_caches_are_told_of_a_header_that_they_do_not_know(call):
    assert "X-Token" in call("X-Token", "Bearer {}", header_name="X-Token").headers["Vary"]
    assert "Vary" not in call("Authorization", "Bearer {}").headers


def test_another_scheme_in_authorization_is_not_ours_even_without_a_scheme_of_our_own(call):
    assert call("Authorization", "{}", header_type="").status_code == 200
    assert call("Authorization", "Basic dXNlcjpwYXNz", header_type="").status_code == 401


def test_a_credential_does_not_show_its_token():
    assert "secret" not in repr(Credential("secret", Source.HEADER))


def test_who_is_gone_is_401_also_where_a_helper_or_the_view_itself_enforces(app, bearer):
    helper = requires_login(lambda: current_user.username)

    @app.get("/check")
    def check():
        check_permissions("x")
        return current_user.username

    app.get("/helper", endpoint="helper")(lambda: helper())  # noqa: PLW0108  # the call is the point
    client = app.test_client()
    assert client.get("/helper", **bearer(app)).status_code == 401
    assert client.get("/check", **bearer(app, "x")).status_code == 401


def test_caches_are_told_also_where_only_an_after_request_function_asks_who_it_is(app, bearer):
    @app.after_request
    def name_user(response):
        response.headers["X-User"] = str(current_principal.subject)
        return response

    app.get("/x")(lambda: "open")
    assert "Cookie" in app.test_client().get("/x").headers["Vary"]


def test_caches_are_told_also_where_another_response_takes_the_place_of_the_views(app, bearer):
    def replace():
        @after_this_request
        def put_another(_):
            return app.make_response("another")

        return "the view's"

    app.get("/open", endpoint="open")(lambda: replace())  # noqa: PLW0108  # a guard marks the function itself
    app.get("/closed", endpoint="closed")(requires_login(lambda: replace()))  # noqa: PLW0108  # as above
    app.get("/asks", endpoint="asks")(lambda: (replace(), str(current_principal.subject))[1])
    client = app.test_client()
    assert "Vary" not in client.get("/open").headers
    for path in ("/closed", "/asks"):
        answer = client.get(path, headers={"Cookie": "access_token=x"})
        assert answer.headers.getlist("Vary") == ["Cookie"]


def test_what_depends_on_nobody_runs_nothing_at_its_end(app, bearer):
    seen = []

    def note():
        seen.append(list(request_ctx._after_request_functions))
        return "seen"

    app.get("/open", endpoint="open")(lambda: note())  # noqa: PLW0108  # a guard marks the function itself
    app.get("/closed", endpoint="closed")(requires_login(lambda: note()))  # noqa: PLW0108  # as above
    client = app.test_client()
    client.get("/open", headers={"Cookie": "access_token=x"})
    client.get("/closed", **bearer(app))
    assert seen == [[], []]
    assert not any(app.after_request_funcs.values())


def test_an_anonymous_principal_is_false(app, bearer):
    app.get("/x")(lambda: str(bool(current_principal)))
    assert app.test_client().get("/x").text == "False"
    assert app.test_client().get("/x", **bearer(app)).text == "True"
