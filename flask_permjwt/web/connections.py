"""Connections that live on: who they act for is asked again, whenever anybody asks.

A request is over in a moment, and who it acts for is found out once. A WebSocket lives for hours in one request
(flask-sock), or in one for each of its events, all made of the handshake (Flask-SocketIO). Its credential is
judged anew each time, as it stands in the handshake. An access token that runs out on the way is carried on
while its session lives; a session that was ended is over for good.
"""

import inspect
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from flask import Request

from flask_permjwt.errors import (
    AuthError,
    ExpiredTokenError,
    ForeignOriginError,
    RetryLaterError,
    UnauthenticatedError,
)
from flask_permjwt.policy.principal import ANONYMOUS, Principal
from flask_permjwt.web.responses import body_of, http_error
from flask_permjwt.web.state import AppState, RequestState
from flask_permjwt.web.transports import Source

if TYPE_CHECKING:
    from flask_permjwt.tokens.codec import VerifiedToken

KEY: Final = "flask_permjwt.connection"
"""Where a connection is found in the WSGI environment of its handshake, which all its events share."""

# RFC 6455 section 7.4.1, and the registry that it sets up.
POLICY_VIOLATION: Final = 1008
TRY_AGAIN_LATER: Final = 1013
_LONGEST_REASON: Final = 123
_PATIENCE: Final = 2
"""Seconds in which a client may answer that it has closed a WebSocket."""

_PORTS: Final = {"http": 80, "https": 443}

_log = logging.getLogger("flask_permjwt")


class Connection:
    """Somebody's connection: it may go on while what it was opened with holds.

    Args:
        token: what it was opened with, verified and judged.
        source: where that was found.
    """

    def __init__(self, token: "VerifiedToken", source: Source) -> None:
        self.source: Final = source
        self._token = token
        # What is in the handshake is looked at there: of a ticket, nothing is left.
        self._is_renewed = source is Source.TICKET
        self._end: UnauthenticatedError | None = None

    def judge(self, app: AppState, incoming: Request) -> Principal:
        """Return who the connection acts for now.

        Raises:
            UnauthenticatedError: it is over.
            OutdatedError: 503, whether it is cannot be told now.
        """
        if self._end is not None:
            raise self._end
        try:
            return self._judge(app, incoming)
        except UnauthenticatedError as error:
            self._end = error
            raise

    def _judge(self, app: AppState, incoming: Request) -> Principal:
        try:
            if self._is_renewed:
                return app.tokens.again(self._token)
            principal, self._token, _ = app.tokens.of(incoming)
        except ExpiredTokenError:
            token = self._token
            if not token.session_id or token.principal.issuer is not None:
                raise
        else:
            return principal
        # Two events may come here at once: both get the same.
        self._token, self._is_renewed = app.renewals.renew(token), True
        return app.tokens.again(self._token)


def is_live(incoming: Request) -> bool:
    """Tell whether a request is that of a WebSocket, or an event of Flask-SocketIO."""
    # First: an event carries the path of its handshake, which a route that takes every path matches too.
    if event_of(incoming) is not None:
        return True
    rule = incoming.url_rule
    return rule is not None and rule.websocket


def event_of(incoming: Request) -> str | None:
    """Return the name of the event of Flask-SocketIO that a request is made for; None for any other."""
    event = incoming.__dict__.get("event")
    return str(event["message"]) if isinstance(event, dict) and "sid" in incoming.__dict__ else None


def principal_of(state: RequestState, incoming: Request) -> Principal:
    """Return who a connection acts for now; it is not kept, and asked for again the next time.

    As for a request: whatever is wrong, the principal is anonymous and ``state.refusal`` says why.
    """
    try:
        connection = incoming.environ.get(KEY) or _open(state, incoming)
        return connection.judge(state.app, incoming)
    except AuthError as error:
        state.refusal = error
        return ANONYMOUS


def _open(state: RequestState, incoming: Request) -> Connection:
    app, token, source = state.app, state.token, state.source
    if token is None or source is not Source.TICKET:
        _, token, source = app.tokens.of(incoming)
    if source is Source.COOKIE and is_live(incoming):
        check_origin(incoming, app.settings.websocket_origins)
    state.source = source
    connection: Connection = incoming.environ.setdefault(KEY, Connection(token, source))
    return connection


