"""What the endpoints of OAuth 2 share: how they refuse, and that nobody keeps their answers."""

from collections.abc import Callable
from functools import wraps
from typing import Final

from flask import Response, after_this_request, current_app, request

from flask_permjwt.api.oauth_client import tries_basic
from flask_permjwt.errors import AuthError, BusyError, FeatureOffError, ThrottledError
from flask_permjwt.oauth_errors import (
    ClientChallengedError,
    ClientNotAcceptedError,
    FormTooLargeError,
    InvalidClientError,
    InvalidFormError,
)
from flask_permjwt.web.responses import body_text, headers_of, http_error
from flask_permjwt.web.state import app_state

REFUSED_TO_CLIENTS: Final = (
    InvalidFormError,
    FormTooLargeError,
    ClientChallengedError,
    ClientNotAcceptedError,
    ThrottledError,
    BusyError,
)
"""What may go wrong before anything is granted, for descriptions."""


def oauth_endpoint(view: Callable[[], Response]) -> Callable[..., Response]:
    """Turn errors into responses as RFC 6749 section 5.2 asks, and keep all answers out of caches (section 5.1).

    Clients read ``error`` in the body: so no handler of the app, or of a framework, shapes these errors. Where
    tokens are taken in cookies only, there is no such endpoint: 404.
    """

    @wraps(view)
    def answer(**_: object) -> Response:  # the app's prefix may hold arguments, which are none of ours
        after_this_request(_keep_out_of_caches)
        if not app_state().settings.headers:
            raise http_error(FeatureOffError())
        try:
            return view()
        except InvalidClientError as error:
            return _refusal(_not_accepted(error))
        except AuthError as error:
            return _refusal(error)

    return answer


def _refusal(error: AuthError) -> Response:
    if isinstance(error, ClientChallengedError):
        after_this_request(_ask_for_basic)
    return current_app.response_class(body_text(error), error.status, headers_of(error))


def _keep_out_of_caches(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return response


def _not_accepted(error: InvalidClientError) -> AuthError:
    kind = ClientChallengedError if tries_basic(request) else ClientNotAcceptedError
    return kind(error.description)


def _ask_for_basic(response: Response) -> Response:
    response.headers["WWW-Authenticate"] = 'Basic realm="api"'
    return response
