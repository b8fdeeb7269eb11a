"""The commands under ``flask permjwt``."""

import json
import secrets

import pytest
from flask import Flask, current_app
from flask.views import MethodView
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import update

from flask_permjwt import InvalidCredentialsError, PermJWT, public, requires_login, requires_permissions
from flask_permjwt.errors import BusyError
from flask_permjwt.policy.permissions import Grants


@pytest.fixture
def app(monkeypatch, fast_passwords):
    monkeypatch.setattr("flask_permjwt.shared.Passwords", lambda: fast_passwords)
    app = Flask(__name__, static_folder=None)
    app.config.update(TESTING=True, SECRET_KEY=secrets.token_hex(32), SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(app)
    app.extensions["test_permjwt"] = PermJWT(app, db=db)
    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def run(app):
    def call(*arguments, typed=None):
        return app.test_cli_runner().invoke(args=["permjwt", *arguments], input=typed)

    return call


@pytest.fixture
def users(app):
    with app.app_context():
        yield app.extensions["test_permjwt"].users


PASSWORD = "correct horse battery staple\n"


def test_create_user_asks_for_the_password_twice_and_never_shows_it(run, users):
    result = run("create-user", "Alice", "--email", "a@example.com", "-p", "reports:*", typed=PASSWORD * 2)
    assert result.exit_code == 0
    assert "Created Alice." in result.output
    assert "correct horse" not in result.output
    alice = users.find("alice")
    assert alice.email == "a@example.com"
    assert users.permissions_of(alice) == {"reports:*"}
    assert run("create-user", "ALICE", typed=PASSWORD * 2).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create-user", "a@b"], "no @"),
        (["create-user", "a", "-p", "re*"], "no grant"),
        (["create-user", "a", "-r", "nobody"], "no role"),
        (["grant", "nobody", "x"], "no user"),
        (["grant", "--role", "nobody", "x"], "no role"),
        (["revoke", "nobody", "x"], "no user"),
        (["show", "nobody"], "no user"),
        (["roles", "assign", "nobody", "x"], "no user"),
    ],
)
def test_what_cannot_be_done_is_said_in_clear_words_with_exit_code_1(run, arguments, words):
    result = run(*arguments, typed=PASSWORD * 2)
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_grant_revoke_and_show(run, users):
    run("create-user", "alice", typed=PASSWORD * 2)
    assert run("grant", "alice", "a:b", "c:*").exit_code == 0
    assert run("roles", "create", "editor", "reports:*").exit_code == 0
    assert run("roles", "create", "Editor").exit_code == 1
    assert run("roles", "assign", "alice", "editor").exit_code == 0
    assert run("grant", "--role", "editor", "drafts:read").exit_code == 0
    shown = run("show", "ALICE").output
    for line in (
        "user         alice",
        "roles        editor",
        "direct       a:b c:*",
        "by role      editor: drafts:read reports:*",
        "permissions  a:b c:* drafts:read reports:*",
    ):
        assert line in shown
    revoked = run("revoke", "alice", "a:b", "reports:*")
    assert "Took a:b from alice." in revoked.output
    assert "not granted reports:* directly" in revoked.output
    assert run("roles", "unassign", "alice", "editor").exit_code == 0
    assert users.rights(users.find("alice")).permissions == {"c:*"}
    assert "editor  drafts:read reports:*" in run("roles").output


def test_a_database_without_tables_is_named_with_the_remedy_and_without_a_hash(app, run):
    with app.app_context():
        app.extensions["sqlalchemy"].drop_all()
    for command in (["create-user", "bob"], ["roles"], ["show", "bob"]):
        result = run(*command, typed=PASSWORD * 2)
        assert result.exit_code == 1
        assert "flask db upgrade" in result.output
        assert "argon2" not in result.output


def test_roles_says_when_there_are_none(run):
    assert "There are no roles." in run("roles").output


@pytest.fixture
def routes(app):
    app.get("/open", endpoint="open")(lambda: "")
    app.get("/landing", endpoint="landing")(public(reason="the landing page")(lambda: ""))
    app.get("/me", endpoint="me")(requires_login(lambda: ""))
    app.get("/reports", endpoint="reports")(requires_permissions("reports:read")(lambda: ""))
    app.route("/both", methods=["GET", "PUT"], endpoint="both")(
        requires_permissions("both:write", methods=["PUT"])(lambda: "")
    )

    class Items(MethodView):
        @requires_permissions("items:{item}:read")
        def get(self, item):
            return ""

        def delete(self, item):
            return ""

    app.add_url_rule("/items/<item>", view_func=Items.as_view("items"))

    @requires_permissions("mail:send")
    def helper():
        return ""

    return helper


