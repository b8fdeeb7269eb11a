"""The hook: before every request, what the policy table says about it is enforced."""

from collections.abc import Callable

from flask import Flask, Request, Response

from flask_permjwt.policy.decision import Denied, decide
from flask_permjwt.policy.requirements import NO_VALUES
from flask_permjwt.web.connections import principal_of
from flask_permjwt.web.identity import refused, resolve_now, routed_values
from flask_permjwt.web.marks import DECLARED
from flask_permjwt.web.plain import spare_the_look
from flask_permjwt.web.refusals import Refusals
from flask_permjwt.web.responses import http_error
from flask_permjwt.web.state import CONTEXT, REQUEST_KEY, AppState, RequestState


def make_hook(  # noqa: C901  # every request pays for a call
    app: Flask, app_state: AppState
) -> Callable[[], Response | None]:
    """Make the function that runs before every request of an app, with everything at hand that it needs.

    It enforces what the requested view and method need. An unknown route stays 404 and a wrong method 405.
    Flask's automatic answer to OPTIONS (a CORS preflight) is let through; a view that handles OPTIONS itself is
    guarded as for any method.
    """
    table, clock, refusals = app_state.table, app_state.clock, Refusals(app)
    context_of_request = CONTEXT.get

    def enforce_request() -> Response | None:  # noqa: C901, PLR0912  # as above
        incoming: Request = context_of_request().request
        rule = incoming.url_rule
        if rule is None:
            return None
        method = incoming.method
        if method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return None
        endpoint = rule.endpoint
        # The count first: entries that are compiled anew in between are good for it too.
        entry = table.entries.get((endpoint, method)) if table.compiled_at == DECLARED[0] else None
        if entry is None or entry.view is not app.view_functions.get(endpoint):
            entry = table.entry(endpoint, method)
        attributes = incoming.__dict__
        state: RequestState | None = attributes.get(REQUEST_KEY)
        if state is None:
            if entry.is_open:
                return None
            state = RequestState()
            state.app = app_state
            attributes[REQUEST_KEY] = state
        state.entry = entry
        if entry.fills and not table.values_may_change:
            state.routed = dict(incoming.view_args or {})
        need = entry.need
        if need is None:
            state.decided = entry.wrappers
            return None
        principal = state.principal
        if principal is None:
            principal = app_state.tokens.known(state, incoming)
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
                response = refusals.response(error)
                if response is None:
                    raise http_error(error) from None
                return response
        state.enforced = True
        state.decided = entry.wrappers
        return None

    return enforce_request


def register_hook(app: Flask, app_state: AppState) -> None:
    """Run before any other before-request function."""
    hook = make_hook(app, app_state)
    app.before_request_funcs.setdefault(None, []).insert(0, hook)
    app_state.table.plain.add(hook)
    spare_the_look(app, app_state.table.plain)
