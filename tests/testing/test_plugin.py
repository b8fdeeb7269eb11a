"""The plug-in of pytest: found by itself, and nowhere in the way. Each test runs a suite of its own."""

import os
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points

import pytest

APP = """
    import pytest
    from flask import Flask
    from flask_sqlalchemy import SQLAlchemy
    from flask_permjwt import PermJWT, requires_permissions

    @pytest.fixture{scope}
    def app():
        app = Flask("an_app")
        app.config.update(TESTING=True, SECRET_KEY="k" * 64, SQLALCHEMY_DATABASE_URI="sqlite:////no/such/app.db")
        PermJWT(app, db=SQLAlchemy(app))
        app.get("/reports")(requires_permissions("reports:read")(lambda: "ok"))
        return app
"""
TESTS = """
    from flask_permjwt.testing import assert_every_route_denies

    def test_one(permjwt_client):
        assert permjwt_client.with_permissions("reports:read").get("/reports").status_code == 200

    def test_two(permjwt_client):
        assert permjwt_client.with_permissions("other").get("/reports").status_code == 403

    def test_all(app):
        assert assert_every_route_denies(app) == ("GET /reports", "HEAD /reports")
"""


@pytest.fixture
def suite(tmp_path):
    """Write a suite and run it; plug-ins that are installed are loaded, as they are for anybody."""

    def run(tests, *arguments, conftest="", **files):
        for name, text in {"conftest": conftest, "test_it": tests, **files}.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings =\n    error\n")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "FLASK"))
        }
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout + ran.stderr

    return run


def test_it_is_installed_under_its_name():
    (found,) = entry_points(group="pytest11", name="permjwt")
    assert found.value == "_permjwt_pytest"


@pytest.mark.parametrize("scope", ["", "(scope='session')"])
@pytest.mark.parametrize("options", [[], ["-n", "2"], ["-p", "no:flask"], ["-p", "no:xdist"]], ids=str)
def test_it_is_found_by_itself_also_beside_others(suite, options, scope):
    code, output = suite(TESTS, *options, conftest=APP.format(scope=scope))
    assert (code, "3 passed" in output) == (0, True), output


def test_it_can_be_left_out(suite):
    code, output = suite(TESTS, "-p", "no:permjwt", conftest=APP.format(scope=""))
    assert (code, "fixture 'permjwt_client' not found" in output) == (1, True), output


def test_a_suite_without_the_fixture_app_is_told_what_to_write(suite):
    code, output = suite("def test_it(permjwt_client): pass", "-p", "no:flask")
    assert (code, "needs a fixture named app" in output) == (1, True), output
    code, output = suite("def test_it(permjwt_client): pass")
    assert (code, "fixture 'app' not found" in output) == (1, True), output


def test_a_fixture_app_that_returns_something_else_is_told_so(suite):
    conftest = "import pytest\n@pytest.fixture\ndef app(): return lambda: None"
    code, output = suite("def test_it(permjwt_client): pass", "-p", "no:flask", conftest=conftest)
    assert (code, "does your fixture app return one?" in output) == (1, True), output


@pytest.mark.parametrize("options", [[], ["-p", "no:flask"], ["-n", "2"]], ids=str)
def test_a_fixture_app_may_have_parameters(suite, options):
    conftest = APP.format(scope="(params=['one', 'two'])")
    tests = TESTS.partition("def test_all")[0]
    code, output = suite(tests, *options, conftest=conftest)
    assert (code, "4 passed" in output) == (0, True), output


def test_a_suite_may_have_a_fixture_of_the_same_name(suite):
    tests = """
        import pytest

        @pytest.fixture
        def permjwt_client(permjwt_client):
            return permjwt_client.with_permissions("reports:read")

        class TestReports:
            def test_it(self, permjwt_client):
                assert permjwt_client.get("/reports").status_code == 200
    """
    code, output = suite(tests, conftest=APP.format(scope=""))
    assert (code, "1 passed" in output) == (0, True), output


def test_a_fault_within_the_fixture_app_is_shown_as_it_is(suite):
    conftest = "import pytest\n@pytest.fixture\ndef app(no_such_fixture): pass"
    code, output = suite("def test_it(permjwt_client): pass", conftest=conftest)
    assert (code, "no_such_fixture" in output, "needs a fixture named app" in output) == (1, True, False), output


def test_a_suite_that_does_not_use_it_loads_nothing_of_ours(suite):
    tests = """
        import sys

        def test_it():
            assert "_permjwt_pytest" in sys.modules
            loaded = {name.partition(".")[0] for name in sys.modules}
            assert not loaded & {"flask_permjwt", "flask", "sqlalchemy", "jwt", "marshmallow", "argon2", "limits"}
    """
    code, output = suite(tests, "-p", "no:flask")
    assert code == 0, output


def test_coverage_sees_the_package_from_its_first_line(suite):
    code, output = suite(TESTS, "--cov=flask_permjwt", "--cov-report=term", conftest=APP.format(scope=""))
    assert code == 0, output
    (line,) = [line.split() for line in output.splitlines() if "flask_permjwt/__init__.py" in line]
    assert line[-1] == "100%"
