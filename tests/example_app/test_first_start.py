import re
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from example_app import create_app
from example_app.__main__ import main
from example_app.extensions import db, permjwt
from example_app.state import example_state

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start(tmp_path, monkeypatch):
    monkeypatch.delenv("EXAMPLE_DEMO_PASSWORD", raising=False)

    def make(**config):
        return create_app({"EXAMPLE_INSTANCE_PATH": str(tmp_path / "instance"), **config})

    return make


def printed_passwords(text):
    return dict(re.findall(r"^ {4}(viewer|analyst|admin) +(\S+)", text, re.MULTILINE))


def status_of_login(app, name, password):
    return app.test_client().post("/auth/login", json={"username": name, "password": password}).status_code


def test_passwords_are_generated_printed_once_and_work(start, capsys):
    app = start()
    out, err = capsys.readouterr()
    passwords = printed_passwords(err)

    assert out == "", "what commands print for machines stays clean"
    assert set(passwords) == {"viewer", "analyst", "admin"}
    assert len(set(passwords.values())) == 3
    assert all(len(password) >= 16 for password in passwords.values())
    assert [status_of_login(app, *one) for one in passwords.items()] == [200, 200, 200]

    again = start()
    assert capsys.readouterr() == ("", "")
    assert [status_of_login(again, *one) for one in passwords.items()] == [200, 200, 200]


def alter(database, *statements):
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    "older",
    [
        ["ALTER TABLE permjwt_users DROP COLUMN email_verified_at"],
        ["ALTER TABLE permjwt_sessions DROP COLUMN authenticated_at", "DROP TABLE permjwt_codes"],
        ["ALTER TABLE permjwt_sessions ADD COLUMN previous_refresh_id VARCHAR(32)"],
    ],
)
def test_a_database_of_another_version_is_kept_aside_and_a_new_one_made(start, tmp_path, capsys, older):
    start()
    capsys.readouterr()
    database = tmp_path / "instance" / "example.db"
    alter(database, *older)
    before = database.read_bytes()

    app = start()

    out, err = capsys.readouterr()
    assert out == ""
    assert "another version of this demo" in err
    assert "example.earlier.db" in err
    assert database.with_name("example.earlier.db").read_bytes() == before
    assert [status_of_login(app, *one) for one in printed_passwords(err).items()] == [200, 200, 200]
    assert example_state(app).users_are_new


def test_each_database_that_is_kept_aside_has_a_name_of_its_own(start, tmp_path):
    for _ in range(2):
        start()
        alter(tmp_path / "instance" / "example.db", "ALTER TABLE permjwt_users DROP COLUMN email_verified_at")
    start()

    kept = {file.name for file in (tmp_path / "instance").glob("*.db")}
    assert kept == {"example.db", "example.earlier.db", "example.earlier-2.db"}


def test_a_database_that_lacks_only_tables_gets_them_and_keeps_its_users(start, tmp_path, capsys):
    start()
    passwords = printed_passwords(capsys.readouterr().err)
    alter(tmp_path / "instance" / "example.db", "DROP TABLE permjwt_audit", "DROP TABLE permjwt_codes")

    app = start()

    assert capsys.readouterr() == ("", "")
    assert status_of_login(app, "admin", passwords["admin"]) == 200


def test_a_database_elsewhere_is_not_moved(start, tmp_path, monkeypatch):
    start()
    alter(tmp_path / "instance" / "example.db", "ALTER TABLE permjwt_users DROP COLUMN email_verified_at")
    monkeypatch.setattr("sqlalchemy.dialects.sqlite.base.SQLiteDialect.name", "postgresql")

    with pytest.raises(RuntimeError, match="name an empty one"):
        start()


def test_the_password_may_come_from_the_environment_and_is_then_not_printed(start, capsys, monkeypatch):
    monkeypatch.setenv("EXAMPLE_DEMO_PASSWORD", "from the environment")
    app = start()
    _, err = capsys.readouterr()

    assert "from the environment" not in err
    assert "EXAMPLE_DEMO_PASSWORD" in err
    assert status_of_login(app, "admin", "from the environment") == 200


def test_a_later_start_resets_no_password(start, monkeypatch):
    monkeypatch.setenv("EXAMPLE_DEMO_PASSWORD", "the first password")
    start()
    monkeypatch.setenv("EXAMPLE_DEMO_PASSWORD", "another password")

    app = start()

    assert status_of_login(app, "admin", "the first password") == 200
    assert status_of_login(app, "admin", "another password") == 401


