"""The document of an app says what its guards enforce."""

import json
from datetime import timedelta
from enum import StrEnum

import pytest
from flask import Blueprint, Flask, jsonify
from flask.views import MethodView
from marshmallow import Schema, fields
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_permjwt import (
    ConfigurationError,
    all_of,
    any_of,
    protect,
    public,
    requires_login,
    requires_permissions,
)
from flask_permjwt.openapi import describe


class Permission(StrEnum):
    READ = "reports:read"


def operation(document, path, method="get"):
    OpenAPIV31SpecValidator(document).validate()
    return document["paths"][path][method]


@pytest.fixture
def plain(make_api):
    """An app that takes tokens in the header alone, with no views."""
    return make_api(token_locations=["headers"])


def of(app, document, guard, path="/view", method="get"):
    app.add_url_rule(path, "view", guard(lambda **_: ""), methods=[method.upper()])
    return operation(document(app), path.replace("<", "{").replace(">", "}"), method)


def test_a_permission_is_a_scope_and_stands_in_x_permissions(plain, document):
    found = of(plain, document, requires_permissions(Permission.READ))
    assert found["security"] == [{"permjwt": ["reports:read"]}]
    assert found["x-permissions"] == ["reports:read"]
    assert list(found["responses"]) == ["400", "401", "403", "429", "503", "default"]
    assert "WWW-Authenticate" in found["responses"]["401"]["headers"]
    assert "Retry-After" in found["responses"]["503"]["headers"]


def test_permissions_that_are_all_needed_stand_together(plain, document):
    found = of(plain, document, requires_permissions("a", all_of("b", "c")))
    assert found["security"] == [{"permjwt": ["a", "b", "c"]}]
    assert found["x-permissions"] == ["a", {"all_of": ["b", "c"]}]


def test_permissions_one_of_which_is_enough_are_alternatives(plain, document):
    found = of(plain, document, requires_permissions("a", any_of("b", all_of("c", "d"))))
    assert found["security"] == [{"permjwt": ["a", "b"]}, {"permjwt": ["a", "c", "d"]}]
    assert found["x-permissions"] == ["a", {"any_of": ["b", {"all_of": ["c", "d"]}]}]


