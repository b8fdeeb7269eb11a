"""Counts: how many hits there were in a window of time, in this process or in a Redis that several share.

Windows are fixed, and their end stands in the name of each count: ten in fifteen minutes means ten from 12:00 to
12:15 (UTC). So a hit that is taken back late is taken from the window that it was counted in, and from no other.

The memory of this process is counted in here and not by ``limits.storage.MemoryStorage`` (5.8): there, threads
that begin a window together undo each other's hits, some are told the count of others, and every hit looks
through all keys.
"""

import logging
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.clock import Clock

if TYPE_CHECKING:
    from limits.storage import Storage

_T = TypeVar("_T")

RETRY_STORAGE_AFTER: Final = 5
"""Seconds for which a storage that failed is left alone."""

STORAGE_TIMEOUT: Final = 0.5
"""Seconds that a storage has to accept a connection, and again to answer."""

KEY_PREFIX: Final = "permjwt"

_REDIS_HOSTS: Final = ("redis", "rediss")
_REDIS: Final = (*_REDIS_HOSTS, "redis+unix")

_log = logging.getLogger("flask_permjwt.accounts")


class Limit(NamedTuple):
    """So many in so many seconds."""

    amount: int
    seconds: int


class Window(NamedTuple):
    """Where hits are counted: one key, from one moment to another.

    Attributes:
        name: of the key, hashed.
        limit: how many hits there may be, and how long the window is.
        ends_at: in seconds since 1970-01-01 UTC.
    """

    name: str
    limit: Limit
    ends_at: int


class DownError(Exception):
    """The storage does not answer, or did not a moment ago."""


class Counts(Protocol):
    """Where counts are kept. Everything may raise DownError."""

    def add(self, window: Window) -> int:
        """Count a hit; return how many there are now, of which no other hit is told the same."""

    def take_back(self, window: Window) -> None:
        """Undo a hit. A count never gets below zero."""

    def clear(self, window: Window) -> None:
        """Forget all hits."""


class Memory:
    """Counts in this process. All windows that end together are thrown away together.

    Args:
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._by_end: Final[dict[int, dict[str, int]]] = {}

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._by_end.values()))

    def add(self, window: Window) -> int:
        """Count a hit."""
        with self._lock:
            now = self._clock()
            for end in [end for end in self._by_end if end <= now]:
                del self._by_end[end]
            counts = self._by_end.setdefault(window.ends_at, {})
            counts[window.name] = counts.get(window.name, 0) + 1
            return counts[window.name]

    def take_back(self, window: Window) -> None:
        """Undo a hit, if its window is not over."""
        with self._lock:
            counts = self._by_end.get(window.ends_at, {})
            left = counts.pop(window.name, 0) - 1
            if left > 0:
                counts[window.name] = left

    def clear(self, window: Window) -> None:
        """Forget all hits."""
        with self._lock:
            self._by_end.get(window.ends_at, {}).pop(window.name, None)


class Shared:
    """Counts in a storage of ``limits`` that processes share.

    It is opened on first use. When it fails it is left alone for a while; then one thread tries it again.

    Args:
        uri: of the storage.
        meanwhile: what is done while it does not answer, for the log.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(self, uri: str, meanwhile: str, clock: Clock) -> None:
        self._uri: Final = uri
        self._meanwhile: Final = meanwhile
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._storage: Storage | None = None
        self._failed_at: float | None = None

    def add(self, window: Window) -> int:
        """Count a hit."""
        return self._ask(lambda storage: storage.incr(_key(window), window.limit.seconds))

    def take_back(self, window: Window) -> None:
        """Undo a hit, if its window is not over."""
        key, seconds = _key(window), window.limit.seconds
        # Where the count was cleared or is over, this makes one of -1, which expires too: it is undone.
        if self._ask(lambda storage: storage.incr(key, seconds, amount=-1)) < 0:
            self._ask(lambda storage: storage.incr(key, seconds))

    def clear(self, window: Window) -> None:
        """Forget all hits."""
        self._ask(lambda storage: storage.clear(_key(window)))

    def _ask(self, question: "Callable[[Storage], _T]") -> _T:
        from limits.errors import StorageError  # noqa: PLC0415 - an app that throttles nothing need not load it

        storage, is_retry = self._reach()
        try:
            answer = question(storage)
        except (StorageError, OSError) as error:
            self._note_failure(error)
            raise DownError from None
        if is_retry:
            with self._lock:
                self._failed_at = None
            _log.warning("rate limits: %s answers again", _shown(self._uri))
        return answer

    def _reach(self) -> "tuple[Storage, bool]":
        with self._lock:
            now, failed_at = self._clock(), self._failed_at
            if failed_at is not None:
                # A clock that was set back must not prolong this.
                if 0 <= now - failed_at < RETRY_STORAGE_AFTER:
                    raise DownError
                self._failed_at = now
            self._storage = self._storage or _open(self._uri)
            return self._storage, failed_at is not None

    def _note_failure(self, error: Exception) -> None:
        with self._lock:
            is_first = self._failed_at is None
            self._failed_at = self._clock()
        if is_first:
            cause = type(getattr(error, "storage_error", error)).__name__
            _log.warning("rate limits: %s fails (%s), %s meanwhile", _shown(self._uri), cause, self._meanwhile)


def _key(window: Window) -> str:
    return f"{window.name}/{window.ends_at}"


def _open(uri: str) -> "Storage":
    from limits.storage import storage_from_string  # noqa: PLC0415 - an app that throttles nothing need not load it
    from redis.backoff import NoBackoff  # noqa: PLC0415 - an extra
    from redis.retry import Retry  # noqa: PLC0415 - an extra

    options: dict[str, Any] = {
        "key_prefix": KEY_PREFIX,
        "socket_connect_timeout": STORAGE_TIMEOUT,
        "socket_timeout": STORAGE_TIMEOUT,
        # Retries of its own would hold a request for seconds, and may count a hit twice.
        "retry": Retry(NoBackoff(), 0),
    }
    return cast("Storage", storage_from_string(uri, wrap_exceptions=True, **options))


def check_uri(uri: str) -> str:
    """Return the address of a storage that can be used.

    Raises:
        ConfigurationError: it cannot; the message does not hold it, for there may be a password in it.
    """
    try:
        parts = urlsplit(uri)
        # A password with a slash ends the part that the host stands in. Asking for the port reads it.
        rest = parts.path + parts.query + parts.fragment
        is_torn = parts.port == 0 or (parts.scheme in _REDIS_HOSTS and "@" in rest)
    except ValueError:
        is_torn = True
    if is_torn:
        raise ConfigurationError(
            "the address of the storage of rate limits cannot be read: percent-encode what is special in its "
            "password (RFC 3986 section 2.1)"
        )
    if parts.scheme not in {"memory", *_REDIS}:
        raise ConfigurationError("rate limits are counted in memory:// or in redis://, rediss:// or redis+unix://")
    if parts.scheme in _REDIS and find_spec("redis") is None:
        raise ConfigurationError("rate limits in Redis need its client: pip install 'flask-permjwt[redis]'")
    return uri


def is_shared(uri: str) -> bool:
    """Tell whether a storage is more than the memory of this process."""
    return urlsplit(uri).scheme != "memory"


def _shown(uri: str) -> str:
    """Return the address without user, password and options."""
    parts = urlsplit(uri)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
