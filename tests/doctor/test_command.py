"""The command, on real apps and databases."""

import json
import os
import secrets
import subprocess
import sys
import textwrap

import pytest
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text
from sqlalchemy.pool import StaticPool

from flask_permjwt import PermJWT, public
from flask_permjwt.cli.doctor import collect, database
from flask_permjwt.web.state import app_state


@pytest.fixture
def make_app(tmp_path):
    made = []

    def make(uri=None, *, create=True, clock=None, flask=None, **config):
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
    code, found = ask(make_app(ratelimit_enabled=False))
    assert (code, "throttle-off" in found) == (3, True)


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


def test_a_route_that_cannot_be_asked_stops_nothing(make_app, ask):
    app = make_app(PROPAGATE_EXCEPTIONS=True)
    app.get("/items")(public(reason="open")(lambda: ""))
    app.before_request(lambda: 1 / 0)
    assert ask(app)[0] == 0


def test_missing_tables_and_columns_are_named(make_app, ask):
    app = make_app(create=False)
    code, found = ask(app)
    assert (code, "the table permjwt_users" in found["tables-missing"]["problem"]) == (1, True)
    db = app.extensions["sqlalchemy"]
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


def test_a_clock_that_was_left_from_tests_is_found(make_app, ask, fake_clock):
    assert "clock-of-its-own" in ask(make_app(clock=fake_clock))[1]


def test_sessions_of_the_future_are_found(make_app, ask):
    app = make_app()
    with app.app_context():
        permjwt = app.extensions["test_permjwt"]
        alice = permjwt.users.create("alice").public_id
        permjwt._sessions.open(alice, now=int(app_state(app).clock()) + 3600, lifetime=60, opened_by="password")
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


@pytest.mark.parametrize(
    ("secret", "code"), [("secrets.token_hex(32)", 1), (repr(secrets.token_hex(32)), 0)], ids=["random", "kept"]
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
