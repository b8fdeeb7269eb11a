"""What lives on beyond one answer: WebSockets, Socket.IO, streams; and whether it may go on.

``flask_permjwt.live.sock`` is for flask-sock, ``flask_permjwt.live.socketio`` for Flask-SocketIO.
"""

from functools import partial
from threading import Lock
from typing import Final

from flask import Request, copy_current_request_context, current_app, has_request_context, request

from flask_permjwt.policy.decision import GRANTED, Decision, Denied, Rule, decide
from flask_permjwt.policy.requirements import NO_VALUES
from flask_permjwt.web.connections import KEY, principal_of
from flask_permjwt.web.identity import refuse, routed_values
from flask_permjwt.web.state import RequestState, request_state
from flask_permjwt.web.table import Need

__all__ = ["recheck", "still_allowed"]

_current_request: Final = request._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug


def recheck() -> None:
    """Go on only while the connection may: its session lives, and what its view declares is still granted.

    Call it in a view that runs for long, for each thing that it does. In a WebSocket it closes the connection
    (1008), in an event of Flask-SocketIO it refuses the event. How lately the user gave the password
    (``fresh=``) is asked for when a connection is opened, and not again.

    Raises:
        HTTPException: 401 or 403; in a connection, what its library takes for its end.
    """
    state = request_state()
    refuse(state, _decide(state, _current_request()))


def still_allowed() -> bool:
    """Tell whether the connection may go on, as ``recheck``: for a stream, which ends by itself.

    In a generator, wrap it in ``flask.stream_with_context``.
    """
    return not isinstance(_decide(request_state(), _current_request()), Denied)


class Watch:
    """Asks whether one connection may go on, whoever asks.

    Those who send into a connection are often in the request of another, or in a thread without any.

    It is made in the request of the connection.
    """

    def __init__(self) -> None:
        self._app: Final = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug
        self._incoming: Final = _current_request()
        self._state: Final = request_state()
        if self._state.entry is not None and self._state.entry.fills:
            routed_values(self._state)  # which are kept: elsewhere, they are not to be had
        # A copy of the request is for one thread at a time.
        self._lock: Final = Lock()
        self._refuse: Final = copy_current_request_context(partial(refuse, self._state))

    def recheck(self) -> None:
        """Go on only while the connection may, as the function of this name.

        Raises:
            HTTPException: as there.
        """
        if has_request_context() and _current_request() is self._incoming:
            recheck()
            return
        # In a context of its own: what is read is not read from what another has left in theirs.
        with self._app.app_context():
            decision = _decide(self._state, self._incoming)
            if isinstance(decision, Denied):
                with self._lock:
                    self._refuse(decision)


def _need_of(state: RequestState, incoming: Request) -> Need:
    """Return what the view declares; of an event, or where nothing is declared, that who came is still welcome."""
    if state.entry is not None and state.entry.need is not None:
        return state.entry.need
    return Rule.LOGIN if KEY in incoming.environ else None


def _decide(state: RequestState, incoming: Request) -> Decision:
    need = _need_of(state, incoming)
    if need is None:
        return GRANTED
    values = routed_values(state) if state.entry is not None and state.entry.fills else NO_VALUES
    return decide(principal_of(state, incoming), need, values)
