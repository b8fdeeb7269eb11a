"""Log in, refresh, confirm, log out; one's sessions; and who am I."""

from typing import Any

from flask import Response, jsonify, request

from flask_permjwt.api.answers import MeAnswerSchema, SessionsAnswerSchema, TokensAnswerSchema, UserQuerySchema
from flask_permjwt.api.body import has_body, load_body
from flask_permjwt.api.credentials import presented
from flask_permjwt.api.describe import Takes, describe
from flask_permjwt.api.endpoints import (
    ISSUING,
    PROVING,
    committed,
    deliver,
    endpoint,
    in_session,
    own_user,
    paths,
    refuse_narrowed,
)
from flask_permjwt.api.former import log_out_former, refresh_former
from flask_permjwt.api.schemas import (
    ConfirmSchema,
    LoginSchema,
    LogoutAllSchema,
    MeSchema,
    RefreshTokenSchema,
    SessionSchema,
)
from flask_permjwt.errors import (
    InsufficientScopeError,
    InvalidBodyError,
    InvalidRequestError,
    InvalidTokenError,
    UnknownSessionError,
    UnknownUserError,
)
from flask_permjwt.tokens.codec import TokenType
from flask_permjwt.web.decorators import public, requires_login
from flask_permjwt.web.identity import check_permissions, current_principal, current_user, has_permissions
from flask_permjwt.web.state import AppState, app_state, request_state
from flask_permjwt.web.transports import Source

MANAGE = "permjwt:sessions:manage"
"""The permission to list and end other people's sessions."""


@describe(
    "Log in with user name and password",
    details="The user name may be the e-mail address.",
    body=LoginSchema,
    answers={200: ("The tokens, or cookies that hold them.", TokensAnswerSchema)},
    errors=(*PROVING, *ISSUING),
)
@public(reason="logs in with a password")
@endpoint
def log_in() -> Response:
    """POST /login."""
    app = app_state()
    response = _log_in()
    app.housekeeping.tidy_up()
    return response


@committed
def _log_in() -> Response:
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
    return deliver(app, tokens, cookie=cookie)


@describe(
    "Get new tokens for a refresh token",
    details="The refresh token comes in the header, in the body or in its cookie, and is used up.",
    body=RefreshTokenSchema,
    optional=True,
    answers={200: ("New tokens, in the way the old one came.", TokensAnswerSchema)},
    errors=(InvalidTokenError, *ISSUING),
    takes=(Takes.REFRESH, Takes.BODY),
)
@public(reason="checks the refresh token itself")
@endpoint
def refresh() -> Response:
    """POST /refresh."""
    app = app_state()
    response = _refresh()
    app.housekeeping.tidy_up()
    return response


@committed
def _refresh() -> Response:
    app = app_state()
    if (answer := refresh_former(app)) is not None:
        return answer
    token, source = presented(app, request, TokenType.REFRESH)
    if source is Source.BODY and not app.settings.headers:
        raise InvalidRequestError("This API gives tokens in cookies only.")
    cookie = source is Source.COOKIE
    return deliver(app, app.accounts.refresh(token, bind_csrf=cookie), cookie=cookie)


@describe(
    "Confirm the password",
    details="The new access token opens what asks for a recent proof of who one is (RFC 9470).",
    body=ConfirmSchema,
    answers={200: ("A new access token, in the way the old one came.", TokensAnswerSchema)},
    errors=(*PROVING, *ISSUING),
)
@requires_login
@endpoint
@in_session
@committed
def confirm() -> Response:
    """POST /confirm."""
    app = app_state()
    body = load_body(request, ConfirmSchema())
    cookie = request_state().source is Source.COOKIE
    tokens = app.accounts.confirm(
        current_principal, current_user, body["password"], bind_csrf=cookie, address=request.remote_addr
    )
    return deliver(app, tokens, cookie=cookie)


