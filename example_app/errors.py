"""Errors of this app, in the same JSON shape as flask_permjwt's."""

from typing import Any, Final, NoReturn

from flask import Flask, json, redirect, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from flask_permjwt.errors import (
    EmailTakenError,
    IdentityRefusedError,
    InvalidAttemptError,
    ProviderDeniedError,
    ProviderError,
)

_OF_PROVIDERS: Final = frozenset({"permjwt_auth.provider_login", "permjwt_auth.provider_callback"})
"""Where a person looks at the answer, and no script."""

_CODES: Final = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "validation_failed",
    500: "server_error",
}


class Refused(HTTPException):
    """A request that is refused, with what is wrong with each field where that is known."""

    def __init__(self, status: int, description: str, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(description)
        self.code = status
        self.errors = errors


def refuse(status: int, description: str, errors: dict[str, list[str]] | None = None) -> NoReturn:
    """End the request with this status.

    Args:
        status: the HTTP status, 400 or above.
        description: one sentence for the client.
        errors: messages by field name.
    """
    raise Refused(status, description, errors)


def init_app(app: Flask) -> None:
    """Answer every HTTP error as JSON, but to a browser that comes back from a provider."""
    app.register_error_handler(HTTPException, _as_json)
    for kind in (
        EmailTakenError,
        IdentityRefusedError,
        InvalidAttemptError,
        ProviderDeniedError,
        ProviderError,
    ):
        app.register_error_handler(kind, _back_to_login)


def _back_to_login(error: Any) -> Response:
    if request.endpoint not in _OF_PROVIDERS:
        return _as_json(error)
    return redirect(url_for("pages.login_page", _anchor=error.error), 303)


def _as_json(error: HTTPException) -> Response:
    # get_response keeps what else belongs to the status, such as Allow for 405.
    response = error.get_response()
    # flask_permjwt's errors are JSON already, and carry the WWW-Authenticate header that belongs to them.
    if not response.is_json:
        body: dict[str, object] = {
            "error": _CODES.get(error.code or 0, "request_failed"),
            "error_description": error.description or error.name,
        }
        if isinstance(error, Refused) and error.errors is not None:
            body["errors"] = error.errors
        response.data = json.dumps(body) + "\n"
        response.content_type = "application/json"
    return response
