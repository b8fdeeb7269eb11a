"""Addresses: for each route one that leads to it, with values that its converters take."""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, Final

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import (
    AnyConverter,
    BaseConverter,
    BuildError,
    FloatConverter,
    IntegerConverter,
    MapAdapter,
    PathConverter,
    RequestRedirect,
    Rule,
    UnicodeConverter,
    UUIDConverter,
    ValidationError,
)

_TRIES: Final = 64
_WORDS: Final = ("permjwt-test", "1", "2", "a", "b", "x-1", "true", "2000-01-01", "en", "A")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request is sent.

    Attributes:
        base_url: scheme and host, for routes of subdomains and hosts; None for the app's own.
        path: the path.
        values: what routing makes of it: the view's arguments.
    """

    base_url: str | None
    path: str
    values: Mapping[str, object]


def address_of(app: Flask, rule: Rule, method: str, given: Mapping[str, object]) -> Address | None:
    """Return an address that leads to this very rule; None when none was found.

    Args:
        app: whose rule it is.
        rule: the rule.
        method: the request method.
        given: values by name; they come first.
    """
    names = sorted(rule.arguments - set(rule.defaults or ()))
    options = [_options(rule, name, given) for name in names]
    for values in islice(product(*options), _TRIES):
        found = _try(app, rule, method, dict(zip(names, values, strict=True)))
        if found is not None:
            return found
    return None


def _options(rule: Rule, name: str, given: Mapping[str, object]) -> list[object]:
    if name in given:
        return [given[name]]
    return list(values_for(rule._converters[name]))  # noqa: SLF001  # Werkzeug shows converters nowhere else


def values_for(converter: BaseConverter) -> Iterator[object]:
    """Yield values that a converter takes, the likeliest first."""
    if isinstance(converter, AnyConverter):
        yield from sorted(converter.items)
    elif isinstance(converter, UUIDConverter):
        yield uuid.UUID(int=1)
    elif isinstance(converter, IntegerConverter | FloatConverter):
        yield from _numbers(converter)
    elif isinstance(converter, PathConverter):
        yield from ("permjwt/test", "permjwt-test")
    elif type(converter) is UnicodeConverter:
        yield from _texts(converter)
    else:
        yield from (value for text in _WORDS if (value := _read(converter, text)) is not None)


def _numbers(converter: IntegerConverter | FloatConverter) -> Iterator[object]:
    convert = converter.num_convert
    for bound in (converter.min, 1 if converter.min is None else None, converter.max):
        if bound is not None:
            yield convert(bound)
    low = 2 if converter.min is None else converter.min + 1
    if converter.max is None or low <= converter.max:
        yield convert(low)


def _texts(converter: UnicodeConverter) -> Iterator[object]:
    # Lengths stand in the pattern alone: [^/]{2}, [^/]{3,8}, [^/]{1,}.
    yield from (text for text in _WORDS if _read(converter, text) is not None)
    yield from ("p" * size for size in range(1, 65) if _read(converter, "p" * size) is not None)


def _read(converter: BaseConverter, text: str) -> object:
    """Return what a converter makes of a text; None when it does not take it."""
    if re.fullmatch(converter.regex, text) is None:
        return None
    try:
        return converter.to_python(text)
    except ValidationError:
        return None


def _try(app: Flask, rule: Rule, method: str, values: dict[str, Any]) -> Address | None:
    try:
        built = rule.build({**(rule.defaults or {}), **values}, append_unknown=False)
    except (BuildError, ValidationError, ValueError, TypeError, AttributeError):
        return None
    if built is None:
        return None
    domain, path = built
    host, base_url = _host(app, domain)
    adapter: MapAdapter = app.url_map.bind(host, subdomain=(domain or None) if app.subdomain_matching else None)
    if app.url_map.host_matching:
        adapter = app.url_map.bind(domain or host)
    try:
        found, arguments = adapter.match(path.partition("?")[0], method=method, return_rule=True)
    except (HTTPException, RequestRedirect):
        return None
    return Address(base_url, path, arguments) if found is rule else None


def _host(app: Flask, domain: str) -> tuple[str, str | None]:
    scheme = app.config["PREFERRED_URL_SCHEME"]
    server = app.config["SERVER_NAME"]
    # Any other host is refused before there is a route.
    trusted = next(iter(app.config["TRUSTED_HOSTS"] or ()), None) if server is None else None
    if trusted is not None:
        trusted = trusted.lstrip(".")
    server = server or trusted or "localhost"
    if app.url_map.host_matching:
        return server, f"{scheme}://{domain or server}"
    if domain and app.subdomain_matching:
        return server, f"{scheme}://{domain}.{server}"
    root = app.config["APPLICATION_ROOT"].rstrip("/")
    return server, None if trusted is None else f"{scheme}://{server}{root}"
