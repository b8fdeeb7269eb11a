"""``assert_every_route_denies``: what denies passes, and what does not is named, whatever the route looks like."""

import re
from enum import StrEnum

import pytest
from flask import Blueprint, Flask, redirect
from flask.views import MethodView
from werkzeug.routing import BaseConverter, ValidationError

from flask_permjwt import any_of, check_permissions, public, requires_login, requires_permissions
from flask_permjwt.testing import assert_every_route_denies


@pytest.fixture
def app(make_app, nowhere):
    return make_app(nowhere)


def never():
    """Return a view of its own that must not run."""
    return lambda *_, **__: pytest.fail("a view ran")


def opened(app, *permissions):
    """Let everybody in, or everybody with some permissions, whatever the table says: a hook with a fault."""

    def hook():
        if permissions:
            check_permissions(*permissions)

    app.before_request_funcs[None][0] = hook


def in_blueprint(app, need, *routes, view=lambda **_: "", methods=("GET",)):
    """Guard by the blueprint, where nothing but the hook enforces."""
    blueprint = Blueprint("things", __name__)
    for route in routes:
        blueprint.add_url_rule(route, endpoint=f"view{routes.index(route)}", view_func=view, methods=methods)
    need(blueprint.before_request(lambda: None))
    app.register_blueprint(blueprint)


class Color(StrEnum):
    RED = "red"


class Even(BaseConverter):
    regex = r"\d+"

    def to_python(self, value):
        if int(value) % 2:
            raise ValidationError
        return int(value)


class Colors(BaseConverter):
    def to_python(self, value):
        try:
            return Color(value)
        except ValueError:
            raise ValidationError from None


ROUTES = (
    "/<name>",
    "/<string(length=2):name>",
    "/<string(minlength=20, maxlength=30):name>",
    "/<int:name>",
    "/<int(min=5, max=5):name>",
    "/<int(signed=True):name>",
    "/<float:name>",
    "/<float(min=2.5):name>",
    "/<path:name>",
    "/<uuid:name>",
    "/<any(red, green):name>",
    "/<even:name>",
    "/<int:a>/<uuid:b>/<name>.json",
)


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_with_a_converter_is_proven_to_deny_and_named_when_it_does_not(app, route):
    app.url_map.converters["even"] = Even
    in_blueprint(app, requires_permissions("things:{name}:read"), route)
    assert assert_every_route_denies(app) == (f"GET {route}", f"HEAD {route}")
    opened(app)
    with pytest.raises(AssertionError) as raised:
        assert_every_route_denies(app)
    said = str(raised.value)
    assert f"GET {route} (" in said
    assert "200 without credentials, not 401" in said
    assert ":read, not 403" in said or "no permission that it needs, not 403" in said


def test_a_converter_of_ones_own_needs_a_value_and_says_so(app):
    app.url_map.converters["color"] = Colors
    in_blueprint(app, requires_permissions("paint:{color}"), "/paint/<color:color>")
    with pytest.raises(AssertionError, match=re.escape("give values={'color': ...}")):
        assert_every_route_denies(app)
    assert assert_every_route_denies(app, values={"color": Color.RED})
    with pytest.raises(AssertionError, match="no address was found that leads to it"):
        assert_every_route_denies(app, values={"color": object()})


def test_a_route_that_another_one_hides_is_told(app):
    app.get("/a", endpoint="first")(public(reason="open")(lambda: ""))
    in_blueprint(app, requires_login, "/a")
    with pytest.raises(AssertionError, match="another route takes its place"):
        assert_every_route_denies(app)
    app.get("/b")(requires_login(never()))
    assert assert_every_route_denies(app, skip=["things.view0"]) == ("GET /b", "HEAD /b")


def test_a_value_that_leads_elsewhere_is_not_taken(app):
    app.get("/items/permjwt-test", endpoint="first")(public(reason="open")(lambda: ""))
    in_blueprint(app, requires_login, "/items/<item>")
    assert assert_every_route_denies(app)


