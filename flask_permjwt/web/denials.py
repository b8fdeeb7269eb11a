"""Denials: whom a guard has refused, told to those who listen and written down."""

from flask import request

from flask_permjwt.errors import AuthError
from flask_permjwt.policy.principal import Principal
from flask_permjwt.signals import AccessDenied, access_denied
from flask_permjwt.web.state import RequestState


def note_denial(state: RequestState, principal: Principal, refusal: AuthError) -> None:
    """Tell of the refusal of a request; of nobody known, to whom nobody listens, only a count is kept."""
    recorder = state.app.recorder
    if principal.subject is None and not access_denied.receivers:
        # What a flood of bad tokens costs.
        recorder.count_denial()
        return
    denial = AccessDenied(
        subject=principal.subject,
        session_id=principal.session_id,
        endpoint=request.endpoint or "",
        method=request.method,
        missing=getattr(refusal, "missing", ()),
        status=refusal.status,
    )
    recorder.record_denial(denial)
