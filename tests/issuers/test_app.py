"""What an app sees of a principal from outside: decorators, users, freshness, transports, the login blueprint."""

import secrets
import time

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, signals
from flask_permjwt.accounts import outside
from flask_permjwt.errors import ConfigurationError, IdentityTakenError
from flask_permjwt.tokens.codec import TokenType

HOUR = 3600


@pytest.fixture
def users(protected):
    """Create users of the app, by name."""

    def create(name, *permissions, app=protected):
        with app.app.app_context():
            user = app.permjwt.users.create(name, "correct horse battery", permissions=permissions)
            app.permjwt.users.commit()
            return user.public_id

    return create


def link(protected, name, issuer, subject):
    with protected.app.app_context():
        protected.permjwt.identities.link(protected.permjwt.users.find(name), issuer, subject)
        protected.permjwt.users.commit()


def change(protected, name, what):
    with protected.app.app_context():
        what(protected.permjwt.users, protected.permjwt.users.find(name))
        protected.permjwt.users.commit()


# Nobody here


def test_there_is_no_user_unless_that_was_asked_for(provider, protected, users):
    users("alice", "reports:*")
    assert protected.get(provider.token("x:y"), "/who").json == {"user": None, "may": ["x:y"]}


def test_a_subject_that_spells_the_id_of_a_user_here_is_somebody_else(provider, protected, users):
    subject = users("alice", "reports:*")
    token = provider.token(sub=subject, jti="j" * 32, sid="s" * 32, ver=1, permissions=["reports:read"])
    assert protected.get(token, "/who").json == {"user": None, "may": []}
    assert protected.get(token).status_code == 403
    change(protected, "alice", lambda store, user: store.set_active(user, active=False))
    assert protected.get(token, "/who").status_code == 200


def test_what_is_revoked_here_is_no_id_of_theirs(provider, protected, users, fake_clock):
    users("alice")
    body = {"username": "alice", "password": "correct horse battery"}
    ours = protected.app.test_client().post("/auth/login", json=body).json["access_token"]
    with protected.app.app_context():
        claims = protected.app.extensions["permjwt"].codec.verify(ours, TokenType.ACCESS)
        protected.permjwt.revocations.revoke_token(ours)
        protected.permjwt.revocations.revoke_session(claims.session_id)
        protected.permjwt.users.commit()
    assert protected.get(ours, "/who").status_code == 401
    theirs = provider.token(sub=claims.subject, jti=claims.token_id, sid=claims.session_id, ver=0)
    assert protected.get(theirs, "/who").status_code == 200


def test_the_audit_tells_them_from_our_users(provider, protected, users):
    subject = users("alice")
    assert protected.get(provider.token(sub=subject)).status_code == 403
    with protected.app.app_context():
        recorder = protected.app.extensions["permjwt"].recorder
        denied = [one for one in recorder.read() if one.event == "access_denied"]
    assert [one.subject for one in denied] == [f"{provider.issuer}|{subject}"]


def test_permissions_that_change_here_change_nothing_about_theirs(provider, protected, users):
    users("alice", "reports:read")
    token = provider.token("reports:read")
    assert protected.get(token).status_code == 200
    change(protected, "alice", lambda store, user: store.revoke(user, "reports:read"))
    assert protected.get(token).status_code == 200


# Freshness (RFC 9470)


@pytest.mark.parametrize(("age", "status"), [(None, 401), (10, 200), (400, 401)])
def test_freshness_is_judged_by_auth_time_and_without_it_refused(provider, protected, age, status):
    claims = {} if age is None else {"auth_time": int(time.time()) - age}
    answer = protected.get(provider.token(**claims), "/delete", method="POST")
    assert answer.status_code == status
    if status == 401:
        assert answer.json["error"] == "insufficient_user_authentication"
        assert answer.json["max_age"] == 300


# Transports and the login blueprint


