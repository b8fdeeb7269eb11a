"""What the hook lets through and what it stops."""

import functools
import secrets

import pytest
from flask import Blueprint, Flask, g, request
from flask.views import MethodView
from flask_sqlalchemy import SQLAlchemy
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from flask_permjwt import (
    ConfigurationError,
    PermJWT,
    all_of,
    any_of,
    check_permissions,
    current_principal,
    has_permissions,
    protect,
    public,
    requires_login,
    requires_permissions,
)


def test_any_valid_token_is_a_login(app, bearer):
    app.get("/plain")(requires_login(lambda: "in"))
    client = app.test_client()
    assert client.get("/plain").status_code == 401
    assert client.get("/plain", **bearer(app)).status_code == 200


def test_groups_nest(app, bearer):
    app.get("/x")(requires_permissions(any_of("a", all_of("b", "c")))(lambda: "in"))
    client = app.test_client()
    for held, status in ((["a"], 200), (["b"], 403), (["b", "c"], 200), (["c"], 403)):
        assert client.get("/x", **bearer(app, *held)).status_code == status


def test_a_guard_limited_to_methods_leaves_the_others_to_theirs(app, bearer):
    @app.route("/x", methods=["GET", "PUT", "DELETE"])
    @requires_permissions("x:write", methods=["put", "DELETE"])
    @requires_permissions("x:read", methods=["GET"])
    def x():
        return "in"

    client = app.test_client()
    for method, needed, other in (
        ("GET", "x:read", "x:write"),
        ("HEAD", "x:read", "x:write"),
        ("PUT", "x:write", "x:read"),
        ("DELETE", "x:write", "x:read"),
    ):
        assert client.open("/x", method=method).status_code == 401
        assert client.open("/x", method=method, **bearer(app, other)).status_code == 403
        assert client.open("/x", method=method, **bearer(app, needed)).status_code == 200


@pytest.mark.parametrize("methods", [[], "PUT"])
def test_a_limit_to_no_method_or_to_letters_is_refused(methods):
    with pytest.raises(ConfigurationError):
        requires_permissions("x", methods=methods)


def test_a_template_is_filled_from_the_route_and_the_value_stays_one_segment(app, bearer):
    @app.get("/projects/<path:project_id>/edit")
    @requires_permissions("project:{project_id}:edit")
    def edit(project_id):
        return project_id

    client = app.test_client()
    assert client.get("/projects/7/edit", **bearer(app, "project:7:edit")).status_code == 200
    assert client.get("/projects/8/edit", **bearer(app, "project:7:edit")).status_code == 403
    assert client.get("/projects/*/edit", **bearer(app, "project:7:edit")).status_code == 403
    assert client.get("/projects/a:b/edit", **bearer(app, "project:a:b:edit")).status_code == 403
    assert client.get("/projects/a/b/edit", **bearer(app, "project:*:edit")).status_code == 200


def test_the_missing_permission_is_named_with_its_template_unfilled(app, bearer):
    app.get("/projects/<project_id>")(requires_permissions("project:{project_id}:edit")(lambda project_id: ""))
    answer = app.test_client().get('/projects/se"cr\u00e9t', **bearer(app))
    assert answer.status_code == 403
    assert answer.json["error"] == "insufficient_scope"
    assert "project:{project_id}:edit" in answer.json["error_description"]
    challenge = answer.headers["WWW-Authenticate"]
    assert 'scope="project:{project_id}:edit"' in challenge
    assert challenge.isascii()