def test_a_template_is_shown_unfilled(plain, document):
    found = of(plain, document, requires_permissions("project:{project_id}:edit"), "/projects/<project_id>", "put")
    assert found["security"] == [{"permjwt": ["project:{project_id}:edit"]}]
    assert found["parameters"] == [
        {"name": "project_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    ]


def test_what_the_defaults_of_a_route_say_is_filled_in(plain, document):
    guard = requires_permissions(any_of("page:{number}:{kind}", "all"))
    view = guard(lambda number, kind: "")
    plain.add_url_rule("/first/<kind>", "pages", view, defaults={"number": 1})
    plain.add_url_rule("/pages/<int:number>/<kind>", "pages", view)
    found = document(plain)
    first, any_page = operation(found, "/first/{kind}"), operation(found, "/pages/{number}/{kind}")
    assert first["x-permissions"] == [{"any_of": ["page:1:{kind}", "all"]}]
    assert [one["permjwt"] for one in first["security"] if "permjwt" in one] == [["page:1:{kind}"], ["all"]]
    assert any_page["x-permissions"] == [{"any_of": ["page:{number}:{kind}", "all"]}]


def test_a_login_needs_no_scope_and_refuses_nobody_who_has_one(plain, document):
    found = of(plain, document, requires_login)
    assert found["security"] == [{"permjwt": []}]
    assert found["x-permissions"] == []
    assert "403" not in found["responses"]


def test_how_long_ago_one_may_have_logged_in_is_told(plain, document):
    found = of(plain, document, requires_permissions("a", fresh=timedelta(minutes=5)))
    assert found["x-max-age"] == 300
    assert "insufficient_user_authentication" in found["responses"]["401"]["description"]


def test_a_public_view_is_open_and_says_why(plain, document):
    found = of(plain, document, public(reason="the landing page"))
    assert found["security"] == []
    assert found["x-public"] == "the landing page"
    assert list(found["responses"]) == ["default"]


def test_what_nobody_declared_is_open(plain, document):
    found = of(plain, document, lambda view: view)
    assert found["security"] == []
    assert "x-public" not in found


def test_what_nobody_declared_is_closed_where_the_app_closes_it(make_api, document):
    found = of(make_api(default_deny=True, token_locations=["headers"]), document, lambda view: view)
    assert found["x-closed"] is True
    assert found["security"] == [{"permjwt": []}]
    assert "x-permissions" not in found
    # There is no way to be let in.
    assert list(found["responses"]) == ["400", "401", "403", "429", "503"]


def test_guards_of_one_method_are_those_of_this_operation(plain, document):
    @requires_permissions("items:read", methods=["GET"])
    class Items(MethodView):
        def get(self, item_id):
            """Show an item.

            With all that is known of it.
            ---
            for: another tool
            """
            return {}

        @requires_permissions("items:write")
        def put(self, item_id):
            return {}

        def delete(self, item_id):
            return {}

    plain.add_url_rule("/items/<int:item_id>", view_func=Items.as_view("items"))
    item = document(plain)["paths"]["/items/{item_id}"]
    assert item["get"]["x-permissions"] == ["items:read"]
    assert item["get"]["summary"] == "Show an item"
    assert item["get"]["description"] == "With all that is known of it."
    assert item["put"]["x-permissions"] == ["items:write"]
    assert item["delete"]["security"] == []
    assert "head" not in item
    assert "options" not in item


def test_a_guard_that_a_view_holds_may_ask_for_credentials(plain, document):
    guarded = requires_permissions("a")(lambda: "")

    def hides(function):
        return lambda: function()  # noqa: PLW0108  # a decorator without functools.wraps

    plain.add_url_rule("/view", "view", hides(guarded))
    found = operation(document(plain), "/view")
    assert found["security"] == [{}, {"permjwt": ["a"]}]
    assert found["x-permissions"] == ["a"]
    assert "403" in found["responses"]


def test_the_guard_of_a_blueprint_is_that_of_its_views(plain, document):
    inner, outer = Blueprint("inner", __name__), Blueprint("outer", __name__)
    inner.get("/view")(lambda: "")
    protect(outer, "admin")
    outer.register_blueprint(inner, url_prefix="/inner")
    plain.register_blueprint(outer, url_prefix="/outer", name="renamed")
    found = operation(document(plain), "/outer/inner/view")
    assert found["x-permissions"] == ["admin"]
    assert found["tags"] == ["renamed.inner"]


@pytest.mark.parametrize("above", [True, False])
def test_the_guard_of_a_function_before_requests_is_that_of_the_views_behind_it(plain, document, above):
    guard, blueprint = requires_permissions("staff", fresh=60), Blueprint("staff", __name__, url_prefix="/staff")

    def gate():
        return None

    if above:
        guard(blueprint.before_request(gate))
    else:
        blueprint.before_request(guard(gate))
    blueprint.get("/plain")(lambda: "")
    blueprint.get("/more", endpoint="more")(requires_permissions("more")(lambda: ""))
    plain.register_blueprint(blueprint)
    paths = document(plain)["paths"]
    assert paths["/staff/plain"]["get"]["security"][0] == {"permjwt": ["staff"]}
    assert set(paths["/staff/more"]["get"]["x-permissions"]) == {"more", "staff"}
    assert paths["/staff/more"]["get"]["x-max-age"] == 60
    assert plain.test_client().get("/staff/plain").status_code == 401


def test_the_groups_of_the_app_come_before_ours(make_api, add_auth, document):
    app = make_api()
    add_auth(app)
    reports = Blueprint("zebra", __name__)
    reports.get("/zebra")(lambda: "")
    app.register_blueprint(reports)
    assert [one["name"] for one in document(app)["tags"]] == ["zebra", "auth"]


def test_a_guard_that_is_declared_later_is_told_later(plain, document):
    def view():
        return ""

    plain.get("/view")(view)
    assert operation(document(plain), "/view")["security"] == []
    requires_permissions("a")(view)
    assert operation(document(plain), "/view")["security"] == [{"permjwt": ["a"]}]


def test_static_files_are_no_operations(make_api, document, tmp_path):
    app = make_api(build=lambda: Flask("reports", static_folder=str(tmp_path)))
    assert document(app)["paths"] == {}


def test_of_paths_that_openapi_cannot_tell_apart_one_is_shown(plain, document):
    plain.add_url_rule("/x/<int:number>", "number", requires_permissions("a")(lambda number: ""))
    plain.add_url_rule("/x/<name>", "name", requires_permissions("b")(lambda name: ""), methods=["GET", "PUT"])
    found = document(plain)
    OpenAPIV31SpecValidator(found).validate()
    assert list(found["paths"]) == ["/x/{number}"]
    item = found["paths"]["/x/{number}"]
    assert item["get"]["x-permissions"] == ["a"]
    assert item["put"]["x-permissions"] == ["b"]
    assert item["put"]["parameters"][0]["name"] == "number"


def test_every_operation_has_a_name_of_its_own(plain, document):
    def view():
        return ""

    for path in ("/a", "/b"):
        plain.add_url_rule(path, "view", view, methods=["GET", "POST"])
    names = [one["operationId"] for item in document(plain)["paths"].values() for one in item.values()]
    assert names == ["get_view", "post_view", "get_view_2", "post_view_2"]


def test_a_route_of_another_host_says_where_it_is(make_api, document):
    def build():
        app = Flask("hosts", subdomain_matching=True, static_folder=None)
        app.config["SERVER_NAME"] = "example.com"
        return app

    app = make_api(build=build)
    app.add_url_rule("/a", "a", lambda: "", subdomain="api")
    app.add_url_rule("/b", "b", lambda: "")
    paths = document(app)["paths"]
    assert paths["/a"]["get"]["servers"] == [{"url": "//api.example.com"}]
    assert "servers" not in paths["/b"]["get"]


# The schemes


def test_cookies_are_sent_with_the_csrf_value_where_it_is_asked_for(make_api, document):
    app = make_api()
    app.add_url_rule("/view", "view", requires_permissions("a")(lambda: ""), methods=["GET", "POST"])
    found = document(app)
    assert operation(found, "/view")["security"] == [{"permjwt": ["a"]}, {"permjwt_cookie": ["a"]}]
    assert operation(found, "/view", "post")["security"][1] == {"permjwt_cookie": ["a"], "permjwt_csrf": []}
    schemes = found["components"]["securitySchemes"]
    assert schemes["permjwt_cookie"] == {
        "type": "apiKey",
        "in": "cookie",
        "name": "access_token",
        "description": "The access token, set by a login with `delivery: cookie`.",
    }
    assert schemes["permjwt_csrf"]["name"] == "X-CSRF-TOKEN"
    assert schemes["permjwt"] == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token.",
    }


def test_cookies_without_csrf_protection_stand_alone(make_api, document):
    app = make_api(token_locations=["cookies"], csrf_protect=False)
    found = of(app, document, requires_permissions("a"), method="post")
    assert found["security"] == [{"permjwt_cookie": ["a"]}]
    assert "400" not in found["responses"]


@pytest.mark.parametrize(
    ("settings", "name", "told"),
    [
        ({"header_name": "X-Token", "header_type": ""}, "X-Token", "An access token."),
        ({"header_type": "JWT"}, "Authorization", "An access token, after `JWT` and a space."),
    ],
)
def test_a_header_of_ones_own_is_an_api_key(make_api, document, settings, name, told):
    app = make_api(token_locations=["headers"], **settings)
    of(app, document, requires_login)
    scheme = document(app)["components"]["securitySchemes"]["permjwt"]
    assert scheme == {"type": "apiKey", "in": "header", "name": name, "description": told}


def add_token_endpoint(app, path="/auth/token", *, is_on=True):
    view = describe("Get a token", answers={200: "A token."}, grants_password=lambda _: is_on)(lambda **_: "")
    app.add_url_rule(path, "own_token", view, methods=["POST"])


def test_the_password_flow_leads_to_the_token_endpoint_and_knows_every_scope(plain, document):
    add_token_endpoint(plain)
    of(plain, document, requires_permissions("b", "a:{x}"), "/view/<x>")
    found = document(plain)
    assert operation(found, "/view/{x}")["security"] == [
        {"permjwt": ["b", "a:{x}"]},
        {"permjwt_password": ["b", "a:{x}"]},
    ]
    flow = found["components"]["securitySchemes"]["permjwt_password"]["flows"]["password"]
    assert flow["tokenUrl"] == "/auth/token"
    assert list(flow["scopes"]) == ["a:{x}", "b"]


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, {"is_on": False}),
        ({}, {"path": "/<tenant>/token"}),
        ({"token_locations": ["cookies"]}, {}),
        ({"header_type": "JWT"}, {}),
    ],
)
def test_there_is_no_password_flow_where_it_leads_nowhere(make_api, document, settings, options):
    app = make_api(**settings)
    add_token_endpoint(app, **options)
    of(app, document, requires_permissions("a"))
    assert "permjwt_password" not in document(app)["components"]["securitySchemes"]


