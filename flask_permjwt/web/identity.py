"""Identity: from the request's credential to a principal, once per request, and what views see of it."""

from typing import TYPE_CHECKING, Any, Final, cast

from flask import Request, current_app, request
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
from flask_permjwt.signals import AccessDenied, access_denied
from flask_permjwt.web.responses import http_error
from flask_permjwt.web.state import RequestState, request_state
from flask_permjwt.web.transports import Source

if TYPE_CHECKING:
    from flask_permjwt.accounts.models import UserMixin


_HEADER: Final = Source.HEADER
_current_request: Final = request._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug


def resolve(state: RequestState) -> Principal:
    """Find out who the request acts for; the answer is kept for the rest of the request.

    Whatever is wrong with the credentials, the principal is anonymous and ``state.refusal`` says why.
    """
    principal = state.principal
    return resolve_now(state, _current_request()) if principal is None else principal


def resolve_now(state: RequestState, incoming: Request) -> Principal:
    """Find out who a request acts for that was not asked about before."""
    app = state.app
    tokens = app.tokens
    try:
        principal, token, source = tokens.of(incoming)
    except AuthError as error:
        state.refusal = error
        principal = ANONYMOUS
        if app.settings.cookies:
            state.vary_on("Cookie")
    else:
        state.source = source
        if source is not _HEADER:
            state.vary_on("Cookie")
            if app.settings.cookie_sliding and principal.session_id is not None:
                state.renews = 2 * app.clock() > token.issued_at + token.expires_at
                state.token = token
    for header in tokens.vary:
        state.vary_on(header)
    state.principal = principal
    return principal


def enforce(
    state: RequestState, need: Requirement | Rule, values: Values = NO_VALUES, *, max_age: int | None = None
) -> None:
    """Let the request's principal pass, or end the request.

    Raises:
        HTTPException: 401, 403 or (for malformed credentials) 400, of the class of the error.
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
        raise http_error(refused(state, decision)) from None


def refused(state: RequestState, decision: Denied) -> AuthError:
    """Return why the request ends, after that was written down."""
    refusal = _refusal(state, decision)
    if not isinstance(refusal, RetryLaterError):  # which denies nothing
        _record_denial(state, refusal)
    return refusal


def _refusal(state: RequestState, decision: Denied) -> AuthError:
    if decision.reason is Reason.UNAUTHENTICATED:
        return state.refusal or MissingTokenError()
    if decision.reason is Reason.CLOSED:
        return InsufficientScopeError(description="This view declares no permissions and is closed.")
    if decision.reason is Reason.STALE and decision.max_age is not None:
        return StaleAuthenticationError(decision.max_age)
    return InsufficientScopeError(decision.missing)


def _record_denial(state: RequestState, refusal: AuthError) -> None:
    principal = resolve(state)
    if principal.subject is None and not access_denied.receivers:
        # What a flood of bad tokens costs.
        state.app.recorder.count_denial()
        return
    denial = AccessDenied(
        subject=principal.subject,
        session_id=principal.session_id,
        endpoint=request.endpoint or "",
        method=request.method,
        missing=getattr(refusal, "missing", ()),
        status=refusal.status,
    )
    state.app.recorder.record_denial(denial)


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
    adapter = current_app.create_url_adapter(request)
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
    if subject is None:
        return None
    if state.user is None:
        user = state.app.store.get(subject)
        if user is None or not user.active or (is_ours and user.token_version != principal.claims.get("ver")):
            if not state.enforced:
                return None
            raise http_error(InvalidTokenError("The token's user is no longer active."))
        state.user = user
    return state.user


current_principal = cast("Principal", LocalProxy(_current_principal))
"""Who the current request acts for; anonymous where a public view was called without a valid token."""

current_user = cast("UserMixin", LocalProxy(_current_user))
"""The user's row, loaded on first use; false where no valid token came, or one of another issuer whose subject
stands for no user here.

When the user was deleted or disabled since the token was issued, its first use ends the request with 401 in a
guarded view; in a public one it is false.
"""