def test_routes_lists_every_route_and_method_with_what_it_needs(run, routes):
    result = run("routes")
    assert result.exit_code == 0
    lines = [line.split("  test_cli")[0].split() for line in result.output.splitlines()]
    for words in (
        "GET /open open",
        "GET /landing public (the landing page)",
        "GET /me login",
        "GET /reports permissions reports:read",
        "GET /both partly guarded",
        "PUT /both permissions both:write",
        "GET /items/<item> permissions items:{item}:read",
        "DELETE /items/<item> partly guarded",
    ):
        assert any(words.split() == line[: len(words.split())] for line in lines), words
    assert "helper" in result.output


def test_routes_are_aligned(run, routes):
    table = run("routes").output.split("\n\n")[0].splitlines()
    column = table[0].index("view")
    assert all(line[column - 1] == " " and line[column] != " " for line in table)


def test_routes_for_machines(run, routes):
    told = json.loads(run("routes", "--json").output)
    row = next(row for row in told["routes"] if row["rule"] == "/reports")
    assert row["kind"] == "permissions"
    assert row["scopes"] == ["reports:read"]
    assert row["method"] == "GET"
    assert row["declared"] is True
    assert any("helper" in name for name in told["guarded_functions"])


def test_check_fails_naming_each_undeclared_view_and_passes_without_one(app, run, routes):
    result = run("routes", "--check")
    assert result.exit_code == 1
    for words in ("GET /open", "GET /both", "DELETE /items/<item>"):
        assert f"{words} (" in result.output
    assert "/landing (" not in result.output.split("\n\n")[-1]
    assert run("routes", "--check", "--json").exit_code == 1


def test_check_passes_when_everything_is_declared(app, run):
    app.get("/reports")(requires_permissions("reports:read")(lambda: ""))
    app.register_blueprint(app.extensions["test_permjwt"].auth_blueprint, url_prefix="/auth")
    result = run("routes", "--check")
    assert result.exit_code == 0
    assert "Every view is guarded or marked @public." in result.output


def test_an_app_without_routes_says_so(run):
    assert "There are no routes." in run("routes").output


def test_default_deny_shows_closed_views(monkeypatch):
    app = Flask(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=secrets.token_hex(32), SQLALCHEMY_DATABASE_URI="sqlite://", PERMJWT_DEFAULT_DENY=True
    )
    PermJWT(app, db=SQLAlchemy(app))
    app.get("/forgotten")(lambda: "")
    result = app.test_cli_runner().invoke(args=["permjwt", "routes", "--check"])
    assert result.exit_code == 1
    assert "closed" in result.output


# -- accounts and sessions


@pytest.fixture
def alice(users):
    alice = users.create("alice", PASSWORD.strip(), email="alice@example.com", roles=[users.create_role("editor")])
    users.commit()
    return alice


@pytest.fixture
def state(app):
    return app.extensions["permjwt"]


@pytest.fixture
def opened(state, alice):
    def log_in(**options):
        with state.accounts.transaction():
            return state.accounts.log_in("alice", PASSWORD.strip(), bind_csrf=False, **options).session_id

    return log_in


def test_list_shows_every_user_by_name(run, users, alice):
    assert "There are no users." not in run("list").output
    users.set_active(users.create("Bob"), False)
    users.commit()
    head, first, second = run("list").output.splitlines()
    assert head.split() == ["user", "e-mail", "active", "verified", "roles"]
    assert first.split() == ["alice", "alice@example.com", "yes", "no", "editor"]
    assert second.split() == ["Bob", "-", "no", "no", "-"]
    assert "There may be more than 1" in run("list", "--limit", "1").output


def test_a_user_is_disabled_and_enabled_again(run, users, alice, opened, state):
    opened()
    assert run("disable", "ALICE").exit_code == 0
    assert not users.find("alice").active
    assert state.accounts.sessions(alice.public_id) == []
    assert run("enable", "alice").exit_code == 0
    assert users.find("alice").active
    assert run("disable", "nobody").exit_code == 1


def test_set_password_asks_for_it_and_ends_all_sessions(run, users, alice, opened, state):
    opened()
    result = run("set-password", "alice", typed="another good long password\n" * 2)
    assert (result.exit_code, "another good" in result.output, "Warning" in result.output) == (0, False, False)
    assert state.accounts.sessions(alice.public_id) == []
    with state.accounts.transaction():
        state.accounts.log_in("alice", "another good long password", bind_csrf=False)


