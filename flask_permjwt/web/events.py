"""Guards on the handlers of Flask-SocketIO, which calls the very function that it was given.

Above ``@socketio.on``, a guard marks that function, and its own wrapper is never called. Our ``SocketIO`` sees the
marks. With the library's own, the app refuses to serve: a guard must not be silent.
"""

from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.web.marks import Guard, chain, describe, guards_in_chain, marks_of


def unheard_guards(handler: Callable[..., Any]) -> list[Guard]:
    """Return the guards that a handler is marked with and that calling it does not enforce."""
    enforced = {marks_of(link).enforces for link in chain(handler)}
    return [guard for guard in guards_in_chain(handler) if guard not in enforced]


def refuse_unheard_guards(app: Flask) -> None:
    """Refuse to serve where a guard stands above ``@socketio.on`` of the library's own ``SocketIO``.

    Raises:
        ConfigurationError: one does; the message names the handler and the remedy.
    """
    server = app.extensions.get("socketio")
    if server is None or getattr(server, "judges_events", False):
        return
    for registered in _handlers_of(server):
        if unheard_guards(registered):
            raise ConfigurationError(
                f"the guard above @socketio.on does not protect {describe(registered)}: write it below, or use "
                "the SocketIO of flask_permjwt.live.socketio, with which the order does not matter"
            )


def _handlers_of(server: Any) -> Iterator[Callable[..., Any]]:
    for _, handler, _ in server.handlers:
        yield handler
    for by_event in getattr(server.server, "handlers", {}).values():
        yield from by_event.values()
