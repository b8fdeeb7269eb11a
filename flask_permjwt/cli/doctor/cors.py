"""CORS: where scripts of any site are let in with a user's credentials."""

from collections.abc import Iterator
from contextlib import suppress
from inspect import getclosurevars, isfunction
from typing import Any, Final

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.routing import Rule

from flask_permjwt.web.addresses import address_of
from flask_permjwt.web.parts import Parts
from flask_permjwt.web.table import methods_of

# The second is that of sandboxed frames, which any site can make.
_ORIGINS: Final = ("https://another-site.invalid", "null")
_DECORATOR: Final = "flask_cors.decorator"


def open_to_others(app: Flask) -> Iterator[str]:
    """Find the routes that answer scripts of any site with credentials; no view is run.

    They are asked by preflights. Those that Flask-CORS's decorator answers, in place of the view, are told by what
    the decorator was given.
    """
    for rule in app.url_map.iter_rules():
        if any(_lets_in(app, rule, origin) for origin in _ORIGINS):
            yield rule.rule


def _lets_in(app: Flask, rule: Rule, origin: str) -> bool:
    # Whatever the app's own functions do: a route that cannot be asked is left out.
    with suppress(Exception):
        if any(_is_open(headers, origin) for headers in _answers(app, rule, origin)):
            return True
    return False


def _answers(app: Flask, rule: Rule, origin: str) -> Iterator[Headers]:
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    for options in _decorated(app, rule):
        from flask_cors.core import get_cors_options, set_cors_headers  # noqa: PLC0415  # whose decorator it is

        with app.test_request_context(method="OPTIONS", headers=asked):
            yield set_cors_headers(app.response_class(), get_cors_options(app, options)).headers
    if getattr(rule, "provide_automatic_options", False):
        address = address_of(app, rule, "OPTIONS", {})
        if address is not None:
            client = app.test_client(use_cookies=False)
            yield client.options(address.path, base_url=address.base_url, headers=asked).headers


def _decorated(app: Flask, rule: Rule) -> Iterator[Any]:
    """Yield what each decorator of Flask-CORS around a view was given."""
    view = app.view_functions.get(rule.endpoint)
    if view is None:
        return
    parts = {id(part): part for method in methods_of(rule) for part in Parts(view, method).all}
    for part in parts.values():
        if isfunction(part) and part.__globals__.get("__name__") == _DECORATOR:
            yield getclosurevars(part).nonlocals["_options"]


def _is_open(headers: Headers, origin: str) -> bool:
    credentials = headers.get("Access-Control-Allow-Credentials", "").casefold() == "true"
    return credentials and headers.get("Access-Control-Allow-Origin", "") in {"*", origin}
