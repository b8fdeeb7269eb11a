"""Routes as OpenAPI writes them: path templates and parameters."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from flask import Flask
from werkzeug.routing import (
    AnyConverter,
    BaseConverter,
    FloatConverter,
    IntegerConverter,
    Rule,
    UnicodeConverter,
    UUIDConverter,
)

from flask_permjwt.web.state import app_state
from flask_permjwt.web.table import Entry, methods_of

# The syntax that Werkzeug documents: <name>, <converter:name>, <converter(arguments):name>.
_VARIABLE: Final = re.compile(r"<(?:[A-Za-z_][A-Za-z0-9_]*(?:\(.*?\))?:)?([A-Za-z_][A-Za-z0-9_]*)>")
_NAMED: Final = re.compile(r"\{[^{}/]*\}")
_METHODS: Final = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
_LENGTHS: Final = re.compile(r"\{(\d+)(,?)(\d*)\}\Z")
_PLAIN: Final = "/:!$&'()*+,;=@~%"


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One route and method that OpenAPI can name.

    Attributes:
        rule: the route.
        method: the method, in capitals.
        entry: what the policy table says about both.
        path: its path, with the variables as ``{name}``.
    """

    rule: Rule
    method: str
    entry: Entry
    path: str

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others: to OpenAPI, paths that differ in names of variables alone are the same."""
        return anonymous(self.path), self.method


def routes_of(app: Flask) -> list[Route]:
    """Return the routes of an app as they are now, in the order of their paths.

    Left out are static files, what Flask answers by itself, and what leads to no view.

    Raises:
        ConfigurationError: the declarations contradict each other, or a guard guards nothing.
    """
    entries = app_state(app).table.compile()
    return [
        Route(rule, method, entries[rule.endpoint, method], template(rule.rule))
        for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint))
        for method in _own_methods(rule)
        if (rule.endpoint, method) in entries and not _is_static(rule, entries[rule.endpoint, method])
    ]


def template(rule: str) -> str:
    """Write a route of Flask as a path template (OpenAPI 3.1.1 section 4.8.2)."""
    # Every second part is the name of a variable.
    parts = _VARIABLE.split(rule)
    return "".join(f"{{{part}}}" if index % 2 else quote(part, safe=_PLAIN) for index, part in enumerate(parts))


def anonymous(path: str) -> str:
    """Return a path template without the names of its variables, for comparison."""
    return unquote(_NAMED.sub("{}", path))


def parameters(route: Route) -> list[dict[str, Any]]:
    """Return the parameters in the path of a route."""
    names = [one for one in dict.fromkeys(_VARIABLE.findall(route.rule.rule)) if f"{{{one}}}" in route.path]
    converters = route.rule._converters  # noqa: SLF001  # Werkzeug shows converters nowhere else
    return [
        {"name": name, "in": "path", "required": True, "schema": schema_of(converters[name])} for name in names
    ]


def schema_of(converter: BaseConverter) -> dict[str, Any]:
    """Say in JSON Schema what a converter takes."""
    if isinstance(converter, AnyConverter):
        return {"type": "string", "enum": sorted(converter.items)}
    if isinstance(converter, UUIDConverter):
        return {"type": "string", "format": "uuid"}
    if isinstance(converter, IntegerConverter | FloatConverter):
        signed = converter.min is not None or converter.signed
        bounds = {"minimum": converter.min if signed else 0, "maximum": converter.max}
        kind = "integer" if isinstance(converter, IntegerConverter) else "number"
        return {"type": kind, **{name: value for name, value in bounds.items() if value is not None}}
    lengths = _LENGTHS.search(converter.regex) if type(converter) is UnicodeConverter else None
    if lengths is None:
        return {"type": "string"}
    least, comma, most = lengths.groups()
    return {
        "type": "string",
        "minLength": int(least),
        **({"maxLength": int(most or least)} if most or not comma else {}),
    }


def servers(app: Flask, rule: Rule, root: str) -> list[dict[str, str]]:
    """Return where a route is found, if that is another host than the document's."""
    host = rule.host if app.url_map.host_matching else None
    if rule.subdomain and app.subdomain_matching and app.config["SERVER_NAME"]:
        host = f"{rule.subdomain}.{app.config['SERVER_NAME']}"
    return [{"url": f"//{host}{root}"}] if host and "<" not in host else []


def _own_methods(rule: Rule) -> Iterator[str]:
    if rule.build_only or rule.websocket or rule.alias or rule.redirect_to is not None:
        return
    methods = methods_of(rule)
    for method in methods:
        automatic = method == "OPTIONS" and getattr(rule, "provide_automatic_options", False)
        if method in _METHODS and not automatic and not (method == "HEAD" and "GET" in methods):
            yield method


def _is_static(rule: Rule, entry: Entry) -> bool:
    own = (getattr(entry.view, "__module__", None) or "").startswith("flask.")
    return own and rule.endpoint.rpartition(".")[2] == "static"
