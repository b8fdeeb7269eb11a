"""Nobody adds an endpoint to our blueprints and forgets its description."""

import pytest
from flask import Flask

from flask_permjwt.api.blueprint import make_auth_blueprint
from flask_permjwt.api.describe import Description, describe, description_of, hidden
from flask_permjwt.api.well_known import make_well_known_blueprint
from flask_permjwt.openapi.docs import make_docs_blueprint


def endpoints():
    app = Flask("endpoints", static_folder=None)
    app.register_blueprint(make_auth_blueprint())
    app.register_blueprint(make_well_known_blueprint())
    return [
        pytest.param(rule, app.view_functions[rule.endpoint], id=f"{rule.endpoint} {rule.rule}")
        for rule in app.url_map.iter_rules()
    ]


def test_the_endpoints_are_found():
    assert len(endpoints()) > 20


@pytest.mark.parametrize(("rule", "view"), endpoints())
def test_every_endpoint_of_ours_is_described_beside_its_view(rule, view):
    description = description_of(view)
    assert description is not None, f"write @describe(...) above the view of {rule.rule}"
    assert description.hidden or (description.summary and description.answers)
    # What a guard or the reading of a body refuses is known without being told.
    assert all(100 <= status < 400 for status in description.answers)


def test_every_page_of_the_documentation_is_hidden(make_api):
    app = make_api()
    app.register_blueprint(make_docs_blueprint(), url_prefix="/docs")
    views = [view for endpoint, view in app.view_functions.items() if endpoint.startswith("permjwt_docs.")]
    assert len(views) == 3
    assert all(description_of(view).hidden for view in views)


def test_a_description_stands_above_or_below_other_decorators(make_api, document):
    app = make_api()

    @describe("Above")
    @app.get("/above")
    def above():
        return {}

    @app.get("/below")
    @describe("Below")
    def below():
        return {}

    class Bound:
        @describe("Bound")
        def view(self):
            return {}

    app.add_url_rule("/bound", "bound", Bound().view)
    paths = document(app)["paths"]
    assert [paths[f"/{name.lower()}"]["get"]["summary"] for name in ("Above", "Below", "Bound")] == [
        "Above",
        "Below",
        "Bound",
    ]


def test_a_description_may_stand_above_a_bound_method():
    class Bound:
        def view(self):
            return {}

    view = describe("Bound")(Bound().view)
    assert description_of(view) == Description("Bound")


def test_a_view_is_left_out_when_it_is_hidden(make_api, document):
    app = make_api()
    app.get("/hidden")(hidden(lambda: ""))
    assert "/hidden" not in document(app)["paths"]
