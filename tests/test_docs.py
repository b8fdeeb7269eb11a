"""Every block of code in the README and the docs is executed, and the answers printed there are the ones given."""

import os
import re
import secrets
import shlex
import subprocess
import sys
import tomllib
from dataclasses import fields

import click
import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from pages import BLOCK, LANGUAGES, PAGES, ROOT, blocks, files, names

from flask_permjwt import PermJWT, requires_permissions
from flask_permjwt.cli import permjwt_cli
from flask_permjwt.settings import PREFIX, Settings
from flask_permjwt.testing import assert_every_route_denies

_COMMAND = re.compile(r"`flask (?:--app \S+ )?permjwt ([^`\n]+)")
_EXTRAS = re.compile(r"flask-permjwt\[([\w,]+)\]")
_TARGETS = re.compile(r"`make ([a-z]+)")
_INDENTED = re.compile(r"\n\n {4}.*")


def test_the_pages_are_found():
    assert len(PAGES) > 5
    assert blocks(PAGES[0], "python")


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_block_is_of_a_language_that_is_executed(page):
    assert {language for _, language, _ in BLOCK.findall(page.read_text())} <= {*LANGUAGES, "text"}
    fences = re.findall(r"^ *```", page.read_text(), re.MULTILINE)
    assert len(fences) == 2 * len(BLOCK.findall(page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_no_code_is_indented_so_that_it_need_not_run(page):
    assert _INDENTED.findall(BLOCK.sub("", page.read_text())) == []


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_command_that_is_named_outside_of_what_is_executed_is_one(page):
    prose = BLOCK.sub("", page.read_text())
    for line in _COMMAND.findall(prose):
        words = shlex.split(re.split(r" (?:\|\||[|>]) ", line)[0], comments=True)
        command, given = permjwt_cli, words
        while given and isinstance(command, click.Group):
            command, given = command.get_command(click.Context(command), given[0]), given[1:]
            assert command is not None, line
        # Arguments may be left out in a sentence; an option that does not exist may not be named.
        context = click.Context(command)
        command.make_parser(context).parse_args(given)
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {extra for found in _EXTRAS.findall(page.read_text()) for extra in found.split(",")} <= set(known)
    targets = (ROOT / "Makefile").read_text()
    assert [name for name in _TARGETS.findall(prose) if f"\n{name}:" not in targets] == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "README.md"], ids=names)
def test_the_python_of_a_page_runs_from_top_to_bottom(page, tmp_path):
    for file, content in files(page).items():
        (tmp_path / file).write_text(content, encoding="utf-8")
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks(page, "python")), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FLASK_")}
    ran = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_the_settings_page_shows_every_setting_with_its_default():
    defaults = Settings()
    rows = [
        f"| `{PREFIX}{one.name.upper()}` | `{getattr(defaults, one.name)!r}` | {one.metadata['doc']} |"
        for one in fields(Settings)
    ]
    table = re.findall(r"^\| `PERMJWT_.*$", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    assert table == rows


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_to_a_file_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readmes_issuers_are_taken_by_an_app():
    block = next(one for one in blocks(ROOT / "README.md", "python") if "PERMJWT_ISSUERS" in one)
    assert len(block.splitlines()) <= 10
    app = Flask(__name__)
    app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
    exec(block, {"app": app})  # noqa: S102  # our own page
    PermJWT(app, db=SQLAlchemy(app))
    assert app.extensions["permjwt"].settings.issuers


def test_the_tests_of_the_testing_page_pass(tmp_path):
    (tmp_path / "test_page.py").write_text("\n".join(blocks(ROOT / "docs" / "testing.md", "python")))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FLASK_", "PYTEST"))}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in ran.stdout, ran.stdout


def test_what_is_shown_as_text_is_what_is_said():
    # One more needs a comparison of its own.
    [shown] = [text for page in PAGES for text in blocks(page, "text")]
    app = Flask("app")
    app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
    PermJWT(app, db=SQLAlchemy(app))

    @requires_permissions("reports:{year}:read")
    def report(year):
        return {"year": year}

    report.__module__, report.__qualname__ = "app", "report"
    app.get("/reports/<int:year>")(report)
    for status in (401, 403):
        app.register_error_handler(status, lambda _: ({"error": "nothing to see"}, 200))
    with pytest.raises(AssertionError) as raised:
        assert_every_route_denies(app)
    assert str(raised.value) == shown.strip()
