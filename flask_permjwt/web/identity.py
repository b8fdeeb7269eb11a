"""Identity: from the request's credential to a principal, once per request, and what views see of it."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Flask, Request, current_app, request
from werkzeug.local import LocalProxy

from flask_permjwt.errors import (
    AuthError,
    InsufficientScopeError,
    InvalidTokenError,
    MissingTokenError,
    RetryLaterError,
    StaleAuthenticationError,
)
from flask_permjwt.policy.decision import GRANTED, Decision, Denied, Reason, Rule, decide
from flask_permjwt.policy.principal import ANONYMOUS, Principal
from flask_permjwt.policy.requirements import NO_VALUES, Requirement, Values, all_of
from flask_permjwt.web.connections import ending, is_live, principal_of
from flask_permjwt.web.responses import http_error
from flask_permjwt.web.state import CONTEXT, RequestState, request_state
from flask_permjwt.web.transports import Source

if TYPE_CHECKING:
    from flask_permjwt.accounts.models import UserMixin


_HEADER: Final = Source.HEADER
_TICKET: Final = Source.TICKET
_current_request: Final = request._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug


def resolve(state: RequestState) -> Principal:
    """Find out who the request acts for; the answer is kept for the rest of the request.

    That of a connection which lives on is asked for anew. Whatever is wrong with the credentials, the principal is
    anonymous and ``state.refusal`` says why.
    """
    principal = state.principal
    if principal is None:
        incoming = _current_request()
        with _at_home():
            principal = principal_of(state, incoming) if is_live(incoming) else resolve_now(state, incoming)
    return principal


def _at_home() -> AbstractContextManager[object]:
    """Return a context in which the current app is the one that serves the request.

    A view may push a context of another app: the database that is asked there is that one's.
    """
    app: Flask = CONTEXT.get().app
    return nullcontext() if current_app._get_current_object() is app else app.app_context()  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug


def resolve_now(state: RequestState, incoming: Request) -> Principal:
    """Find out who a request acts for that was not asked about before."""
    app = state.app
    tokens = app.tokens
    try:
        principal, token, source = tokens.of(incoming)
    except AuthError as error:
        # With its traceback it would hold the frame that holds it, until the garbage is collected.
        state.refusal = error.with_traceback(None)
        principal, by_cookie = ANONYMOUS, app.transport.takes_cookies
    else:
        state.source = source
        by_cookie = source is not _HEADER
        if by_cookie:
            if source is _TICKET:
                state.token = token
            elif app.settings.cookie_sliding and principal.session_id is not None:
                state.renews = 2 * app.clock() > token.issued_at + token.expires_at
                state.token = token
    found = tokens.vary_with_cookies if by_cookie else tokens.vary
    if found:
        state.depends_on(found)
    state.principal = principal
    return principal


def enforce(
    state: RequestState, need: Requirement | Rule, values: Values = NO_VALUES, *, max_age: int | None = None
) -> None:
    """Let the request's principal pass, or end the request.

    Raises:
        HTTPException: 401, 403 or (for malformed credentials) 400, of the class of the error. In a connection,
            what its library takes for its end.
    """
    now = 0 if max_age is None else state.app.clock()
    decision = decide(resolve(state), need, values, max_age, now)
    if decision is not GRANTED:
        refuse(state, decision)
    state.enforced = True


def refuse(state: RequestState, decision: Decision) -> None:
    """End the request, unless it is granted.

    Raises:
        HTTPException: as ``enforce``.
    """
    if isinstance(decision, Denied):
        error, incoming = refused(state, decision), _current_request()
        raise (ending(incoming, error) if is_live(incoming) else http_error(error)) from None


def refused(state: RequestState, decision: Denied) -> AuthError:
    """Return why the request ends, after that was written down."""
    refusal = _refusal(state, decision)
    if not isinstance(refusal, RetryLaterError):  # which denies nothing
        state.app.note_denial(state, resolve(state), refusal)
    return refusal


def _refusal(state: RequestState, decision: Denied) -> AuthError:
    if decision.reason is Reason.UNAUTHENTICATED:
        return state.refusal or MissingTokenError()
    if decision.reason is Reason.CLOSED:
        return InsufficientScopeError(description="This view declares no permissions and is closed.")
    if decision.reason is Reason.STALE and decision.max_age is not None:
        return StaleAuthenticationError(decision.max_age)
    return InsufficientScopeError(decision.missing)


def check_permissions(*permissions: object, **values: object) -> None:
    """Need all these permissions from here on; call it inside a view.

    Args:
        permissions: strings, string enum members, ``any_of`` or ``all_of`` groups.
        values: what templates such as ``"project:{project_id}:edit"`` are filled with. Names not given here
            are taken from the arguments that routing matched.

    Raises:
        HTTPException: 401 or 403, of the class of the error.
        PermissionSyntaxError: there is no permission, or one is not written as the grammar asks.
    """
    requirement = all_of(*permissions)
    enforce(request_state(), requirement, _values(requirement, values))


def has_permissions(*permissions: object, **values: object) -> bool:
    """Tell whether the request's principal has all these permissions; False for an anonymous one.

    Takes what ``check_permissions`` takes.

    Raises:
        PermissionSyntaxError: there is no permission, or one is not written as the grammar asks.
    """
    requirement = all_of(*permissions)
    principal = resolve(request_state())
    return not isinstance(decide(principal, requirement, _values(requirement, values)), Denied)


def _values(requirement: Requirement, given: Values) -> Values:
    return {**routed_values(request_state()), **given} if requirement.fields else NO_VALUES


def routed_values(state: RequestState) -> Values:
    """Return the view's arguments as routing matched them, whatever a preprocessor took away since."""
    if state.routed is None:
        state.routed = _match_again()
    return state.routed


def _match_again() -> Values:
    adapter = CONTEXT.get().app.create_url_adapter(request)  # current_app may be another, as in request_state
    if adapter is None or request.url_rule is None:
        return NO_VALUES
    rule, values = adapter.match(return_rule=True)
    return values if rule is request.url_rule else NO_VALUES


def _current_principal() -> Principal:
    return resolve(request_state())


def _current_user() -> Any:
    state = request_state()
    principal = resolve(state)
    is_ours = principal.issuer is None
    subject = principal.subject if is_ours else principal.local_user
    if subject is None or principal.client_id is not None:
        return None
    if state.user is None or state.principal is None:  # that of a connection may have changed
        with _at_home():
            user = state.app.store.get(subject)
        if user is None or not user.active or (is_ours and user.token_version != principal.claims.get("ver")):
            if not state.enforced:
                return None
            error, incoming = InvalidTokenError("The token's user is no longer active."), _current_request()
            raise ending(incoming, error) if is_live(incoming) else http_error(error)
        state.user = user
    return state.user


current_principal = cast("Principal", LocalProxy(_current_principal))
"""Who the current request acts for; anonymous where a public view was called without a valid token."""

current_user = cast("UserMixin", LocalProxy(_current_user))
"""The user's row, loaded on first use; false where no valid token came, one of a client, or one of another issuer
whose subject stands for no user here.

When the user was deleted or disabled since the token was issued, its first use ends the request with 401 in a
guarded view; in a public one it is false.
"""
