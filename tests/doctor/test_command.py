"""The command, on real apps and databases."""

import json
import os
import re
import secrets
import subprocess
import sys
import textwrap

import pytest
from flask import Blueprint, Flask, g, request
from flask.views import MethodView
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text
from sqlalchemy.pool import StaticPool

from flask_permjwt import PermJWT, public, requires_permissions
from flask_permjwt.cli.doctor import collect, database, second
from flask_permjwt.web.state import app_state


@pytest.fixture
def make_app(tmp_path):
    made = []

    def make(uri=None, *, create=True, clock=None, logins=False, **config):
        app = Flask("an_app", static_folder=None)
        app.config.update(
            SECRET_KEY=secrets.token_hex(32), SQLALCHEMY_DATABASE_URI=uri or f"sqlite:///{tmp_path}/a.db"
        )
        app.config.update(
            {name if name.isupper() else f"PERMJWT_{name.upper()}": one for name, one in config.items()}
        )
        app.config.setdefault("PERMJWT_REVOCATION_EPOCH_FILE", str(tmp_path / "a.epoch"))
        db = SQLAlchemy()
        permjwt = PermJWT(db=db, **({"clock": clock} if clock else {}))
        permjwt.init_app(app)
        db.init_app(app)
        app.extensions["test_permjwt"] = permjwt
        if logins:
            app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
        made.append((app, db))
        if create:
            with app.app_context():
                db.create_all()
        return app

    yield make
    for app, db in made:
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()


def make_never():
    """Return a view of its own that must not run."""
    return lambda **_: pytest.fail("a view ran")


@pytest.fixture
def ask():
    def run(app, *arguments):
        result = app.test_cli_runner().invoke(args=["permjwt", "doctor", "--json", "--workers", "1", *arguments])
        told = json.loads(result.output)
        assert told["exit_code"] == result.exit_code
        return result.exit_code, {one["check"]: one for one in told["findings"]}

    return run


def test_a_good_app_is_well_and_what_cannot_be_told_does_not_count(make_app, ask):
    app = make_app()
    app.register_blueprint(app.extensions["test_permjwt"].auth_blueprint, url_prefix="/auth")
    code, found = ask(app)
    assert (code, list(found)) == (0, ["secret-per-process"])
    assert found["secret-per-process"]["level"] == "unknown"


def test_warnings_alone_have_an_exit_code_of_their_own(make_app, ask):
    code, found = ask(make_app(logins=True, ratelimit_enabled=False))
    assert (code, "throttle-off" in found) == (3, True)


@pytest.mark.parametrize(("logins", "level", "exit_code"), [(True, "warning", 3), (False, "unknown", 0)])
def test_whether_passwords_are_tried_is_known_where_people_log_in(make_app, ask, logins, level, exit_code):
    code, found = ask(make_app(logins=logins), "--workers", "4")
    assert (code, found["throttle-in-memory"]["level"]) == (exit_code, level)


def test_people_read_level_check_problem_and_remedy(make_app):
    result = make_app(cookie_secure=False).test_cli_runner().invoke(args=["permjwt", "doctor"])
    assert result.exit_code == 1
    assert "error: cookie-not-secure\n  PERMJWT_COOKIE_SECURE is off" in result.output
    assert "Remedy: " in result.output
    assert "Found: 1 error, 2 unknowns." in result.output


def test_undeclared_views_are_named(make_app, ask):
    app = make_app()
    app.get("/forgotten")(lambda: "")
    code, found = ask(app)
    assert (code, "GET /forgotten" in found["undeclared-views"]["problem"]) == (1, True)


@pytest.mark.parametrize("origin", ["*", "https://another-site.invalid", "https://pages.example"])
@pytest.mark.parametrize("credentials", [True, False])
def test_cors_is_asked_whoever_sets_its_headers_and_no_view_runs(make_app, ask, origin, credentials):
    app = make_app()
    app.get("/items/<int:item>")(public(reason="open")(lambda item: pytest.fail("a view ran")))

    @app.after_request
    def let_in(response):
        response.headers["Access-Control-Allow-Origin"] = origin
        if credentials:
            response.headers["Access-Control-Allow-Credentials"] = "true"
        return response

    wrong = credentials and origin != "https://pages.example"
    _, found = ask(app)
    assert ("cors-wildcard" in found) is wrong
    assert not wrong or "/items/<int:item>" in found["cors-wildcard"]["problem"]


