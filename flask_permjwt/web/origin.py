"""Origin: where what is being written down came from, and who in this process is told of it, and when."""

from collections.abc import Callable

from flask import appcontext_tearing_down, current_app, has_app_context, has_request_context, request

from flask_permjwt.accounts.audit import Origin
from flask_permjwt.accounts.feeds.freshness import Freshness
from flask_permjwt.web.state import EXTENSION, REQUEST_KEY, AppState


def current_origin() -> Origin:
    """Return who acts and from where; outside a request, nobody is known."""
    app = current_app._get_current_object() if has_app_context() else None  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Flask
    state = None if app is None else app.extensions.get(EXTENSION)
    audit = state is None or state.settings.audit
    if not has_request_context():
        return Origin(sender=app, actor=None, address=None, user_agent=None, audit=audit)
    # Only if it is known already: finding out could refuse the request.
    known = request.__dict__.get(REQUEST_KEY)
    principal = None if known is None else known.principal
    return Origin(
        sender=app,
        actor=None if principal is None else principal.subject,
        address=request.remote_addr,
        user_agent=request.user_agent.string or None,
        audit=audit,
    )


def current_freshness() -> Freshness | None:
    """Return what the current app knows of revocations."""
    state = current_app.extensions.get(EXTENSION) if has_app_context() else None
    return state.freshness if isinstance(state, AppState) else None


def at_end_of_context(function: Callable[..., None]) -> None:
    """Call a function at the end of this app context, when its ``db.session`` was removed, and of all later ones.

    Flask calls teardown functions for every request: this costs those that came before nothing.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Flask
    appcontext_tearing_down.connect(function, sender=app)
