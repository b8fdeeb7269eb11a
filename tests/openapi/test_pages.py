"""The pages of the documentation: who may see them, and what they let a browser do."""

import re
import subprocess
import sys

import pytest
from flask import Flask
from openapi_spec_validator import validate

from flask_permjwt import ConfigurationError, PermJWT, protect, requires_permissions
from flask_permjwt.openapi import docs


@pytest.fixture
def make_docs(make_api, add_auth):
    def make(**settings):
        app = make_api(**settings)
        add_auth(app)
        app.register_blueprint(app.extensions["test_permjwt"].docs_blueprint, url_prefix="/docs")
        app.get("/reports")(requires_permissions("reports:read")(lambda: ""))
        return app

    return make


def status(client, path):
    """Ask for a page, and close the file that is sent."""
    with client.get(path) as answer:
        return answer.status_code


PAGES = ["/docs/", "/docs/openapi.json", "/docs/assets/page.js", "/docs/assets/swagger-ui-bundle.js"]


def test_the_page_names_nothing_that_stands_elsewhere(make_docs):
    answer = make_docs().test_client().get("/docs/")
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    named = re.findall(r'(?:src|href)="([^"]*)"', answer.text)
    assert len(named) == 5
    assert not any("//" in one or one.startswith("/") for one in named)
    # What a script that was smuggled in could run by.
    assert not re.search(r"<script>|<style|\son\w+=|javascript:", answer.text)


