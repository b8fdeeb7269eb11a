"""Origin: where what is being written down came from, as far as the current request tells."""

from flask import current_app, has_app_context, has_request_context, request

from flask_permjwt.accounts.audit import Origin
from flask_permjwt.web.state import EXTENSION, REQUEST_KEY


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
