"""The OpenAPI document of an app: every route with what it needs, as the policy table enforces it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from flask import Flask
from marshmallow import Schema

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.openapi.operations import described, operation_of
from flask_permjwt.openapi.routes import Route, anonymous, routes_of, servers
from flask_permjwt.openapi.schemes import Schemes, root_of
from flask_permjwt.web.state import app_state

try:
    from apispec import APISpec
    from apispec.ext.marshmallow import MarshmallowPlugin
    from apispec.ext.marshmallow.common import resolve_schema_cls
except ImportError:
    raise ConfigurationError("the OpenAPI document needs apispec: pip install 'flask-permjwt[openapi]'") from None

VERSION: Final = "3.1.0"


def build_document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of an app, from its routes as they are now.

    In a request of that app, addresses stand below the path at which it came in; else below APPLICATION_ROOT.
    Of two routes of one method that differ by the converters or the hosts alone, the first is shown.

    Raises:
        ConfigurationError: the declarations contradict each other, or a guard guards nothing.
    """
    state = app_state(app)
    root = root_of(app)
    info = {"title": state.settings.api_title or app.name, "version": state.settings.api_version}
    options: dict[str, Any] = {"servers": [{"url": root}]} if root else {}
    spec = APISpec(
        openapi_version=VERSION,
        plugins=[MarshmallowPlugin(schema_name_resolver=_name)],
        **info,
        **options,
    )
    schemes = Schemes(app, VERSION)
    paths: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    names: dict[str, int] = {}
    used: dict[str, None] = {}
    groups: dict[str, bool] = {}
    for route in _shown(app):
        if route.key in seen:
            continue
        seen.add(route.key)
        operation = operation_of(route, app, schemes)
        path = paths.setdefault(anonymous(route.path), route.path)
        _rename(operation, route, path)
        operation["operationId"] = _unique(route, names)
        used.update(dict.fromkeys(name for one in operation["security"] for name in one))
        for name in operation.get("tags", ()):
            groups.setdefault(name, _is_ours(route))
        elsewhere = servers(app, route.rule, root)
        if elsewhere:
            operation["servers"] = elsewhere
        spec.path(path=path, operations={route.method.lower(): operation})
    # In their order they are shown: what the app itself offers comes first.
    for name in sorted(groups, key=groups.__getitem__):
        spec.tag({"name": name})
    for name, scheme in schemes.definitions().items():
        if name in used:
            spec.components.security_scheme(name, scheme)
    return spec.to_dict()


def _shown(app: Flask) -> Iterator[Route]:
    """Yield the routes that are part of the API, as the app offers it."""
    state = app_state(app)
    for route in routes_of(app):
        description = described(route)
        if description is None:
            yield route
        elif not description.hidden and description.available(state):
            place = route.path if description.place is None else description.place(state)
            if place is not None:
                yield replace(route, path=place)


def _is_ours(route: Route) -> bool:
    return str(getattr(route.entry.view, "__module__", "")).startswith("flask_permjwt.")


def _name(schema: type[Schema] | Schema) -> str:
    """Name a schema as its class, without the word that all end in; ours are kept apart from the app's."""
    kind = resolve_schema_cls(schema)
    name = str(getattr(kind, "__name__", kind)).removesuffix("Schema") or "Schema"
    return name if not kind.__module__.startswith("flask_permjwt.") else f"Auth{name}"


def _rename(operation: dict[str, Any], route: Route, path: str) -> None:
    """Call the variables of a route as in the path that stands for it: names alone do not make two of one."""
    if path == route.path:
        return
    names = _variables(path)
    for parameter, name in zip(operation["parameters"], names, strict=False):
        if parameter.get("in") == "path":
            parameter["name"] = name


def _variables(path: str) -> list[str]:
    return [part.partition("}")[0] for part in path.split("{")[1:]]


def _unique(route: Route, names: dict[str, int]) -> str:
    name = f"{route.method.lower()}_{route.rule.endpoint.replace('.', '_')}"
    names[name] = names.get(name, 0) + 1
    return name if names[name] == 1 else f"{name}_{names[name]}"