def test_the_secret_key_is_made_once_for_its_owner_only(start, tmp_path):
    first, second = start(), start()
    file = tmp_path / "instance" / "secret_key"

    assert len(first.config["SECRET_KEY"]) == 64
    assert first.config["SECRET_KEY"] == second.config["SECRET_KEY"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_model_survives_a_restart(start):
    facts = example_state(start()).models.current().facts()

    assert example_state(start()).models.current().facts() == facts


def test_a_broken_model_file_is_trained_anew(start, tmp_path):
    start()
    (tmp_path / "instance" / "model.json").write_text("{")

    assert example_state(start()).models.current().accuracy > 0.8


def test_settings_of_the_caller_win_over_the_environment_and_the_defaults(start, monkeypatch):
    monkeypatch.setenv("FLASK_PERMJWT_ACCESS_TOKEN_EXPIRES", "60")
    monkeypatch.setenv("FLASK_PERMJWT_ISSUER", "from the environment")

    app = start(PERMJWT_ACCESS_TOKEN_EXPIRES=120)

    assert app.config["PERMJWT_ACCESS_TOKEN_EXPIRES"] == 120
    assert app.config["PERMJWT_ISSUER"] == "from the environment"
    assert app.config["PERMJWT_DEFAULT_DENY"] is True


def test_the_instance_folder_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("EXAMPLE_DEMO_PASSWORD", "from the environment")
    monkeypatch.setenv("EXAMPLE_INSTANCE_PATH", str(tmp_path / "elsewhere"))

    create_app()

    assert (tmp_path / "elsewhere" / "example.db").exists()


def test_workers_that_start_together_make_one_set_of_users(start, capsys):
    with ThreadPoolExecutor(4) as pool:
        apps = list(pool.map(lambda _: start(), range(4)))

    assert sum(example_state(app).users_are_new for app in apps) == 1
    passwords = printed_passwords(capsys.readouterr().err)
    assert all(status_of_login(app, *one) == 200 for app in apps[:2] for one in passwords.items())
    with apps[0].app_context():
        user_class = type(permjwt.users.find("admin"))
        assert db.session.scalar(select(func.count()).select_from(user_class)) == 3


@pytest.fixture
def run_demo(tmp_path, monkeypatch, capsys):
    """Run the demo's main function, ended at once as by Ctrl-C, and return what it printed."""
    monkeypatch.setenv("EXAMPLE_INSTANCE_PATH", str(tmp_path / "instance"))
    monkeypatch.delenv("EXAMPLE_DEMO_PASSWORD", raising=False)

    def serve_and_end(server):
        server.server_close()

    monkeypatch.setattr("werkzeug.serving.BaseWSGIServer.serve_forever", serve_and_end)

    def run():
        main(["--port", "0"])
        return capsys.readouterr()

    return run


def test_the_demo_tells_the_address_the_users_and_a_curl_line(run_demo):
    shown = run_demo()

    assert set(printed_passwords(shown.err)) == {"viewer", "analyst", "admin"}
    assert re.search(r"http://127\.0\.0\.1:[1-9]\d+/ ", shown.out)
    assert re.search(r"curl -s http://127\.0\.0\.1:[1-9]\d+/auth/login ", shown.out)
    assert "earlier start" not in shown.out


def test_a_second_run_says_how_to_get_in_without_showing_a_password(run_demo, tmp_path):
    passwords = printed_passwords(run_demo().err)

    shown = run_demo()

    assert not printed_passwords(shown.err)
    assert "made at an earlier start" in shown.out
    assert str(tmp_path / "instance") in shown.out
    assert not any(password in shown.out + shown.err for password in passwords.values())


def test_a_taken_port_is_told_with_a_way_out(tmp_path):
    import socket  # noqa: PLC0415  # of use to this test only

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = subprocess.run(  # our own interpreter and module
            [sys.executable, "-m", "example_app", "--port", str(port)],
            cwd=ROOT,
            env={"EXAMPLE_INSTANCE_PATH": str(tmp_path), "EXAMPLE_DEMO_PASSWORD": "a password for this"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert run.returncode == 1
    assert f"make demo PORT={port + 1}" in run.stderr
    assert "Traceback" not in run.stderr
