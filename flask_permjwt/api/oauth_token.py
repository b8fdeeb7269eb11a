"""POST /token: tokens for a password, a refresh token or a client's own secret (RFC 6749)."""

from collections.abc import Callable
from typing import Final

from flask import Response, jsonify, request

from flask_permjwt.accounts.issuing import TOO_LONG, IssuedTokens
from flask_permjwt.accounts.names import MAX_TYPED
from flask_permjwt.accounts.passwords import MAX_PASSWORD
from flask_permjwt.accounts.records import ClientMixin
from flask_permjwt.api.describe import FORM, Takes, describe
from flask_permjwt.api.endpoints import ISSUING
from flask_permjwt.api.oauth_client import calling_client
from flask_permjwt.api.oauth_endpoint import REFUSED_TO_CLIENTS, oauth_endpoint
from flask_permjwt.api.oauth_form import Form, read_form
from flask_permjwt.api.oauth_schemas import TokenAnswerSchema, TokenFormSchema, takes_passwords
from flask_permjwt.api.schemas import TokensSchema
from flask_permjwt.errors import (
    EmailNotVerifiedError,
    InvalidCredentialsError,
    InvalidTokenError,
    TokenTooLargeError,
)
from flask_permjwt.oauth_errors import (
    InvalidClientError,
    InvalidFormError,
    InvalidGrantError,
    InvalidScopeError,
    UnauthorizedClientError,
    UnsupportedGrantTypeError,
)
from flask_permjwt.settings import Settings
from flask_permjwt.signals import LoginFailed
from flask_permjwt.tokens.codec import TokenType
from flask_permjwt.web.decorators import public
from flask_permjwt.web.state import AppState, app_state

_Grant = Callable[[AppState, Form, ClientMixin | None], IssuedTokens]


@describe(
    "Get tokens by OAuth 2",
    details="For a password, a refresh token or a client's own secret (RFC 6749).",
    body=TokenFormSchema,
    media_type=FORM,
    answers={200: ("The tokens.", TokenAnswerSchema)},
    errors=(
        *REFUSED_TO_CLIENTS,
        InvalidGrantError,
        UnauthorizedClientError,
        UnsupportedGrantTypeError,
        InvalidScopeError,
        *ISSUING,
    ),
    takes=(Takes.CLIENT, Takes.BODY),
    available=lambda app: app.settings.headers,
    grants_password=lambda app: takes_passwords(app.settings),
)
@public(reason="checks the credentials itself")
@oauth_endpoint
def token() -> Response:
    """POST /token."""
    app, form = app_state(), read_form(request)
    grant = _GRANTS.get(form.need("grant_type"))
    if grant is None or (grant is _password and not app.settings.password_grant):
        raise UnsupportedGrantTypeError
    tokens = None
    try:
        with app.accounts.transaction():
            tokens = grant(app, form, calling_client(app, request, form))
            _check_scope(form, tokens)
    except (InvalidCredentialsError, InvalidTokenError, EmailNotVerifiedError) as error:
        raise InvalidGrantError(error.description) from None
    except TokenTooLargeError:
        if "scope" in form:
            raise InvalidScopeError(TOO_LONG) from None
        raise
    except InvalidScopeError:
        if tokens is not None and grant is _password:
            _record_refusal(app, tokens)
        raise
    app.housekeeping.tidy_up()
    return _answer(app, tokens)


def _check_scope(form: Form, tokens: IssuedTokens) -> None:
    """Undo all, in the transaction that this is called in, where nothing is left of what was asked for."""
    if "scope" in form and not tokens.granted.all:
        raise InvalidScopeError


def _record_refusal(app: AppState, tokens: IssuedTokens) -> None:
    """Write down that a password was right, although nothing came of it: guessing must leave a trace."""
    subject = app.codec.verify(tokens.access_token, TokenType.ACCESS).subject
    with app.accounts.transaction():
        app.recorder.record(LoginFailed(subject=subject, reason="nothing of the scope", method="password"))


def _password(app: AppState, form: Form, client: ClientMixin | None) -> IssuedTokens:
    """Log in (section 4.3): by the same use-case as POST /login, under the same count."""
    _refuse_service_account(client)
    username, password = form.need("username"), form.need("password")
    if len(username) > MAX_TYPED or len(password) > MAX_PASSWORD:
        raise InvalidFormError("The user name or the password is too long.")
    return app.accounts.log_in(
        username,
        password,
        bind_csrf=False,
        user_agent=request.user_agent.string,
        address=request.remote_addr,
        limit=form.scope(),
    )


def _refresh_token(app: AppState, form: Form, client: ClientMixin | None) -> IssuedTokens:
    """Refresh (section 6), as POST /refresh does."""
    _refuse_service_account(client)
    limit = form.scope()
    found = app.codec.decode(form.need("refresh_token"), TokenType.REFRESH, now=app.clock())
    return app.accounts.refresh(found, bind_csrf=False, limit=limit)


def _client_credentials(app: AppState, form: Form, client: ClientMixin | None) -> IssuedTokens:
    """Give a client a token in its own name (section 4.4)."""
    if client is None:
        raise InvalidClientError("This grant type is for clients with a secret.")
    return app.client_access.issue(client, limit=form.scope())


def _refuse_service_account(client: ClientMixin | None) -> None:
    # Where a user's tokens are asked for, it is by our own programs, which have no secret.
    if client is not None:
        raise UnauthorizedClientError


_GRANTS: Final[dict[str, _Grant]] = {
    "password": _password,
    "refresh_token": _refresh_token,
    "client_credentials": _client_credentials,
}


def grant_types(settings: Settings) -> list[str]:
    """Return the kinds of grant that an app offers."""
    return [name for name, grant in _GRANTS.items() if settings.password_grant or grant is not _password]


def _answer(app: AppState, tokens: IssuedTokens) -> Response:
    shown = {
        **TokensSchema().dump(tokens),
        "token_type": app.settings.header_type or "Bearer",
        "scope": tokens.granted.as_scope() or None,
    }
    return jsonify({name: value for name, value in shown.items() if value is not None})
