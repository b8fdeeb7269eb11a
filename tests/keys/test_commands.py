"""The commands for keys: what they change, what they refuse, and that they print nothing secret."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import FlaskGroup
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import ConfigurationError, PermJWT, signals
from flask_permjwt.tokens.jwk import whole_jwk
from flask_permjwt.tokens.key_files import KeyDirectory, write_private_file
from flask_permjwt.tokens.lifecycle import ManagedKey
from flask_permjwt.tokens.pairs import generate

SECRET = "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ"
MONTH, HOUR = 30 * 24 * 3600, 3600
APP = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_permjwt import PermJWT
app = Flask("app")
app.config.update(SECRET_KEY={secret!r}, SQLALCHEMY_DATABASE_URI="sqlite://", PERMJWT_KEYS_DIR={path!r})
db = SQLAlchemy(app)
PermJWT(app, db=db)
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def make(folder, fake_clock):
    def make(**settings):
        app = Flask("app")
        app.config.update(SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI="sqlite://", TESTING=True)
        app.config.update({"PERMJWT_KEYS_DIR": str(folder), **settings})
        db = SQLAlchemy(app)
        PermJWT(app, db=db, clock=fake_clock, monotonic=fake_clock)
        return app

    return make


@pytest.fixture
def first(folder):
    key = generate("ES256")
    KeyDirectory(folder).write(ManagedKey(key, signs_from=0, tokens_last=1))
    return key


@pytest.fixture
def app(make, first):
    return make()


@pytest.fixture
def run(app, folder):
    def run(*arguments, code=0):
        ran = app.test_cli_runner().invoke(args=["permjwt", "keys", *arguments])
        assert ran.exit_code == code, ran.output
        for path in folder.glob("*.json"):
            members = json.loads(path.read_text())
            assert not [one for one in ("d", "k", "p", "q") if one in members and members[one] in ran.output]
            assert path.stat().st_mode & 0o777 == 0o600
        return ran.output

    return run


@pytest.fixture
def listed(run):
    def listed():
        return {one["kid"]: one for one in json.loads(run("list", "--json"))["keys"]}

    return listed


def test_rotate_publishes_a_key_that_signs_after_the_lead_and_drops_the_old_one_in_the_end(
    run, listed, first, fake_clock, folder
):
    began = fake_clock.now
    printed = run("rotate", "--algorithm", "eddsa")
    [new] = listed().keys() - {first.kid}
    assert new in printed
    assert listed()[first.kid] | {"created_at": 0} == {
        "kid": first.kid,
        "algorithm": "ES256",
        "state": "active",
        "created_at": 0,
        "signs_from": 0,
        "signs_until": began + HOUR,
        "verifies_until": began + HOUR + MONTH + 60,
        "void": False,
        "file": f"{first.kid}.json",
    }
    assert (listed()[new]["state"], listed()[new]["algorithm"]) == ("next", "EdDSA")
    fake_clock.advance(HOUR)
    assert {kid: one["state"] for kid, one in listed().items()} == {first.kid: "retired", new: "active"}
    fake_clock.advance(MONTH + 60)
    assert {kid: one["state"] for kid, one in listed().items()} == {first.kid: "gone", new: "active"}
    assert first.kid in run("rotate")
    assert first.kid not in listed()
    assert not (folder / f"{first.kid}.json").exists()


def test_a_key_that_waits_is_not_overtaken_by_another(run):
    run("rotate")
    assert "is waiting already" in run("rotate", code=1)


def test_generate_makes_the_first_key_only(run):
    assert "keys rotate" in run("generate", code=1)


def test_retire_stops_a_key_that_waits_and_no_key_that_signs(run, listed, first):
    run("rotate")
    [new] = listed().keys() - {first.kid}
    assert "keys rotate" in run("retire", first.kid, code=1)
    assert "does not sign" in run("retire", new)
    assert listed()[new]["state"] == "retired"
    assert listed()[first.kid]["signs_until"] is None
    run("retire", new)
    assert "There is no key" in run("retire", "another", code=1)


@pytest.mark.parametrize("kid", ["-piV0oPL", "--V0oPL", "-n", "--now-V0oPL"])
def test_a_name_that_begins_with_a_hyphen_is_no_option(run, listed, folder, kid):
    key = replace(generate("ES256"), kid=kid)
    KeyDirectory(folder).write(ManagedKey(key, signs_from=4_000_000_000, tokens_last=1))
    assert "does not sign" in run("retire", kid)
    assert listed()[kid]["state"] == "retired"


@pytest.mark.parametrize("waiting", [True, False])
def test_retire_now_voids_a_key_and_another_signs_at_once(run, listed, first, waiting, fake_clock):
    if waiting:
        run("rotate", "--algorithm", "RS256")
    before = listed()
    printed = run("retire", "--now", first.kid)
    # PERMJWT_KEYS_REFRESH, as docs/keys.md says.
    assert "in all processes within 60 seconds" in printed
    [other] = [kid for kid in listed() if kid != first.kid]
    assert (other in before) == waiting
    assert (listed()[other]["state"], listed()[other]["signs_from"]) == ("active", fake_clock.now)
    assert (listed()[first.kid]["state"], listed()[first.kid]["void"]) == ("gone", True)
    fake_clock.advance(5)
    run("retire", "--now", first.kid)
    assert listed()[first.kid]["verifies_until"] == fake_clock.now - 5


def test_a_void_key_that_the_settings_hold_too_stays_void_and_it_is_said(make, folder, first, fake_clock):
    app = make(PERMJWT_VERIFICATION_KEYS=[whole_jwk(first)])
    runner = app.test_cli_runner()
    assert "take it out there" in runner.invoke(args=["permjwt", "keys", "retire", "--now", first.kid]).output
    fake_clock.advance(HOUR)
    keys = app.extensions["permjwt"].keys
    keys.keep_up()
    assert keys.ring.find(first.kid) is None
    assert runner.invoke(args=["permjwt", "keys", "rotate"]).exit_code == 0
    assert (folder / f"{first.kid}.json").exists()


def test_the_list_is_a_table_for_people(run, first):
    run("rotate")
    assert first.kid in run("list")
    assert "next" in run("list")
    run("retire", "--now", first.kid)
    assert "void" in run("list")


def test_times_behind_all_dates_are_listed_as_never(run, folder):
    far = ManagedKey(generate("ES256"), signs_from=253_402_300_000, tokens_last=MONTH)
    KeyDirectory(folder).write(far)
    assert "9999-12-31" in run("list")


def test_without_a_directory_the_setting_is_named(make):
    app = make(PERMJWT_KEYS_DIR=None)
    for arguments in (["list"], ["rotate"]):
        ran = app.test_cli_runner().invoke(args=["permjwt", "keys", *arguments])
        assert ran.exit_code == 1
        assert "set PERMJWT_KEYS_DIR" in ran.output


def test_what_cannot_be_read_or_written_is_said_in_one_line(app, folder, monkeypatch):
    (folder / "open.json").write_text("{}")
    (folder / "open.json").chmod(0o644)
    runner = app.test_cli_runner()
    assert "open to others" in runner.invoke(args=["permjwt", "keys", "list"]).output
    (folder / "open.json").unlink()
    monkeypatch.setattr("os.fsync", _full)
    assert "cannot be written: No space left" in runner.invoke(args=["permjwt", "keys", "rotate"]).output


def _full(_):
    raise OSError(28, "No space left on device")


def test_an_app_that_serves_does_not_start_without_a_key(make, folder):
    with pytest.raises(ConfigurationError, match="flask permjwt keys generate"):
        make()
    folder.rmdir()
    with pytest.raises(ConfigurationError, match="no such file or directory: flask permjwt keys generate"):
        make()


def test_the_first_key_is_made_by_a_command_of_an_app_that_has_none(tmp_path):
    folder = tmp_path / "fresh"
    script = tmp_path / "app.py"
    script.write_text(APP.format(secret=SECRET, path=str(folder)))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLASK_")}

    def flask(*arguments):
        command = [sys.executable, "-m", "flask", "--app", str(script), "permjwt", "keys", *arguments]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return ran.stdout + ran.stderr

    assert "There are no keys" in flask("list")
    assert "There is no key to rotate" in flask("rotate")
    assert "(HS256) signs now" in flask("generate", "--adopt")
    assert folder.stat().st_mode & 0o777 == 0o700
    [path] = [one for one in Path(folder).iterdir() if one.suffix == ".json"]
    assert path.stat().st_mode & 0o777 == 0o600


def invoke(make, *arguments, **settings):
    """Make the app within the command, as Flask does."""
    cli = FlaskGroup(create_app=lambda: make(**settings))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["flask", "permjwt", "keys", *arguments])
        return CliRunner().invoke(cli, ["permjwt", "keys", *arguments])


def test_a_pair_in_the_settings_is_adopted_and_that_command_alone_takes_both(make, folder):
    pair = generate("EdDSA")
    settings = {"PERMJWT_ALGORITHM": "EdDSA", "PERMJWT_PRIVATE_KEY": whole_jwk(pair)}
    for arguments in (["generate"], ["rotate"]):
        refused = invoke(make, *arguments, **settings)
        assert (refused.exit_code, "three places" in refused.output) == (1, True)
    assert pair.kid in invoke(make, "generate", "--adopt", **settings).output
    assert make().extensions["permjwt"].keys.ring.signing == pair


def test_the_secrets_key_is_adopted_where_new_keys_are_to_be_pairs(make):
    assert "(HS256) signs now" in invoke(make, "generate", "--adopt", PERMJWT_ALGORITHM="EdDSA").output


def test_a_key_is_not_adopted_for_another_algorithm(make):
    ran = invoke(make, "generate", "--adopt", "--algorithm", "ES256")
    assert (ran.exit_code, "leave --algorithm out" in ran.output) == (1, True)


def test_a_broken_file_is_refused_by_commands_in_one_line(make, folder, first):
    write_private_file(folder / "notes.json", b"{}")
    ran = invoke(make, "retire", "--now", first.kid)
    assert ran.exit_code == 1
    assert isinstance(ran.exception, SystemExit)
    assert "notes.json" in ran.output


def test_what_is_done_to_keys_is_told_and_written_down(app, make, folder, run, first, fake_clock, caplog):
    caplog.set_level(logging.INFO, "flask_permjwt.keys")
    seen = []
    with app.app_context():
        app.extensions["sqlalchemy"].create_all()
    with signals.key_changed.connected_to(lambda app, event: seen.append(event)):
        run("rotate", "--algorithm", "ESP256")
        waiting = [one.kid for one in seen]
        run("retire", "--now", first.kid)
        run("rotate", "--algorithm", "Ed25519")
        run("retire", seen[-1].kid if seen[-1].action == "published" else seen[-2].kid)
    with app.app_context():
        rows = app.extensions["permjwt"].recorder.read()
    assert [(one.event, one.detail["action"]) for one in rows] == [
        ("key_changed", "published"),
        ("key_changed", "voided"),
        ("key_changed", "promoted"),
        ("key_changed", "published"),
        ("key_changed", "deleted"),
        ("key_changed", "retired"),
    ]
    assert [one.detail for one in rows] == [one.detail() for one in seen]
    assert rows[0].detail == {"action": "published", "kid": waiting[0], "algorithm": "ES256"}
    assert {one.detail["kid"] for one in rows[1:3]} == {first.kid, waiting[0]}
    assert [f"was {one.detail['action']}" in said for one, said in zip(rows, caplog.messages, strict=True)] == [
        True
    ] * len(rows)


def test_the_first_key_is_written_down_as_made_or_adopted(make, folder):
    def with_tables():
        app = make()
        with app.app_context():
            app.extensions["sqlalchemy"].create_all()
        return app

    for arguments, action in ([], "generated"), (["--adopt"], "adopted"):
        found = []
        with signals.key_changed.connected_to(lambda app, event, found=found: found.append(event)):
            ran = invoke(with_tables, "generate", *arguments)
        assert (ran.exit_code, [one.action for one in found]) == (0, [action])
        for path in folder.glob("*.json"):
            path.unlink()


def test_keys_are_changed_where_the_database_does_not_answer(make, folder, first, caplog):
    caplog.set_level(logging.INFO, "flask_permjwt.keys")
    ran = invoke(make, "retire", "--now", first.kid, SQLALCHEMY_DATABASE_URI="sqlite:////nowhere/at/all.db")
    assert ran.exit_code == 0
    assert ran.output.count("not in the audit table") == 1
    assert [one.void_at is None for one in KeyDirectory(folder).read() if one.key == first] == [False]
    assert f"the key {first.kid} (ES256) was voided" in caplog.messages


@pytest.mark.parametrize("named", ["ESP256", "esp256", "ES256"])
def test_the_names_of_rfc_9864_are_taken_for_keys_that_are_made(make, named):
    # In tokens and JWKs, ES256 says as much already: ESP256 is a name of COSE alone (section 2.1).
    assert "(ES256) signs now" in invoke(make, "generate", "--algorithm", named).output


@pytest.mark.parametrize(
    ("arguments", "starts"),
    [
        (["db", "upgrade"], True),
        (["--app", "app", "shell"], True),
        (["-A", "run", "routes"], True),
        (["--debug", "--app=x", "permjwt", "routes"], True),
        (["run"], False),
        (["--app", "permjwt", "run"], False),
        (["-A", "db", "serve", "shell"], False),
        (["--env-file", "routes"], False),
    ],
    ids=str,
)
def test_only_commands_that_serve_nobody_do_without_a_key(make, monkeypatch, arguments, starts):
    # The app is made before Flask knows which command it is.
    monkeypatch.setattr(sys, "argv", ["flask", *arguments])
    with click.Context(click.Group("flask"), info_name="flask"):
        if starts:
            assert make().extensions["permjwt"].keys.ring.signing is None
        else:
            with pytest.raises(ConfigurationError, match="flask permjwt keys generate"):
                make()


def test_a_server_that_a_command_starts_needs_a_key(make):
    @click.command("serve")
    def serve():
        make()

    with pytest.raises(ConfigurationError, match="flask permjwt keys generate"):
        serve(args=[], standalone_mode=False)


def test_an_adopted_key_is_the_one_that_signed_before(make, folder, tmp_path):
    before = make(PERMJWT_KEYS_DIR=None)
    kid = before.extensions["permjwt"].keys.ring.signing.kid
    write_private_file(folder / "passing.json", json.dumps(whole_jwk(generate("HS256"))).encode())
    app = make()
    (folder / "passing.json").unlink()
    ran = app.test_cli_runner().invoke(args=["permjwt", "keys", "generate", "--adopt"])
    assert kid in ran.output
    assert make().extensions["permjwt"].keys.ring.signing.kid == kid
