"""The end of a request: its access cookie is renewed if that is due, and caches are told what it depended on."""

# Or the annotations of the inner functions would be evaluated for every request.
from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Response, request
from werkzeug.datastructures import Headers
from werkzeug.http import parse_set_header

from flask_permjwt.errors import TokenTooLargeError
from flask_permjwt.policy.principal import Principal
from flask_permjwt.web.state import CONTEXT, REQUEST_KEY, AppState, RequestState

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_log: Final = logging.getLogger("flask_permjwt")

Lines = list[tuple[str, str]]
"""Header lines, as WSGI has them (PEP 3333)."""


def register_finish(app: Flask, app_state: AppState) -> None:
    """Finish every response of an app, when nothing in Flask can change it any more.

    Flask looks at each function that is to run after a request for being a coroutine, and Werkzeug copies each
    header of a response: together that is more than all the rest of a request with a cookie.
    """
    if getattr(app.wsgi_app, "__func__", None) is not Flask.wsgi_app:
        _finish_within(app, app_state)
        return
    serve, context_of_request = app.wsgi_app, CONTEXT.get

    def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        def start(status: str, lines: Lines, exc_info: Any = None) -> Callable[[bytes], object]:
            try:
                state: RequestState | None = context_of_request().request.__dict__.get(REQUEST_KEY)
            except (LookupError, RuntimeError):
                state = None  # a response of the app's own kind may begin when Flask is done with it
            # Of another app, where that is asked within a request of its own.
            if state is not None and (state.vary or state.ticket_came) and state.app is app_state:
                # The lines may be those of a response that everybody is given: they stay as they are.
                if state.ticket_came or state.renews:
                    lines = _for_one(lines, state)
                if state.vary:
                    lines = _varied(lines, state.vary)
            return start_response(status, lines, exc_info) if exc_info else start_response(status, lines)

        return serve(environ, start)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]  # as Flask's documentation has it


def _finish_within(app: Flask, app_state: AppState) -> None:
    """Finish the responses of an app that something is wrapped around already.

    That may keep responses for others, or hold them back until Flask has forgotten the request: what it is given
    must be whole.
    """
    finalize, context_of_request = app.finalize_request, CONTEXT.get

    def finalize_request(*given: Any, **named: Any) -> Response:
        response = finalize(*given, **named)
        state: RequestState | None = context_of_request().request.__dict__.get(REQUEST_KEY)
        if state is None or state.app is not app_state:
            return response
        if state.ticket_came or state.renews:
            # The view may give one response to everybody: what is for one of them is not written to it.
            lines, response = _for_one(response.headers.to_wsgi_list(), state), copy(response)
            response.headers = Headers(lines)
        if state.vary:
            name, value = _varied(response.headers.to_wsgi_list(), state.vary)[-1]
            response.headers[name] = value
        return response

    app.finalize_request = finalize_request  # type: ignore[method-assign]  # Flask's own is called


def _for_one(lines: Lines, state: RequestState) -> Lines:
    """Keep a response out of caches that a ticket was used up for, or that renews somebody's cookie."""
    if state.ticket_came:
        # And its address out of the Referer of what it leads to.
        lines = _with(lines, ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
    cookies = _renewed(lines, state, state.principal) if state.renews and state.principal is not None else []
    # RFC 9111 section 7.3
    return [*_with(lines, ("Cache-Control", "no-store")), *cookies] if cookies else lines


def _renewed(lines: Lines, state: RequestState, principal: Principal) -> Lines:
    """Return the lines that renew the access cookie; none where that cannot be, or the view sets it itself."""
    app = state.app
    if app.transport.sets_access_cookie(Headers(lines)):
        return []
    # The view itself may have revoked it.
    if state.token is None or not app.tokens.is_good(state.token):
        return []
    tokens = app.accounts.renew(principal)
    if tokens is None:
        return []
    carrier = Response()
    try:
        app.transport.attach_cookies(carrier, tokens, request.script_root, "")
    except TokenTooLargeError as error:
        _log.warning("a cookie was not renewed: %s", error)
        return []
    return [("Set-Cookie", one) for one in carrier.headers.getlist("Set-Cookie")]


def _varied(lines: Lines, named: tuple[str, ...]) -> Lines:
    """Say in the last line that the response depends on headers of the request (RFC 9110 section 12.5.5)."""
    for name, _ in lines:
        if len(name) == 4 and name.lower() == "vary":  # noqa: PLR2004  # letters in Vary
            break
    else:
        return [*lines, ("Vary", ", ".join(named))]
    # Of several lines, some caches read one.
    all_named = parse_set_header(", ".join(Headers(lines).getlist("Vary")))
    all_named.update(named)
    return _with(lines, ("Vary", all_named.to_header()))


def _with(lines: Lines, *added: tuple[str, str]) -> Lines:
    """Put lines in the place of those of the same names."""
    names = {name.lower() for name, _ in added}
    return [*[one for one in lines if one[0].lower() not in names], *added]
