"""The login blueprint: log in, refresh, log out, and who am I."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, jsonify, request

from flask_permjwt.accounts.service import IssuedTokens
from flask_permjwt.api.body import load_body
from flask_permjwt.api.credentials import presented
from flask_permjwt.api.schemas import LoginSchema, MeSchema, TokensSchema
from flask_permjwt.errors import AuthError, InvalidBodyError, InvalidRequestError
from flask_permjwt.tokens.codec import TokenType
from flask_permjwt.web.decorators import public, requires_login
from flask_permjwt.web.identity import current_principal, current_user
from flask_permjwt.web.responses import http_error
from flask_permjwt.web.state import AppState, app_state
from flask_permjwt.web.transports import Source


def _endpoint(view: Callable[[], Response]) -> Callable[..., Response]:
    """Turn errors into responses, and keep answers out of every cache (RFC 6749 section 5.1)."""

    @wraps(view)
    def answer(**_: object) -> Response:  # the app's prefix may hold arguments, which are none of ours
        try:
            response = view()
        except AuthError as error:
            raise http_error(error) from None
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


def _committed(view: Callable[[], Response]) -> Callable[[], Response]:
    """Commit what the use-case did, refusals included."""

    @wraps(view)
    def commit() -> Response:
        with app_state().accounts.transaction():
            return view()

    return commit


@public(reason="logs in with a password")
@_endpoint
@_committed
def log_in() -> Response:
    """POST /login."""
    app = app_state()
    body = load_body(request, LoginSchema())
    cookie = _by_cookie(app, body.get("delivery"))
    tokens = app.accounts.log_in(
        body["username"],
        body["password"],
        bind_csrf=cookie,
        user_agent=request.user_agent.string,
        address=request.remote_addr,
    )
    return _deliver(app, tokens, cookie=cookie)


@public(reason="checks the refresh token itself")
@_endpoint
@_committed
def refresh() -> Response:
    """POST /refresh."""
    app = app_state()
    token, source = presented(app, request, TokenType.REFRESH)
    if source is Source.BODY and not app.settings.headers:
        raise InvalidRequestError("This API gives tokens in cookies only.")
    cookie = source is Source.COOKIE
    return _deliver(app, app.accounts.refresh(token, bind_csrf=cookie), cookie=cookie)


@public(reason="checks the token itself, also a refresh token")
@_endpoint
@_committed
def log_out() -> Response:
    """POST /logout."""
    app = app_state()
    token, _ = presented(app, request, TokenType.ACCESS, TokenType.REFRESH)
    app.accounts.log_out(token)
    response = Response(status=204)
    app.transport.clear_cookies(response, *_paths())
    return response


@requires_login
@_endpoint
def me() -> Response:
    """GET /me."""
    shown: dict[str, Any] = MeSchema().dump(current_user)
    shown["roles"] = sorted(current_principal.roles)
    shown["permissions"] = sorted(current_principal.permissions)
    return jsonify(shown)


def _by_cookie(app: AppState, delivery: str | None) -> bool:
    cookie = delivery == "cookie" if delivery else not app.settings.headers
    if not (app.settings.cookies if cookie else app.settings.headers):
        raise InvalidBodyError({"delivery": ["This API does not take tokens that way."]})
    return cookie


def _deliver(app: AppState, tokens: IssuedTokens, *, cookie: bool) -> Response:
    shown = TokensSchema(exclude=("access_token", "refresh_token") if cookie else ()).dump(tokens)
    response = jsonify({**shown, "token_type": app.settings.header_type or "Bearer"})
    if cookie:
        app.transport.attach_cookies(response, tokens, *_paths())
    return response


def _paths() -> tuple[str, str]:
    """Return the path of the app and that of this blueprint, as the browser sees them."""
    root = request.script_root
    return root, root + request.path.rpartition("/")[0]


def make_auth_blueprint() -> Blueprint:
    """Make the blueprint; the app mounts it under a prefix of its choice."""
    blueprint = Blueprint("permjwt_auth", __name__)
    blueprint.add_url_rule("/login", view_func=log_in, endpoint="login", methods=["POST"])
    blueprint.add_url_rule("/refresh", view_func=refresh, endpoint="refresh", methods=["POST"])
    blueprint.add_url_rule("/logout", view_func=log_out, endpoint="logout", methods=["POST"])
    blueprint.add_url_rule("/me", view_func=me, endpoint="me", methods=["GET"])
    return blueprint