def test_flask_cors_with_credentials_and_a_wildcard_is_found(make_app, ask):
    cors = pytest.importorskip("flask_cors")
    app = make_app()
    cors.CORS(app, supports_credentials=True)
    app.get("/items")(public(reason="open")(lambda: ""))
    assert "cors-wildcard" in ask(app)[1]


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("open_to_all", [True, False])
def test_the_decorator_of_flask_cors_is_seen_and_no_view_runs(make_app, ask, above, open_to_all):
    cors = pytest.importorskip("flask_cors")
    app = make_app(CORS_AUTOMATIC_OPTIONS=False)
    origins = "*" if open_to_all else "https://pages.example"
    decorate, guard = cors.cross_origin(origins=origins, supports_credentials=True), public(reason="open")
    view = make_never()
    app.get("/items/<int:item>")(decorate(guard(view)) if above else guard(decorate(view)))
    found = ask(app)[1]
    assert ("cors-wildcard" in found) is open_to_all
    assert not open_to_all or "/items/<int:item>" in found["cors-wildcard"]["problem"]


def test_the_decorator_of_flask_cors_is_seen_on_view_classes(make_app, ask):
    cors = pytest.importorskip("flask_cors")
    app = make_app()

    class Items(MethodView):
        decorators = (public(reason="open"),)

        @cors.cross_origin(supports_credentials=True)
        def get(self):
            pytest.fail("a view ran")

    app.add_url_rule("/items", view_func=Items.as_view("items"))
    assert "/items" in ask(app)[1]["cors-wildcard"]["problem"]


def test_a_sandboxed_frame_is_any_site(make_app, ask):
    app = make_app()
    app.get("/items")(public(reason="open")(lambda: ""))

    @app.after_request
    def let_in(response):
        if request.headers.get("Origin") == "null":
            response.headers["Access-Control-Allow-Origin"] = "null"
            response.headers["Access-Control-Allow-Credentials"] = "true"
        return response

    assert "cors-wildcard" in ask(app)[1]


def test_the_last_of_many_routes_is_asked_too(make_app, ask):
    app = make_app()
    for number in range(250):
        app.get(f"/{number}", endpoint=f"view{number}")(public(reason="open")(lambda: ""))
    blueprint = Blueprint("last", __name__)
    blueprint.get("/last")(public(reason="open")(lambda: ""))

    @blueprint.after_request
    def let_in(response):
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Allow-Credentials"] = "true"
        return response

    app.register_blueprint(blueprint)
    assert "/last" in ask(app)[1]["cors-wildcard"]["problem"]