@pytest.mark.parametrize("above", [True, False])
def test_templates_use_what_routing_matched_whatever_a_preprocessor_takes_away(app, bearer, above):
    @app.url_value_preprocessor
    def take(endpoint, values):
        g.lang = values.pop("lang", None) if values else None

    guard = requires_permissions("site:{lang}:read")

    def page():
        return g.lang

    if above:
        guard(app.get("/<lang>/page")(page))
    else:
        app.get("/<lang>/page")(guard(page))
    client = app.test_client()
    assert client.get("/de/page", **bearer(app, "site:de:read")).text == "de"
    assert client.get("/fr/page", **bearer(app, "site:de:read")).status_code == 403


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("change", [lambda _: "7", lambda _: object()])
def test_templates_use_what_routing_matched_also_where_a_preprocessor_changes_it(app, bearer, above, change):
    @app.url_value_preprocessor
    def change_value(endpoint, values):
        values["project_id"] = change(values["project_id"])

    guard = requires_permissions("project:{project_id}:read")

    def show(project_id):
        return "in"

    if above:
        guard(app.get("/projects/<project_id>")(show))
    else:
        app.get("/projects/<project_id>")(guard(show))
    client = app.test_client()
    assert client.get("/projects/8", **bearer(app, "project:7:read")).status_code == 403
    assert client.get("/projects/8", **bearer(app, "project:8:read")).status_code == 200


def test_a_missing_value_denies_even_the_holder_of_everything(app, bearer):
    app.get("/x")(requires_permissions("project:{project_id}:read")(lambda: "in"))
    assert app.test_client().get("/x", **bearer(app, "*")).status_code == 403


def test_a_decorator_that_loads_the_object_may_stand_between_guard_and_view(app, bearer):
    def load(function):
        @functools.wraps(function)
        def wrapper(project_id):
            return function(project=f"project {project_id}")

        return wrapper

    @app.get("/projects/<int:project_id>")
    @load
    @requires_permissions("project:{project_id}:read")
    def show(project):
        return project

    client = app.test_client()
    assert client.get("/projects/7", **bearer(app, "project:7:read")).text == "project 7"
    assert client.get("/projects/8", **bearer(app, "project:7:read")).status_code == 403


@pytest.mark.parametrize("above", [True, False])
def test_a_view_that_calls_itself_for_another_project_is_checked_for_that_one(app, bearer, above):
    guard = requires_permissions("project:{project_id}:read")

    def show(project_id):
        return calls["show"](project_id=9) if project_id == 7 else "nine"

    calls = {}
    if above:
        calls["show"] = guard(app.get("/projects/<int:project_id>")(show))
    else:
        calls["show"] = app.get("/projects/<int:project_id>")(guard(show))
    client = app.test_client()
    assert client.get("/projects/7", **bearer(app, "project:7:read")).status_code == 403
    assert client.get("/projects/7", **bearer(app, "project:7:read", "project:9:read")).text == "nine"


def test_the_hooks_decision_is_used_up_by_the_first_call_even_by_position(app, bearer):
    @app.get("/projects/<project_id>")
    @requires_permissions("project:{project_id}:read")
    def show(project_id="7"):
        return show(other) if (other := request.args.get("then")) and project_id == "7" else project_id

    client = app.test_client()
    allowed = bearer(app, "project:7:read")
    assert client.get("/projects/7", **allowed).text == "7"
    assert client.get("/projects/7?then=8", **allowed).status_code == 403


def test_a_helper_that_is_called_without_the_value_of_its_template_denies(app, bearer):
    @requires_permissions("project:{project_id}:read")
    def helper(**kwargs):
        return "in"

    app.get("/projects/<project_id>", endpoint="without")(lambda project_id: helper())
    app.get("/with/<project_id>")(lambda project_id: helper(project_id=project_id))
    client = app.test_client()
    assert client.get("/projects/7", **bearer(app, "*")).status_code == 403
    assert client.get("/with/7", **bearer(app, "project:7:read")).text == "in"


def test_unknown_routes_stay_404_and_wrong_methods_405(make_app):
    app = make_app(default_deny=True)
    app.get("/x")(requires_permissions("x")(lambda: "in"))
    client = app.test_client()
    assert client.get("/nowhere").status_code == 404
    assert client.post("/x").status_code == 405