def check_origin(incoming: Request, allowed: tuple[str, ...]) -> None:
    """Check that a connection with a cookie was opened by a page of this site (RFC 6455 section 10.2).

    Browsers send cookies with the handshakes of every page, and no page of another site is kept from talking
    over a WebSocket. They always say which site it is; who says nothing is no browser.

    Args:
        incoming: the handshake.
        allowed: other sites whose pages may, as their origins are written (RFC 6454 section 6.2).

    Raises:
        ForeignOriginError: 401, it was a page of another site.
    """
    origin = incoming.environ.get("HTTP_ORIGIN")
    if origin is None:
        if incoming.environ.get("HTTP_SEC_FETCH_SITE", "none") in {"none", "same-origin"}:
            return
    elif origin in allowed or _parts(origin) == _parts(incoming.host_url):
        return
    # Where a proxy ends TLS and the app is not told, this is what a developer looks for.
    _log.warning("a connection from %.200r was refused: the app is served at %r", origin, incoming.host_url)
    raise ForeignOriginError


def _parts(origin: str) -> tuple[str, str, int] | None:
    try:
        found = urlsplit(origin)
        port = found.port or _PORTS[found.scheme]
    except (KeyError, ValueError):
        return None
    return (found.scheme, found.hostname.casefold(), port) if found.hostname else None


def ending(incoming: Request, error: AuthError) -> Exception:
    """Return what is raised to refuse something in a connection, which no response can be sent to.

    A WebSocket is closed here, with the wire code and the description of the error as the reason; what is
    raised is what flask-sock takes for that. A ``connect`` of Flask-SocketIO is refused as it asks for. Of its
    other events, one of a connection that is over disconnects it.
    """
    event = event_of(incoming)
    if event is None:
        return _closed(incoming, error) or http_error(error)
    import flask_socketio  # noqa: PLC0415  # whose event it is

    if event == "connect":
        refused: Exception = flask_socketio.ConnectionRefusedError(error.description, body_of(error))
        return refused
    if isinstance(error, UnauthenticatedError) and event != "disconnect":
        flask_socketio.disconnect()
    return http_error(error)


def _closed(incoming: Request, error: AuthError) -> Exception | None:
    """Close the WebSocket of a request; None where nobody has one open."""
    library = sys.modules.get("simple_websocket")
    if library is None:
        return None
    socket = _socket_of(incoming.environ, library.Server)
    if socket is None:
        return None
    code = TRY_AGAIN_LATER if isinstance(error, RetryLaterError) else POLICY_VIOLATION
    return close(socket, code, f"{error.error}: {error.description}")


def close(socket: Any, code: int, reason: str) -> Exception:
    """Close a WebSocket of simple-websocket, and return what is raised where it is used.

    The client's answer is waited for, and the connection shut down (RFC 6455 section 7.1.1). Else the server would
    read on, take that answer for itself, and wait for a client which waits for the server to hang up.
    """
    closed: type[Exception] = sys.modules["simple_websocket"].ConnectionClosed
    text = reason.encode()[:_LONGEST_REASON].decode("utf-8", "ignore")
    with suppress(closed, OSError):  # the other side was faster
        socket.close(code, text)
        with suppress(AttributeError, RuntimeError):  # a thread of the app's own kind
            socket.thread.join(timeout=_PATIENCE)
        socket.sock.shutdown(SHUT_RDWR)
    return closed(code, text)


def _socket_of(environ: Mapping[str, Any], kind: type[Any]) -> Any:
    """Find the WebSocket that was made of a request, among the callers: nothing else knows it.

    flask-sock hands it to the view alone.
    """
    frame = inspect.currentframe()
    while frame is not None:
        for value in frame.f_locals.values():
            # By type(): a proxy such as current_user would be asked for the class of what it stands for.
            if issubclass(type(value), kind) and value.environ is environ:
                return value
        frame = frame.f_back
    return None
