"""The order of decorators never matters: 401 without a token, wherever the guard stands."""

import functools
import gc
import threading

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View
from werkzeug.routing import Rule

from flask_permjwt import (
    ConfigurationError,
    has_permissions,
    protect,
    public,
    requires_login,
    requires_permissions,
)
from flask_permjwt.web.census import take_census
from flask_permjwt.web.state import app_state


def with_wraps(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def without_wraps(function):
    def hiding(*args, **kwargs):
        return function(*args, **kwargs)

    return hiding


class KeepingDecorator:
    """A decorator written as a class, which knows nothing of functools."""

    def __init__(self, function):
        self.function = function
        self.__name__ = function.__name__

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)


guard = requires_permissions("reports:read")


def route(app):
    return app.get("/reports")


@pytest.mark.parametrize(
    "order",
    [
        lambda app: [route(app), guard],
        lambda app: [guard, route(app)],
        lambda app: [route(app), with_wraps, guard],
        lambda app: [route(app), guard, with_wraps],
        lambda app: [guard, route(app), with_wraps],
        lambda app: [guard, with_wraps, route(app)],
        lambda app: [with_wraps, guard, route(app)],
        lambda app: [with_wraps, route(app), guard],
        lambda app: [with_wraps, with_wraps, guard, with_wraps, route(app), with_wraps],
        lambda app: [route(app), without_wraps, guard],
        lambda app: [route(app), guard, without_wraps],
        lambda app: [guard, route(app), without_wraps],
        lambda app: [without_wraps, guard, route(app)],
        lambda app: [without_wraps, route(app), guard],
        lambda app: [route(app), KeepingDecorator, guard],
    ],
)
def test_a_guard_anywhere_in_the_stack_guards_the_route(app, guarded_by, order):
    def reports():
        return "secret"

    view = reports
    for decorator in reversed(order(app)):
        view = decorator(view)
    guarded_by(app, "/reports", "reports:read")


@pytest.mark.parametrize("hiding", [without_wraps, KeepingDecorator, lambda f: without_wraps(without_wraps(f))])
def test_a_guard_that_cannot_see_its_route_refuses_to_serve_naming_both(app, hiding):
    @guard
    @hiding
    @app.get("/reports")
    def reports():
        return "secret"

    with pytest.raises(ConfigurationError, match=r"reports") as refusal:
        app.test_client().get("/reports")
    assert "does not reach the view" in str(refusal.value)
    with pytest.raises(ConfigurationError):
        app.extensions["test_permjwt"].check(app)
    app.testing = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    for path in ("/reports", "/reports"):
        assert app.test_client().get(path).status_code == 500
    result = app.test_cli_runner().invoke(args=["permjwt", "routes", "--check"])
    assert result.exit_code == 1
    assert "does not reach the view" in result.output


def test_a_guard_in_a_function_that_merely_uses_a_guarded_or_public_view_is_no_fault(app, guarded_by):
    @app.get("/reports")
    @guard
    def reports():
        return "secret"

    @requires_login
    def helper():
        return reports()

    guarded_by(app, "/reports", "reports:read")
    assert any("helper" in name for name in take_census(app).helpers)


@pytest.mark.parametrize("decorate_last", [True, False])
def test_a_view_class_may_be_guarded_before_or_after_it_is_registered(app, guarded_by, decorate_last):
    class Reports(MethodView):
        def get(self):
            return "secret"

        def post(self):
            return "secret"

    if not decorate_last:
        assert guard(Reports) is Reports
    app.add_url_rule("/reports", view_func=Reports.as_view("reports"))
    if decorate_last:
        guard(Reports)
    guarded_by(app, "/reports", "reports:read")
    guarded_by(app, "/reports", "reports:read", "POST")


def test_a_guard_among_a_view_class_decorators_guards_it(app, guarded_by):
    class Reports(View):
        decorators = (guard, without_wraps, with_wraps)

        def dispatch_request(self):
            return "secret"

    app.add_url_rule("/reports", view_func=Reports.as_view("reports"))
    guarded_by(app, "/reports", "reports:read")


