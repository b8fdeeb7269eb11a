"""The hook: before every request, what the policy table says about it is enforced."""

from collections.abc import Callable

from flask import Flask, Request, Response

from flask_permjwt.policy.decision import Denied, decide
from flask_permjwt.policy.requirements import NO_VALUES
from flask_permjwt.web.connections import principal_of
from flask_permjwt.web.finish import Finisher
from flask_permjwt.web.identity import refused, resolve_now, routed_values
from flask_permjwt.web.refusals import Refusals
from flask_permjwt.web.responses import http_error
from flask_permjwt.web.state import AFTER_KEY, CONTEXT, REQUEST_KEY, RequestState, app_state


def make_hook(  # noqa: C901  # every request pays for a call
    app: Flask, finisher: Finisher
) -> Callable[[], Response | None]:
    """Make the function that runs before every request of an app, with everything at hand that it needs.

    It enforces what the requested view and method need. An unknown route stays 404 and a wrong method 405.
    Flask's automatic answer to OPTIONS (a CORS preflight) is let through; a view that handles OPTIONS itself is
    guarded as for any method.
    """
    state_of_app = app_state(app)
    table, clock, refusals = state_of_app.table, state_of_app.clock, Refusals(app)
    context_of_request = CONTEXT.get

    def enforce_request() -> Response | None:  # noqa: C901, PLR0912  # as above
        context = context_of_request()
        incoming: Request = context.request
        if not finisher.is_prepared:
            finisher.prepare()
        rule = incoming.url_rule
        if rule is None:
            return None
        method = incoming.method
        if method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return None
        entry = table.entry(rule.endpoint, method)
        need, attributes = entry.need, incoming.__dict__
        state: RequestState | None = attributes.get(REQUEST_KEY)
        if need is None:  # who it acts for may first be asked in a thread, as run_after_request tells
            attributes[AFTER_KEY] = context._after_request_functions  # noqa: SLF001  # likewise
        if state is None:
            if need is None and not entry.wrappers and not entry.fills:
                return None
            state = attributes[REQUEST_KEY] = RequestState(state_of_app)
        state.entry = entry
        if entry.fills and not table.values_may_change:
            state.routed = dict(incoming.view_args or {})
        if need is None:
            state.decided = entry.wrappers
            return None
        principal = state.principal
        if principal is None:
            principal = resolve_now(state, incoming)
        exact = entry.exact
        if exact is None or principal.subject is None or not exact <= principal.grants.exact:
            if entry.is_live and principal.subject is not None:
                principal = principal_of(state, incoming)
                state.principal = None  # what holds for this moment is not kept for the life of a connection
            values = routed_values(state) if entry.fills else NO_VALUES
            now = 0 if entry.max_age is None else clock()
            decision = decide(principal, need, values, entry.max_age, now)
            if isinstance(decision, Denied):
                error = refused(state, decision)
                response = refusals.response(error, state.vary)
                if response is None:
                    if state.vary:
                        state.finish_later(incoming)
                    raise http_error(error) from None
                return response
        if state.vary:
            state.finish_later(incoming)
        state.enforced = True
        state.decided = entry.wrappers
        return None

    return enforce_request


def register_hook(app: Flask, finisher: Finisher) -> None:
    """Run before any other before-request function."""
    app.before_request_funcs.setdefault(None, []).insert(0, make_hook(app, finisher))
