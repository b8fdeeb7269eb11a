"""Documents of others: what the guards enforce is written into them, whatever their version."""

import pytest
from apispec import APISpec
from apispec.exceptions import APISpecError
from flask import Flask
from openapi_spec_validator import validate

from flask_permjwt import any_of, public, requires_login, requires_permissions
from flask_permjwt.openapi import secure
from flask_permjwt.openapi.plugin import PermJWTPlugin

VERSIONS = {"2.0": "swagger", "3.0.3": "openapi", "3.1.0": "openapi"}


def written(version, paths, **fields):
    info = {"title": "t", "version": "1"}
    return {VERSIONS[version]: version, "info": info, "paths": paths, **fields}


def done():
    return {"responses": {"200": {"description": "Done."}}}


@pytest.fixture
def app(make_api):
    app = make_api(build=lambda: Flask("reports", static_folder=None))
    app.get("/reports")(requires_permissions(any_of("a", "b"), fresh=60)(lambda: ""))
    app.add_url_rule("/reports/<int:number>", "one", requires_login(lambda number: ""), methods=["PUT"])
    app.add_url_rule("/hello", "hello", public(reason="open")(lambda: ""))
    app.add_url_rule("/undeclared", "undeclared", lambda: "")
    return app


@pytest.mark.parametrize("version", VERSIONS)
def test_a_guarded_operation_gets_its_entries_in_each_version(app, version):
    given = written(version, {"/reports": {"get": done()}})
    found = secure(given, app)
    validate(found)
    operation = found["paths"]["/reports"]["get"]
    roles = [[]] if version != "3.1.0" else [["a"], ["b"]]
    assert [one["permjwt"] for one in operation["security"] if "permjwt" in one] == roles
    assert [one["permjwt_cookie"] for one in operation["security"] if "permjwt_cookie" in one] == roles
    assert operation["x-permissions"] == [{"any_of": ["a", "b"]}]
    assert operation["x-max-age"] == 60
    assert set(operation["responses"]) == {"200", "400", "401", "403", "429", "503"}
    schemes = found["securityDefinitions"] if version == "2.0" else found["components"]["securitySchemes"]
    assert schemes["permjwt"]["type"] == ("apiKey" if version == "2.0" else "http")
    assert schemes["permjwt_cookie"]["in"] == ("header" if version == "2.0" else "cookie")
    assert "security" not in given["paths"]["/reports"]["get"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("base_url", ["http://localhost:5000", "https://api.example.com/below"])
def test_where_people_can_log_in_the_document_is_valid_in_each_version(app, add_auth, version, base_url):
    add_auth(app)
    with app.test_request_context(base_url=base_url):
        found = secure(written(version, {"/reports": {"get": done()}}), app)
    validate(found)
    assert {"permjwt_password": ["a"]} in found["paths"]["/reports"]["get"]["security"]
    if version == "2.0":
        flow = found["securityDefinitions"]["permjwt_password"]
        assert flow["tokenUrl"] == f"{base_url}/auth/token"
        assert list(flow["scopes"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("config", "address"),
    [
        ({}, None),
        (
            {"SERVER_NAME": "api.example.com", "PREFERRED_URL_SCHEME": "https", "APPLICATION_ROOT": "/below"},
            "https://api.example.com/below/auth/token",
        ),
    ],
)
def test_swagger_shows_the_password_flow_where_its_whole_address_is_known(app, add_auth, config, address):
    add_auth(app)
    app.config.update(config)
    found = secure(written("2.0", {"/reports": {"get": done()}}), app)
    validate(found)
    assert found["securityDefinitions"].get("permjwt_password", {}).get("tokenUrl") == address


@pytest.mark.parametrize("version", VERSIONS)
def test_where_personal_tokens_are_counted_a_view_may_answer_429(make_api, version):
    app = make_api(personal_tokens=True)
    app.get("/reports")(requires_login(lambda: ""))
    found = secure(written(version, {"/reports": {"get": done()}}), app)
    validate(found)
    assert list(found["paths"]["/reports"]["get"]["responses"]) == ["200", "400", "401", "429", "503"]
    responses = found["responses"] if version == "2.0" else found["components"]["responses"]
    assert list(responses["PermJWT429"]["headers"]) == ["Retry-After"]
    app = make_api(personal_tokens=False)
    app.get("/reports")(requires_login(lambda: ""))
    found = secure(written(version, {"/reports": {"get": done()}}), app)
    assert list(found["paths"]["/reports"]["get"]["responses"]) == ["200", "400", "401", "503"]


def test_an_app_of_cookies_alone_is_never_shown_as_open(make_api):
    app = make_api(token_locations=["cookies"], build=lambda: Flask("reports", static_folder=None))
    app.post("/reports")(requires_login(lambda: ""))
    found = secure(written("2.0", {"/reports": {"post": done()}}), app)
    validate(found)
    assert found["paths"]["/reports"]["post"]["security"] == [{"permjwt_cookie": [], "permjwt_csrf": []}]
    assert found["securityDefinitions"]["permjwt_cookie"]["name"] == "Cookie"


def test_what_the_document_says_itself_stays_where_it_is_no_entry_about_guards(app):
    own = {"description": "Mine."}
    given = written(
        "3.1.0",
        {
            "/reports": {"get": {"security": [{"mine": []}], "responses": {"401": own}}, "parameters": []},
            "/hello": {"get": {"security": [{"mine": []}], **done()}},
            "/undeclared": {"get": done()},
            "/elsewhere": {"get": {"security": [{"mine": []}], **done()}},
        },
        components={"securitySchemes": {"mine": {"type": "http", "scheme": "basic"}}, "responses": {"Own": own}},
        security=[{"mine": []}],
    )
    found = secure(given, app)
    validate(found)
    paths = found["paths"]
    assert paths["/reports"]["get"]["security"][0] == {"permjwt": ["a"]}
    assert paths["/reports"]["get"]["responses"]["401"] == own
    assert paths["/hello"]["get"]["security"] == [{"mine": []}]
    assert paths["/hello"]["get"]["x-public"] == "open"
    assert paths["/undeclared"] == given["paths"]["/undeclared"]
    assert paths["/elsewhere"] == given["paths"]["/elsewhere"]
    assert set(found["components"]["securitySchemes"]) == {"mine", "permjwt", "permjwt_cookie"}
    assert set(found["components"]["responses"]) == {
        "Own",
        *(f"PermJWT{status}" for status in (400, 403, 429, 503)),
    }


def test_a_public_view_is_open_whatever_holds_for_the_whole_document(app):
    given = written("3.0.3", {"/hello": {"get": done()}}, security=[{"mine": []}])
    assert secure(given, app)["paths"]["/hello"]["get"]["security"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"version": "2.0", "basePath": "/reports"},
        {"version": "2.0", "basePath": "/reports/"},
        {"version": "3.0.3", "servers": [{"url": "https://example.com/reports"}]},
        {"version": "3.1.0", "servers": [{"url": "/other"}, {"url": "/reports/"}]},
    ],
)
def test_a_path_is_known_below_the_base_of_the_document(app, fields):
    found = secure(written(paths={"/{id}": {"put": done()}}, **fields), app)
    assert found["paths"]["/{id}"]["put"]["security"][0] == {"permjwt": []}


def test_a_path_is_known_whatever_its_variables_are_called(app):
    found = secure(written("3.1.0", {"/reports/{id}": {"put": done()}}), app)
    assert found["paths"]["/reports/{id}"]["put"]["x-permissions"] == []


@pytest.mark.parametrize("paths", [None, {}, {"/reports": None}, {"/reports": {"get": None}}])
def test_a_document_with_little_in_it_is_taken(app, paths):
    given = written("3.1.0", paths)
    assert secure(given, app) == given


def test_apispec_alone_takes_the_plug_in(app):
    spec = APISpec("t", "1", "3.0.3", plugins=[PermJWTPlugin(app)])
    spec.path("/reports", operations={"get": done()})
    assert spec.to_dict()["paths"]["/reports"]["get"]["x-permissions"] == [{"any_of": ["a", "b"]}]
    # As often as it is asked for.
    assert spec.to_dict() == spec.to_dict()
    with pytest.raises(APISpecError):
        spec.components.security_scheme("mine", {}).security_scheme("mine", {})
