"""The hook: before every request, what the policy table says about it is enforced."""

from flask import Flask, Response, request

from flask_permjwt.policy.decision import Rule
from flask_permjwt.policy.principal import Principal
from flask_permjwt.policy.requirements import NO_VALUES
from flask_permjwt.web.identity import enforce, routed_values
from flask_permjwt.web.state import REQUEST_KEY, RequestState, request_state


def enforce_request() -> None:
    """Enforce what the requested view and method need.

    An unknown route stays 404 and a wrong method 405. Flask's automatic answer to OPTIONS (a CORS preflight)
    is let through; a view that handles OPTIONS itself is guarded as for any method.

    Raises:
        HTTPException: 401, 403 or (for malformed credentials) 400, of the class of the error.
        ConfigurationError: the declarations of the app contradict each other; it refuses to serve.
    """
    rule = request.url_rule
    if rule is None:
        return
    method = request.method
    if method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
        return
    state = request_state()
    if not state.app.table.values_may_change:
        state.routed = dict(request.view_args or {})
    entry = state.entry = state.app.table.entry(rule.endpoint, method)
    need = entry.need
    if need is None:
        return
    fields = not isinstance(need, Rule) and need.fields
    enforce(state, need, routed_values(state) if fields else NO_VALUES, max_age=entry.max_age)


def finish_response(response: Response) -> Response:
    """Renew the access cookie where that is due, and tell caches what the response depends on.

    Vary is RFC 9110 section 12.5.5.
    """
    state: RequestState | None = request.__dict__.get(REQUEST_KEY)
    if state is not None:
        if state.renews and state.principal is not None:
            _renew(response, state, state.principal)
        for header in state.vary:
            response.vary.add(header)
    return response


def _renew(response: Response, state: RequestState, principal: Principal) -> None:
    app = state.app
    if app.transport.sets_access_cookie(response):
        return
    tokens = app.accounts.renew(principal)
    if tokens is not None:
        app.transport.attach_cookies(response, tokens, request.script_root, "")
        # No cache may give one user's cookie to another (RFC 9111 section 7.3).
        response.headers["Cache-Control"] = "no-store"


def register_hook(app: Flask) -> None:
    """Run before any other before-request function, and after any other after-request function."""
    app.before_request_funcs.setdefault(None, []).insert(0, enforce_request)
    app.after_request_funcs.setdefault(None, []).insert(0, finish_response)