def test_default_deny_closes_what_declares_nothing(make_app, bearer):
    app = make_app(default_deny=True)
    app.static_folder = "."
    app.add_url_rule("/static/<path:filename>", "static", app.send_static_file)
    app.get("/undeclared", endpoint="undeclared")(lambda: "?")
    app.get("/landing", endpoint="landing")(public(reason="the landing page")(lambda: "hello"))
    app.get("/guarded")(requires_permissions("x")(lambda: "in"))
    app.register_blueprint(app.extensions["test_permjwt"].auth_blueprint, url_prefix="/auth")
    client = app.test_client()
    assert client.get("/undeclared").status_code == 401
    assert client.get("/undeclared", **bearer(app, "*")).status_code == 403
    assert client.get("/landing").status_code == 200
    assert client.get("/guarded", **bearer(app, "x")).status_code == 200
    with client.get("/static/test_hook.py") as served:
        assert served.status_code == 200
    assert (
        client.post("/auth/login", json={"username": "a", "password": "b"}).json["error"] == "invalid_credentials"
    )


def test_default_deny_closes_the_methods_that_a_limited_guard_leaves_open(make_app, bearer):
    app = make_app(default_deny=True)
    app.route("/x", methods=["GET", "PUT"])(requires_permissions("x", methods=["PUT"])(lambda: "in"))
    client = app.test_client()
    assert client.get("/x").status_code == 401
    assert client.get("/x", **bearer(app, "*")).status_code == 403
    assert client.put("/x", **bearer(app, "x")).status_code == 200


def test_only_the_automatic_answer_to_options_is_exempt(app, bearer):
    app.get("/automatic", endpoint="automatic")(requires_permissions("x")(lambda: "in"))
    app.route("/own", methods=["GET", "OPTIONS"])(requires_permissions("x")(lambda: "in"))

    class Own(MethodView):
        def options(self):
            return "in"

    requires_permissions("x")(Own)
    app.add_url_rule("/class", view_func=Own.as_view("class"))
    client = app.test_client()
    assert client.options("/automatic").status_code == 200
    assert client.options("/own").status_code == 401
    assert client.options("/own", **bearer(app, "x")).text == "in"
    assert client.options("/class").status_code == 401


def test_the_hook_runs_before_hooks_that_were_registered_earlier():
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY=secrets.token_hex(32), SQLALCHEMY_DATABASE_URI="sqlite://")
    app.before_request(lambda: "an answer from a cache")
    PermJWT(app, db=SQLAlchemy(app))
    app.get("/x")(requires_permissions("x")(lambda: "in"))
    assert app.test_client().get("/x").status_code == 401


def test_an_application_context_that_outlives_the_request_does_not_carry_the_user_on(app, bearer):
    app.get("/who", endpoint="who")(lambda: str(current_principal.subject))
    app.get("/guarded")(requires_login(lambda: "in"))
    with app.app_context():
        client = app.test_client()
        assert client.get("/who", **bearer(app)).text == "ab" * 16
        assert client.get("/who").text == "None"
        assert client.get("/guarded", **bearer(app)).status_code == 200
        assert client.get("/guarded").status_code == 401


def test_permissions_can_be_checked_inside_a_view(app, bearer):
    @app.get("/projects/<project_id>")
    def show(project_id):
        if request.args.get("ask"):
            return str(has_permissions("project:{project_id}:read"))
        if other := request.args.get("other"):
            check_permissions("project:{project_id}:read", project_id=other)
        check_permissions("project:{project_id}:read", any_of("x", "y"))
        return "in"

    client = app.test_client()
    assert client.get("/projects/7").status_code == 401
    assert client.get("/projects/7?ask=1").text == "False"
    mine = bearer(app, "project:7:read", "x")
    assert client.get("/projects/7", **mine).text == "in"
    assert client.get("/projects/7?ask=1", **mine).text == "True"
    assert client.get("/projects/8?ask=1", **mine).text == "False"
    assert client.get("/projects/8", **mine).status_code == 403
    assert client.get("/projects/7?other=8", **mine).status_code == 403


