"""A proxy of one thread between app and server, by which their connection is broken in the ways of networks."""

import contextlib
import selectors
import socket
from threading import Lock, Thread

_CHUNK = 65536


class Proxy:
    """Passes bytes on, until it is told otherwise.

    Args:
        target: the port of the server.
    """

    def __init__(self, target):
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._mode = "open"
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._peers = {}
        self._lock = Lock()
        self._closing = False
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def open(self, target=None):
        """Let everything pass; to another server from now on, if one is named."""
        with self._lock:
            self.target = target or self.target
            self._mode = "open"
        self._nudge()

    def drop(self):
        """End the connections that are open; new ones are made."""
        with self._lock:
            self._drop_all()
        self._nudge()

    def refuse(self):
        """End the connections that are open, and every new one at once."""
        with self._lock:
            self._mode = "refuse"
            self._drop_all()
        self._nudge()

    def swallow(self):
        """Take every byte and answer none, on open connections and on new ones: a black hole."""
        with self._lock:
            self._mode = "swallow"
        self._nudge()

    def close(self):
        self._closing = True
        self._nudge()
        self._thread.join(10)
        self._drop_all()
        for one in (self._listener, self._wake, self._woken):
            one.close()
        self._selector.close()

    def _nudge(self):
        self._wake.send(b"x")

    def _run(self):
        while not self._closing:
            for key, _ in self._selector.select(1):
                with self._lock:
                    if key.fileobj is self._woken:
                        self._woken.recv(_CHUNK)
                    elif key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._peers:
                        self._pass_on(key.fileobj)

    def _accept(self):
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        if self._mode == "refuse":
            _reset(client)
            return
        try:
            # In a black hole too: nothing is passed on until it is over.
            server = socket.create_connection(("127.0.0.1", self.target), timeout=1)
        except OSError:
            _reset(client)
            return
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.settimeout(5)
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, one):
        try:
            sent = one.recv(_CHUNK)
            if sent and self._mode == "open":
                self._peers[one].sendall(sent)
        except OSError:
            sent = b""
        if not sent:
            self._drop(one)

    def _drop_all(self):
        for one in list(self._peers):
            if one in self._peers:
                self._drop(one)

    def _drop(self, one):
        other = self._peers.pop(one)
        self._peers.pop(other, None)
        for end in (one, other):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(end)
            _reset(end)


def _reset(end):
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    end.close()
