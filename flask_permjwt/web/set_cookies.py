"""Set-Cookie lines, read again: what a browser is told about each cookie."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flask import Response
from werkzeug.http import parse_cookie


@dataclass(frozen=True, slots=True)
class SetCookie:
    """A cookie as a response sets it (RFC 6265 section 4.1).

    Attributes:
        name: its name.
        value: its value.
        attributes: by name, in lower case; those without a value are empty.
    """

    name: str
    value: str
    attributes: Mapping[str, str]


def set_cookies(response: Response) -> Iterator[SetCookie]:
    """Yield the cookies that a response sets, also with attributes that Python's own reader does not know."""
    for line in response.headers.getlist("Set-Cookie"):
        pair, *rest = line.split(";")
        told = (attribute.strip().partition("=") for attribute in rest)
        attributes = {name.casefold(): value for name, _, value in told}
        for name, value in parse_cookie(pair).items():
            yield SetCookie(name, value, attributes)