def test_a_weak_password_is_taken_from_an_administrator_with_a_warning(run, users, alice):
    result = run("set-password", "alice", typed="short\n" * 2)
    assert result.exit_code == 0
    assert "Warning: " in result.output
    assert "Warning: " in run("create-user", "bob", typed="bobbobbobbob\n" * 2).output


def test_an_address_can_be_taken_for_verified(run, users):
    run("create-user", "bob", "--email", "bob@example.com", "--verified", typed=PASSWORD * 2)
    assert users.find("bob").email_verified_at is not None


def test_sessions_are_listed_and_ended(run, alice, opened, state):
    assert run("sessions", "alice").output == "alice has no sessions.\n"
    first, second = opened(user_agent="phone", address="192.0.2.1"), opened()
    output = run("sessions", "alice").output
    assert first in output
    assert "192.0.2.1" in output
    assert "phone" in output
    assert run("logout", "alice", "--session", first).output == f"Ended the session {first} of alice.\n"
    assert [one.id for one in state.accounts.sessions(alice.public_id)] == [second]
    assert run("logout", "alice").output == "Ended 1 session of alice.\n"
    refused = run("logout", "alice", "--session", "0" * 32)
    assert (refused.exit_code, "has no session" in refused.output) == (1, True)


@pytest.fixture
def personal(state, alice, users):
    def make(label="ci"):
        made = state.personal.create(
            alice.public_id, 1, label, ["reports:read"], within=Grants(["*"]), lifetime=86400, at_most=9
        )
        users.commit()
        return made

    users.grant(alice, "reports:read")
    users.commit()
    return make


def test_personal_tokens_are_listed_and_revoked_and_never_shown(run, personal):
    assert run("tokens", "list", "alice").output == "alice has no personal access tokens.\n"
    first, second, third = personal(), personal("\u202edeploy"), personal()
    ids = [one.row.id for one in (first, second, third)]
    output = run("tokens", "list", "alice").output
    assert all(one in output for one in ids)
    assert "reports:read" in output
    assert "\\u202edeploy" in output
    assert not any(one.text in output for one in (first, second, third))
    assert run("tokens", "revoke", "alice", ids[0], ids[0]).output == "Revoked 1 token of alice.\n"
    assert ids[0] not in run("tokens", "list", "alice").output
    refused = run("tokens", "revoke", "alice", ids[1], ids[0])
    assert (refused.exit_code, "has no token" in refused.output) == (1, True)
    assert ids[1] in run("tokens", "list", "alice").output
    assert run("tokens", "revoke", "alice", "--all").output == "Revoked 2 tokens of alice.\n"
    assert run("tokens", "list", "alice").output == "alice has no personal access tokens.\n"


@pytest.mark.parametrize("arguments", [("alice",), ("alice", "0" * 32, "--all")])
def test_which_personal_tokens_are_revoked_is_said_in_one_way(run, alice, arguments):
    refused = run("tokens", "revoke", *arguments)
    assert (refused.exit_code, "--all" in refused.output) == (2, True)


def test_prune_removes_what_expired(run, app, alice, opened, state):
    session_id = opened()
    db = app.extensions["sqlalchemy"]
    row = db.session.get(app.extensions["test_permjwt"].models.session, session_id)
    row.expires_at = row.created_at
    db.session.commit()
    assert run("prune").output == "Removed 1 row.\n"
    assert run("prune").output == "Removed 0 rows.\n"


def test_roles_are_granted_and_revoked(run, users, alice):
    assert run("roles", "grant", "editor", "reports:*", "audit:read").exit_code == 0
    assert users.permissions_of(users.find_role("editor")) == {"reports:*", "audit:read"}
    revoked = run("roles", "revoke", "editor", "audit:read", "no:such")
    assert (revoked.stdout, revoked.exit_code) == ("Took audit:read from editor.\n", 0)
    assert revoked.stderr == "editor was not granted no:such.\n"
    assert run("roles", "grant", "nobody", "a").exit_code == 1


def test_options_are_read_before_there_is_an_app(run):
    # A command of an entry point is found, and its options are read, before Flask loads the app.
    assert not current_app
    run("create-user", "alice", typed=PASSWORD * 2)
    assert "user_created" in run("audit", "--since", "1d").output
    assert run("audit", "--until", "1d").output == "Nothing is written down.\n"


