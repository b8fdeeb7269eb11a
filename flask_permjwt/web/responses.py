"""Errors to responses: every AuthError becomes a Werkzeug exception of the same class.

The exception raised into Flask is both that and Werkzeug's class of its status: the app may register an error
handler for the class of ``flask_permjwt.errors``, for the status code, or for ``HTTPException``. Flask-RESTX and
flask-smorest read its ``data`` attribute.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, current_app
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException, default_exceptions

from flask_permjwt.errors import (
    AccountError,
    AuthError,
    InsufficientScopeError,
    InvalidBodyError,
    InvalidRequestError,
    MissingTokenError,
    RetryLaterError,
    StaleAuthenticationError,
    UnauthenticatedError,
)
from flask_permjwt.web.state import CONTEXT, EXTENSION

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# What may stand in the quoted values of a challenge (RFC 6750 section 3): printable ASCII without " and \.
_NOT_QUOTABLE: Final = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
_REALM: Final = "api"


def http_error(error: AuthError) -> HTTPException:
    """Turn an error into the exception that Flask answers with.

    The body is JSON (``error``, ``error_description`` and, for a body that does not fit, ``errors``); 400,
    401 and 403 carry a challenge (RFC 6750 section 3).
    """
    base: Any = type(error)
    return _instance(_http_class(base), error)


def register_account_errors(app: Flask) -> None:
    """Answer an AccountError that the app's own view lets through, such as a user name that is taken.

    The app's handlers come first: one for its class, one for the status, one for ``HTTPException``.
    """
    # Flask 3.2 gives the context along.
    with_context = len(signature(app.handle_user_exception).parameters) > 1

    def answer(error: AccountError) -> ResponseReturnValue | HTTPException:
        # Not of the error's own class, or this handler would be found again, before those of the app.
        kind = type("AccountHTTPException", (_AuthHTTPException, default_exceptions[error.status]), {})
        handle: Callable[..., ResponseReturnValue | HTTPException] = current_app.handle_user_exception
        exception = _instance(kind, error)
        return handle(CONTEXT.get(), exception) if with_context else handle(exception)

    app.register_error_handler(AccountError, answer)


def _instance(kind: type[HTTPException], error: AuthError) -> HTTPException:
    exception = kind.__new__(kind)
    exception.args = error.args
    # What Werkzeug's own constructors set; handlers of the app may read it.
    exception.__dict__.update(response=None, original_exception=None, retry_after=None, www_authenticate=())
    value = challenge(error)
    if value is not None:
        exception.__dict__["www_authenticate"] = (WWWAuthenticate.from_header(value),)
    exception.__dict__.update(error.__dict__, auth_error=error)
    return exception


def challenge(error: AuthError) -> str | None:
    """Return the value of ``WWW-Authenticate``, or None where the status asks for none."""
    if not isinstance(error, UnauthenticatedError | InsufficientScopeError | InvalidRequestError):
        return None
    parts = {"realm": _REALM}
    if not isinstance(error, MissingTokenError):
        parts["error"] = error.error
        parts["error_description"] = error.description
    if isinstance(error, InsufficientScopeError) and error.missing:
        parts["scope"] = " ".join(error.missing)
    if isinstance(error, StaleAuthenticationError):
        parts["max_age"] = str(error.max_age)
    metadata = _resource_metadata()
    if metadata is not None:
        parts["resource_metadata"] = metadata
    return "Bearer " + ", ".join(f'{name}="{_quotable(value)}"' for name, value in parts.items())


def _resource_metadata() -> str | None:
    state = current_app.extensions.get(EXTENSION) if current_app else None
    return None if state is None else state.resource_metadata.url


def _quotable(value: str) -> str:
    return _NOT_QUOTABLE.sub(lambda match: ascii(match[0])[1:-1].replace("\\", "%"), value).replace('"', "'")


class _AuthHTTPException(HTTPException):
    """How an AuthError renders itself when no handler of the app takes it."""

    auth_error: AuthError

    @property
    def data(self) -> dict[str, Any]:
        """What flask-smorest and Flask-RESTX build their answers from."""
        error = self.auth_error
        return {"message": error.description, **body_of(error), "headers": dict(_headers(error))}

    def get_body(
        self,
        environ: "WSGIEnvironment | None" = None,  # noqa: ARG002  # Werkzeug's signature
        scope: Any = None,  # noqa: ARG002  # as above
    ) -> str:
        """Return the JSON body."""
        return body_text(self.auth_error)

    def get_headers(
        self,
        environ: "WSGIEnvironment | None" = None,  # noqa: ARG002  # Werkzeug's signature
        scope: Any = None,  # noqa: ARG002  # as above
    ) -> list[tuple[str, str]]:
        """Return the content type, the challenge and when to try again."""
        return headers_of(self.auth_error)


def body_text(error: AuthError) -> str:
    """Return the JSON body that tells an error."""
    return json.dumps(body_of(error), separators=(",", ":")) + "\n"


def headers_of(error: AuthError) -> list[tuple[str, str]]:
    """Return the headers that go with it."""
    return [("Content-Type", "application/json"), *_headers(error)]


def _headers(error: AuthError) -> list[tuple[str, str]]:
    headers = []
    value = challenge(error)
    if value is not None:
        headers.append(("WWW-Authenticate", value))
    if isinstance(error, RetryLaterError):
        headers.append(("Retry-After", str(error.retry_after)))
    return headers


def body_of(error: AuthError) -> dict[str, Any]:
    """Return what the JSON body says."""
    body: dict[str, Any] = {"error": error.error, "error_description": error.description}
    if isinstance(error, InvalidBodyError):
        body["errors"] = error.errors
    if isinstance(error, StaleAuthenticationError):
        body["max_age"] = error.max_age
    return body


@cache
def _http_class(kind: Any) -> type[HTTPException]:
    return type(
        kind.__name__,
        (kind, _AuthHTTPException, default_exceptions[kind.status]),
        {"code": kind.status, "__doc__": kind.__doc__},
    )