def test_a_guard_on_one_method_guards_this_method_only(app, guarded_by):
    class Reports(MethodView):
        @with_wraps
        @guard
        def get(self):
            return "secret"

        def post(self):
            return "open"

    app.add_url_rule("/reports", view_func=Reports.as_view("reports"))
    guarded_by(app, "/reports", "reports:read")
    assert app.test_client().head("/reports").status_code == 401
    assert app.test_client().post("/reports").status_code == 200


def test_a_subclass_inherits_the_guard_of_its_base(app, guarded_by):
    @guard
    class Base(MethodView):
        pass

    class Reports(Base):
        def get(self):
            return "secret"

        def dispatch_request(self, **kwargs):
            return self.get(**kwargs)

    app.add_url_rule("/reports", view_func=Reports.as_view("reports"))
    guarded_by(app, "/reports", "reports:read")


def test_a_guarded_class_guards_itself_where_no_hook_does(app):
    @guard
    class Reports(MethodView):
        def get(self):
            return "secret"

    @app.get("/indirect")
    def indirect():
        return Reports().dispatch_request()

    assert app.test_client().get("/indirect").status_code == 401


@pytest.mark.parametrize("above", [True, False])
def test_an_async_view_is_guarded(app, guarded_by, above):
    async def reports():
        return "secret"

    if above:
        guard(app.get("/reports")(reports))
    else:
        app.get("/reports")(guard(reports))
    guarded_by(app, "/reports", "reports:read")


@pytest.mark.parametrize("when", ["before views", "after views", "after registration"])
def test_a_protected_blueprint_guards_its_views_and_nested_ones(app, guarded_by, when):
    outer, inner = Blueprint("outer", __name__, url_prefix="/outer"), Blueprint("inner", __name__)
    if when == "before views":
        protect(outer, "reports:read")

    @outer.get("/reports")
    def reports():
        return "secret"

    @inner.get("/nested")
    def nested():
        return "secret"

    if when == "after views":
        protect(outer, "reports:read")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.register_blueprint(outer, name="again", url_prefix="/again")
    if when == "after registration":
        protect(outer, "reports:read")

    for path in ("/outer/reports", "/outer/nested", "/again/reports", "/again/nested"):
        guarded_by(app, path, "reports:read")


def test_only_the_nested_blueprint_that_is_protected_is_guarded(app, guarded_by):
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    protect(inner, "reports:read")
    outer.get("/open")(lambda: "open")
    inner.get("/reports")(lambda: "secret")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    guarded_by(app, "/reports", "reports:read")
    assert app.test_client().get("/open").status_code == 200


def test_stacked_guards_add_up_wherever_they_stand(app, bearer):
    @requires_permissions("a")
    @app.get("/both")
    @with_wraps
    @requires_permissions("b")
    def both():
        return "secret"

    client = app.test_client()
    assert client.get("/both", **bearer(app, "a")).status_code == 403
    assert client.get("/both", **bearer(app, "b")).status_code == 403
    assert client.get("/both", **bearer(app, "a", "b")).status_code == 200


def test_a_function_at_two_routes_guarded_once_is_guarded_at_both_and_the_census_shows_it(app, guarded_by):
    def reports():
        return "secret"

    app.add_url_rule("/first", "first", reports)
    app.add_url_rule("/second", "second", requires_permissions("reports:read")(reports))
    guarded_by(app, "/first", "reports:read")
    guarded_by(app, "/second", "reports:read")
    assert {row.rule: row.needs for row in take_census(app).rows} == {
        "/first": "reports:read",
        "/second": "reports:read",
    }


