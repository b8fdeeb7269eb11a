"""Fetching over HTTP, by urllib3: with limits of time and size, and from nowhere but where it was asked for."""

import re
import socket
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Timer
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from flask_permjwt.tokens.issuers import addresses
from flask_permjwt.tokens.issuers.jwks import KeysError
from flask_permjwt.tokens.issuers.loaders import MAX_SIZE
from flask_permjwt.tokens.issuers.protocol import Fetched

SILENCE: Final = 3
"""Seconds for a connection to each address, and for each silence of the server."""

WHOLE: Final = 5
"""Seconds for everything but the resolver, however many addresses and however slowly the server drips."""

_OK: Final = 200
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 2
_CHUNK: Final = 16 * 1024
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)
_DO_NOT_KEEP: Final = re.compile(r"(?:^|[\s,])no-(?:store|cache)(?:$|[\s,])", re.IGNORECASE)
_HEADERS: Final = {
    "Accept": "application/json, application/jwk-set+json",
    # What is packed may be small and open to anything.
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "flask-permjwt",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, whatever that is.

    Attributes:
        status: of HTTP.
        headers: by name; of several, the last.
        body: its bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class HttpFetcher:
    """Fetches documents with urllib3, one connection each. Proxies are those of the environment.

    Args:
        silence: seconds for a connection, and for each silence of the server.
        whole: seconds for everything.
        largest: bytes of a document.
    """

    def __init__(self, *, silence: float = SILENCE, whole: float = WHOLE, largest: int = MAX_SIZE) -> None:
        self._silence: Final = silence
        self._whole: Final = whole
        self._largest: Final = largest

    def fetch(self, url: str) -> Fetched:
        """Fetch a document.

        Raises:
            KeysError: it cannot be had in time, is too large, or is said to be at another host.
        """
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  # an extra: not without an issuer

        cut = _Cut(self._whole)
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                found = self._get(url, cut)
                if isinstance(found, Fetched):
                    return found
                url = found
        except (HTTPError, OSError, ValueError) as fault:
            why = "it took too long" if cut.is_over else type(fault).__name__
            raise KeysError(f"nothing came from {_host(url)}: {why}") from None
        finally:
            cut.cancel()
        raise KeysError(f"{_host(url)} redirects again and again")

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send one request, and return what is answered to it, whatever that is. No redirect is followed.

        Raises:
            KeysError: nothing comes in time, or too much.
        """
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  # an extra: not without an issuer

        cut = _Cut(self._whole)
        try:
            with _manager(url, cut, self._silence) as manager:
                sent = {
                    **headers,
                    **{name: _HEADERS[name] for name in ("Accept-Encoding", "Connection", "User-Agent")},
                }
                response = self._open(manager, method, url, sent, body)
                try:
                    return Answer(response.status, dict(response.headers), self._read(url, response, cut))
                finally:
                    response.close()
        except (HTTPError, OSError, ValueError) as fault:
            why = "it took too long" if cut.is_over else type(fault).__name__
            raise KeysError(f"nothing came from {_host(url)}: {why}") from None
        finally:
            cut.cancel()

    def _get(self, url: str, cut: "_Cut") -> Fetched | str:
        """Return the document, or where in the same place it is said to be."""
        with _manager(url, cut, self._silence) as manager:
            response = self._open(manager, "GET", url, _HEADERS, None)
            try:
                if response.status in _REDIRECTS:
                    return _target(url, response.headers.get("Location"))
                if response.status != _OK:
                    raise KeysError(f"{_host(url)} answered {response.status}")
                return Fetched(self._read(url, response, cut), _lifetime(response.headers))
            finally:
                response.close()

    def _open(self, manager: Any, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Any:
        return manager.request(
            method,
            url,
            body=body,
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )

    def _read(self, url: str, response: Any, cut: "_Cut") -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise KeysError(f"{_host(url)} answered in an encoding that was not asked for")
        body = b""
        for chunk in response.stream(_CHUNK, decode_content=False):
            body += chunk
            if len(body) > self._largest:
                raise KeysError(f"{_host(url)} sent more than {self._largest // 1024} KiB")
        if cut.is_over:
            # What was cut off looks like an answer that ends there.
            raise TimeoutError
        return body


class _Cut:
    """Ends every connection when the time is over: time-outs of sockets only end silences."""

    def __init__(self, seconds: float) -> None:
        self._deadline: Final = time.monotonic() + seconds
        self._sockets: Final[list[socket.socket]] = []
        self._timer: Final = Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._deadline

    @property
    def left(self) -> float:
        """Seconds that are left: never 0, which would mean not to wait for a connection at all."""
        return max(self._deadline - time.monotonic(), 0.001)

    def watch(self, opened: socket.socket) -> None:
        self._sockets.append(opened)
        if self.is_over:
            raise TimeoutError

    def cancel(self) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        for opened in self._sockets:
            with suppress(OSError):
                # Not TLS's own, which would pull the rug from under the thread that reads.
                socket.socket.shutdown(opened, socket.SHUT_RDWR)


def _manager(url: str, cut: _Cut, silence: float) -> Any:
    """Return a PoolManager whose connections end with the time."""
    import urllib3  # noqa: PLC0415  # an extra: not without an issuer
    from urllib3.connection import HTTPConnection, HTTPSConnection  # noqa: PLC0415  # as above

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _opened(self, cut, silence)

        def connect(self) -> None:
            super().connect()
            cut.watch(self.sock)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _opened(self, cut, silence)

        def connect(self) -> None:
            super().connect()
            cut.watch(self.sock)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=silence, read=silence),
        "cert_reqs": "CERT_REQUIRED",
    }
    proxy = _proxy(url)
    if proxy is None:
        manager = urllib3.PoolManager(**options)
    else:
        manager = urllib3.ProxyManager(proxy, proxy_headers=_credentials(proxy), **options)
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return manager


def _opened(connection: Any, cut: _Cut, silence: float) -> socket.socket:
    """Connect to the first address that answers. urllib3 would give each of them the whole silence."""
    from urllib3.exceptions import NameResolutionError, NewConnectionError  # noqa: PLC0415  # as above

    try:
        found = socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
    except socket.gaierror as fault:
        raise NameResolutionError(connection.host, connection, fault) from None
    for *_, address in found:
        host_and_port: Any = address[:2]
        with suppress(OSError):
            return socket.create_connection(host_and_port, min(silence, cut.left))
        if cut.is_over:
            break
    raise NewConnectionError(connection, "no address answers")


def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if addresses.is_loopback(host) or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)


def _credentials(proxy: str) -> dict[str, str]:
    """Return what a proxy wants to see (RFC 7617), if its address holds a name and a password."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _target(url: str, location: str | None) -> str:
    target = urljoin(url, location or "")
    fault = addresses.fault(target, loopback=addresses.is_local(url))
    if location is None or fault is not None or addresses.origin(target) != addresses.origin(url):
        raise KeysError(f"{_host(url)} redirects to elsewhere")
    return target


def _lifetime(headers: Any) -> float | None:
    """Return for how long a server lets its answer be kept (RFC 9111 section 4.2); None when it does not say."""
    control = headers.get("Cache-Control", "")
    if _DO_NOT_KEEP.search(control):
        return 0
    found = _MAX_AGE.search(control)
    if found is None:
        return None
    age = headers.get("Age", "0")
    return max(0, int(found[1]) - (int(age) if age.isascii() and age.isdigit() else 0))


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
