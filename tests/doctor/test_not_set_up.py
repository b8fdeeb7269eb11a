"""The command on apps that cannot be set up: what reads its JSON is told so, and why."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

SHOP = """
    from flask import Flask
    from flask_sqlalchemy import SQLAlchemy
    from flask_permjwt import PermJWT

    app = Flask(__name__, static_folder=None)
    app.config.update({config})
    PermJWT(app, db=SQLAlchemy(app))
"""
NO_KEY = SHOP.format(config='SQLALCHEMY_DATABASE_URI="sqlite://"')
NO_SUCH_SETTING = SHOP.format(config='SQLALCHEMY_DATABASE_URI="sqlite://", PERMJWT_COOKIE_SECURED=True')
NO_PERMJWT = "from flask import Flask\napp = Flask(__name__)"
FAULTY = "raise RuntimeError('postgresql://somebody:secret-word@db')"
FAULTY_IMPORT = "raise ImportError('postgresql://somebody:secret-word@db')"


@pytest.fixture
def ask(tmp_path):
    def run(text, *arguments, command="doctor"):
        if text is not None:
            (tmp_path / "shop.py").write_text(textwrap.dedent(text))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FLASK_")}
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "shop", "permjwt", command, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (NO_KEY, "set PERMJWT_SECRET_KEY"),
        (NO_SUCH_SETTING, "did you mean PERMJWT_COOKIE_SECURE?"),
        (NO_PERMJWT, "no PermJWT"),
        (FAULTY, "it raises RuntimeError"),
        (FAULTY_IMPORT, "it raises ImportError"),
        (None, "Could not import 'shop'"),
    ],
    ids=["no key", "no such setting", "no PermJWT", "an app that raises", "an app that cannot import", "no app"],
)
def test_an_app_that_cannot_be_set_up_is_a_finding(ask, text, problem):
    ran = ask(text, "--json")
    told = json.loads(ran.stdout)
    assert (ran.returncode, told["exit_code"]) == (1, 1)
    [found] = told["findings"]
    assert (found["check"], found["level"]) == ("app-not-set-up", "error")
    assert problem in found["problem"]
    assert found["remedy"]


@pytest.mark.parametrize(("text", "kind"), [(FAULTY, "RuntimeError"), (FAULTY_IMPORT, "ImportError")])
def test_what_an_app_raises_is_told_to_the_terminal_alone(ask, text, kind):
    ran = ask(text, "--json")
    assert "secret-word" not in ran.stdout
    assert "Traceback" not in ran.stdout
    assert f"{kind}: postgresql://somebody:secret-word@db" in ran.stderr


def test_a_setting_that_stops_the_start_is_told_without_a_traceback(ask):
    ran = ask(NO_KEY)
    assert ran.returncode == 1
    assert "error: app-not-set-up\n  set PERMJWT_SECRET_KEY" in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NO_KEY, "Error: set PERMJWT_SECRET_KEY"),
        (NO_PERMJWT, "Error: This app has no PermJWT: call permjwt.init_app"),
    ],
    ids=["no key", "no PermJWT"],
)
def test_other_commands_say_in_one_line_why_they_cannot_run(ask, text, said):
    ran = ask(text, command="routes")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(said)
    assert ran.stderr.count("\n") == 1
