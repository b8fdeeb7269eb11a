"""flask-sock: WebSockets whose views are guarded above and below their route, and judged with each message."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

import flask_sock
import simple_websocket
from flask import Blueprint
from werkzeug.exceptions import HTTPException

from flask_permjwt.live import Watch
from flask_permjwt.web.connections import POLICY_VIOLATION, close

T = TypeVar("T", bound=Callable[..., Any])

_INTERNAL_ERROR = 1011  # RFC 6455 section 7.4.1


class Sock(flask_sock.Sock):  # type: ignore[misc]  # it has no types
    """Takes the place of ``flask_sock.Sock``.

    Its ``route`` gives the function back, so that a guard may stand above it. What a view declares is held
    against its user again whenever a message has come and before one is sent: when it is no longer granted, or
    the session was ended, the connection is closed with 1008. An HTTP error that a view raises closes it too,
    with 1008 or, for those of 500 and more, 1011.
    """

    def route(self, path: str, bp: Blueprint | None = None, **options: Any) -> Callable[[T], T]:
        """Register a view, as ``flask_sock.Sock.route``, and give it back."""
        register = super().route(path, bp, **options)

        def decorate(view: T) -> T:
            register(_judged(view))
            return view

        return decorate


class JudgedServer(simple_websocket.Server):  # type: ignore[misc]  # it has no types
    """The server's end of a WebSocket, on which each message asks whether the connection may go on.

    Attributes:
        watch: who is asked. It is that of this connection, also when the view of another sends into it.
    """

    watch: Watch

    def receive(self, timeout: float | None = None) -> str | bytes | None:
        """Wait for a message, as ``simple_websocket.Server.receive``, and hand it over if its sender may go on."""
        data: str | bytes | None = super().receive(timeout=timeout)
        if data is not None:
            self.watch.recheck()
        return data

    def send(self, data: str | bytes) -> None:
        """Send a message, as ``simple_websocket.Server.send``, if its receiver may go on."""
        self.watch.recheck()
        super().send(data)


def _judged(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def judged(ws: Any, *args: Any, **kwargs: Any) -> None:
        if type(ws) is simple_websocket.Server:
            # It stays the same object, which its thread knows.
            ws.watch = Watch()
            ws.__class__ = JudgedServer
        try:
            view(ws, *args, **kwargs)
        except HTTPException as error:
            status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
            internal = status >= HTTPStatus.INTERNAL_SERVER_ERROR
            close(ws, _INTERNAL_ERROR if internal else POLICY_VIOLATION, error.name)

    return judged