@describe(
    "Log out",
    details="Ends the session of a token, and deletes the cookies.",
    body=RefreshTokenSchema,
    optional=True,
    answers={204: "The session has ended."},
    errors=(InvalidTokenError,),
    takes=(Takes.ACCESS, Takes.REFRESH, Takes.BODY),
)
@public(reason="checks the token itself, also a refresh token")
@endpoint
@committed
def log_out() -> Response:
    """POST /logout."""
    app = app_state()
    if (answer := log_out_former(app)) is not None:
        return answer
    token, source = presented(app, request, TokenType.ACCESS, TokenType.REFRESH)
    app.accounts.log_out(token)
    response = Response(status=204)
    # Cookies that came beside a token in the header may be of another session, which goes on.
    if source is Source.COOKIE or not app.transport.brings_cookies(request):
        app.transport.clear_cookies(response, *paths())
    return response


@describe(
    "End all sessions of a user",
    details=f"Those of somebody else with `{MANAGE}`.",
    body=LogoutAllSchema,
    optional=True,
    answers={204: "The sessions have ended."},
    errors=(InsufficientScopeError, UnknownUserError),
)
@requires_login
@endpoint
@in_session
@committed
def log_out_everywhere() -> Response:
    """POST /logout-all."""
    app = app_state()
    body = load_body(request, LogoutAllSchema()) if has_body(request) else {}
    _check_session(app)
    subject = _whose(app, body.get("user"))
    mine = subject == current_principal.subject
    keep = current_principal.session_id if mine and body.get("keep_current") else None
    app.accounts.log_out_everywhere(subject, keep=keep)
    response = Response(status=204)
    if mine and keep is None:
        app.transport.clear_cookies(response, *paths())
    return response


@describe(
    "List the sessions of a user",
    details=f"Those of somebody else with `{MANAGE}`.",
    query=UserQuerySchema,
    answers={200: ("The sessions.", SessionsAnswerSchema)},
    errors=(InsufficientScopeError, UnknownUserError),
)
@requires_login
@endpoint
@in_session
@committed
def list_sessions() -> Response:
    """GET /sessions."""
    app = app_state()
    _check_session(app)
    found = app.accounts.sessions(_whose(app, request.args.get("user")))
    shown: list[dict[str, Any]] = SessionSchema(many=True).dump(found)
    for one in shown:
        one["current"] = one["id"] == current_principal.session_id
    return jsonify({"sessions": shown})


@describe(
    "End a session",
    details=f"That of somebody else with `{MANAGE}`.",
    answers={204: "The session has ended."},
    errors=(UnknownSessionError,),
)
@requires_login
@endpoint
@in_session
@committed
def end_session() -> Response:
    """DELETE /sessions/<session_id>."""
    app = app_state()
    _check_session(app)
    session_id = (request.view_args or {})["session_id"]
    owner = None if has_permissions(MANAGE) else current_principal.subject
    app.accounts.end_session(session_id, owner=owner)
    response = Response(status=204)
    if session_id == current_principal.session_id:
        app.transport.clear_cookies(response, *paths(depth=2))
    return response


@describe("Show the user who asks", answers={200: ("The user.", MeAnswerSchema)})
@requires_login
@endpoint
def me() -> Response:
    """GET /me."""
    shown: dict[str, Any] = MeSchema().dump(own_user())
    shown["roles"] = sorted(current_principal.roles)
    shown["permissions"] = sorted(current_principal.permissions)
    return jsonify(shown)


def _whose(app: AppState, user: str | None) -> str:
    """Return the public id of the user who is meant: oneself, unless an administrator names another.

    Raises:
        UnknownUserError: there is nobody with this name, e-mail address or id.
    """
    subject = current_principal.subject
    assert subject is not None  # noqa: S101  # guarded
    if user is None:
        return subject
    check_permissions(MANAGE)
    found = app.store.get(user) or app.store.find(user)
    if found is None:
        raise UnknownUserError
    return str(found.public_id)


def _check_session(app: AppState) -> None:
    """Check that the session which asks is living, and was not narrowed to something else than sessions.

    Raises:
        InvalidTokenError: 401, it has ended.
        InsufficientScopeError: 403, it was narrowed: what it was made for touches no other session.
    """
    if not app.accounts.is_living(current_principal):
        raise InvalidTokenError("The session has ended.")
    if not has_permissions(MANAGE):
        refuse_narrowed()


def _by_cookie(app: AppState, delivery: str | None) -> bool:
    cookie = delivery == "cookie" if delivery else not app.settings.headers
    if not (app.settings.cookies if cookie else app.settings.headers):
        raise InvalidBodyError({"delivery": ["This API does not take tokens that way."]})
    return cookie