def test_every_single_permission_is_proven_to_be_needed(app):
    in_blueprint(app, requires_permissions("a:1", any_of("b:1", "b:2"), "c:{name}"), "/<name>")
    assert_every_route_denies(app)
    opened(app, "a:1", any_of("b:1", "b:2"))
    with pytest.raises(AssertionError) as raised:
        assert_every_route_denies(app)
    lines = [line for line in str(raised.value).splitlines() if line.strip().startswith("GET")]
    assert len(lines) == 1
    assert "200 with a:1 and b:1 and b:2 and c:permjwt-testing-other, not 403" in lines[0]


def test_any_of_is_proven_with_none_of_them(app):
    in_blueprint(app, requires_permissions(any_of("a", "b")), "/")
    assert_every_route_denies(app)
    opened(app, any_of("a", "b", "permjwt-testing:unrelated"))
    with pytest.raises(AssertionError, match="200 with no permission that it needs, not 403"):
        assert_every_route_denies(app)


def test_fresh_is_proven_with_the_right_permissions(app):
    in_blueprint(app, requires_permissions("a", fresh=60), "/")
    assert_every_route_denies(app)
    opened(app, "a")
    with pytest.raises(AssertionError) as raised:
        assert_every_route_denies(app)
    assert "with the right permissions, proved longer than 60 s ago, not 401" in str(raised.value)
    assert "with the right permissions, never proved, not 401" in str(raised.value)


def test_login_is_proven_without_credentials_alone(app):
    in_blueprint(app, requires_login, "/")
    assert assert_every_route_denies(app) == ("GET /", "HEAD /")


def test_default_deny_is_proven_with_every_permission(make_app, nowhere):
    app = make_app(nowhere, default_deny=True)
    app.get("/forgotten")(lambda: "")
    app.get("/open", endpoint="open")(public(reason="open")(never()))
    assert assert_every_route_denies(app) == ("GET /forgotten", "HEAD /forgotten")
    opened(app, "*")
    with pytest.raises(AssertionError):
        assert_every_route_denies(app)
    opened(app, "anything")
    with pytest.raises(AssertionError, match="200 with every permission, for it declares nothing, not 403"):
        assert_every_route_denies(app)


def test_methods_view_classes_and_own_options_are_each_asked(app):
    class Item(MethodView):
        @requires_permissions("items:read")
        def get(self, item):
            pytest.fail("a view ran")

        @requires_permissions("items:write")
        def put(self, item):
            pytest.fail("a view ran")

        def delete(self, item):
            pytest.fail("a view ran")

    app.add_url_rule("/items/<int:item>", view_func=Item.as_view("item"))
    app.route("/own", methods=["GET", "OPTIONS"])(requires_permissions("own")(never()))
    assert sorted(assert_every_route_denies(app)) == [
        "GET /items/<int:item>",
        "GET /own",
        "HEAD /items/<int:item>",
        "HEAD /own",
        "OPTIONS /own",
        "PUT /items/<int:item>",
    ]


def test_the_auth_blueprint_denies(app):
    app.register_blueprint(app.extensions["test_permjwt"].auth_blueprint, url_prefix="/auth/<tenant>")
    assert "GET /auth/<tenant>/me" in assert_every_route_denies(app)


@pytest.mark.parametrize("matching", ["subdomain", "host"])
def test_subdomains_and_hosts_are_reached(make_app, nowhere, matching):
    app = Flask(
        "an_app",
        static_folder=None,
        **({"subdomain_matching": True} if matching == "subdomain" else {"host_matching": True}),
    )
    app.config["SERVER_NAME"] = "example.test"
    app = make_app(nowhere, app=app)
    where = {"subdomain": "<tenant>"} if matching == "subdomain" else {"host": "<tenant>.example.org"}
    app.get("/reports", **where)(requires_permissions("{tenant}:read")(never()))
    assert assert_every_route_denies(app) == ("GET /reports", "HEAD /reports")


