"""Inside flask-smorest, APIFlask and Flask-RESTX: their own documents say what our guards enforce."""

import json

import flask_restx
import flask_smorest
import pytest
from apiflask import APIBlueprint, APIFlask
from flask import Blueprint, Flask
from flask.views import MethodView
from openapi_spec_validator import validate

from flask_permjwt import ConfigurationError, all_of, any_of, protect, public, requires_login, requires_permissions
from flask_permjwt.openapi.apiflask import secure_apiflask
from flask_permjwt.openapi.restx import Api
from flask_permjwt.openapi.smorest import secure_smorest

guard = requires_permissions("reports:read", any_of("a", all_of("b", "c")))
TREE = ["reports:read", {"any_of": ["a", {"all_of": ["b", "c"]}]}]


def scopes(operation, name="permjwt"):
    return [one[name] for one in operation["security"] if name in one]


ALTERNATIVES = [["reports:read", "a"], ["reports:read", "b", "c"]]


# flask-smorest


def smorest(make_api, version, **settings):
    def build():
        app = Flask("reports")
        app.config.update(API_TITLE="t", API_VERSION="1", OPENAPI_VERSION=version, OPENAPI_URL_PREFIX="/api")
        return app

    app = make_api(build=build, **settings)
    api = flask_smorest.Api(app)
    secure_smorest(api, app)
    blueprint = flask_smorest.Blueprint("reports", __name__, url_prefix="/reports")

    @blueprint.route("/<int:number>")
    class Reports(MethodView):
        @blueprint.response(200)
        @guard
        def get(self, number):
            """Show a report."""

        @blueprint.response(204)
        def post(self, number):
            return None

    api.register_blueprint(blueprint, name="renamed")
    return app, blueprint


@pytest.mark.parametrize("version", ["2.0", "3.0.3", "3.1.0"])
def test_the_document_of_flask_smorest_is_secured(make_api, version):
    app, _ = smorest(make_api, version)
    found = app.test_client().get("/api/openapi.json").json
    validate(found)
    operation = found["paths"]["/reports/{number}"]["get"]
    assert operation["x-permissions"] == TREE
    assert scopes(operation) == (ALTERNATIVES if version == "3.1.0" else [[]])
    assert set(operation["responses"]) >= {"200", "default", "400", "401", "403", "503"}
    assert operation["summary"] == "Show a report."
    assert "security" not in found["paths"]["/reports/{number}"]["post"]


def test_guards_that_come_after_the_registration_are_shown(make_api):
    app, blueprint = smorest(make_api, "3.1.0")
    protect(blueprint, "late", methods=["GET"])
    found = app.test_client().get("/api/openapi.json").json
    assert found["paths"]["/reports/{number}"]["get"]["x-permissions"] == [*TREE, "late"]


def test_the_command_of_flask_smorest_prints_the_same(make_api):
    app, _ = smorest(make_api, "3.0.3")
    result = app.test_cli_runner().invoke(args=["openapi", "print"])
    assert json.loads(result.output) == app.test_client().get("/api/openapi.json").json


def test_an_api_that_is_not_set_up_has_no_document_yet(make_api):
    with pytest.raises(ConfigurationError, match="init_app"):
        secure_smorest(flask_smorest.Api(), make_api())


# APIFlask


def apiflask(make_api, version):
    def build():
        app = APIFlask("reports")
        app.config["OPENAPI_VERSION"] = version
        return app

    app = make_api(build=build)
    secure_apiflask(app)
    blueprint = APIBlueprint("group", __name__, url_prefix="/group")
    protect(blueprint, "group:use")

    @app.get("/reports/<int:number>")
    @guard
    def report(number):
        """Show a report."""
        return {}

    @app.post("/reports/<int:number>")
    @requires_login
    @app.output({}, status_code=201)
    def write(number):
        return {}

    @blueprint.get("/view")
    def view():
        return {}

    app.register_blueprint(blueprint)
    return app


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_the_document_of_apiflask_is_secured(make_api, version):
    found = apiflask(make_api, version).test_client().get("/openapi.json").json
    validate(found)
    operation = found["paths"]["/reports/{number}"]["get"]
    assert operation["x-permissions"] == TREE
    assert scopes(operation) == (ALTERNATIVES if version == "3.1.0" else [[]])
    assert set(operation["responses"]) >= {"200", "401", "403", "404", "503"}
    written = found["paths"]["/reports/{number}"]["post"]
    assert written["security"][1] == {"permjwt_cookie": [], "permjwt_csrf": []}
    assert set(written["responses"]) >= {"201", "401"}
    assert found["paths"]["/group/view"]["get"]["x-permissions"] == ["group:use"]


def test_the_apps_own_processor_has_the_last_word(make_api):
    app = apiflask(make_api, "3.1.0")

    @app.spec_processor
    def change(spec):
        spec["info"]["x-seen"] = spec["paths"]["/group/view"]["get"]["x-permissions"]
        return spec

    found = app.test_client().get("/openapi.json").json
    assert found["info"]["x-seen"] == ["group:use"]
    assert app.spec["paths"] == found["paths"]


# Flask-RESTX


def restx(make_api, *, prefix=""):
    app = make_api(build=lambda: Flask("reports", static_folder=None))
    blueprint = Blueprint("api", __name__, url_prefix=prefix)
    api = Api(blueprint)
    namespace = api.namespace("reports", path="/reports")

    @namespace.route("/<int:number>")
    class Report(flask_restx.Resource):
        @namespace.doc("show")
        @guard
        def get(self, number):
            """Show a report."""
            return {}

        @public(reason="anybody may ask")
        def post(self, number):
            return {}

    app.register_blueprint(blueprint)
    return app


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
def test_the_document_of_flask_restx_is_secured(make_api, prefix):
    app = restx(make_api, prefix=prefix)
    found = app.test_client().get(f"{prefix}/swagger.json").json
    validate(found)
    assert found["swagger"] == "2.0"
    operation = found["paths"]["/reports/{number}"]["get"]
    assert operation["x-permissions"] == TREE
    assert operation["security"] == [{"permjwt": []}, {"permjwt_cookie": []}]
    assert set(operation["responses"]) == {"200", "400", "401", "403", "429", "503"}
    assert found["paths"]["/reports/{number}"]["post"]["security"] == []
    assert found["responses"]["PermJWT401"]["headers"] == {"WWW-Authenticate": {"type": "string"}}


def test_the_page_of_flask_restx_below_another_app_shows_the_same(make_api):
    app = restx(make_api, prefix="/api")
    found = app.test_client().get("/api/swagger.json", base_url="http://localhost/below").json
    assert found["basePath"] == "/below/api"
    assert found["paths"]["/reports/{number}"]["get"]["x-permissions"] == TREE


def test_the_document_of_flask_restx_lets_people_log_in(make_api, add_auth):
    app = restx(make_api, prefix="/api")
    add_auth(app)
    found = app.test_client().get("/api/swagger.json", base_url="http://localhost/below").json
    validate(found)
    assert found["securityDefinitions"]["permjwt_password"]["tokenUrl"] == "http://localhost/below/auth/token"


def test_a_document_that_flask_restx_cannot_make_says_so(make_api):
    app = make_api(build=lambda: Flask("reports", static_folder=None))
    api = Api(app)

    @api.route("/<x>")
    class Broken(flask_restx.Resource):
        @api.doc(responses=3)
        def get(self, x):
            return {}

    answer = app.test_client().get("/swagger.json")
    assert answer.status_code == 500
    assert answer.json == {"error": "Unable to render schema"}
