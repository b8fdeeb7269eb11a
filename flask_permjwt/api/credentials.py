"""Finding the token that refresh and logout are about: header, JSON body or cookie."""

from flask import Request

from flask_permjwt.api.body import has_body, load_body
from flask_permjwt.api.schemas import RefreshTokenSchema
from flask_permjwt.errors import (
    AuthError,
    InvalidRequestError,
    InvalidTokenError,
    MissingTokenError,
)
from flask_permjwt.tokens.codec import TokenType, VerifiedToken
from flask_permjwt.web.presented import check_csrf
from flask_permjwt.web.state import AppState, request_state
from flask_permjwt.web.transports import Credential, Source


def presented(app: AppState, request: Request, *accepted: TokenType) -> tuple[VerifiedToken, Source]:
    """Return the token that a request presents, verified, and where it was found.

    What is sent on purpose (header or body) wins over cookies, which browsers send by themselves.

    Args:
        app: the app's state.
        request: the current request.
        accepted: the token types that will do.

    Raises:
        MissingTokenError: 401, there is none.
        InvalidTokenError: 401, it is not acceptable.
        CsrfError: 401, it came as a cookie without its CSRF value.
        InvalidRequestError: 400, it came in two ways at once (RFC 6750 section 2), or malformed.
    """
    given = app.transport.from_header(request)
    if has_body(request):
        body = load_body(request, RefreshTokenSchema())
        if given is not None and body:
            raise InvalidRequestError("The token must come in the header or in the body, not in both.")
        if body:
            given = Credential(body["refresh_token"], Source.BODY)
    if given is not None:
        kinds = accepted if given.source is Source.HEADER else (TokenType.REFRESH,)
        token = app.codec.decode(given.token, *kinds, now=app.clock())
        if token.principal.client_id is not None:
            raise InvalidTokenError("This token belongs to no session.")
        return token, given.source
    return _from_cookies(app, request, accepted), Source.COOKIE


def _from_cookies(app: AppState, request: Request, accepted: tuple[TokenType, ...]) -> VerifiedToken:
    """Try each cookie in turn: an access cookie that ran out must not hide a good refresh cookie."""
    refusal: AuthError = MissingTokenError("A token is needed: in the header, in the body or in a cookie.")
    if app.settings.cookies:
        request_state().depends_on(("Cookie",))
    found = {
        TokenType.ACCESS: app.transport.from_access_cookie,
        TokenType.REFRESH: app.transport.from_refresh_cookie,
    }
    for kind in accepted:
        credential = found[kind](request)
        if credential is None:
            continue
        try:
            token = app.codec.decode(credential.token, kind, now=app.clock())
            check_csrf(app.transport, request, token)
        except AuthError as error:
            refusal = error
            continue
        return token
    raise refusal
