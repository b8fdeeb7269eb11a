"""Attacks on personal access tokens: where they must not be taken, what they must not reach, and floods."""

import secrets
import threading

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event

from flask_permjwt import PermJWT, requires_login, requires_permissions
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.policy.permissions import Grants
from flask_permjwt.tokens.personal import new_personal_token

PASSWORD = "correct horse battery staple"
HTTPS = "https://localhost"


class Target:
    """An app with alice, and a token of hers."""

    def __init__(self, url, clock, **settings):
        self.app = app = Flask("target")
        app.config.update(TESTING=True, SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI=url)
        app.config.update(PERMJWT_PERSONAL_TOKENS=True, PERMJWT_TOKEN_LOCATIONS=["headers", "cookies"])
        app.config.update({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})
        self.db = SQLAlchemy(app)
        self.permjwt = PermJWT(app, db=self.db, clock=clock)
        self.state = app.extensions["permjwt"]
        app.register_blueprint(self.permjwt.auth_blueprint, url_prefix="/auth")

        @app.route("/reports", methods=["GET", "POST"])
        @requires_permissions("reports:read")
        def reports():
            return {}

        @app.get("/private")
        @requires_login
        def private():
            return {}

        with app.app_context():
            self.db.create_all()
            self.permjwt.users.create("alice", PASSWORD, permissions=["*"])
            self.permjwt.users.create("mallory", PASSWORD, permissions=["reports:read"])
            self.db.session.commit()
        self.made = self.make("alice", "*")
        self.token = self.made.text

    def make(self, name, *permissions):
        with self.app.app_context():
            user = self.permjwt.users.find(name)
            made = self.state.personal.create(
                user.public_id, 1, "ci", permissions, within=Grants(["*"]), lifetime=86400, at_most=50
            )
            self.db.session.commit()
        return made

    def log_in(self, name="alice"):
        body = {"username": name, "password": PASSWORD, "delivery": "header"}
        return self.app.test_client().post("/auth/login", json=body).json["access_token"]

    def ask(self, method, path, token, *, address="192.0.2.1", **options):
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        environ = {"REMOTE_ADDR": address}
        return self.app.test_client().open(
            path, method=method, headers=headers, environ_overrides=environ, **options
        )

    def close(self):
        with self.app.app_context():
            self.db.session.remove()
            self.db.engine.dispose()