@pytest.mark.parametrize("attribute", ["Max-Age=31536000", "Expires=Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_cookie_that_the_app_keeps_for_longer_than_its_token_is_found(make_app, ask, attribute):
    app = make_app(logins=True, PERMJWT_COOKIE_PARTITIONED=True)

    @app.after_request
    def keep(response):
        if request.path == "/auth/login":
            response.headers.add("Set-Cookie", "another=1; Max-Age=31536000")
            response.headers.add("Set-Cookie", f"access_token=a; {attribute}; Secure; HttpOnly; Partitioned")
        return response

    code, found = ask(app)
    assert (code, "access_token is kept for" in found["cookie-outlives-token"]["problem"]) == (3, True)


def test_a_function_after_requests_that_fails_hides_no_cookie(make_app, ask):
    app = make_app(logins=True)
    app.after_request(lambda response: g.nobody_has_set_this)
    assert ask(app)[0] == 0


def test_a_route_that_cannot_be_asked_stops_nothing(make_app, ask):
    app = make_app(PROPAGATE_EXCEPTIONS=True)
    app.get("/items")(public(reason="open")(lambda: ""))
    app.before_request(lambda: 1 / 0)
    assert ask(app)[0] == 0


def test_missing_tables_and_columns_are_named(make_app, ask):
    app = make_app(create=False)
    code, found = ask(app)
    assert code == 1
    db = app.extensions["sqlalchemy"]
    told = set(re.findall(r"the table (\w+)", found["tables-missing"]["problem"]))
    assert told == {name for metadata in db.metadatas.values() for name in metadata.tables}
    with app.app_context():
        db.create_all()
        db.session.execute(text("ALTER TABLE permjwt_users DROP COLUMN email_verified_at"))
        db.session.commit()
    assert "lacks the column permjwt_users.email_verified_at." in ask(app)[1]["tables-missing"]["problem"]


def test_a_database_that_is_away_is_told_without_its_address(make_app, ask):
    uri = "postgresql+psycopg://somebody:secret-word@127.0.0.1:1/app?connect_timeout=1"
    code, found = ask(make_app(uri, create=False))
    assert (code, "database-unreachable" in found) == (1, True)
    assert "secret-word" not in json.dumps(found)
    assert "asked (OperationalError):" in found["database-unreachable"]["problem"]


def test_a_pool_with_one_connection_is_found(make_app, ask, tmp_path):
    options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    _, found = ask(make_app(SQLALCHEMY_ENGINE_OPTIONS=options))
    assert "StaticPool shares one connection" in found["shared-connection"]["problem"]


def test_a_database_in_memory_is_found(make_app, ask):
    assert "database-in-memory" in ask(make_app("sqlite://"))[1]


def test_network_file_systems_are_told_by_the_mounts(make_app, ask, monkeypatch):
    monkeypatch.setattr(collect, "network_mount", lambda *_: "nfs4")
    assert {"sqlite-on-network", "epoch-file-on-network"} <= ask(make_app())[1].keys()


def test_a_file_that_cannot_be_shared_is_found(make_app, ask, tmp_path):
    app = make_app()
    (tmp_path / "a.epoch").write_bytes(bytes(8))
    (tmp_path / "a.epoch").chmod(0o644)
    assert "epoch-file-unusable" in ask(app)[1]


def test_migrations_that_wait_are_found(make_app, ask, tmp_path):
    app = make_app()
    db = app.extensions["sqlalchemy"]
    Migrate(app, db, directory=str(tmp_path / "migrations"))
    assert "migrations-pending" not in ask(app)[1]
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    (tmp_path / "migrations" / "env.py").touch()
    (tmp_path / "migrations" / "versions" / "first.py").write_text('revision = "f1"\ndown_revision = None\n')
    code, found = ask(app)
    assert (code, "migrations-pending" in found) == (3, True)
    with app.app_context():
        db.session.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        db.session.execute(text("INSERT INTO alembic_version VALUES ('f1')"))
        db.session.commit()
    assert ask(app)[0] == 0


def test_a_table_of_versions_of_another_name_is_looked_at(make_app, ask, tmp_path):
    app = make_app()
    db = app.extensions["sqlalchemy"]
    Migrate(app, db, directory=str(tmp_path / "migrations"), version_table="versions_of_shop")
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    (tmp_path / "migrations" / "env.py").touch()
    (tmp_path / "migrations" / "versions" / "first.py").write_text('revision = "f1"\ndown_revision = None\n')
    assert "migrations-pending" in ask(app)[1]
    with app.app_context():
        db.session.execute(text("CREATE TABLE versions_of_shop (version_num VARCHAR(32) PRIMARY KEY)"))
        db.session.execute(text("INSERT INTO versions_of_shop VALUES ('f1')"))
        db.session.commit()
    assert ask(app)[0] == 0
    (tmp_path / "migrations" / "versions" / "second.py").write_text("raise ImportError('no such module')")
    code, found = ask(app)
    assert (code, found["migrations-pending"]["level"], "database-unreachable" in found) == (0, "unknown", False)


def test_a_clock_that_was_left_from_tests_is_found(make_app, ask, fake_clock):
    assert "clock-of-its-own" in ask(make_app(clock=fake_clock))[1]


def test_sessions_of_the_future_are_found(make_app, ask):
    app = make_app()
    with app.app_context():
        permjwt = app.extensions["test_permjwt"]
        alice = permjwt.users.create("alice").public_id
        sessions, now = permjwt._shared.sessions, int(app_state(app).clock())
        sessions.open(alice, now=now + 3600, lifetime=60, opened_by="password")
        permjwt.users.commit()
    assert "clock-of-others" in ask(app)[1]


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ],
)
def test_a_server_is_asked_for_its_clock_and_the_driver_for_its_time_outs(
    make_app, ask, make_database_url, kind, monkeypatch
):
    url = make_database_url(kind)
    assert ask(make_app(url))[1].keys() == {"secret-per-process", "driver-waits"}
    time_outs = {
        "postgresql": {"connect_timeout": 3, "tcp_user_timeout": 5000},
        "mariadb": {"connect_timeout": 3, "read_timeout": 5, "write_timeout": 5},
    }
    app = make_app(url, SQLALCHEMY_ENGINE_OPTIONS={"connect_args": time_outs[kind]})
    assert ask(app)[1].keys() == {"secret-per-process"}
    ahead = {name: statement.replace("SELECT ", "SELECT 40 + ") for name, statement in database._NOW.items()}
    monkeypatch.setattr(database, "_NOW", ahead)
    assert "40 s ahead" in ask(app)[1]["clock-of-database"]["problem"]


# -- a second process

