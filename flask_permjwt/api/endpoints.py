"""What all endpoints share: errors become responses, work is committed, tokens are delivered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Final

from flask import Response, jsonify, request

from flask_permjwt.accounts.issuing import IssuedTokens
from flask_permjwt.accounts.models import UserMixin
from flask_permjwt.accounts.self_service import SelfService
from flask_permjwt.api.describe import may_raise
from flask_permjwt.api.schemas import TokensSchema
from flask_permjwt.errors import (
    AuthError,
    BusyError,
    EmailNotVerifiedError,
    FeatureOffError,
    InsufficientScopeError,
    InvalidBodyError,
    InvalidCredentialsError,
    InvalidNameError,
    InvalidTokenError,
    NoSigningKeyError,
    ThrottledError,
    WeakPasswordError,
)
from flask_permjwt.tokens.claims import SCOPE
from flask_permjwt.web.identity import current_principal, current_user
from flask_permjwt.web.responses import http_error
from flask_permjwt.web.state import AppState, app_state

PROVING: Final = (InvalidCredentialsError, EmailNotVerifiedError, ThrottledError, BusyError)
"""What may go wrong where a password is checked, for descriptions."""

ISSUING: Final = (NoSigningKeyError,)
"""What may go wrong where tokens are issued, likewise."""


def endpoint(view: Callable[[], Response]) -> Callable[..., Response]:
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


def committed(view: Callable[[], Response]) -> Callable[[], Response]:
    """Commit what the use-case did, refusals of credentials included."""

    @wraps(view)
    def commit() -> Response:
        with app_state().accounts.transaction():
            return view()

    return commit


def in_session(view: Callable[[], Response]) -> Callable[[], Response]:
    """Refuse personal access tokens: what ends sessions or begins them needs somebody who logged in."""

    @wraps(view)
    def check() -> Response:
        if current_principal.is_personal:
            raise InsufficientScopeError(description="A personal access token cannot do this: log in.")
        return view()

    return may_raise(check, InsufficientScopeError)


def in_full_session(view: Callable[[], Response]) -> Callable[[], Response]:
    """Refuse narrowed tokens too: with what this gives, they could do more than they were made for."""

    @wraps(view)
    def check() -> Response:
        refuse_narrowed()
        return view()

    return in_session(check)


def refuse_narrowed() -> None:
    """Refuse a narrowed token.

    Raises:
        InsufficientScopeError: it came with one.
    """
    if current_principal.issuer is None and SCOPE in current_principal.claims:
        raise InsufficientScopeError(description="A narrowed token cannot do this: log in.")


def self_service() -> SelfService:
    """Return the use-cases of the app that change users.

    Raises:
        FeatureOffError: 404, the app keeps its users elsewhere, in a store that takes no changes.
    """
    service = app_state().self_service
    if service is None:
        raise FeatureOffError
    return service


def own_user() -> UserMixin:
    """Return the user who asks.

    Raises:
        InvalidTokenError: 401, a token of another issuer stands for no user here.
    """
    if not current_user:
        raise InvalidTokenError("The token's subject has no account here.")
    return current_user


@contextmanager
def field(name: str) -> Iterator[None]:
    """Say in which field it was when a new password or a name is refused."""
    try:
        yield
    except (WeakPasswordError, InvalidNameError) as error:
        raise InvalidBodyError({name: [error.description]}) from None


FRESH: Final = 5 * 60
"""Seconds within which whoever changes how an account is reached must have proved who they are."""


def deliver(app: AppState, tokens: IssuedTokens, *, cookie: bool, depth: int = 1) -> Response:
    """Answer with tokens, in the body or in cookies.

    Args:
        app: the app's state.
        tokens: what was issued.
        cookie: in cookies.
        depth: how many segments the endpoint's own path has.
    """
    hidden = ("access_token", "refresh_token") if cookie else ()
    shown = TokensSchema(exclude=hidden).dump(tokens)
    found = {name: value for name, value in shown.items() if value is not None}
    response = jsonify({**found, "token_type": app.settings.header_type or "Bearer"})
    if cookie:
        app.transport.attach_cookies(response, tokens, *paths(depth))
    return response


def paths(depth: int = 1) -> tuple[str, str]:
    """Return the path of the app and that of this blueprint, as the browser sees them.

    Args:
        depth: how many segments the endpoint's own path has.
    """
    root = request.script_root
    return root, root + request.path.rsplit("/", depth)[0]