def test_no_scheme_is_shown_that_no_operation_refers_to(plain, document):
    assert "components" not in document(plain)


# The login blueprint


def test_the_endpoints_are_shown_where_they_are_mounted(make_api, add_auth, document):
    app = make_api()
    group = Blueprint("group", __name__)
    group.register_blueprint(app.extensions["test_permjwt"].auth_blueprint, url_prefix="/log-ins", name="ours")
    app.register_blueprint(group, url_prefix="/<tenant>")
    found = document(app)
    login = operation(found, "/{tenant}/log-ins/login", "post")
    assert login["parameters"][0]["name"] == "tenant"
    assert login["tags"] == ["group.ours"]
    assert "/auth/login" not in found["paths"]


def test_an_app_that_mounts_no_login_shows_none(plain, document):
    assert document(plain)["paths"] == {}


def paths_of(app, document):
    found = document(app)
    OpenAPIV31SpecValidator(found).validate()
    return {path.removeprefix("/auth") for path in found["paths"]}


def test_what_is_off_is_left_out(make_api, add_auth, document):
    app = make_api(personal_tokens=False)
    add_auth(app)
    found = paths_of(app, document)
    assert {
        "/login",
        "/refresh",
        "/logout",
        "/me",
        "/password",
        "/token",
        "/revoke",
        "/introspect",
        "/ticket",
    } <= found
    assert not found & {"/tokens", "/tokens/{token_id}"}
    assert not found & {"/register", "/verify", "/verify/send", "/password/forgot", "/password/reset"}
    assert not found & {"/providers", "/exchange", "/login/{provider}", "/callback/{provider}"}


