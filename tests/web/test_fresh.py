"""``fresh=``: declared anywhere a guard may stand, the strictest counts, and it is listed."""

from datetime import timedelta

import pytest
from flask.views import MethodView

from flask_permjwt import ConfigurationError, public, requires_login, requires_permissions
from flask_permjwt.web.census import take_census


@pytest.mark.parametrize(
    "fresh", [0, -1, 0.5, timedelta(0), timedelta(seconds=-5), float("inf"), float("nan"), True, "5"]
)
def test_what_is_no_positive_duration_is_refused_at_decoration(fresh):
    with pytest.raises(ConfigurationError, match="fresh is a timedelta or a number of seconds"):
        requires_login(fresh=fresh)
    with pytest.raises(ConfigurationError, match="fresh is a timedelta or a number of seconds"):
        requires_permissions("a", fresh=fresh)


def test_the_strictest_of_several_counts_and_the_census_shows_it(make_app):
    app = make_app()

    @app.get("/function")
    @requires_login(fresh=300)
    @requires_permissions("a", fresh=timedelta(minutes=1))
    @requires_permissions("b")
    def function():
        return {}

    @requires_login(fresh=120)
    class Views(MethodView):
        def get(self):
            return {}

        @requires_permissions("a", fresh=60)
        def post(self):
            return {}

    app.add_url_rule("/class", view_func=Views.as_view("views"))
    app.add_url_rule("/opened", view_func=public(reason="x", override=True)(function), endpoint="opened")
    rows = {(row.rule, row.method): row for row in take_census(app).rows}
    assert rows["/function", "GET"].max_age == 60
    assert "[fresh: 60 s]" in rows["/function", "GET"].needs
    assert rows["/class", "GET"].needs == "[fresh: 120 s]"
    assert rows["/class", "POST"].max_age == 60
    assert rows["/opened", "GET"].max_age is None


def test_above_the_route_it_holds_as_below(make_app, bearer):
    app = make_app(clock=lambda: 1_000_000)

    @requires_login(fresh=60)
    @app.get("/above")
    def above():
        return {}

    @requires_login(fresh=60)
    def helper():
        return {}

    @app.get("/helped")
    def helped():
        return helper()

    client = app.test_client()
    for claims, status in (({"auth_time": 999_940}, 200), ({"auth_time": 999_939}, 401), ({}, 401)):
        for path in ("/above", "/helped"):
            assert client.get(path, **bearer(app, **claims)).status_code == status, (claims, path)


@pytest.mark.parametrize("auth_time", ["1000000", True, None, -1, float("inf"), 10**400, [1]])
def test_an_absurd_time_of_authentication_is_no_token_at_all(make_app, bearer, auth_time):
    app = make_app(clock=lambda: 1_000_000)

    @app.get("/")
    @requires_login
    def view():
        return {}

    try:
        options = bearer(app, auth_time=auth_time)
    except ValueError:  # cannot even be written
        return
    assert app.test_client().get("/", **options).status_code == 401
