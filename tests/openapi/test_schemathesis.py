"""What the document says is what the app does: schemathesis asks a real server for everything in it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import flask_restx
import flask_smorest
import pytest
from apiflask import APIFlask
from flask import Flask
from flask.views import MethodView

from flask_permjwt import requires_login, requires_permissions
from flask_permjwt.openapi.apiflask import secure_apiflask
from flask_permjwt.openapi.restx import Api
from flask_permjwt.openapi.smorest import secure_smorest

PASSWORD = "correct horse battery staple"
SUPPORT = Path(__file__).parent.parent / "support"
# Whether a body that fits its schema is also accepted depends on codes, passwords and names that nobody can guess.
UNKNOWABLE = "positive_data_acceptance"


class Mailer:
    def send(self, message):
        pass


@pytest.fixture
def run(tmp_path, serve):
    """Serve an app, and let schemathesis ask it for everything in its document."""

    def start(app, phases, *only, examples, path="/docs/openapi.json", checks="all"):
        address = serve(app)
        environment = os.environ | {
            "PYTHONPATH": str(SUPPORT),
            "SCHEMATHESIS_HOOKS": "schemathesis_login",
            "PERMJWT_TEST_LOGIN": f"{address}/auth/login",
            "PERMJWT_TEST_USER": json.dumps({"username": "alice", "password": PASSWORD}),
        }
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}{path}"]
        options = [f"--checks={checks}", f"--exclude-checks={UNKNOWABLE}", f"--phases={phases}", "--seed=1"]
        limits = [f"--max-examples={examples}", "--continue-on-failure", "--no-color", "--request-timeout=30"]
        ran = subprocess.run(
            [*command, *options, *limits, *only, "--generation-deterministic"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        return ran.stdout + ran.stderr, ran.returncode

    return start


@pytest.fixture
def whole(make_api, add_auth, add_views):
    """An app with everything that can be switched on, except for what asks others."""

    def make(**settings):
        app = make_api(
            on_disk=True,
            registration=True,
            issuer="https://api.example.com",
            mailer=Mailer(),
            ratelimit_enabled=False,
            cookie_secure=False,
            **settings,
        )
        add_auth(app)
        add_views(app)
        permjwt = app.extensions["test_permjwt"]
        app.register_blueprint(permjwt.well_known_blueprint)
        app.register_blueprint(permjwt.docs_blueprint, url_prefix="/docs")
        return app

    return make


@pytest.mark.parametrize(
    ("settings", "phases"),
    [
        (
            {"providers": {"google": {"client_id": "a", "client_secret": "b"}}, "personal_tokens": True},
            "coverage,fuzzing",
        ),
        (
            {"default_deny": True, "docs_public": True, "token_locations": ["headers"], "personal_tokens": True},
            "fuzzing",
        ),
    ],
    ids=["all", "default-deny"],
)
def test_the_app_answers_as_its_document_says(whole, run, document, settings, phases):
    app = whole(**settings)
    operations = sum(len(item) for item in document(app)["paths"].values())
    printed, code = run(app, phases, examples=5)
    assert code == 0, printed[-20_000:]
    assert f"Tested: {operations}" in printed
    assert int(re.search(r"(\d+) generated", printed)[1]) > 3 * operations


def test_a_document_that_is_untrue_is_found_out(whole, run, monkeypatch):
    # The proof that the test above can fail: a view that is said to be guarded and is open, and one that breaks.
    def lie(operation, route, schemes):
        operation["security"] = [{"permjwt": []}]

    monkeypatch.setattr("flask_permjwt.openapi.operations.annotate", lie)
    app = whole()
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/breaks")
    def breaks():
        raise RuntimeError("on purpose")

    printed, code = run(app, "fuzzing", "--include-path=/hello", "--include-path=/breaks", examples=1)
    assert code == 1
    assert "API accepts requests without authentication" in printed
    assert "Server error" in printed


class Reports:
    """A guarded view, for the classes of any framework."""

    @requires_permissions("reports:read")
    def get(self, number):
        return {"number": number}

    @requires_login
    def post(self, number):
        return {"number": number}


def with_smorest(app):
    app.config.update(API_TITLE="t", API_VERSION="1", OPENAPI_VERSION="3.0.3", OPENAPI_URL_PREFIX="/")
    api = flask_smorest.Api(app)
    secure_smorest(api, app)
    blueprint = flask_smorest.Blueprint("reports", __name__)
    blueprint.route("/reports/<int:number>")(type("View", (Reports, MethodView), {}))
    api.register_blueprint(blueprint)


def with_apiflask(app):
    secure_apiflask(app)
    app.add_url_rule("/reports/<int:number>", view_func=type("View", (Reports, MethodView), {}).as_view("reports"))


def with_restx(app):
    api = Api(app)
    api.route("/reports/<int:number>")(type("View", (Reports, flask_restx.Resource), {}))


@pytest.mark.parametrize(
    ("kind", "mount", "path"),
    [
        (Flask, with_smorest, "/openapi.json"),
        (APIFlask, with_apiflask, "/openapi.json"),
        (Flask, with_restx, "/swagger.json"),
    ],
)
def test_an_app_answers_as_the_document_of_its_framework_says(make_api, add_auth, run, kind, mount, path):
    app = make_api(build=lambda: kind("reports"), on_disk=True, ratelimit_enabled=False, cookie_secure=False)
    add_auth(app)
    mount(app)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    # What a framework says of bodies and of statuses is its own.
    checks = "not_a_server_error,ignored_auth"
    only = "--include-path-regex=^/reports"
    printed, code = run(app, "coverage,fuzzing", only, examples=5, path=path, checks=checks)
    assert code == 0, printed[-20_000:]
    assert "Tested: 2" in printed
