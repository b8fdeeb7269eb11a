"""Inside Flask-RESTX and flask-smorest: status and headers are ours, the body is the framework's."""

import flask_restx
import flask_smorest
import pytest
from flask import Blueprint, Flask
from flask.views import MethodView
from werkzeug.exceptions import HTTPException

from flask_permjwt import (
    AccountError,
    BodyTooLargeError,
    InsufficientScopeError,
    InvalidBodyError,
    InvalidRequestError,
    InvalidTokenError,
    TokenTooLargeError,
    UnsupportedMediaTypeError,
    UsernameTakenError,
    protect,
    requires_login,
    requires_permissions,
)
from flask_permjwt.web.marks import DECLARED, Marks, known_wrappers, marks_of
from flask_permjwt.web.responses import http_error, register_account_errors

guard = requires_permissions("reports:read")


def check_statuses_and_headers(app, bearer, path="/reports", method="GET"):
    client = app.test_client()
    anonymous = client.open(path, method=method)
    assert anonymous.status_code == 401
    assert anonymous.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    forged = client.open(path, method=method, headers={"Authorization": "Bearer nonsense"})
    assert forged.status_code == 401
    assert 'error="invalid_token"' in forged.headers["WWW-Authenticate"]
    denied = client.open(path, method=method, **bearer(app, "x"))
    assert denied.status_code == 403
    assert 'error="insufficient_scope"' in denied.headers["WWW-Authenticate"]
    assert client.open(path, method=method, **bearer(app, "reports:read")).status_code == 200
    return denied.json


@pytest.fixture
def restx(app):
    api = flask_restx.Api(app, doc=False)

    def add(resource):
        api.add_resource(resource, "/reports")
        return app

    add.api = api
    return add


def plain():
    class Reports(flask_restx.Resource):
        def get(self):
            return {"in": True}

    return Reports


def test_a_restx_resource_guarded_before_it_is_added(restx, bearer):
    body = check_statuses_and_headers(restx(guard(plain())), bearer)
    assert body["message"] == "Missing permissions: reports:read"
    assert body["error"] == "insufficient_scope"


def test_a_restx_resource_guarded_after_it_is_added(restx, bearer):
    resource = plain()
    app = restx(resource)
    guard(resource)
    check_statuses_and_headers(app, bearer)


def test_a_restx_route_decorator_below_and_above_the_guard(restx, app, bearer):
    @guard
    @restx.api.route("/reports")
    class Below(flask_restx.Resource):
        def get(self):
            return {"in": True}

    @restx.api.route("/others")
    @guard
    class Above(flask_restx.Resource):
        def get(self):
            return {"in": True}

    check_statuses_and_headers(app, bearer)
    check_statuses_and_headers(app, bearer, "/others")


def test_a_restx_method_under_marshal_and_expect(restx, bearer):
    model = restx.api.model("Report", {"in": flask_restx.fields.Boolean})

    class Reports(flask_restx.Resource):
        @restx.api.marshal_with(model)
        @guard
        @restx.api.doc("reports")
        def get(self):
            return {"in": True}

        def post(self):
            return {"open": True}

    app = restx(Reports)
    check_statuses_and_headers(app, bearer)
    assert app.test_client().post("/reports").status_code == 200


def test_restx_method_decorators(restx, bearer):
    class Reports(flask_restx.Resource):
        method_decorators = (guard,)

        def get(self):
            return {"in": True}

    check_statuses_and_headers(restx(Reports), bearer)


def test_a_restx_api_on_a_protected_blueprint(app, bearer):
    blueprint = Blueprint("api", __name__)
    protect(blueprint, "reports:read")
    api = flask_restx.Api(blueprint, doc=False)
    api.add_resource(plain(), "/reports")
    app.register_blueprint(blueprint)
    check_statuses_and_headers(app, bearer)


@pytest.fixture
def smorest(app):
    app.config.update(API_TITLE="t", API_VERSION="1", OPENAPI_VERSION="3.0.2")
    return flask_smorest.Api(app), flask_smorest.Blueprint("reports", __name__)


@pytest.mark.parametrize("above", [True, False])
def test_a_smorest_view_function(app, smorest, bearer, above):
    api, blueprint = smorest

    def reports():
        return {"in": True}

    if above:
        guard(blueprint.route("/reports")(blueprint.response(200)(reports)))
    else:
        blueprint.route("/reports")(blueprint.response(200)(guard(reports)))
    api.register_blueprint(blueprint)
    body = check_statuses_and_headers(app, bearer)
    assert body == {"code": 403, "status": "Forbidden", "message": "Missing permissions: reports:read"}


def test_a_smorest_method_view_class_and_single_method(app, smorest, bearer):
    api, blueprint = smorest

    @guard
    @blueprint.route("/reports")
    class Reports(MethodView):
        def get(self):
            return {"in": True}

    @blueprint.route("/others")
    class Others(MethodView):
        @blueprint.response(200)
        @guard
        def get(self):
            return {"in": True}

    api.register_blueprint(blueprint)
    check_statuses_and_headers(app, bearer)
    check_statuses_and_headers(app, bearer, "/others")


def test_a_protected_smorest_blueprint(app, smorest, bearer):
    api, blueprint = smorest
    protect(blueprint, "reports:read")
    blueprint.route("/reports")(lambda: {"in": True})
    api.register_blueprint(blueprint)
    check_statuses_and_headers(app, bearer)


