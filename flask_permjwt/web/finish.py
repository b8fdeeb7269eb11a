"""The end of a request: its access cookie is renewed if that is due, and caches are told what it depended on."""

import logging
from copy import copy
from typing import Final

from flask import Flask, Request, Response, request
from werkzeug.datastructures import Headers
from werkzeug.http import parse_set_header

from flask_permjwt.errors import TokenTooLargeError
from flask_permjwt.policy.principal import Principal
from flask_permjwt.web.state import CONTEXT, REQUEST_KEY, RequestState, run_after_request

_log = logging.getLogger("flask_permjwt")


class Finisher:
    """Runs at the end of the requests that need it, and costs the others nothing.

    Flask calls every after-request function of an app for every request: ours is none of these unless the app has
    some of its own.

    Args:
        app: whose requests are finished.
    """

    def __init__(self, app: Flask) -> None:
        self._app: Final = app
        self._functions: Final = app.after_request_funcs
        self._is_registered = False
        self.is_prepared = False
        """Whether the first request has come."""

    def prepare(self) -> None:
        """Run after every request of an app with functions of its own: one may ask who the request acts for."""
        if not self._app._got_first_request:  # noqa: SLF001  # nothing public tells
            return  # hooks that somebody runs while the app is made: more functions may come
        # Several first requests may be here at once: a copy is looked at, and what is written stays the same.
        if any(list(self._functions.values())):
            own = self._functions.get(None, ())
            if finish_response not in own:
                # Flask looks here when the response is there. A new list: another thread may be going through it.
                self._functions[None] = [finish_response, *own]
            # Only now: who sees this relies on that list.
            self._is_registered = True
        self.is_prepared = True

    def needed(self, incoming: Request) -> None:
        """Run after a request: last, whatever else runs then."""
        if not self._is_registered:
            run_after_request(incoming, _finish_last)


def _finish_last(response: Response) -> Response:
    waiting = CONTEXT.get()._after_request_functions  # noqa: SLF001  # the public face only adds to it
    if waiting[-1] is not _finish_last:
        # What the view asked for may put another response in place of this one.
        waiting.append(_finish_last)
        return response
    return finish_response(response)


def finish_response(response: Response) -> Response:
    """Renew the access cookie where that is due, and tell caches what the response depends on.

    Vary is RFC 9110 section 12.5.5.
    """
    state: RequestState | None = CONTEXT.get().request.__dict__.get(REQUEST_KEY)
    if state is not None:
        if state.renews and state.principal is not None:
            response = _renew(response, state, state.principal)
        for header in state.vary:
            _vary_on(response, header)
    return response


def _vary_on(response: Response, header: str) -> None:
    headers = response.headers
    # Werkzeug's own look-up costs several times as much, and every request with a cookie pays it.
    for name, _ in headers:
        if len(name) == 4 and name.lower() == "vary":  # noqa: PLR2004  # letters in Vary
            # Werkzeug's own property reads one of several lines, and writes that one in place of all.
            named = parse_set_header(", ".join(headers.getlist("Vary")))
            named.add(header)
            headers["Vary"] = named.to_header()
            return
    headers.add("Vary", header)


def _renew(response: Response, state: RequestState, principal: Principal) -> Response:
    app = state.app
    if app.transport.sets_access_cookie(response):
        return response
    # The view itself may have revoked it.
    if state.token is None or not app.tokens.is_good(state.token):
        return response
    tokens = app.accounts.renew(principal)
    if tokens is None:
        return response
    # The view may give one response to everybody: a cookie that is written to it would go to whoever asks next.
    own = copy(response)
    own.headers = Headers(response.headers)
    try:
        app.transport.attach_cookies(own, tokens, request.script_root, "")
    except TokenTooLargeError as error:
        _log.warning("a cookie was not renewed: %s", error)
        return response
    # No cache may give one user's cookie to another (RFC 9111 section 7.3).
    own.headers["Cache-Control"] = "no-store"
    return own