@pytest.mark.parametrize("swap", [with_wraps, without_wraps])
@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("after_first_request", [True, False])
def test_a_view_that_is_wrapped_in_view_functions_later_stays_guarded(
    app, guarded_by, swap, above, after_first_request
):
    if above:

        @guard
        @app.get("/reports")
        def reports():
            return "secret"
    else:

        @app.get("/reports")
        @guard
        def reports():
            return "secret"

    if after_first_request:
        app.test_client().get("/reports")
    app.view_functions["reports"] = swap(app.view_functions["reports"])
    guarded_by(app, "/reports", "reports:read")


def test_a_guarded_function_swapped_in_later_is_compiled_before_it_runs(app, guarded_by):
    app.add_url_rule("/reports", "reports", lambda: "open")
    assert app.test_client().get("/reports").status_code == 200
    seen = []

    @guard
    def reports():
        seen.append(1)
        return "secret"

    app.view_functions["reports"] = reports.__wrapped__
    guarded_by(app, "/reports", "reports:read")
    assert seen == [1]


def test_a_guarded_helper_is_guarded_when_it_is_called(app, bearer):
    @requires_permissions("reports:read")
    def helper():
        return "secret"

    @app.get("/open")
    def index():
        return helper()

    client = app.test_client()
    assert client.get("/open").status_code == 401
    assert client.get("/open", **bearer(app, "x")).status_code == 403
    assert client.get("/open", **bearer(app, "reports:read")).status_code == 200


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_static_and_class_methods_are_guarded_and_stay_what_they_are(app, kind):
    class Helper:
        @guard
        @kind
        def secret(*args):
            return f"{len(args)}"

    @app.get("/open")
    def index():
        return Helper.secret()

    assert app.test_client().get("/open").status_code == 401


def test_a_bound_method_registered_as_a_view_is_guarded(app, guarded_by):
    class Service:
        def reports(self):
            return "secret"

    service = Service()
    app.add_url_rule("/reports", "reports", service.reports)
    guard(service.reports)
    guarded_by(app, "/reports", "reports:read")


def test_without_init_app_a_guard_is_closed_and_names_the_remedy():
    app = Flask(__name__)
    app.testing = True
    app.get("/reports")(guard(lambda: "secret"))
    with pytest.raises(RuntimeError, match="init_app"):
        app.test_client().get("/reports")


def test_without_init_app_the_remedy_is_named_however_often_somebody_asks():
    app = Flask(__name__)
    app.testing = True

    @app.get("/reports")
    def reports():
        with pytest.raises(RuntimeError, match="init_app"):
            has_permissions("reports:read")
        return f"{has_permissions('reports:read')}"

    with pytest.raises(RuntimeError, match="init_app"):
        app.test_client().get("/reports")


def test_a_guard_that_cannot_see_its_route_is_found_also_when_the_app_factory_has_returned(make_app):
    def create():
        app = make_app()

        @guard
        @without_wraps
        @app.get("/reports")
        def reports():
            return "secret"

        return app

    app = create()
    gc.collect()
    with pytest.raises(ConfigurationError, match="does not reach"):
        app.extensions["test_permjwt"].check(app)


class Keeper:
    __slots__ = ("view",)

    def __init__(self, view):
        self.view = view

    def call(self, *args, **kwargs):
        return self.view(*args, **kwargs)


def pipeline(*steps):
    return lambda **kwargs: [step(**kwargs) for step in steps][-1]


def by_name(view):
    views = {"view": view}
    return lambda **kwargs: str(views["view"](**kwargs))


@pytest.mark.parametrize("hide", [lambda view: Keeper(view).call, pipeline, by_name])
def test_a_view_is_found_wherever_a_decorator_keeps_it(make_app, guarded_by, hide):
    astray = make_app()
    view = astray.get("/reports", endpoint="reports")(lambda: "secret")
    guard(hide(view))
    with pytest.raises(ConfigurationError, match="does not reach"):
        astray.test_client().get("/reports")

    swapped = make_app()
    view = swapped.get("/reports", endpoint="reports")(lambda: "secret")
    guard(view)
    swapped.view_functions["reports"] = hide(view)
    guarded_by(swapped, "/reports", "reports:read")


