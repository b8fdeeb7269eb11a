"""A check of a password for logins that are not ours."""

from typing import Any

from flask import has_request_context, request

from flask_permjwt.accounts.names import MAX_TYPED
from flask_permjwt.accounts.passwords import MAX_PASSWORD
from flask_permjwt.errors import AuthError, InvalidCredentialsError
from flask_permjwt.web.responses import http_error
from flask_permjwt.web.state import app_state


def check_password(username: str, password: str) -> Any:
    """Return the user whose password this is.

    Raises:
        AuthError: it is not, or cannot be told; a Werkzeug exception too.
        TypeError: a value is no text.
    """
    if not (isinstance(username, str) and isinstance(password, str)):
        raise TypeError("a user name and a password are text")
    if len(username) > MAX_TYPED or len(password) > MAX_PASSWORD:
        raise http_error(InvalidCredentialsError())  # before anybody looks for the user, as at POST /login
    address = request.remote_addr if has_request_context() else None
    try:
        return app_state().accounts.check_password(username, password, address=address)
    except AuthError as error:
        raise http_error(error) from None
