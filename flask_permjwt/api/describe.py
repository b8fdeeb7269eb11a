"""Descriptions: what a view takes and gives, written beside it, for the OpenAPI document.

It changes nothing about the view. What the view *needs* is not said here: that is known from its guards.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MethodType
from typing import Any, Final, TypeVar

from marshmallow import Schema

from flask_permjwt.errors import AuthError
from flask_permjwt.web.marks import chain
from flask_permjwt.web.state import AppState

T = TypeVar("T", bound=Callable[..., Any])

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"

Answer = str | tuple[str, type[Schema]] | tuple[str, type[Schema], str]

_DESCRIPTION: Final = "__permjwt_description__"
_ERRORS: Final = "__permjwt_errors__"


class Takes(StrEnum):
    """A credential that a view without a guard looks at by itself."""

    ACCESS = "access"
    """An access token, in the header or in a cookie."""

    REFRESH = "refresh"
    """A refresh token, in the header or in a cookie."""

    CLIENT = "client"
    """A client's id and secret, by HTTP Basic (RFC 6749 section 2.3.1)."""

    BODY = "body"
    """Something that stands in the body."""


def _always(_: AppState) -> bool:
    return True


def _never(_: AppState) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Description:
    """What one view takes and gives.

    Attributes:
        summary: what it does, in a few words.
        details: more of it, in Markdown (CommonMark).
        body: the schema of the body; None where there is none.
        optional: the body may be left out.
        media_type: how the body is sent.
        query: the schema of the parameters in the query string.
        answers: by status, what is told; or that and the schema of the body; or both and its media type, where it
            is not JSON.
        errors: what may go wrong, besides what the guards and the reading of a JSON body refuse.
        takes: the credentials that it looks at by itself, any of which will do.
        available: tells whether an app offers it; what it does not offer is left out.
        grants_password: tells whether an app takes user name and password here by the password grant of OAuth 2.0
            (RFC 6749 section 4.3).
        hidden: it is no part of an API, such as a page.
        place: of a view with routes of which one alone leads somewhere, returns its path; None where none does.
    """

    summary: str
    details: str = ""
    body: type[Schema] | None = None
    optional: bool = False
    media_type: str = JSON
    query: type[Schema] | None = None
    answers: Mapping[int, Answer] = field(default_factory=dict)
    errors: tuple[type[AuthError], ...] = ()
    takes: tuple[Takes, ...] = ()
    available: Callable[[AppState], bool] = _always
    grants_password: Callable[[AppState], bool] = _never
    hidden: bool = False
    place: Callable[[AppState], str | None] | None = None


def describe(summary: str, **details: Any) -> Callable[[T], T]:
    """Describe a view, or a method of a view class, for the OpenAPI document.

    Stands above or below guards and routes alike.

    Args:
        summary: what the view does, in a few words.
        details: the other attributes of ``Description``.
    """
    description = Description(summary, **details)

    def keep(view: T) -> T:
        # On what it wraps too: a route may stand between, and then it is that which is the view.
        for link in chain(view):
            if not isinstance(link, MethodType):
                setattr(link, _DESCRIPTION, description)
        return view

    return keep


hidden: Final = describe("", hidden=True)
"""Leave a view out of the OpenAPI document."""


def may_raise(function: T, *errors: type[AuthError]) -> T:
    """Note what a function, and with it all that ``functools.wraps`` it, may refuse with."""
    setattr(function, _ERRORS, (*getattr(function, _ERRORS, ()), *errors))
    return function


def errors_of(function: object) -> tuple[type[AuthError], ...]:
    """Return what a function was noted to refuse with."""
    return tuple(getattr(function, _ERRORS, ()))


def description_of(*functions: object) -> Description | None:
    """Return the description of the first of some functions, or of what it wraps, that has one."""
    for function in functions:
        for link in chain(function):
            found = getattr(link, _DESCRIPTION, None)
            if isinstance(found, Description):
                return found
    return None