def test_an_open_view_of_one_app_may_be_guarded_in_another(make_app):
    def status():
        return "fine"

    first, second = make_app(), make_app()
    first.add_url_rule("/status", view_func=status)
    second.add_url_rule("/status", "status", guard(without_wraps(status)))
    assert first.test_client().get("/status").text == "fine"
    assert second.test_client().get("/status").status_code == 401


@pytest.mark.parametrize("above", [True, False])
def test_a_guard_on_a_blueprints_before_request_function_guards_the_blueprint(app, guarded_by, above):
    blueprint = Blueprint("api", __name__)

    def gate():
        return None

    if above:
        guard(blueprint.before_request(gate))
    else:
        blueprint.before_request(guard(gate))
    blueprint.get("/reports")(lambda: "secret")
    app.register_blueprint(blueprint)
    app.get("/open", endpoint="open")(lambda: "open")
    guarded_by(app, "/reports", "reports:read")
    assert app.test_client().get("/open").status_code == 200


@pytest.fixture(params=[True, False], ids=["above", "below"])
def gated(request):
    """A blueprint whose requests pass a guarded function; the guard stands above or below its registration."""

    def make(need=guard):
        blueprint = Blueprint("api", __name__)
        if request.param:
            need(blueprint.before_request(lambda: None))
        else:
            blueprint.before_request(need(lambda: None))
        return blueprint

    return make


def test_what_stands_behind_a_guarded_function_before_requests_is_declared(app, gated):
    blueprint = gated()
    blueprint.get("/reports")(lambda: "secret")
    app.register_blueprint(blueprint)
    (row,) = [row for row in take_census(app).rows if row.rule == "/reports"]
    assert (row.declared, row.kind, row.needs) == (True, "permissions", "reports:read")


def test_default_deny_lets_pass_whoever_a_guarded_function_before_requests_lets_pass(make_app, gated, guarded_by):
    app = make_app(default_deny=True)
    blueprint = gated()
    blueprint.get("/reports")(lambda: "secret")
    app.register_blueprint(blueprint)
    guarded_by(app, "/reports", "reports:read")


def test_a_public_view_behind_a_guarded_function_before_requests_is_refused(app, gated):
    blueprint = gated()
    blueprint.get("/page")(public(reason="a page")(lambda: "page"))
    app.register_blueprint(blueprint)
    with pytest.raises(ConfigurationError, match=r"public and guarded.*function before its requests"):
        app.extensions["test_permjwt"].check(app)


def test_a_public_view_that_overrides_is_open_behind_a_guarded_function_before_requests(app, gated, guarded_by):
    blueprint = gated()
    blueprint.get("/page", endpoint="page")(public(reason="a page", override=True)(lambda: "page"))
    blueprint.get("/reports")(lambda: "secret")
    app.register_blueprint(blueprint)
    guarded_by(app, "/reports", "reports:read")
    assert app.test_client().get("/page").text == "page"


def test_a_guarded_function_before_requests_guards_the_methods_that_it_names_alone(app, gated):
    blueprint = gated(requires_permissions("reports:read", methods=["POST"]))
    blueprint.route("/reports", methods=["GET", "POST"])(lambda: "reports")
    app.register_blueprint(blueprint)
    client = app.test_client()
    assert (client.get("/reports").status_code, client.post("/reports").status_code) == (200, 401)


def test_a_head_method_of_its_own_is_guarded_as_get_is(app):
    class Reports(MethodView):
        @guard
        def get(self):
            return "secret"

        def head(self):
            return "", 200, {"X-Secret": "42"}

    app.add_url_rule("/reports", view_func=Reports.as_view("reports"))
    answer = app.test_client().head("/reports")
    assert answer.status_code == 401
    assert "X-Secret" not in answer.headers