def test_what_is_on_is_shown(make_api, add_auth, document):
    class Mailer:
        def send(self, message):
            raise AssertionError

    providers = {"google": {"client_id": "a", "client_secret": "b"}}
    app = make_api(registration=True, mailer=Mailer(), providers=providers, personal_tokens=True)
    add_auth(app)
    found = paths_of(app, document)
    assert found >= {"/register", "/verify", "/verify/send", "/password/forgot", "/password/reset"}
    assert found >= {
        "/tokens",
        "/tokens/{token_id}",
        "/providers",
        "/providers/{provider}",
        "/exchange",
        "/login/{provider}",
    }


def test_the_endpoints_of_oauth_take_forms(api, document):
    found = document(api)
    token = operation(found, "/auth/token", "post")
    assert list(token["requestBody"]["content"]) == ["application/x-www-form-urlencoded"]
    assert token["security"] == [{"permjwt_client": []}, {}]
    assert "415" not in token["responses"]
    introspect = operation(found, "/auth/introspect", "post")
    assert {"permjwt": []} in introspect["security"]
    schemes = found["components"]["securitySchemes"]
    assert schemes["permjwt_client"] == {"type": "http", "scheme": "basic"}
    assert schemes["permjwt_password"]["flows"]["password"]["tokenUrl"] == "/auth/token"


def test_a_password_grant_that_is_off_is_no_scheme(make_api, add_auth, document):
    app = make_api(password_grant=False)
    add_auth(app)
    found = document(app)
    assert "/auth/token" in found["paths"]
    assert "permjwt_password" not in found["components"]["securitySchemes"]


@pytest.mark.parametrize(
    ("issuer", "place"),
    [
        (None, None),
        ("just a name", None),
        ("https://example.com", "/.well-known/oauth-authorization-server"),
        ("https://example.com/a b", None),
        ("https://example.com/tenant", "/.well-known/oauth-authorization-server/tenant"),
    ],
)
def test_metadata_are_shown_where_they_stand_alone(make_api, add_auth, document, issuer, place):
    app = make_api(**({} if issuer is None else {"issuer": issuer}))
    add_auth(app)
    app.register_blueprint(app.extensions["test_permjwt"].well_known_blueprint)
    found = [path for path in document(app)["paths"] if "oauth-authorization-server" in path]
    assert found == ([] if place is None else [place])
    if place is not None:
        assert "parameters" not in operation(document(app), place)
        assert app.test_client().get(place).status_code == 200