def test_schema_errors_of_our_own_reach_smorest(app, smorest):
    app.register_blueprint(app.extensions["test_permjwt"].auth_blueprint, url_prefix="/auth")
    answer = app.test_client().post("/auth/login", json={})
    assert answer.status_code == 422
    assert set(answer.json["errors"]) == {"username", "password"}


def test_the_errors_are_werkzeug_exceptions_that_the_app_may_reshape(app, bearer):
    app.get("/reports")(guard(lambda: "in"))

    @app.errorhandler(HTTPException)
    def reshape(error: HTTPException):
        return {"name": error.name, "why": error.description}, error.code

    client = app.test_client()
    assert client.get("/reports").json == {"name": "Unauthorized", "why": "An access token is needed."}
    assert client.get("/reports").status_code == 401
    assert client.get("/nowhere").json["name"] == "Not Found"


@pytest.mark.parametrize("which", [InsufficientScopeError, 403])
def test_the_app_may_handle_our_class_or_the_status(app, bearer, which):
    app.get("/reports")(guard(lambda: "in"))
    app.register_error_handler(which, lambda error: (f"missing {error.missing}", 403))
    assert app.test_client().get("/reports", **bearer(app)).text == "missing ('reports:read',)"


def test_without_a_handler_the_answer_is_json_with_its_challenge(app: Flask, bearer):
    app.get("/reports")(guard(lambda: "in"))
    answer = app.test_client().get("/reports", **bearer(app))
    assert answer.json == {
        "error": "insufficient_scope",
        "error_description": "Missing permissions: reports:read",
    }
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer realm="api", error="insufficient_scope", '
        'error_description="Missing permissions: reports:read", scope="reports:read"'
    )


@pytest.mark.parametrize("status", [400, 401, 403, 413, 415, 422, 500])
def test_a_handler_may_read_what_werkzeug_promises_of_its_exceptions(app, status):
    errors = {
        400: InvalidRequestError,
        401: InvalidTokenError,
        403: InsufficientScopeError,
        413: BodyTooLargeError,
        415: UnsupportedMediaTypeError,
        422: lambda: InvalidBodyError({"name": ["wrong"]}),
        500: TokenTooLargeError,
    }

    @app.errorhandler(status)
    def handle(error):
        promised = ("www_authenticate", "original_exception", "retry_after", "response", "description", "name")
        return f"{[getattr(error, name) for name in promised]}", error.code

    @app.get("/fail")
    def fail():
        raise http_error(errors[status]())

    answer = app.test_client().get("/fail")
    assert answer.status_code == status
    assert ("WWWAuthenticate" in answer.text) == (status in (400, 401, 403))


@pytest.fixture
def signup(app):
    """A view of the app's own that lets the store's errors through."""
    users = app.extensions["test_permjwt"].users

    @app.post("/signup")
    def sign_up():
        users.create("alice")
        users.create("ALICE")

    return app


def test_an_account_error_in_a_view_of_the_apps_own_has_its_status(signup):
    answer = signup.test_client().post("/signup")
    assert answer.status_code == 409
    assert answer.json == {"error": "username_taken", "error_description": "This user name is taken."}


@pytest.mark.parametrize("which", [UsernameTakenError, 409, HTTPException])
def test_the_apps_handlers_come_first_for_account_errors_too(signup, which):
    signup.register_error_handler(which, lambda error: (f"own: {error.description}", 418))
    answer = signup.test_client().post("/signup")
    assert (answer.status_code, answer.text) == (418, "own: This user name is taken.")


def test_account_errors_are_answered_where_flask_gives_the_context_along():
    class Newer(Flask):
        def handle_user_exception(self, ctx, e):
            assert ctx.request.path == "/signup"
            return e

    app = Newer("newer")
    register_account_errors(app)
    with app.test_request_context("/signup"):
        assert app.error_handler_spec[None][None][AccountError](UsernameTakenError()).code == 409


@pytest.mark.parametrize("how", ["outer protected", "inner protected", "renamed"])
def test_a_restx_api_on_a_nested_or_renamed_protected_blueprint(app, bearer, how):
    outer, inner = Blueprint("outer", __name__), Blueprint("api", __name__)
    flask_restx.Api(inner, doc=False).add_resource(plain(), "/reports")
    protect(outer if how == "outer protected" else inner, "reports:read")
    if how == "renamed":
        app.register_blueprint(inner, name="v1")
    else:
        outer.register_blueprint(inner)
        app.register_blueprint(outer)
    check_statuses_and_headers(app, bearer)


def test_what_else_stands_in_restx_method_decorators_is_left_alone(restx):
    class Other:
        guard = "something else"

        def __call__(self, method):
            return method

    class Reports(flask_restx.Resource):
        method_decorators = (Other(),)

        def get(self):
            return {"in": True}

    assert restx(Reports).test_client().get("/reports").status_code == 200


def without_wraps(function):
    def hiding(*args, **kwargs):
        return function(*args, **kwargs)

    return hiding


@pytest.mark.parametrize("listed", [(guard,), (guard, requires_login()), (without_wraps, guard)])
def test_restx_method_decorators_leave_nothing_behind_at_each_request(restx, bearer, listed):
    class Reports(flask_restx.Resource):
        method_decorators = listed

        def get(self):
            return {"in": True}

    app = restx(Reports)
    client = app.test_client()
    client.get("/reports", **bearer(app, "reports:read"))
    before = DECLARED[0], len(known_wrappers())
    for _ in range(20):
        client.get("/reports", **bearer(app, "reports:read"))
    assert (DECLARED[0], len(known_wrappers())) == before
    assert marks_of(Reports.get) == Marks()