def test_on_a_public_view_a_bad_token_is_no_token(app, bearer, token):
    app.get("/x")(public(reason="x")(lambda: f"{current_principal.subject} {has_permissions('a')}"))
    client = app.test_client()
    assert client.get("/x").text == "None False"
    assert client.get("/x", headers={"Authorization": "Bearer nonsense"}).text == "None False"
    assert client.get("/x", headers={"Authorization": "Bearer two words"}).text == "None False"
    assert client.get("/x", headers={"Authorization": f"Bearer {token(app, 'a')[:-1]}"}).text == "None False"
    assert client.get("/x", **bearer(app, "a")).text == "ab" * 16 + " True"


def test_two_apps_that_share_a_view_have_their_own_keys_and_tables(make_app, bearer):
    view = requires_permissions("x")(lambda: "in")
    first, second = make_app(), make_app(secret_key="another secret, at least 32 bytes long, honestly")
    first.get("/x")(view)
    second.get("/x")(view)
    assert first.test_client().get("/x", **bearer(first, "x")).status_code == 200
    assert second.test_client().get("/x", **bearer(first, "x")).status_code == 401
    assert second.test_client().get("/x", **bearer(second, "x")).status_code == 200


def test_static_files_of_a_protected_blueprint_are_guarded(app, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    private = Blueprint("private", __name__, static_folder=tmp_path, url_prefix="/private")
    protect(private, "x")
    app.register_blueprint(private)
    assert app.test_client().get(f"/private/{tmp_path.name}/secret.txt").status_code == 401


def test_a_positional_argument_is_that_of_the_decorated_function_not_of_what_it_wraps(app, bearer):
    def inject(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function("connection", *args, **kwargs)

        return wrapper

    @requires_permissions("project:{project_id}:read")
    @inject
    def load(connection, project_id, since):
        return project_id

    app.get("/positional", endpoint="positional")(lambda: load("7", "9"))
    app.get("/named", endpoint="named")(lambda: load(project_id="7", since="9"))
    client = app.test_client()
    assert client.get("/positional", **bearer(app, "project:9:read")).status_code == 403
    assert client.get("/named", **bearer(app, "project:7:read")).text == "7"
    assert client.get("/named", **bearer(app, "project:9:read")).status_code == 403


def test_an_error_handler_that_calls_the_view_gets_no_further_than_the_request(app, bearer):
    called = []

    @app.get("/x")
    @requires_permissions("x")
    def view():
        called.append(1)
        return "in"

    @app.errorhandler(401)
    @app.errorhandler(403)
    def try_again(_):
        return view()

    client = app.test_client()
    for headers in ({}, bearer(app, "y")):
        with pytest.raises(HTTPException):  # of the handler: nobody handles that
            client.get("/x", **headers)
    assert not called
    assert client.get("/x", **bearer(app, "x")).text == "in"


def test_an_object_that_was_changed_on_the_way_fills_the_template_anew(app, bearer):
    """A converter's value may be one that a decorator can change in place."""

    class Ids(list):
        def __str__(self):
            return "-".join(self)

    class IdsConverter(BaseConverter):
        def to_python(self, value):
            return Ids([value])

    app.url_map.converters["ids"] = IdsConverter

    def add(function):
        @functools.wraps(function)
        def wrapper(ids):
            ids.append("9")
            return function(ids=ids)

        return wrapper

    app.get("/<ids:ids>")(add(requires_permissions("project:{ids}:read")(lambda ids: f"{ids}")))
    client = app.test_client()
    assert client.get("/7", **bearer(app, "project:7:read")).status_code == 403
    assert client.get("/7", **bearer(app, "project:7:read", "project:7-9:read")).text == "7-9"