APP = """
    import os
    import secrets
    from flask import Flask
    from flask_sqlalchemy import SQLAlchemy
    from flask_permjwt import PermJWT

    def create_app():
        app = Flask(__name__, static_folder=None)
        app.config.update(SECRET_KEY={secret}, SQLALCHEMY_DATABASE_URI="sqlite:///app.db")
        db = SQLAlchemy(app)
        PermJWT(app, db=db)
        with app.app_context():
            db.create_all()
        return app
"""


IN_ENVIRONMENT = "os.environ.setdefault('SHOP_SECRET', secrets.token_hex(32))"


@pytest.mark.parametrize(
    ("secret", "code"),
    [("secrets.token_hex(32)", 1), (IN_ENVIRONMENT, 1), (repr(secrets.token_hex(32)), 0)],
    ids=["random", "random in the environment", "kept"],
)
def test_a_secret_that_each_process_makes_is_found_and_never_shown(tmp_path, secret, code):
    (tmp_path / "shop.py").write_text(textwrap.dedent(APP.format(secret=secret)))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLASK_")}
    command = [sys.executable, "-m", "flask", "--app", "shop", "permjwt", "doctor", "--json", "--workers", "1"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == code, ran.stderr
    found = [one["check"] for one in json.loads(ran.stdout)["findings"]]
    assert found == (["secret-per-process"] if code else [])
    assert secret.strip("'") not in ran.stdout
    assert "fingerprint" not in ran.stdout
    if secret == IN_ENVIRONMENT:
        environment["SHOP_SECRET"] = secrets.token_hex(32)
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (ran.returncode, json.loads(ran.stdout)["findings"]) == (0, [])


def test_what_the_app_prints_is_no_other_secret(tmp_path):
    printing = "import atexit\natexit.register(lambda: print('good bye'))\nprint('hello')\n"
    text = APP.format(secret=repr(secrets.token_hex(32)))
    (tmp_path / "shop.py").write_text(printing + textwrap.dedent(text))
    command = [sys.executable, "-m", "flask", "--app", "shop", "permjwt", "doctor", "--workers", "1"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, "All is well." in ran.stdout) == (0, True), ran.stdout


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["flask", "permjwt", "doctor"], []),
        (["flask", "-e", "prod.env", "permjwt", "doctor"], ["-e", "prod.env"]),
        (["flask", "--app", "shop", "--env-file", "prod.env", "permjwt"], ["--env-file", "prod.env"]),
        (["flask", "--env-file=prod.env", "permjwt"], ["--env-file=prod.env"]),
        (["flask", "-eprod.env", "permjwt"], ["-eprod.env"]),
    ],
)
def test_a_file_of_variables_is_given_to_the_second_process_too(arguments, option):
    assert second.env_file(arguments) == option


def test_the_first_environment_is_what_the_process_was_started_with(tmp_path, monkeypatch):
    (tmp_path / "environ").write_bytes(b"A=1\0B=x=y\0\0")
    monkeypatch.delenv("FLASK_DEBUG", raising=False)
    assert second.first_environment(tmp_path / "environ") == {"A": "1", "B": "x=y"}
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert second.first_environment(tmp_path / "environ") == {"A": "1", "B": "x=y", "FLASK_DEBUG": "1"}
    assert second.first_environment(tmp_path / "nowhere") is os.environ


@pytest.mark.parametrize(
    ("config", "logins"),
    [
        (
            {"PERMJWT_TOKEN_LOCATIONS": ["headers"], "PERMJWT_RATELIMIT_STORAGE_URI": "redis://127.0.0.1:6379/9"},
            True,
        ),
        ({"PERMJWT_TOKEN_LOCATIONS": ["cookies"], "PERMJWT_COOKIE_SAMESITE": "Strict", "workers": "1"}, True),
        ({"PERMJWT_DEFAULT_DENY": True, "SESSION_COOKIE_SECURE": True, "workers": "1"}, True),
        ({"PERMJWT_ISSUERS": [{"preset": "auth0", "issuer": "https://x.auth0.com/", "audience": "api"}]}, False),
        ({"APPLICATION_ROOT": "/shop", "SERVER_NAME": "shop.example", "workers": "1"}, True),
        ({"PERMJWT_COOKIE_SLIDING": True, "PERMJWT_COOKIE_PARTITIONED": True, "workers": "1"}, True),
    ],
    ids=["headers", "cookies", "default deny", "issuers alone", "behind a path", "sliding"],
)
def test_sound_apps_are_well(make_app, ask, config, logins):
    workers = config.pop("workers", "4")
    app = make_app(logins=logins, **config)
    app.get("/items/<uuid:item>")(requires_permissions("items:read")(make_never()))
    assert ask(app, "--workers", workers)[0] == 0
    assert [one for one in ask(app, "--workers", workers)[1].values() if one["level"] != "unknown"] == []