def test_a_route_without_methods_is_guarded_and_counted_for_each_of_them(app):
    app.url_map.add(Rule("/any", endpoint="any"))
    app.url_map.add(Rule("/guarded", endpoint="guarded"))
    app.endpoint("any")(lambda: "open")
    guard(app.endpoint("guarded")(lambda: "secret"))
    client = app.test_client()
    for method in ("GET", "POST", "OPTIONS", "PURGE"):
        assert client.open("/guarded", method=method).status_code == 401
        assert client.open("/any", method=method).status_code == 200
    rows = {(row.rule, row.method): row.declared for row in take_census(app).rows}
    assert not rows["/any", "GET"]
    assert rows["/guarded", "DELETE"]


def test_invented_methods_fill_no_memory(app):
    app.url_map.add(Rule("/any", endpoint="any"))
    app.endpoint("any")(lambda: "open")
    client = app.test_client()
    client.get("/any")
    before = len(app_state(app).table.entries)
    for number in range(50):
        client.open("/any", method=f"METHOD{number}")
    assert len(app_state(app).table.entries) == before


def test_a_view_without_attributes_takes_nothing_down(app, guarded_by):
    app.add_url_rule("/builtin", "builtin", "pong".upper)
    app.get("/reports", endpoint="reports")(guard(lambda: "secret"))
    assert app.test_client().get("/builtin").text == "PONG"
    guarded_by(app, "/reports", "reports:read")


def test_an_object_whose_call_is_guarded_is_a_guarded_view(app, guarded_by):
    class Reports:
        @guard
        def __call__(self):
            return "secret"

    app.add_url_rule("/reports", "reports", Reports())
    guarded_by(app, "/reports", "reports:read")


def test_a_guard_on_one_objects_method_leaves_the_other_objects_alone(app, guarded_by):
    class Service:
        def report(self):
            return "report"

    private, shared = Service(), Service()
    app.add_url_rule("/private", "private", private.report)
    app.add_url_rule("/shared", "shared", shared.report)
    guard(private.report)
    guarded_by(app, "/private", "reports:read")
    assert app.test_client().get("/shared").status_code == 200


def test_a_factory_that_guards_the_same_view_again_adds_nothing(make_app, guarded_by):
    def view():
        return "secret"

    class Class(MethodView):
        def get(self):
            return "secret"

    for _ in range(1200):
        requires_permissions("reports:read")(view)
        requires_permissions("reports:read")(Class)
    app = make_app()
    app.add_url_rule("/reports", "reports", view)
    app.add_url_rule("/class", view_func=Class.as_view("class"))
    guarded_by(app, "/reports", "reports:read")
    guarded_by(app, "/class", "reports:read")
    assert len(take_census(app).rows) == 2


def test_an_app_that_is_made_inside_a_request_is_guarded_as_well(app, make_app, guarded_by):
    with app.test_request_context("/"):
        made = make_app()
        guard(made.get("/reports", endpoint="reports")(lambda: "secret"))
    guarded_by(made, "/reports", "reports:read")


def test_a_guard_that_comes_after_the_first_request_holds_from_then_on(app, guarded_by):
    view = app.get("/reports", endpoint="reports")(lambda: "secret")
    assert app.test_client().get("/reports").status_code == 200
    guard(view)
    guarded_by(app, "/reports", "reports:read")


def test_a_guard_that_is_limited_to_an_unknown_method_stops_the_start(app):
    app.post("/reports")(requires_permissions("reports:write", methods=["PSOT"])(lambda: "secret"))
    with pytest.raises(ConfigurationError, match="PSOT"):
        app.extensions["test_permjwt"].check(app)


def test_a_first_request_by_many_threads_while_guards_are_made_is_served(make_app):
    app = make_app()
    app.get("/reports")(guard(lambda: "secret"))
    stop = threading.Event()

    def make_guards():
        made = []
        while not stop.is_set() and len(made) < 1000:
            made.append(guard(lambda: None))

    makers = [threading.Thread(target=make_guards) for _ in range(2)]
    for maker in makers:
        maker.start()
    try:
        for _ in range(30):
            take_census(app)
            assert app.test_client().get("/reports").status_code == 401
    finally:
        stop.set()
        for maker in makers:
            maker.join()