def test_only_roles_that_somebody_had_are_said_to_be_taken(run, alice):
    for name in ("one", "two"):
        assert run("roles", "create", name).exit_code == 0
    assert run("roles", "assign", "alice", "one").exit_code == 0
    taken = run("roles", "unassign", "alice", "one", "two")
    assert (taken.stdout, taken.exit_code) == ("Took one from alice.\n", 0)
    assert taken.stderr == "alice did not have the role two.\n"


def test_audit_shows_what_happened_to_a_user(run, alice, opened, state):
    opened(user_agent="phone", address="192.0.2.1")
    with pytest.raises(InvalidCredentialsError), state.accounts.transaction():
        state.accounts.log_in("alice", "wrong", bind_csrf=False)
    output = run("audit", "--user", "alice", "--since", "1d").output
    assert output.splitlines()[0].split() == ["at", "event", "user", "address", "detail"]
    assert [line.split()[2] for line in output.splitlines()[-2:]] == ["logged_in", "login_failed"]
    assert "reason=wrong password" in output
    assert run("audit", "--user", alice.public_id).output == run("audit", "--user", "alice").output
    assert run("audit", "--since", "2100-01-01").output == "Nothing is written down.\n"
    assert run("audit", "--until", "2000-01-01").output == "Nothing is written down.\n"
    lines = [json.loads(line) for line in run("audit", "--json").output.splitlines()]
    assert lines[-1]["event"] == "login_failed"
    assert lines[-1]["detail"] == {"reason": "wrong password", "method": "password"}
    assert len(run("audit", "--limit", "1").output.splitlines()) == 2


def test_audit_of_somebody_unknown_says_so_and_that_of_who_was_deleted_is_found_by_the_id(run, users, alice):
    for unknown in ("nobody", "0" * 32, "", "nobody@example.com"):
        result = run("audit", "--user", unknown)
        assert (result.exit_code, "There is no user" in result.output) == (1, True)
    alice_id = alice.public_id
    users.delete(alice)
    users.commit()
    assert run("audit", "--user", "alice").exit_code == 1
    found = run("audit", "--user", alice_id)
    assert (found.exit_code, "user_deleted" in found.output, alice_id in found.output) == (0, True, True)
    nothing = run("audit", "--user", alice_id, "--since", "2100-01-01")
    assert (nothing.exit_code, nothing.output) == (0, "Nothing is written down.\n")


def test_an_id_is_nobodys_name(run, app, users, alice):
    assert run("create-user", alice.public_id, typed=PASSWORD * 2).exit_code == 1
    # One that was there before.
    bob = users.create("bob")
    users.commit()
    db, model = app.extensions["sqlalchemy"], type(bob)
    db.session.execute(update(model).where(model.id == bob.id).values(username_key=alice.public_id))
    db.session.commit()
    assert run("audit", "--user", alice.public_id).output == run("audit", "--user", "alice").output


@pytest.mark.parametrize("command", ["audit", "list"])
@pytest.mark.parametrize("limit", ["0", "-1", str(2**31), "9" * 30, "many"])
def test_a_limit_that_no_database_takes_is_refused(run, command, limit):
    result = run(command, "--limit", limit)
    assert (result.exit_code, "--limit" in result.output) == (2, True)
    assert run(command, "--limit", str(2**31 - 1)).exit_code == 0


@pytest.mark.parametrize("error", [RuntimeError("the secret words"), BusyError()])
def test_a_password_check_that_fails_leaves_no_half_done_work(run, app, users, alice, monkeypatch, error):
    def fails(password, **_):
        raise error

    monkeypatch.setattr(app.extensions["permjwt"].self_service._rules, "_extra", fails)
    for arguments in (["create-user", "bob"], ["set-password", "alice"]):
        result = run(*arguments, typed=PASSWORD * 2)
        assert (result.exit_code, "cannot be told now" in result.output) == (0, True)
        assert "secret" not in result.output
    assert users.find("bob")


@pytest.mark.parametrize("since", ["yesterday", "1x", "-1d", "", "99999999d"])
def test_a_moment_that_is_none_is_refused_with_examples(run, since):
    result = run("audit", "--since", since)
    assert result.exit_code == 2
    assert "such as 30m, 12h, 1d" in result.output


def test_what_could_steer_a_terminal_is_escaped(run, alice, opened):
    opened(user_agent="\x1b[2Jphone\u202e", address="\x1b]0;x\x07")
    output = run("sessions", "alice").output
    assert "phone" in output
    assert not {"\x1b", "\x07", "\u202e"} & set(output)
