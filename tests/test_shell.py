"""Every command as a shell runs it: options are read before there is an app, and each finds the app by itself."""

import json
import os
import secrets
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest

from flask_permjwt.cli.commands import commands

PASSWORD = "correct horse battery staple"
SHOP = """
    from flask import Flask
    from flask_sqlalchemy import SQLAlchemy
    from flask_permjwt import PermJWT, requires_permissions

    app = Flask(__name__, static_folder=None)
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite:///{database}", SECRET_KEY={secret!r})
    app.config.from_prefixed_env()
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")

    @app.get("/reports")
    @requires_permissions("reports:read")
    def reports():
        return {{}}

    @app.cli.command("make-tables")
    def make_tables():
        db.create_all()

    @app.cli.command("visit")
    def visit():
        browser = app.test_client()
        tokens = browser.post("/auth/login", json={{"username": "alice", "password": {password!r}}}).json
        bearer = {{"Authorization": "Bearer " + tokens["access_token"]}}
        wish = {{"name": "ci", "permissions": ["reports:read"]}}
        assert browser.post("/auth/tokens", json=wish, headers=bearer).status_code == 201
"""

# Most of the time of a command goes into imports: they are made once, and each command is a process of its own.
DRIVER = """
    import json, os, sys, tempfile, traceback
    import flask.cli, flask_sqlalchemy, cryptography.hazmat.primitives.asymmetric.ec
    import flask_permjwt.assembly, flask_permjwt.cli.commands, flask_permjwt.openapi.document

    for line in sys.stdin:
        texts = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for text, stream in zip(texts, (1, 2)):
                os.dup2(text.fileno(), stream)
            sys.argv[1:] = json.loads(line)
            code = 0
            try:
                flask.cli.main()
            except SystemExit as end:
                code = end.code or 0
            except BaseException:
                traceback.print_exc()
                code = 1
            sys.stdout.flush()
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        for text in texts:
            text.seek(0)
        print(json.dumps([code, *(text.read().decode() for text in texts)]), flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    shop = SHOP.format(database=tmp_path / "shop.db", secret=secrets.token_hex(32), password=PASSWORD)
    (tmp_path / "shop.py").write_text(textwrap.dedent(shop))
    return tmp_path


@pytest.fixture
def environment(folder):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "PYTHON"))}
    path = str(Path(__file__).parents[1])
    keys = {"FLASK_PERMJWT_KEYS_DIR": str(folder / "keys"), "FLASK_PERMJWT_ALGORITHM": "ES256"}
    return kept | keys | {"FLASK_APP": "shop", "PYTHONPATH": path}


@pytest.fixture
def flask(folder, environment):
    """Run one command, in a Python of its own."""

    def run(*arguments, typed=b"", **variables):
        command = [sys.executable, "-m", "flask", *arguments]
        how = {"cwd": folder, "env": environment | variables}
        return subprocess.run(command, capture_output=True, input=typed, check=False, **how)

    return run


@pytest.fixture
def shell(folder, environment):
    """Run commands one after the other; return the exit code, and what was printed on both streams."""
    command = [sys.executable, "-c", textwrap.dedent(DRIVER)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=environment, **streams) as driver:

        def run(*arguments):
            driver.stdin.write(f"{json.dumps(arguments)}\n")
            driver.stdin.flush()
            return json.loads(driver.stdout.readline())

        yield run
        driver.stdin.close()


def leaves(command, path=()):
    below = getattr(command, "commands", {})
    if not below or command.invoke_without_command:
        yield path, command
    for name, one in below.items():
        yield from leaves(one, (*path, name))


def options(command):
    shown = (one for one in command.params if isinstance(one, click.Option) and not one.hidden)
    return {max(one.opts, key=len) for one in shown}


def first(table):
    return table.splitlines()[1].split()[0]


EVERY = {path: options(command) for path, command in leaves(click.Group("permjwt", commands=commands.commands))}


def test_every_command_with_every_option_runs_in_a_shell(shell):
    walked = {path: set() for path in EVERY}

    def permjwt(*arguments, code=0):
        path = max((path for path in EVERY if arguments[: len(path)] == path), key=len)
        walked[path] |= {one for one in arguments if one.startswith("-")} | {"walked"}
        told = shell("permjwt", *arguments)
        assert "Traceback" not in told[2], arguments
        assert told[0] == code, (arguments, told)
        if "--json" in arguments:
            lines = told[1].splitlines() if arguments[0] == "audit" else [told[1]]
            assert [json.loads(line) for line in lines], arguments
        return told[1]

    assert json.loads(permjwt("keys", "list", "--json")) == {"keys": []}
    permjwt("keys", "generate", "--adopt")
    assert shell("make-tables") == [0, "", ""]
    permjwt("keys", "rotate", "--algorithm", "EdDSA")
    old, new = (one["kid"] for one in json.loads(permjwt("keys", "list", "--json"))["keys"])
    permjwt("keys", "retire", new)
    permjwt("keys", "retire", "--now", old)
    permjwt("keys", "generate", "--algorithm", "ES256", code=1)  # --now has put another one in its place

    permjwt("roles", "create", "editor", "drafts:*")
    who = ("--email", "a@example.com", "--verified", "--permission", "reports:read", "--role", "editor")
    permjwt("create-user", "alice", *who, "--password", PASSWORD)
    permjwt("list", "--limit", "5")
    permjwt("grant", "alice", "audit:read")
    permjwt("grant", "--role", "editor", "x")
    permjwt("revoke", "alice", "audit:read")
    permjwt("revoke", "--role", "editor", "x")
    permjwt("roles", "grant", "editor", "x")
    permjwt("roles", "revoke", "editor", "x")
    permjwt("roles", "unassign", "alice", "editor")
    permjwt("roles", "assign", "alice", "editor")
    assert permjwt("roles") == "role    permissions\neditor  drafts:*\n"
    assert "permissions  drafts:* reports:read" in permjwt("show", "alice")

    assert [shell("visit")[0] for _ in range(2)] == [0, 0]
    permjwt("tokens", "revoke", "alice", first(permjwt("tokens", "list", "alice")))
    permjwt("tokens", "revoke", "alice", "--all")
    permjwt("logout", "alice", "--session", first(permjwt("sessions", "alice")))
    assert permjwt("logout", "alice") == "Ended 1 session of alice.\n"
    permjwt("disable", "alice")
    permjwt("enable", "alice")
    permjwt("set-password", "alice", "--password", PASSWORD[::-1])

    for one in (("create", "job", "--permission", "jobs:run"), ("rotate", "job", "--overlap", "60")):
        assert json.loads(permjwt("client", *one, "--json"))["client_secret"]
    permjwt("client", "list", "--limit", "5", "--json")
    for name, *more in (("grant", "x"), ("revoke", "x"), ("disable",), ("enable",), ("delete",)):
        permjwt("client", name, "job", *more)

    permjwt("audit", "--user", "alice", "--since", "1d", "--until", "2999-01-01", "--limit", "5", "--json")
    permjwt("prune")
    permjwt("routes", "--json", "--check")
    assert "/reports" in json.loads(permjwt("openapi"))["paths"]
    assert json.loads(permjwt("doctor", "--json", "--workers", "1")) == {"exit_code": 0, "findings": []}

    left = {path: (options | {"walked"}) - walked[path] for path, options in EVERY.items()}
    assert not any(left.values()), left


def test_a_letter_that_the_terminal_lacks_hides_nothing_that_is_told_once(flask):
    assert flask("permjwt", "keys", "generate").returncode == 0
    assert flask("make-tables").returncode == 0
    made = flask("permjwt", "client", "create", "Jürgen Жук", PYTHONIOENCODING="latin-1")
    assert (made.returncode, b"Traceback" in made.stderr) == (0, False)
    assert made.stdout.startswith("Created the client Jürgen \\u0416\\u0443\\u043a.\nclient_id".encode("latin-1"))
    assert b"client_secret  " in made.stdout


def test_a_password_in_another_encoding_is_refused_in_a_sentence(flask):
    typed = "Schlüsselblume im März\n".encode("latin-1") * 2
    ran = flask("permjwt", "create-user", "alice", typed=typed, PYTHONIOENCODING="utf-8:strict")
    assert (ran.returncode, ran.stdout.strip()) == (2, b"")
    assert b"this is no text in the encoding of this shell" in ran.stderr
    assert not any(word in ran.stderr for word in (b"Traceback", b"selblume"))


def test_what_is_no_database_is_told_in_a_sentence(flask, folder):
    (folder / "shop.db").write_bytes(b"these are holiday pictures" * 99)
    ran = flask("permjwt", "list")
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert ran.stderr.startswith(b"Error: The database says: file is not a database\n")


def test_doctor_tells_of_a_directory_of_keys_that_stops_a_server(flask, folder):
    def found(**variables):
        ran = flask("permjwt", "doctor", "--json", **variables)
        return ran.returncode, [one["problem"] for one in json.loads(ran.stdout)["findings"]]

    code, [problem] = found()
    assert (code, "flask permjwt keys generate makes it" in problem) == (1, True)
    (folder / "keys").mkdir(mode=0o700)
    code, [problem] = found()
    assert (code, "has no key that signs" in problem) == (1, True)
    assert flask("permjwt", "keys", "generate").returncode == 0
    code, [problem] = found(FLASK_PERMJWT_PRIVATE_KEY="another")
    assert (code, "three places" in problem) == (1, True)
    (folder / "keys").chmod(0o777)
    code, [problem] = found()
    assert (code, "chmod go-w" in problem) == (1, True)