def test_a_cookie_from_outside_makes_no_sense(provider, protected):
    client = protected.app.test_client()
    client.set_cookie("access_token", provider.token("reports:read"))
    assert client.get("/reports").status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/auth/refresh"),
        ("POST", "/auth/logout"),
        ("POST", "/auth/logout-all"),
        ("POST", "/auth/confirm"),
        ("POST", "/auth/password"),
        ("GET", "/auth/me"),
        ("GET", "/auth/sessions"),
        ("DELETE", f"/auth/sessions/{'a' * 32}"),
    ],
)
@pytest.mark.parametrize("kind", ["JWT", "at+jwt", "rt+jwt"])
def test_endpoints_about_our_own_sessions_refuse_tokens_of_others(provider, protected, users, method, path, kind):
    subject = users("alice", "permjwt:*")
    body = {
        "/auth/confirm": {"password": "correct horse battery"},
        "/auth/password": {"old_password": "correct horse battery", "new_password": "another good horse"},
    }.get(path)
    token = provider.token(sub=subject, sid="s" * 32, jti="j" * 32, ver=1, kind=kind)
    answer = protected.get(token, path, method=method, json=body)
    assert answer.status_code == 401
    assert answer.json["error"] == "invalid_token"


def test_a_token_of_ours_that_is_wrong_is_refused_for_what_is_wrong(provider, protected, users):
    users("alice")
    body = {"username": "alice", "password": "correct horse battery"}
    tokens = protected.app.test_client().post("/auth/login", json=body).json
    answer = protected.get(tokens["refresh_token"], "/who")
    assert answer.json["error_description"] == "The token is of another type."
    header, payload, _ = provider.token(iss=None).split(".")
    answer = protected.get(f"{header}.{payload}.AAAA", "/who")
    assert answer.json["error_description"] == "The token is of another type."


# Users of ours


@pytest.fixture
def finding(protect):
    return protect(app={"issuer_users": "find"})


@pytest.fixture
def creating(protect):
    return protect(app={"issuer_users": "create"})


def test_a_linked_user_is_found_by_issuer_and_subject_and_by_nothing_else(provider, finding, users):
    users("alice", "other:right", app=finding)
    assert finding.get(provider.token("x:y", email="alice@example.com"), "/who").json["user"] is None
    link(finding, "alice", provider.issuer, "bob")
    link(finding, "alice", "https://other.example.com", "carol")
    assert finding.get(provider.token("x:y", sub="bob"), "/who").json == {"user": "alice", "may": ["x:y"]}
    for subject in ("carol", "Bob", "bob ", "alice"):
        assert finding.get(provider.token(sub=subject), "/who").json["user"] is None


def test_a_user_is_created_once_and_may_do_nothing_else(provider, creating):
    names = {creating.get(provider.token("x:y", aio=number), "/who").json["user"] for number in range(3)}
    assert len(names) == 1
    (name,) = names
    assert name.startswith("127.0.0.1-")
    other = creating.get(provider.token(sub="bob", email="x@example.com"), "/who").json
    assert other["user"] not in names
    with creating.app.app_context():
        user = creating.permjwt.users.find(name)
        assert (user.email, user.password_hash, user.active) == (None, None, True)
        assert not creating.permjwt.users.permissions_of(user)
        events = [
            one for one in creating.app.extensions["permjwt"].recorder.read() if one.subject == user.public_id
        ]
    assert [one.event for one in events] == ["user_created"]


def test_no_user_is_created_for_a_token_that_is_refused(provider, creating):
    forged = type(provider.keys[0]).generate_key("P-256", {"kid": "k1"})
    for claims in ({"exp": int(time.time()) - 5}, {"aud": "api://other"}, {"key": forged}, {"kid": "k9"}):
        assert creating.get(provider.token("x:y", **claims), "/who").status_code == 401
    with creating.app.app_context():
        assert creating.permjwt.users.list_users() == []


def test_a_user_who_is_disabled_or_deleted_here_is_out(provider, creating):
    token = provider.token("reports:read")
    name = creating.get(token, "/who").json["user"]
    assert creating.get(token).status_code == 200
    change(creating, name, lambda store, user: store.set_active(user, active=False))
    for one in (token, provider.token("reports:read", aio="new")):
        answer = creating.get(one)
        assert answer.status_code == 401
        assert "no longer active" in answer.json["error_description"]
    change(creating, name, lambda store, user: store.set_active(user, active=True))
    assert creating.get(token).status_code == 200
    change(creating, name, lambda store, user: store.delete(user))
    assert creating.get(token).status_code == 401


def test_logging_out_everywhere_here_ends_no_session_there(provider, creating):
    token = provider.token("reports:read")
    name = creating.get(token, "/who").json["user"]
    change(creating, name, lambda store, user: store.void_tokens(user))
    assert creating.get(token).status_code == 200
    assert creating.get(token, "/who").json["user"] == name


def unlink(protected, name, issuer, subject):
    with protected.app.app_context():
        found = protected.permjwt.identities.unlink(protected.permjwt.users.find(name), issuer, subject)
        protected.permjwt.users.commit()
    return found


