"""Refusals: the answers of the hook, made without an exception where nobody is waiting for one.

Whoever sends bad tokens makes us answer them: raising an exception into Flask costs several times as much as the
look at the token. Where the app handles errors itself, the exception is raised all the same.
"""

from typing import Final

from flask import Flask, Response
from werkzeug.datastructures import Headers
from werkzeug.exceptions import default_exceptions

from flask_permjwt.errors import AccountError, AuthError
from flask_permjwt.web.responses import body_text, headers_of

_MOST: Final = 64
_HANDLERS: Final = ("handle_user_exception", "handle_http_exception", "handle_exception", "trap_http_exception")

_Written = tuple[bytes, list[tuple[str, str]]]


class Refusals:
    """Answers for one app.

    Args:
        app: whose requests are refused.
    """

    def __init__(self, app: Flask) -> None:
        self._app: Final = app
        self._is_ours: bool | None = None
        # The few errors that say the same whoever caused them.
        self._written: Final[dict[tuple[type[AuthError], str], _Written]] = {}

    def response(self, error: AuthError) -> Response | None:
        """Return what Flask would answer when the error was raised; None when it must be raised.

        Asked only while a request is served: then the app's error handlers are final.

        Args:
            error: why the request is refused.
        """
        if self._is_ours is None:
            self._is_ours = not handles_errors(self._app)
        if not self._is_ours:
            return None
        body, written = self._write(error)
        headers = Headers()
        headers[:] = written  # a constructor looks at each of them anew, which takes twice as long
        return self._app.response_class([body], error.status, headers)

    def _write(self, error: AuthError) -> _Written:
        key = (type(error), error.description)
        written = self._written.get(key)
        if written is None:
            body = body_text(error).encode()
            headers = [*headers_of(error), ("Content-Length", str(len(body)))]
            written = body, headers
            if len(vars(error)) == 1 and len(self._written) < _MOST:
                self._written[key] = written
        return written


def handles_errors(app: Flask) -> bool:
    """Tell whether the app shapes errors itself, or something that was set up on it does."""
    if app.config["TRAP_HTTP_EXCEPTIONS"] or app.config["TRAP_BAD_REQUEST_ERRORS"]:
        return True
    if any(name in vars(app) or getattr(type(app), name) is not getattr(Flask, name) for name in _HANDLERS):
        return True
    # Copies: while Flask looks for a handler in another thread, it makes empty places for those that it looks for.
    return any(
        (scope, code, kind) != (None, None, AccountError)
        for scope, by_code in list(app.error_handler_spec.items())
        for code, handlers in list(by_code.items())
        if code is None or code in default_exceptions
        for kind in list(handlers)
    )