def test_what_a_wrapper_of_a_view_refuses_is_told_without_being_described(api, document):
    # Narrowed tokens change no password.
    assert (
        "insufficient_scope"
        in operation(document(api), "/auth/password", "post")["responses"]["403"]["description"]
    )


def test_a_login_takes_what_its_schema_takes(api, document):
    found = document(api)
    login = operation(found, "/auth/login", "post")
    assert login["security"] == []
    assert login["requestBody"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/AuthLogin"}}
    }
    schema = found["components"]["schemas"]["AuthLogin"]
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"username", "password"}
    assert schema["properties"]["delivery"]["enum"] == ["header", "cookie"]
    assert {"200", "400", "401", "403", "413", "415", "422", "429", "503"} == set(login["responses"])


def test_a_refresh_takes_a_refresh_token_in_each_way(api, document):
    found = operation(document(api), "/auth/refresh", "post")
    assert found["security"] == [
        {"permjwt_refresh": []},
        {"permjwt_refresh_cookie": [], "permjwt_refresh_csrf": []},
        {},
    ]
    assert found["requestBody"]["required"] is False
    assert "x-permissions" not in found


def test_an_app_that_shapes_errors_itself_is_not_said_to_send_ours(api, document):
    def bodies(app):
        return operation(document(app), "/reports")["responses"]["401"].get("content")

    assert bodies(api) == {"application/json": {"schema": {"$ref": "#/components/schemas/AuthError"}}}
    api.register_error_handler(401, lambda error: ("Go away.", 401))
    assert bodies(api) is None


# The whole


def test_a_described_view_of_the_apps_own_shows_its_schemas(plain, document):
    class LoginSchema(Schema):
        """Named as one of ours."""

        name = fields.String(required=True)

    class Query(Schema):
        page = fields.Integer(required=True)

    @plain.post("/own")
    @requires_permissions("a")
    @describe(
        "Do it",
        details="All of it.",
        body=LoginSchema,
        query=Query,
        answers={200: ("Done.", LoginSchema), 202: "Later."},
    )
    def own():
        return {}

    found = operation(document(plain), "/own", "post")
    assert found["summary"] == "Do it"
    assert found["responses"]["202"] == {"description": "Later."}
    assert found["parameters"][0]["name"] == "page"
    assert found["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Login"}
    assert "default" not in found["responses"]


def test_the_title_and_the_version_are_settings(make_api, document):
    assert document(make_api())["info"] == {"title": "reports", "version": "1.0.0"}
    found = document(make_api(api_title="Reports of all kinds", api_version="2.1"))
    assert found["info"] == {"title": "Reports of all kinds", "version": "2.1"}


def test_addresses_stand_below_the_path_at_which_the_app_is_served(api, document):
    add_token_endpoint(api)
    api.add_url_rule("/document", "own_document", lambda: jsonify(document(api)))
    mounted = DispatcherMiddleware(Flask("outer"), {"/below": api})
    found = Client(mounted).get("/below/document").json
    assert found["servers"] == [{"url": "/below"}]
    flow = found["components"]["securitySchemes"]["permjwt_password"]["flows"]["password"]
    assert flow["tokenUrl"] == "/below/auth/token"
    assert "servers" not in document(api)
    api.config["APPLICATION_ROOT"] = "/root/"
    assert document(api)["servers"] == [{"url": "/root"}]


def test_contradicting_declarations_are_no_document(plain, document):
    blueprint = Blueprint("group", __name__)
    protect(blueprint, "a")
    blueprint.get("/view")(public(reason="open")(lambda: ""))
    plain.register_blueprint(blueprint)
    with pytest.raises(ConfigurationError, match="public and guarded"):
        document(plain)


def test_the_document_is_json_and_names_no_secret(api, document):
    text = json.dumps(document(api))
    assert api.config["SECRET_KEY"] not in text


def test_the_command_prints_the_document(api, document):
    result = api.test_cli_runner().invoke(args=["permjwt", "openapi"])
    assert result.exit_code == 0
    assert json.loads(result.output) == document(api)


def test_the_command_refuses_contradicting_declarations(plain):
    blueprint = Blueprint("group", __name__)
    blueprint.get("/view")(public(reason="open")(lambda: ""))
    protect(blueprint, "a")
    plain.register_blueprint(blueprint)
    result = plain.test_cli_runner().invoke(args=["permjwt", "openapi"])
    assert result.exit_code == 1
    assert "public and guarded" in result.output
