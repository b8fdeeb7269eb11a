"""Targets: what is listed, and what stands in an address; what is checked against routes is in the attacks."""

import pytest
from flask import Flask, request

from flask_permjwt.errors import InvalidTargetError
from flask_permjwt.web.targets import check_own, is_listed, with_query


@pytest.fixture
def app():
    app = Flask(__name__)
    app.add_url_rule("/page/", "page", lambda: "")
    app.add_url_rule("/", "first", lambda: "")
    return app


@pytest.mark.parametrize(
    "target", ["/", "/page/", "/page", "/page?a=//b#//c", "/?https://other.example", "/%70age/"]
)
def test_a_path_of_the_app_is_taken_as_it_is(app, target):
    with app.test_request_context("/"):
        assert check_own(target, request) == target


@pytest.mark.parametrize("target", ["/root/page/", "/root/", "/root"])
def test_under_a_path_it_begins_with_that(app, target):
    with app.test_request_context("/", base_url="https://app.example.com/root"):
        assert check_own(target, request) == target


@pytest.mark.parametrize("target", ["/page/", "/", "/rooted/page/", "/other/root/page/"])
def test_under_a_path_another_one_is_another_app(app, target):
    with app.test_request_context("/", base_url="https://app.example.com/root"), pytest.raises(InvalidTargetError):
        check_own(target, request)


def test_what_is_hidden_however_deep_is_found(app):
    with app.test_request_context("/"):
        for depth in range(8):
            with pytest.raises(InvalidTargetError):
                check_own(f"/page/%{'25' * depth}2f%{'25' * depth}2fevil", request)


@pytest.mark.parametrize(
    ("target", "listed", "expected"),
    [
        ("com.example.app:/in", "com.example.app:/in", True),
        ("http://127.0.0.1:4000/in", "http://127.0.0.1/in", True),
        ("http://[::1]:4000/in", "http://[::1]/in", True),
        ("http://127.0.0.1:4000/in", "http://127.0.0.1:5000/in", False),
        ("http://localhost:4000/in", "http://localhost/in", False),
        ("https://example.com:4000/in", "https://example.com/in", False),
        ("http://127.0.0.1:x/in", "http://127.0.0.1/in", False),
        ("http://127.0.0.1:4000/in?", "http://127.0.0.1/in", False),
    ],
)
def test_only_ports_of_this_machine_may_differ(target, listed, expected):
    assert is_listed(target, [listed]) is expected


def test_what_is_added_stands_before_the_fragment_and_is_quoted():
    assert with_query("/a?b=c#d", code="x&y") == "/a?b=c&code=x%26y#d"
    assert with_query("com.example.app:/in", code="x") == "com.example.app:/in?code=x"


@pytest.mark.parametrize(
    "theirs", ["code=theirs", "c%6fde=theirs", "code", "error=no&code=theirs", "&error_description=a+b"]
)
def test_nothing_in_a_link_is_read_in_place_of_our_answer(theirs):
    assert with_query(f"/a?{theirs}&next=1&encode=2#d", code="ours") == "/a?next=1&encode=2&code=ours#d"