def test_whom_a_token_stands_for_changes_at_once(provider, finding, users):
    users("alice", app=finding)
    users("bob", app=finding)
    token, unmoved = provider.token(), provider.token(sub="carol")
    link(finding, "bob", provider.issuer, "carol")

    def who():
        assert finding.get(unmoved, "/who").json["user"] == "bob"
        return finding.get(token, "/who").json["user"]

    assert who() is None
    # Twice each: what was said of it a moment ago matters no more.
    for name in ("alice", "bob", "alice"):
        link(finding, name, provider.issuer, "alice")
        assert (who(), who()) == (name, name)
        assert unlink(finding, name, provider.issuer, "alice")
        assert not unlink(finding, name, provider.issuer, "alice")
        assert (who(), who()) == (None, None)


def test_that_it_does_waits_for_the_commit(provider, finding, users):
    users("alice", app=finding)
    link(finding, "alice", provider.issuer, "alice")
    token = provider.token()
    assert finding.get(token, "/who").json["user"] == "alice"
    with finding.app.app_context():
        finding.permjwt.identities.unlink(finding.permjwt.users.find("alice"), provider.issuer, "alice")
        finding.app.extensions["sqlalchemy"].session.rollback()
    assert finding.get(token, "/who").json["user"] == "alice"


def test_who_is_unlinked_while_a_token_is_looked_at_is_not_remembered(provider, finding, users, monkeypatch):
    users("alice", app=finding)
    link(finding, "alice", provider.issuer, "alice")
    identities, token = finding.permjwt.identities, provider.token()
    find = identities.user_of

    def find_and_be_late(*args, **options):
        found = find(*args, **options)
        unlink(finding, "alice", provider.issuer, "alice")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(type(identities), "user_of", staticmethod(find_and_be_late))
        finding.get(token, "/who")
    assert finding.get(token, "/who").json["user"] is None


def test_who_is_unlinked_while_a_known_token_is_judged_is_not_remembered(provider, finding, users, monkeypatch):
    users("alice", app=finding)
    link(finding, "alice", provider.issuer, "alice")
    tokens, token = finding.app.extensions["permjwt"].tokens, provider.token()
    assert finding.get(token, "/who").json["user"] == "alice"
    finding.app.extensions["permjwt"].freshness.state.doubt()
    still_holds = tokens._still_holds

    def hold_and_be_late(seen):
        found = still_holds(seen)
        unlink(finding, "alice", provider.issuer, "alice")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(tokens, "_still_holds", hold_and_be_late)
        finding.get(token, "/who")
    assert finding.get(token, "/who").json["user"] is None


def test_linking_and_unlinking_are_told_and_written_down(provider, finding, users):
    subject = users("alice", app=finding)
    seen = []
    with (
        signals.identity_linked.connected_to(lambda app, event: seen.append(event)),
        signals.identity_unlinked.connected_to(lambda app, event: seen.append(event)),
    ):
        for _ in range(2):
            link(finding, "alice", provider.issuer, "alice")
        for _ in range(2):
            unlink(finding, "alice", provider.issuer, "alice")
    assert [(one.name, one.subject, one.issuer, one.provider) for one in seen] == [
        ("identity_linked", subject, provider.issuer, None),
        ("identity_unlinked", subject, provider.issuer, None),
    ]
    with finding.app.app_context():
        rows = finding.app.extensions["permjwt"].recorder.read(subject=subject)
    assert [one.event for one in rows] == ["user_created", "identity_linked", "identity_unlinked"]
    assert rows[-1].detail == {"issuer": provider.issuer, "provider": None}


def test_where_tokens_have_no_permissions_those_of_the_user_count_and_change(provider, protect, users):
    finding = protect(app={"issuer_users": "find"}, permissions=())
    users("alice", "reports:read", app=finding)
    token = provider.token("ignored:scope")
    assert finding.get(token).status_code == 403
    link(finding, "alice", provider.issuer, "alice")
    token = provider.token("ignored:scope", aio="new")
    assert finding.get(token).status_code == 200
    assert finding.get(token, "/who").json == {"user": "alice", "may": ["reports:read"]}
    change(finding, "alice", lambda store, user: store.revoke(user, "reports:read"))
    assert finding.get(token).status_code == 403
    change(finding, "alice", lambda store, user: store.grant(user, "reports:*"))
    assert finding.get(token).status_code == 200


