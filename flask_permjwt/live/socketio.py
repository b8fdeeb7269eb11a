"""Flask-SocketIO: handlers that are guarded above and below their registration, and judged with each event."""

from collections.abc import Callable
from typing import Any

import flask_socketio
from werkzeug.exceptions import HTTPException

from flask_permjwt.errors import AuthError, ConfigurationError
from flask_permjwt.live import recheck
from flask_permjwt.web.decorators import wrap
from flask_permjwt.web.events import unheard_guards
from flask_permjwt.web.responses import body_of

_HOOK = "_handle_event"
# Of these, a handler cleans up or lets in: what it declares is asked for, and no more.
_ITS_OWN = frozenset({"connect", "disconnect"})


class SocketIO(flask_socketio.SocketIO):  # type: ignore[misc]  # it has no types
    """Takes the place of ``flask_socketio.SocketIO``.

    A guard holds above ``@socketio.on`` as below it. With every event, a connection that somebody was let in
    with is judged again; one whose session was ended is disconnected. What is refused is answered, where the
    client asked for an acknowledgement, with what the body of a response would say; ``on_error`` handlers of
    the app come first.

    Raises:
        ConfigurationError: this release of Flask-SocketIO calls handlers in another way.
    """

    judges_events = True

    def __init__(self, *args: Any, **options: Any) -> None:
        # All events come through here, those of class-based namespaces too. If they did not, guards would be
        # silent.
        if not callable(getattr(flask_socketio.SocketIO, _HOOK, None)):
            raise ConfigurationError("this release of Flask-SocketIO is not known to flask_permjwt: use 5.x")
        super().__init__(*args, **options)

    def _handle_event(
        self, handler: Callable[..., Any], message: str, namespace: str, sid: str, *args: Any
    ) -> Any:
        judged = self._judged(handler, message, namespace)
        return super()._handle_event(judged, message, namespace, sid, *args)

    def _judged(self, handler: Callable[..., Any], message: str, namespace: str) -> Callable[..., Any]:
        guarded = handler
        for guard in unheard_guards(handler):
            guarded = wrap(guard, guarded)

        def judged(*args: Any) -> Any:
            try:
                if message not in _ITS_OWN:
                    recheck()
                return guarded(*args)
            except HTTPException as error:
                refusal = getattr(error, "auth_error", None)
                if not isinstance(refusal, AuthError):
                    raise
                if message == "connect":  # whatever is returned there, and by a handler of errors, lets in
                    raise flask_socketio.ConnectionRefusedError(refusal.description, body_of(refusal)) from None
                if self._shapes_errors(namespace):
                    raise
                return body_of(refusal)

        return judged

    def _shapes_errors(self, namespace: str) -> bool:
        return self.exception_handlers.get(namespace, self.default_exception_handler) is not None
