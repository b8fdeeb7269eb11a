"""The order law where apps are many, built late, and hold on to each other's functions."""

import functools
import gc
from dataclasses import dataclass

import flask_restx
import pytest
from flask import Blueprint
from flask.views import MethodView

from flask_permjwt import ConfigurationError, protect, public, requires_login, requires_permissions
from flask_permjwt.web.census import take_census
from flask_permjwt.web.marks import marks_of

guard = requires_permissions("reports:read")


def with_wraps(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def without_wraps(function):
    def hiding(*args, **kwargs):
        return function(*args, **kwargs)

    return hiding


def test_after_a_fault_that_comes_late_nothing_is_served_by_the_old_table(app):
    blueprint = Blueprint("api", __name__)
    blueprint.get("/public", endpoint="public")(public(reason="x")(lambda: "open"))
    view = blueprint.get("/x", endpoint="x")(lambda: "secret")
    app.register_blueprint(blueprint)
    client = app.test_client()
    assert client.get("/x").status_code == 200
    protect(blueprint, "z")
    guard(view)
    for _ in range(3):
        with pytest.raises(ConfigurationError):
            client.get("/x")


def test_a_nested_restx_api_is_protected_also_where_another_blueprint_has_its_name(app, guarded_by):
    class Reports(flask_restx.Resource):
        def get(self):
            return "secret"

    admin, users = Blueprint("admin", __name__), Blueprint("users", __name__)
    protect(admin, "reports:read")
    flask_restx.Api(users, doc=False).add_resource(Reports, "/reports")
    admin.register_blueprint(users)
    app.register_blueprint(Blueprint("users", __name__))
    app.register_blueprint(admin)
    guarded_by(app, "/reports", "reports:read")


def test_an_app_that_is_built_inside_a_request_of_another_is_as_safe(app, make_app):
    with app.test_request_context("/"):
        made = make_app()
        guard(without_wraps(made.get("/hidden", endpoint="hidden")(lambda: "secret")))
    with pytest.raises(ConfigurationError, match="does not reach"):
        made.test_client().get("/hidden")


class Service:
    def report(self):
        return "secret"


def test_a_method_of_an_object_is_guarded_above_its_route_inside_a_request_too(app, make_app, guarded_by):
    service = Service()
    with app.test_request_context("/"):
        made = make_app()
        guard(made.get("/reports", endpoint="reports")(service.report))
    guarded_by(made, "/reports", "reports:read")


def test_a_hidden_guard_is_found_behind_one_that_guards_other_methods_only(app):
    @requires_permissions("reports:write", methods=["PUT"])
    @without_wraps
    @app.route("/reports", methods=["GET", "PUT"])
    @requires_permissions("reports:read", methods=["GET"])
    def reports():
        return "secret"

    with pytest.raises(ConfigurationError, match="does not reach"):
        app.test_client().put("/reports")


def test_a_guard_hidden_from_a_before_request_function_is_refused(app):
    blueprint = Blueprint("api", __name__)
    guard(without_wraps(blueprint.before_request(lambda: None)))
    blueprint.get("/reports")(lambda: "secret")
    app.register_blueprint(blueprint)
    with pytest.raises(ConfigurationError, match="does not reach"):
        app.test_client().get("/reports")


def test_a_guard_on_a_subclass_is_not_outweighed_by_an_override_it_inherits(app):
    class Base(MethodView):
        @public(reason="a preview", override=True)
        @requires_permissions("a")
        def get(self):
            return "secret"

    @requires_permissions("k")
    class Derived(Base):
        pass

    app.add_url_rule("/k", view_func=Derived.as_view("k"))
    with pytest.raises(ConfigurationError, match="override=True"):
        app.test_client().get("/k")


def test_an_override_on_get_does_not_open_a_head_method_with_a_guard_of_its_own(app):
    class Reports(MethodView):
        @public(reason="a preview", override=True)
        def get(self):
            return "open"

        @guard
        def head(self):
            return ""

    app.add_url_rule("/reports", view_func=Reports.as_view("reports"))
    assert app.test_client().get("/reports").status_code == 200
    assert app.test_client().head("/reports").status_code == 401


def test_a_shared_open_view_may_be_used_by_guarded_views_of_app_after_app(make_app):
    def home():
        return "open"

    def create():
        app = make_app()
        app.add_url_rule("/", "home", home)

        @app.get("/admin")
        @guard
        def admin():
            return home()

        return app

    for _ in range(3):
        app = create()
        assert app.test_client().get("/").text == "open"
        assert app.test_client().get("/admin").status_code == 401
        del app
        gc.collect()
    assert len(marks_of(home).hidden) <= 3


@pytest.mark.parametrize("between", [with_wraps, lambda function: function])
@pytest.mark.parametrize("declare", [public(reason="a menu"), lambda view: view])
def test_an_open_view_that_mentions_guarded_ones_stays_open(app, guarded_by, between, declare):
    @app.get("/admin")
    @between
    @guard
    def admin():
        return "secret"

    menu = [admin, with_wraps(admin)]
    by_name = {"admin": admin, "again": admin}

    @app.get("/")
    @declare
    def index():
        return f"{admin.__name__} {len(menu)} {len(by_name)}"

    assert app.test_client().get("/").text == "admin 2 2"
    guarded_by(app, "/admin", "reports:read")


@dataclass(frozen=True)
class Predictor:
    function: object

    def __call__(self, *args):
        return self.function(*args)


def test_a_guarded_view_may_hold_callable_objects_that_take_no_marks(app, guarded_by):
    predictor = Predictor(lambda: "secret")
    app.get("/reports")(guard(lambda: f"{predictor()}"))
    guarded_by(app, "/reports", "reports:read")


def test_a_guard_made_at_each_request_guards_that_call_and_leaves_nothing_behind(app, bearer):
    def load(project_id):
        return project_id

    @app.get("/projects/<project_id>")
    def show(project_id):
        return requires_permissions(f"project:{project_id}:read")(load)(project_id)

    client = app.test_client()
    for number in range(50):
        assert client.get(f"/projects/{number}", **bearer(app, "project:7:read")).status_code == (
            200 if number == 7 else 403
        )
    assert marks_of(load).guards == ()


def test_requires_login_stands_without_brackets_in_a_list_of_decorators(make_app, bearer):
    class Reports(flask_restx.Resource):
        method_decorators = (requires_login,)

        def get(self):
            return "in"

    app = make_app(default_deny=True)
    flask_restx.Api(app, doc=False).add_resource(Reports, "/reports")
    client = app.test_client()
    assert client.get("/reports").status_code == 401
    assert client.get("/reports", **bearer(app)).status_code == 200
    assert all(row.declared for row in take_census(app).rows if row.rule == "/reports")