def test_where_tokens_have_permissions_those_of_the_user_are_not_added(provider, finding, users):
    users("alice", "reports:read", app=finding)
    link(finding, "alice", provider.issuer, "alice")
    token = provider.token("x:y")
    assert finding.get(token).status_code == 403
    change(finding, "alice", lambda store, user: store.grant(user, "more:rights"))
    assert finding.get(token, "/who").json["may"] == ["x:y"]


def test_me_is_the_user_here(provider, finding, users):
    users("alice", app=finding)
    link(finding, "alice", provider.issuer, "alice")
    shown = finding.get(provider.token("x:y"), "/auth/me").json
    assert (shown["username"], shown["permissions"]) == ("alice", ["x:y"])


def test_an_identity_belongs_to_one_user(finding, users):
    users("alice", app=finding)
    users("bob", app=finding)
    link(finding, "alice", "https://i.example.com", "s")
    link(finding, "alice", "https://i.example.com", "s")
    with pytest.raises(IdentityTakenError):
        link(finding, "bob", "https://i.example.com", "s")


# The map, and mistakes in the settings


def test_a_map_may_grant_what_nobody_outside_can_name(provider, protect):
    mapped = protect(map={"Reports.Read": "reports:read", "Admin": ["permjwt:sessions:manage", "*"]})
    assert mapped.get(provider.token("Reports.Read")).status_code == 200
    assert mapped.get(provider.token("Admin"), "/who").json["may"] == ["*", "permjwt:sessions:manage"]
    assert mapped.get(provider.token("reports:read")).status_code == 403


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"ISSUERS": [{"preset": "entra"}]}, "'issuer' is missing"),
        (
            {"ISSUERS": [{"preset": "google", "audience": "a"}], "ISSUER": "https://accounts.google.com"},
            "PERMJWT_ISSUER",
        ),
        ({"ISSUERS": [{"preset": "google", "audience": "a", "jwks": {"keys": []}}]}, "no usable key"),
        ({"ISSUER_USERS": "find"}, "there are none"),
    ],
)
def test_a_wrong_setting_stops_the_start(settings, word):
    app = Flask(__name__)
    app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
    app.config.update({f"PERMJWT_{name}": value for name, value in settings.items()})
    with pytest.raises(ConfigurationError, match=word):
        PermJWT(app, db=SQLAlchemy(app))


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr(outside, "find_spec", lambda name: None if name == "urllib3" else object())
    test_a_wrong_setting_stops_the_start(
        {"ISSUERS": [{"preset": "google", "audience": "a"}]}, r"urllib3: pip install 'flask-permjwt\[issuers\]'"
    )


class Elsewhere:
    """Users who live elsewhere."""

    def find(self, name):
        return None

    get = find


def test_users_who_live_elsewhere_are_not_created():
    app = Flask(__name__)
    app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
    app.config["PERMJWT_ISSUERS"] = [{"preset": "google", "audience": "a"}]
    app.config["PERMJWT_ISSUER_USERS"] = "create"
    with pytest.raises(ConfigurationError, match="use 'find'"):
        PermJWT(app, db=SQLAlchemy(app), user_store=Elsewhere())


@pytest.mark.parametrize(
    ("signer", "status"), [("mine", 200), ("template", 200), ("others", 401), ("silent", 200)]
)
def test_of_keys_that_tenants_share_one_signs_only_for_the_issuer_that_it_names(provider, protect, signer, status):
    shared = "https://login.microsoftonline.com/{tenantid}/v2.0"
    mine, others = (shared.replace("{tenantid}", f"0000000{one}-1111-2222-3333-444444444444") for one in "12")
    named = {"mine": {"issuer": mine}, "template": {"issuer": shared}, "others": {"issuer": others}, "silent": {}}
    key = provider.keys[-1].as_dict(private=False) | named[signer]
    app = protect(issuer=mine, jwks={"keys": [key]})
    assert app.get(provider.token("reports:read", iss=mine)).status_code == status


def test_keys_may_come_from_a_file_or_stand_in_the_settings(provider, protect, tmp_path):
    path = tmp_path / "keys.json"
    path.write_bytes(provider._keys())
    for jwks in (
        str(path),
        {"keys": [key.as_dict(private=False) for key in provider.keys]},
        f"{provider.issuer}/keys",
    ):
        assert protect(jwks=jwks).get(provider.token("reports:read")).status_code == 200
    assert sum(provider.fetches.values()) == 1
