"""The hook: before every request, what the policy table says about it is enforced."""

from collections.abc import Callable

from flask import Flask, Request, Response, request

from flask_permjwt.policy.decision import GRANTED, decide
from flask_permjwt.policy.principal import Principal
from flask_permjwt.policy.requirements import NO_VALUES
from flask_permjwt.web.identity import refuse, resolve, routed_values
from flask_permjwt.web.state import REQUEST_KEY, RequestState, app_state


def make_hook(app: Flask) -> Callable[[], None]:
    """Make the function that runs before every request of an app, with everything at hand that it needs.

    It enforces what the requested view and method need. An unknown route stays 404 and a wrong method 405.
    Flask's automatic answer to OPTIONS (a CORS preflight) is let through; a view that handles OPTIONS itself is
    guarded as for any method.
    """
    state_of_app = app_state(app)
    table, clock = state_of_app.table, state_of_app.clock
    current_request = request._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug

    def enforce_request() -> None:
        incoming: Request = current_request()
        rule = incoming.url_rule
        if rule is None:
            return
        method = incoming.method
        if method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return
        attributes = incoming.__dict__
        state: RequestState | None = attributes.get(REQUEST_KEY)
        if state is None:
            state = attributes[REQUEST_KEY] = RequestState(state_of_app)
        entry = state.entry = table.entry(rule.endpoint, method)
        if entry.fills and not table.values_may_change:
            state.routed = dict(incoming.view_args or {})
        need = entry.need
        if need is None:
            return
        values = routed_values(state) if entry.fills else NO_VALUES
        now = 0 if entry.max_age is None else clock()
        decision = decide(resolve(state), need, values, entry.max_age, now)
        if decision is not GRANTED:
            refuse(state, decision)
        state.enforced = True

    return enforce_request


def finish_response(response: Response) -> Response:
    """Renew the access cookie where that is due, and tell caches what the response depends on.

    Vary is RFC 9110 section 12.5.5.
    """
    incoming = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug
    state: RequestState | None = incoming.__dict__.get(REQUEST_KEY)
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
    app.before_request_funcs.setdefault(None, []).insert(0, make_hook(app))
    app.after_request_funcs.setdefault(None, []).insert(0, finish_response)