def test_a_browser_runs_and_fetches_only_what_this_server_sends(make_docs):
    policy = make_docs().test_client().get("/docs/").headers["Content-Security-Policy"]
    rules = dict(one.split(" ", 1) for one in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy


def test_the_document_stands_beside_the_page(make_docs, document):
    app = make_docs()
    client = app.test_client()
    answer = client.get("/docs/openapi.json")
    assert answer.json == document(app)
    validate(answer.json)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    again = client.get("/docs/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    # Neither the pages nor static files are part of the API.
    assert not any(path.startswith(("/docs", "/static")) for path in answer.json["paths"])


def test_text_that_is_no_unicode_breaks_no_document(make_docs):
    app = make_docs()

    @app.get("/odd")
    def odd():
        return ""

    odd.__doc__ = "Half of \ud83d, and \0."
    assert app.test_client().get("/docs/openapi.json").json["paths"]["/odd"]["get"]["summary"] == odd.__doc__[:-1]
    assert app.test_cli_runner().invoke(args=["permjwt", "openapi"]).exit_code == 0


def test_the_document_is_made_once_for_each_path_it_is_served_at(make_docs, monkeypatch):
    made = []
    monkeypatch.setattr(docs, "build_document", lambda app: made.append(app) or {"made": len(made)})
    client = make_docs().test_client()
    assert [client.get("/docs/openapi.json").json["made"] for _ in range(3)] == [1, 1, 1]
    assert client.get("/docs/openapi.json", base_url="http://localhost/below").json == {"made": 2}
    # A guard that is declared later is shown.
    requires_permissions("a")(lambda: "")
    requires_permissions("a")(test_the_document_is_made_once_for_each_path_it_is_served_at)
    assert client.get("/docs/openapi.json").json["made"] == 3


def test_whoever_chooses_paths_fills_no_memory(make_docs, monkeypatch):
    made = []
    monkeypatch.setattr(docs, "build_document", lambda app: made.append(app) or {})
    kept = []
    monkeypatch.setattr(docs, "_Documents", lambda app, kind=docs._Documents: kept.append(kind(app)) or kept[-1])
    client = make_docs().test_client()
    for number in range(50):
        client.get("/docs/openapi.json", base_url=f"http://localhost/{number}")
    assert len(kept[0]._written) <= 8


@pytest.mark.parametrize("name", ["../docs.py", "%2e%2e/docs.py", "LICENSE", "swagger-ui.js", "", "page.js/", "."])
def test_no_other_file_is_sent(make_docs, name):
    assert make_docs().test_client().get(f"/docs/assets/{name}").status_code == 404


def test_the_assets_are_kept_by_browsers_for_a_while(make_docs):
    with make_docs().test_client().get("/docs/assets/swagger-ui-bundle.js") as answer:
        assert answer.mimetype == "text/javascript"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.cache_control.max_age == 3600
        assert len(answer.data) > 1_000_000


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_are_open_where_views_are(make_docs, path):
    assert status(make_docs().test_client(), path) == 200


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_are_closed_where_the_app_closes_what_declares_nothing(make_docs, path):
    assert status(make_docs(default_deny=True).test_client(), path) == 401


@pytest.mark.parametrize("path", PAGES)
def test_a_setting_opens_them_there(make_docs, path):
    assert status(make_docs(default_deny=True, docs_public=True).test_client(), path) == 200


def test_one_blueprint_serves_an_open_app_and_a_closed_one(make_api):
    first, second = make_api(default_deny=True, docs_public=True), make_api(default_deny=True)
    blueprint = first.extensions["test_permjwt"].docs_blueprint
    for app in (first, second):
        app.register_blueprint(blueprint, url_prefix="/docs")
    assert [app.test_client().get("/docs/").status_code for app in (first, second)] == [200, 401]


@pytest.mark.parametrize("path", PAGES)
def test_a_guard_on_the_blueprint_guards_every_page(make_docs, path):
    app = make_docs(cookie_secure=False)
    protect(app.blueprints["permjwt_docs"], "reports:read")
    client = app.test_client()
    assert status(client, path) == 401
    login = {"username": "alice", "password": "correct horse battery staple", "delivery": "cookie"}
    assert client.post("/auth/login", json=login).status_code == 200
    assert status(client, path) == 200


def test_open_and_guarded_at_once_is_refused(make_docs):
    app = make_docs(docs_public=True)
    protect(app.blueprints["permjwt_docs"], "docs:read")
    with pytest.raises(ConfigurationError, match="public and guarded"):
        app.extensions["test_permjwt"].check(app)


def test_the_pages_stand_below_a_prefix_with_arguments(make_api):
    app = make_api()
    app.register_blueprint(app.extensions["test_permjwt"].docs_blueprint, url_prefix="/<tenant>/docs")
    client = app.test_client()
    for name in ("", "openapi.json", "assets/page.js"):
        assert status(client, f"/a/docs/{name}") == 200
    assert status(client, "/a/docs") == 308


def test_what_the_app_is_called_is_text_and_no_markup(make_docs):
    text = (
        make_docs(api_title='<script>alert("1")</script>', csrf_header_name="X-CSRF")
        .test_client()
        .get("/docs/")
        .text
    )
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(&#34;1&#34;)" in text


def test_without_swagger_ui_the_blueprint_names_the_remedy(make_api, monkeypatch):
    monkeypatch.setattr(docs, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"flask-permjwt\[openapi\]"):
        _ = make_api().extensions["test_permjwt"].docs_blueprint


def test_a_swagger_ui_that_lacks_a_file_is_refused(make_api, monkeypatch):
    monkeypatch.setattr(docs, "_ASSETS", (*docs._ASSETS, "swagger-ui-next.js"))
    with pytest.raises(ConfigurationError, match=r"swagger-ui-next\.js"):
        _ = make_api().extensions["test_permjwt"].docs_blueprint


def test_without_apispec_the_document_names_the_remedy(make_api, monkeypatch):
    app = make_api()
    for name in ("apispec", "apispec.ext.marshmallow", "flask_permjwt.openapi.document"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "flask_permjwt.openapi.document")
    with pytest.raises(ConfigurationError, match=r"flask-permjwt\[openapi\]"):
        app.extensions["test_permjwt"].openapi(app)
    result = app.test_cli_runner().invoke(args=["permjwt", "openapi"])
    assert result.exit_code == 1
    assert "flask-permjwt[openapi]" in result.output


def test_neither_apispec_nor_the_pages_are_loaded_by_who_does_not_ask():
    code = (
        "import secrets, sys, flask, flask_sqlalchemy, flask_permjwt\n"
        "app = flask.Flask('app')\n"
        "app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI='sqlite://')\n"
        "permjwt = flask_permjwt.PermJWT(app, db=flask_sqlalchemy.SQLAlchemy(app))\n"
        "app.register_blueprint(permjwt.auth_blueprint, url_prefix='/auth')\n"
        "print([name for name in sys.modules if 'openapi' in name or name == 'apispec'])\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_the_extension_object_comes_before_the_pages():
    assert isinstance(PermJWT.docs_blueprint.func.__doc__, str)
    app = Flask("bare")
    with pytest.raises(RuntimeError, match="init_app"):
        app.register_blueprint(docs.make_docs_blueprint(), url_prefix="/docs")


def test_mounted_without_a_prefix_the_pages_stand_at_docs(make_api):
    app = make_api()
    app.register_blueprint(app.extensions["test_permjwt"].docs_blueprint)
    assert [status(app.test_client(), page) for page in PAGES] == [200] * len(PAGES)