def test_a_view_that_runs_and_fails_is_told_with_the_class_alone(app):
    def fails():
        raise RuntimeError("the secret words")

    in_blueprint(app, requires_login, "/", view=fails)
    opened(app)
    with pytest.raises(AssertionError) as raised:
        assert_every_route_denies(app)
    assert "RuntimeError was raised in place of 401, without credentials" in str(raised.value)
    assert "secret words" not in str(raised.value)


def test_every_route_that_does_not_deny_is_in_one_message(app):
    in_blueprint(app, requires_permissions("a"), "/one", "/two", methods=["POST"])
    opened(app)
    with pytest.raises(AssertionError) as raised:
        assert_every_route_denies(app)
    assert str(raised.value).startswith("4 of the denials that were asked for did not come:")
    assert str(raised.value).count("POST /one (") == str(raised.value).count("POST /two (") == 2


def test_an_app_may_answer_a_denial_in_its_own_way(app):
    app.get("/")(requires_permissions("a")(never()))
    app.register_error_handler(401, lambda _: redirect("/login"))
    app.register_error_handler(403, lambda _: ("", 404))
    with pytest.raises(AssertionError, match="302 without credentials, not 401"):
        assert_every_route_denies(app)
    with pytest.raises(AssertionError, match="404 with no permission that it needs, not 403"):
        assert_every_route_denies(app, unauthenticated=[302])
    assert assert_every_route_denies(app, unauthenticated=[302], forbidden=[403, 404])


@pytest.mark.parametrize(
    ("answer", "counting"),
    [
        (lambda **_: ("", 404), {"unauthenticated": [404], "forbidden": [404]}),
        (lambda **_: redirect("/done"), {"unauthenticated": [302], "forbidden": [302]}),
        (lambda **_: ("", 401), {"forbidden": [401]}),
    ],
    ids=["nothing there", "done", "by itself"],
)
def test_a_view_that_answers_like_a_denial_has_denied_nothing(app, answer, counting):
    in_blueprint(app, requires_permissions("items:read"), "/items/<int:item>", view=answer, methods=["POST"])
    assert assert_every_route_denies(app, **{name: [*codes, 401, 403] for name, codes in counting.items()})
    opened(app)
    with pytest.raises(AssertionError) as raised:
        assert_every_route_denies(app, **counting)
    assert "without credentials, which no guard has said" in str(raised.value)
    assert "with no permission that it needs, which no guard has said" in str(raised.value)


@pytest.mark.parametrize("route", ["/<path:name>", "/<float(min=2.5):name>", "/<int(signed=True):name>"])
def test_fresh_is_proven_also_where_no_grant_can_name_the_value(app, route):
    in_blueprint(app, requires_permissions("things:{name}", fresh=60), route)
    assert assert_every_route_denies(app)
    opened(app)
    with pytest.raises(AssertionError, match="with the right permissions, never proved"):
        assert_every_route_denies(app)


def test_a_host_that_the_app_trusts_is_asked(make_app, nowhere):
    app = make_app(nowhere)
    app.config.update(TRUSTED_HOSTS=[".example.com"], APPLICATION_ROOT="/shop")
    app.get("/a")(requires_permissions("a")(never()))
    assert assert_every_route_denies(app) == ("GET /a", "HEAD /a")


def test_nothing_guarded_is_nothing_proven(app):
    app.get("/")(lambda: "")
    with pytest.raises(AssertionError, match="no guarded route"):
        assert_every_route_denies(app)


def test_an_endpoint_that_is_none_cannot_be_skipped(app):
    app.get("/", endpoint="reports")(requires_login(never()))
    with pytest.raises(AssertionError, match="'report', which is no endpoint"):
        assert_every_route_denies(app, skip=["report"])


def test_what_leads_to_no_view_is_left_out(app):
    app.get("/", endpoint="view")(requires_login(never()))
    app.url_map.add(app.url_rule_class("/old", endpoint="old", redirect_to="/"))
    app.url_map.add(app.url_rule_class("/built", endpoint="view", build_only=True))
    assert assert_every_route_denies(app) == ("GET /", "HEAD /")