@pytest.fixture
def make_target(fake_clock, monkeypatch, make_database_url):
    fast = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr("flask_permjwt.shared.Passwords", lambda: fast)
    made = []

    def make(kind="sqlite", **settings):
        made.append(Target(make_database_url(kind), fake_clock, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def target(make_target):
    return make_target()


@pytest.fixture
def queries(target):
    seen = []

    def note(_connection, _cursor, statement, *_):
        if "permjwt_personal_tokens" in statement:
            seen.append(statement)

    with target.app.app_context():
        engine = target.db.engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


# Where it must not be taken


@pytest.mark.parametrize("name", ["access_token", "token", "ticket", "jwt", "personal_token"])
def test_a_token_in_the_query_string_or_a_form_is_never_read(target, name):
    client = target.app.test_client()
    assert client.get(f"/reports?{name}={target.token}").status_code == 401
    assert client.post("/reports", data={name: target.token}).status_code == 401


def test_a_token_in_a_cookie_is_never_taken(target):
    settings = target.state.settings
    client = target.app.test_client()
    for name in settings.cookie_names:
        client.set_cookie(name, target.token, domain="localhost", secure=True)
    for path in ("/reports", "/private", "/auth/me"):
        assert client.get(path, base_url=HTTPS).status_code == 401
    for path in ("/auth/refresh", "/auth/logout"):
        assert client.post(path, base_url=HTTPS).status_code == 401


@pytest.mark.parametrize("scheme", ["Basic", "Token", "token", "", "Bearer Bearer", "DPoP"])
def test_only_the_scheme_bearer_is_taken(target, scheme):
    headers = {"Authorization": f"{scheme} {target.token}".strip()}
    assert target.app.test_client().get("/reports", headers=headers).status_code in (400, 401)


def test_a_token_in_the_body_is_no_refresh_token(target):
    for path in ("/auth/refresh", "/auth/logout"):
        answer = target.app.test_client().post(path, json={"refresh_token": target.token})
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


def test_a_token_is_no_code_of_any_kind(target):
    client = target.app.test_client()
    assert client.post("/auth/verify", json={"token": target.token}).status_code in (400, 404)
    body = {"username": "alice", "password": target.token}
    assert client.post("/auth/login", json=body).status_code == 401


def test_the_hash_of_a_token_is_no_token(target):
    for text in (target.made.row.digest, f"pjwt_{target.made.row.digest}", target.made.row.id):
        assert target.ask("GET", "/reports", text).status_code == 401


# What it must not reach


BEYOND = [
    ("POST", "/auth/tokens", {"name": "more", "permissions": []}),
    ("GET", "/auth/tokens", None),
    ("DELETE", "/auth/tokens/{id}", None),
    ("POST", "/auth/password", {"old_password": PASSWORD, "new_password": "another good long password"}),
    ("POST", "/auth/confirm", {"password": PASSWORD}),
    ("POST", "/auth/logout", None),
    ("POST", "/auth/logout-all", {}),
    ("POST", "/auth/logout-all", {"user": "mallory"}),
    ("GET", "/auth/sessions", None),
    ("GET", "/auth/sessions?user=mallory", None),
    ("DELETE", "/auth/sessions/{session}", None),
    ("POST", "/auth/refresh", None),
    ("GET", "/auth/providers", None),
    ("POST", "/auth/providers/google", {}),
    ("DELETE", "/auth/providers/google", None),
    ("POST", "/auth/ticket", {"path": "/reports", "method": "GET"}),
]


@pytest.mark.parametrize(("method", "path", "body"), BEYOND)
def test_a_token_that_may_do_everything_reaches_nothing_of_the_account(target, method, path, body):
    access = target.log_in("mallory")
    session = target.ask("GET", "/auth/sessions", access).json["sessions"][0]["id"]
    answer = target.ask(method, path.format(id=target.made.row.id, session=session), target.token, json=body)
    assert answer.status_code in (401, 403)
    assert not answer.headers.getlist("Set-Cookie")
    assert target.ask("GET", "/reports", access).status_code == 200
    assert target.ask("GET", "/reports", target.token).status_code == 200
    assert target.log_in()


def test_every_endpoint_that_needs_a_login_was_thought_of(target):
    """Who adds one decides whether a personal token reaches it, here."""
    reached = {"GET /auth/me"}
    listed = {f"{method} {path.split('?')[0]}" for method, path, _ in BEYOND}
    names = {"{id}": "<token_id>", "{session}": "<session_id>", "google": "<provider>"}
    for old, new in names.items():
        listed = {one.replace(old, new) for one in listed}
    needing = set()
    for rule in target.app.url_map.iter_rules():
        if rule.endpoint.startswith("permjwt_auth."):
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                entry = target.state.table.entry(rule.endpoint, method)
                if entry.need is not None:
                    needing.add(f"{method} {rule.rule}")
    assert needing == (needing & listed) | reached


def test_a_token_of_somebody_else_is_as_unknown_as_one_that_is_not_there(target):
    access = target.log_in("mallory")
    theirs = target.ask("DELETE", f"/auth/tokens/{target.made.row.id}", access)
    nobodys = target.ask("DELETE", f"/auth/tokens/{'0' * 32}", access)
    assert (theirs.status_code, theirs.json) == (nobodys.status_code, nobodys.json) == (404, nobodys.json)
    assert target.ask("GET", "/reports", target.token).status_code == 200


# What it must not become


def test_a_token_whose_owner_lost_a_permission_does_not_keep_it(target):
    token = target.make("mallory", "reports:read").text
    assert target.ask("GET", "/reports", token).status_code == 200
    with target.app.app_context():
        users = target.permjwt.users
        users.revoke(users.find("mallory"), "reports:read")
        users.commit()
    assert target.ask("GET", "/reports", token).status_code == 403


def test_a_wider_scope_that_is_written_into_the_row_is_still_within_what_the_owner_may_do(target):
    made = target.make("mallory", "reports:read")
    with target.app.app_context():
        model = target.permjwt.models.personal
        target.db.session.query(model).filter_by(id=made.row.id).update({"scope": "models:* permjwt:*"})
        target.db.session.commit()
    assert target.ask("GET", "/reports", made.text).status_code == 403
    assert target.ask("GET", "/auth/me", made.text).json["permissions"] == []


@pytest.mark.parametrize(
    "kind",
    [
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ],
)
def test_of_many_who_make_tokens_at_once_no_more_are_made_than_there_may_be(make_target, kind):
    target = make_target(kind, personal_tokens_per_user=3, ratelimit_enabled=False)
    access, answers = target.log_in("mallory"), []
    barrier = threading.Barrier(8)

    def make():
        barrier.wait()
        body = {"name": "ci", "permissions": []}
        answers.append(target.ask("POST", "/auth/tokens", access, json=body).status_code)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(answers) == [201] * 3 + [409] * 5


@pytest.mark.parametrize(
    "kind",
    [
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ],
)
def test_making_using_and_revoking_at_once_never_fails_and_what_is_revoked_stays_so(make_target, kind):
    target = make_target(kind, ratelimit_enabled=False)
    access, answers, revoked = target.log_in("mallory"), [], []
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        for _ in range(5):
            body = {"name": "ci", "permissions": ["reports:read"]}
            made = target.ask("POST", "/auth/tokens", access, json=body)
            used = target.ask("GET", "/reports", made.json["token"])
            gone = target.ask("DELETE", f"/auth/tokens/{made.json['id']}", access)
            answers.append((made.status_code, used.status_code, gone.status_code))
            revoked.append(made.json["token"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers == [(201, 200, 204)] * 20
    assert {target.ask("GET", "/reports", one).status_code for one in revoked} == {401}
    assert target.ask("GET", "/auth/tokens", access).json == {"tokens": []}


# Floods


def test_a_wrong_checksum_is_refused_before_the_database_is_asked(target, queries):
    for _ in range(300):
        text = new_personal_token()
        changed = text[:-1] + ("0" if text[-1] != "0" else "1")
        assert target.ask("GET", "/reports", changed).status_code == 401
    assert queries == []


def test_a_flood_of_made_up_tokens_is_counted_by_address_and_then_asks_for_nothing(make_target, queries, target):
    answers = [target.ask("GET", "/reports", new_personal_token()).status_code for _ in range(150)]
    assert answers == [401] * 100 + [429] * 50
    assert len(queries) == 100
    answer = target.ask("GET", "/reports", new_personal_token())
    assert int(answer.headers["Retry-After"]) > 0


def test_a_flood_from_one_address_locks_nobody_out_elsewhere_nor_who_is_known(target):
    known = target.make("mallory", "reports:read").text
    assert target.ask("GET", "/reports", known).status_code == 200
    for _ in range(101):
        target.ask("GET", "/reports", new_personal_token())
    assert target.ask("GET", "/reports", known).status_code == 200
    assert target.ask("GET", "/reports", target.token).status_code == 429
    assert target.ask("GET", "/reports", target.token, address="192.0.2.2").status_code == 200


def test_addresses_of_one_ipv6_network_are_one(target):
    for number in range(100):
        target.ask("GET", "/reports", new_personal_token(), address=f"2001:db8::{number:x}")
    answer = target.ask("GET", "/reports", new_personal_token(), address="2001:db8::ffff")
    assert answer.status_code == 429


def test_good_tokens_are_never_counted(target):
    made = [target.make("mallory", "reports:read").text for _ in range(45)]
    for _ in range(3):
        for one in made:
            assert target.ask("GET", "/reports", one).status_code == 200
        target.state.tokens.forget()
    assert target.ask("GET", "/reports", new_personal_token()).status_code == 401


def test_a_token_that_was_revoked_and_comes_again_and_again_is_counted_once(target, queries):
    with target.app.app_context():
        target.state.personal.revoke(target.made.row.id, target.permjwt.users.find("alice").public_id)
        target.db.session.commit()
    queries.clear()
    for _ in range(300):
        assert target.ask("GET", "/reports", target.token).status_code == 401
    assert len(queries) == 1
    good = target.make("mallory", "reports:read").text
    assert target.ask("GET", "/reports", good).status_code == 200


def test_a_flood_fills_no_memory(make_target, monkeypatch):
    monkeypatch.setattr("flask_permjwt.accounts.personal_use._MAX_REFUSED", 40)
    target = make_target()
    use = target.state.tokens._personal
    for number in range(100):
        target.ask("GET", "/private", new_personal_token(), address=f"10.0.{number}.1")
    assert 20 <= len(use._refused) <= 40
    assert len(target.state.tokens._by_header) == 0


@pytest.mark.parametrize(
    "text", ["pjwt_", "pjwt_" + "A" * 49, "pjwt_" * 2000, "PJWT_" + "a" * 49, "pjwt_.a.b", "pjwt_=="]
)
def test_what_looks_like_a_token_is_401_and_never_500(target, text):
    answer = target.ask("GET", "/reports", text)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_database_that_is_down_is_503_and_is_not_counted_as_a_wrong_token(target):
    with target.app.app_context():
        target.db.session.execute(target.db.text("ALTER TABLE permjwt_personal_tokens RENAME TO away"))
        target.db.session.commit()
    for _ in range(120):
        answer = target.ask("GET", "/reports", target.token)
        assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    with target.app.app_context():
        target.db.session.execute(target.db.text("ALTER TABLE away RENAME TO permjwt_personal_tokens"))
        target.db.session.commit()
    assert target.ask("GET", "/reports", target.token).status_code == 200


def test_nothing_that_is_logged_or_answered_shows_a_token(target, caplog):
    caplog.set_level(0)
    bad = new_personal_token()
    texts = [target.ask("GET", "/reports", one).text for one in (target.token, bad, bad[:-1] + "!")]
    secrets_ = [one[5:48] for one in (target.token, bad)]
    for secret in secrets_:
        assert secret not in caplog.text
        assert all(secret not in text for text in texts)
    assert target.token not in repr(target.made)
