"""Writes what the policy table enforces into an OpenAPI document, whoever made it: 2.0, 3.0 or 3.1."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask

from flask_permjwt.api.describe import description_of
from flask_permjwt.errors import (
    AuthError,
    InsufficientScopeError,
    InvalidRequestError,
    InvalidTokenError,
    OutdatedError,
    StaleAuthenticationError,
    ThrottledError,
)
from flask_permjwt.openapi.needs import filled, tree
from flask_permjwt.openapi.routes import Route, anonymous, routes_of
from flask_permjwt.openapi.schemes import Schemes, root_of
from flask_permjwt.policy.decision import Rule
from flask_permjwt.web.state import app_state
from flask_permjwt.web.table import Entry

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_WORDS: Final = {
    400: "The credentials are malformed.",
    401: "Valid credentials are needed.",
    403: "A permission is missing.",
    429: "There were too many attempts.",
    503: "Whether the token was revoked cannot be told now.",
}
_NAMES: Final = {status: f"PermJWT{status}" for status in _WORDS}


def secure(document: Mapping[str, Any], app: Flask) -> dict[str, Any]:
    """Return a copy of a document in which every operation of the app's routes says what its guards enforce.

    An operation that is guarded gets its ``security`` (in place of any that it has), ``x-permissions`` and, where
    it has none of its own, those of the responses 400, 401, 403, 429 and 503 that its guards may give; one that is
    ``@public``, an empty ``security`` unless it has one, and the reason as ``x-public``. Others stay as they are.

    Args:
        document: OpenAPI 2.0 (Swagger), 3.0 or 3.1, as made by any tool.
        app: whose routes it describes.

    Raises:
        ConfigurationError: the app's declarations contradict each other, or a guard guards nothing.
    """
    secured: dict[str, Any] = copy.deepcopy(dict(document))
    schemes = Schemes(app, str(secured.get("openapi", secured.get("swagger", "3"))))
    known: dict[tuple[str, str], Route] = {}
    for route in routes_of(app):
        known.setdefault(route.key, route)
    bases = [*_bases(secured, app), ""]
    used: set[int] = set()
    for path, item in (secured.get("paths") or {}).items():
        for method in _METHODS:
            operation = item.get(method) if isinstance(item, dict) else None
            keys = ((anonymous(f"{base}{path}"), method.upper()) for base in bases)
            found = next((known[key] for key in keys if key in known), None)
            if isinstance(operation, dict) and found is not None:
                used.update(_apply(operation, found, schemes, app))
    _define(secured, schemes, used)
    return secured


def annotate(operation: dict[str, Any], route: Route, schemes: Schemes) -> None:
    """Write into an operation what its route needs: ``security`` and the fields of our own."""
    entry = route.entry
    if entry.need is not None and not isinstance(entry.need, Rule) and route.rule.defaults:
        # What the route gives the view itself stands in no path, from where it could be read.
        entry = replace(entry, need=filled(entry.need, route.rule.defaults))
    requirements = schemes.of_entry(entry, route.method)
    if requirements is None:
        if entry.public is not None:
            takes = getattr(description_of(entry.view), "takes", ())
            operation.setdefault("security", schemes.of_own(takes, route.method))
            operation["x-public"] = entry.public.reason
        return
    operation["security"] = requirements
    if entry.need is Rule.CLOSED:
        operation["x-closed"] = True
        return
    needs = [entry.need] if entry.need is not None else schemes.held_needs(entry)
    operation["x-permissions"] = [
        part for need in needs if need is not None and not isinstance(need, Rule) for part in tree(need)
    ]
    if entry.max_age is not None:
        operation["x-max-age"] = entry.max_age


def refusals(entry: Entry, app: Flask) -> list[type[AuthError]]:
    """Return what the guards of a route may answer with."""
    held = Schemes.held_needs(entry)
    if entry.need is None and not held:
        return []
    found: list[type[AuthError]] = [InvalidRequestError] if app_state(app).settings.headers else []
    found.append(InvalidTokenError)
    if entry.max_age is not None:
        found.append(StaleAuthenticationError)
    if any(need is not Rule.LOGIN for need in ([entry.need] if entry.need is not None else held)):
        found.append(InsufficientScopeError)
    if app_state(app).settings.takes_personal_tokens:
        found.append(ThrottledError)
    found.append(OutdatedError)
    return found


def _apply(operation: dict[str, Any], route: Route, schemes: Schemes, app: Flask) -> Iterator[int]:
    annotate(operation, route, schemes)
    responses = operation.setdefault("responses", {})
    told = {str(status) for status in responses}
    for status in dict.fromkeys(error.status for error in refusals(route.entry, app)):
        if str(status) not in told:
            place = "responses" if schemes.is_swagger else "components/responses"
            responses[str(status)] = {"$ref": f"#/{place}/{_NAMES[status]}"}
            yield status


def _define(document: dict[str, Any], schemes: Schemes, statuses: set[int]) -> None:
    """Add the schemes that are referred to, and the responses."""
    used = {name for one in _requirements(document) for name in one}
    definitions = {name: one for name, one in schemes.definitions().items() if name in used}
    responses = {_NAMES[status]: _response(status, swagger=schemes.is_swagger) for status in sorted(statuses)}
    if schemes.is_swagger:
        places = (("securityDefinitions", definitions), ("responses", responses))
        target = document
    else:
        places = (("securitySchemes", definitions), ("responses", responses))
        target = document.setdefault("components", {}) if definitions or responses else {}
    for name, members in places:
        if members:
            target[name] = {**(target.get(name) or {}), **members}


def _requirements(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in (document.get("paths") or {}).values():
        for method in _METHODS:
            operation = item.get(method) if isinstance(item, dict) else None
            if isinstance(operation, dict):
                yield from operation.get("security") or ()


def _response(status: int, *, swagger: bool) -> dict[str, Any]:
    # Without a body: frameworks and error handlers shape it.
    later = any(status == kind.status for kind in (OutdatedError, ThrottledError))
    name = "Retry-After" if later else "WWW-Authenticate"
    kind = {"type": "integer" if name == "Retry-After" else "string"}
    return {"description": _WORDS[status], "headers": {name: kind if swagger else {"schema": kind}}}


def _bases(document: dict[str, Any], app: Flask) -> Iterator[str]:
    """Yield what may stand before the paths of a document, as the app's routes are written."""
    root = root_of(app)
    servers = [urlsplit(str(server.get("url", ""))).path for server in document.get("servers") or ()]
    for base in (document.get("basePath") or "", *servers):
        yield base.removeprefix(root).rstrip("/")
