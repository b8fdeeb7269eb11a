"""@public, its conflict with guards, and its override."""

import functools

import pytest
from flask import Blueprint
from flask.views import MethodView

from flask_permjwt import ConfigurationError, protect, public, requires_login, requires_permissions
from flask_permjwt.web.census import Kind, take_census

guard = requires_permissions("x")
opened = public(reason="the landing page")


@pytest.mark.parametrize("decorators", [(guard, opened), (opened, guard)])
@pytest.mark.parametrize("routed", [False, True])
def test_public_and_a_guard_on_one_view_are_refused(app, decorators, routed):
    first, second = decorators
    view = first(lambda: "?")
    view = app.get("/x")(view) if routed else view
    with pytest.raises(ConfigurationError, match="override=True"):
        second(view)


def test_a_public_view_in_a_protected_blueprint_is_refused_at_start(app):
    blueprint = Blueprint("api", __name__)
    protect(blueprint, "x")
    blueprint.get("/x")(opened(lambda: "?"))
    app.register_blueprint(blueprint)
    with pytest.raises(ConfigurationError, match="public"):
        app.extensions["test_permjwt"].check(app)
    with pytest.raises(ConfigurationError, match="public"):
        app.test_client().get("/x")


def test_a_public_method_in_a_guarded_class_is_refused_at_start(app):
    @guard
    class X(MethodView):
        @opened
        def get(self):
            return "?"

    app.add_url_rule("/x", view_func=X.as_view("x"))
    with pytest.raises(ConfigurationError, match="public"):
        app.test_client().get("/x")


def test_override_opens_just_the_route_that_registers_the_wrapper(app, guarded_by):
    def view(number=0):
        return f"in {number}"

    guarded = requires_permissions("x", "y:{number}")(guard(view))
    app.add_url_rule("/guarded/<int:number>", "guarded", guarded)
    app.add_url_rule(
        "/open/<int:number>",
        "open",
        public(reason="a preview", override=True)(guarded),
        methods=["GET", "POST"],
    )
    client = app.test_client()
    assert client.get("/open/3").text == "in 3"
    assert client.post("/open/3").text == "in 3"
    assert client.get("/guarded/3").status_code == 401
    kinds = {(row.rule, row.kind, row.needs) for row in take_census(app).rows}
    assert ("/open/<int:number>", Kind.PUBLIC, "a preview") in kinds


def test_override_suspends_the_inner_guard_for_that_call_only(app):
    def view(again=True):
        return f"{again} " + (guarded(again=False) if again else "")

    guarded = guard(view)
    app.add_url_rule("/open", "open", public(reason="a preview", override=True)(guarded))
    assert app.test_client().get("/open").status_code == 401


def test_an_override_wrapper_opens_nothing_when_it_is_called_by_other_code(app):
    preview = public(reason="a preview", override=True)(guard(lambda: "secret"))
    app.get("/other")(lambda: preview())  # noqa: PLW0108  # the call is the point
    assert app.test_client().get("/other").status_code == 401


def test_a_guard_above_an_override_is_refused():
    with pytest.raises(ConfigurationError):
        requires_login(public(reason="a preview", override=True)(guard(lambda: "?")))


def test_an_override_above_a_route_that_is_guarded_below_opens_nothing(app):
    public(reason="a preview", override=True)(app.get("/x")(guard(lambda: "secret")))
    assert app.test_client().get("/x").status_code == 401


def test_override_survives_a_decorator_with_wraps_above_it(app):
    def with_wraps(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    app.get("/x")(with_wraps(public(reason="a preview", override=True)(guard(lambda: "open"))))
    assert app.test_client().get("/x").text == "open"


def test_override_opens_one_view_of_a_protected_blueprint_and_one_method_of_a_guarded_class(app):
    blueprint = Blueprint("api", __name__)
    protect(blueprint, "x")
    blueprint.get("/health")(public(reason="for the load balancer", override=True)(lambda: "ok"))
    blueprint.get("/x", endpoint="x")(lambda: "?")

    @guard
    class X(MethodView):
        @public(reason="a preview", override=True)
        def get(self):
            return "ok"

        def post(self):
            return "?"

    app.register_blueprint(blueprint)
    app.add_url_rule("/class", view_func=X.as_view("class"))
    client = app.test_client()
    assert client.get("/health").text == "ok"
    assert client.get("/x").status_code == 401
    assert client.get("/class").text == "ok"
    assert client.post("/class").status_code == 401


def test_an_async_view_may_be_opened(app):
    @guard
    async def view():
        return "open"

    app.get("/x")(public(reason="a preview", override=True)(view))
    assert app.test_client().get("/x").text == "open"


@pytest.mark.parametrize("reason", ["", "  ", None, lambda: "the view itself"])
def test_public_without_a_reason_is_refused(reason):
    with pytest.raises(ConfigurationError, match="reason"):
        public(reason)


def test_public_on_a_method_of_one_object_opens_no_other(make_app):
    class Service:
        def report(self):
            return "report"

    app = make_app(default_deny=True)
    first, second = Service(), Service()
    app.add_url_rule("/a", "a", opened(first.report))
    app.add_url_rule("/b", "b", second.report)
    assert app.test_client().get("/a").status_code == 200
    assert app.test_client().get("/b").status_code == 401


def test_public_opens_nothing_below_it_that_is_another_routes_view(make_app):
    def redacted(function):
        @functools.wraps(function)
        def wrapper():
            return "redacted"

        return wrapper

    app = make_app(default_deny=True)
    app.add_url_rule("/internal", "internal", internal := lambda: "secret")
    app.add_url_rule("/preview", "preview", opened(redacted(internal)))
    assert app.test_client().get("/preview").status_code == 200
    assert app.test_client().get("/internal").status_code == 401


def test_a_subclass_of_a_public_class_is_not_public_by_itself(make_app):
    @opened
    class Base(MethodView):
        def get(self):
            return "open"

    class Sub(Base):
        def post(self):
            return "secret"

    app = make_app(default_deny=True)
    app.add_url_rule("/base", view_func=Base.as_view("base"))
    app.add_url_rule("/sub", view_func=Sub.as_view("sub"))
    assert app.test_client().get("/base").status_code == 200
    assert app.test_client().post("/sub").status_code == 401


@pytest.mark.parametrize("how", ["above as_view", "decorators"])
def test_an_override_on_a_method_does_not_outweigh_a_guard_on_its_route(app, how):
    class X(MethodView):
        @public(reason="a preview", override=True)
        def get(self):
            return "secret"

    if how == "decorators":
        X.decorators = [guard]
        app.add_url_rule("/x", view_func=X.as_view("x"))
    else:
        app.add_url_rule("/x", view_func=guard(X.as_view("x")))
    with pytest.raises(ConfigurationError, match="override=True"):
        app.test_client().get("/x")


def test_a_view_put_in_place_of_the_static_files_is_no_static_file(make_app, tmp_path):
    app = make_app(default_deny=True)
    app.static_folder = tmp_path
    app.add_url_rule("/static/<path:filename>", "static", app.send_static_file)
    app.view_functions["static"] = lambda filename: "secret"
    assert app.test_client().get("/static/x").status_code == 401
