"""Routes as path templates, and what their converters take as JSON Schema."""

import pytest
from flask import Flask
from werkzeug.routing import BaseConverter

from flask_permjwt.openapi.routes import anonymous, routes_of, schema_of, template


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("/", "/"),
        ("/reports/<report_id>", "/reports/{report_id}"),
        ("/<int(min=1, max=9):a>/<string(length=2):b>.<any(csv, 'a>b'):c>", "/{a}/{b}.{c}"),
        ("/files/<path:name>/", "/files/{name}/"),
        ("/a{b}c", "/a%7Bb%7Dc"),
        ("/über", "/%C3%BCber"),
    ],
)
def test_a_route_becomes_a_template(rule, expected):
    assert template(rule) == expected


@pytest.mark.parametrize(("rule", "others"), [("/über/<x>", "/über/{y}"), ("/a b/<int:x>", "/a%20b/{x}")])
def test_a_template_is_known_again_however_others_write_it(rule, others):
    assert anonymous(template(rule)) == anonymous(others)


class Even(BaseConverter):
    regex = r"[02468]{1,7}"


@pytest.mark.parametrize(
    ("converter", "expected"),
    [
        ("x", {"type": "string", "minLength": 1}),
        ("string(length=2):x", {"type": "string", "minLength": 2, "maxLength": 2}),
        ("string(minlength=3, maxlength=8):x", {"type": "string", "minLength": 3, "maxLength": 8}),
        ("string(minlength=3):x", {"type": "string", "minLength": 3}),
        ("path:x", {"type": "string"}),
        ("any(b, a):x", {"type": "string", "enum": ["a", "b"]}),
        ("int:x", {"type": "integer", "minimum": 0}),
        ("int(signed=True):x", {"type": "integer"}),
        ("int(min=3, max=9):x", {"type": "integer", "minimum": 3, "maximum": 9}),
        ("float:x", {"type": "number", "minimum": 0}),
        ("float(signed=True, max=2.5):x", {"type": "number", "maximum": 2.5}),
        ("uuid:x", {"type": "string", "format": "uuid"}),
        ("even:x", {"type": "string"}),
    ],
)
def test_what_a_converter_takes(converter, expected):
    app = Flask(__name__, static_folder=None)
    app.url_map.converters["even"] = Even
    app.add_url_rule(f"/<{converter}>", "view", lambda x: x)
    (rule,) = app.url_map.iter_rules()
    assert schema_of(rule._converters["x"]) == expected


def test_what_leads_to_no_view_is_no_route(make_api):
    app = make_api()
    app.add_url_rule("/here", "here", lambda: "", methods=["GET", "CONNECT"])
    app.add_url_rule("/there", "there", lambda: "", redirect_to="/here")
    app.add_url_rule("/built", "built", lambda: "", build_only=True)
    app.add_url_rule("/gone", "gone")
    app.add_url_rule("/own-options", "own", lambda: "", methods=["OPTIONS"])
    app.add_url_rule("/head", "head", lambda: "", methods=["HEAD"])
    assert [(one.rule.rule, one.method) for one in routes_of(app)] == [
        ("/head", "HEAD"),
        ("/here", "GET"),
        ("/own-options", "OPTIONS"),
    ]
