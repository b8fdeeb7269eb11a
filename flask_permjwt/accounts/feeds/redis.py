"""The feed over Redis Streams: changes arrive without asking the database. Works on Valkey.

The database stays the truth. Every change is a row there before it is published, and the table is read at the
start, when Redis was away, refuses to write or lost its data, and every few seconds in any case. Redis can add to
what is revoked, and take nothing away.

Before a change is committed, it is announced. Until it is published, readers ask the database as if there were no
Redis: so a crash between commit and publication delays nothing.
"""

import json
import logging
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from flask_permjwt.accounts.feeds.protocol import Feed
from flask_permjwt.accounts.feeds.sql import PATIENCE
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.revocation import Change, Kind

_PORTION: Final = 10_000
_KEPT: Final = 100_000
"""Entries that the stream keeps, roughly."""

_TIME_OUT: Final = 0.25
_RETRY: Final = 1.0
"""Seconds between attempts to publish, while Redis does not answer: each may take its whole time-out."""

_MAX_EXPECTED: Final = 10_000
_START: Final = "0-0"
_UNKNOWN: Final = "?"
_MAX_TEXT: Final = 255
_MAX_LASTS: Final = 100 * 366 * 24 * 3600

_log = logging.getLogger("flask_permjwt.revocation")


class RedisFeed:
    """Reads a stream, and the feed in SQL where the stream cannot be relied on.

    Args:
        url: of the server; ``valkey://`` means the same as ``redis://``.
        name: tells apps on one server from each other.
        truth: the feed in the app's database.
        reconcile: seconds after which that is read in any case.
        monotonic: returns seconds, by a clock that only goes forward.

    Raises:
        ConfigurationError: the package ``redis`` is missing, or the address is no good.
    """

    def __init__(
        self, url: str, name: str, truth: Feed, *, reconcile: float, monotonic: Clock = time.monotonic
    ) -> None:
        self._client, self._errors = _connect(url)
        self._stream: Final = f"flask_permjwt:{name}:changes"
        self._probe: Final = f"flask_permjwt:{name}:probe"
        self._marker: Final = f"flask_permjwt:{name}:generation"
        self._truth: Final = truth
        self._reconcile: Final = reconcile
        self._monotonic: Final = monotonic
        self._failing = False
        self._publish_at = float("-inf")
        self.start_over()

    def start_over(self) -> None:
        """Let the next ``read`` give everything that still matters."""
        self._truth.start_over()
        self._position: str | None = None
        self._generation: str | None = None
        self._truth_at = self._stream_at = float("-inf")
        # What was announced and not published yet, with the time until when it may be.
        self._expected: dict[str, float] = {}

    def announce(self) -> str | None:
        """Append that a change is being written."""
        announced = secrets.token_hex(8)
        return announced if self._append([{"expect": announced}]) else None

    def publish(self, changes: Sequence[Change], announced: str | None = None) -> None:
        """Append changes to the stream; where that fails, the others find them in the database."""
        entries = [{"change": _write(change)} for change in changes]
        if announced is not None:
            entries.append({"done": announced})
        self._append(entries)

    def _append(self, entries: Sequence[dict[str, str]]) -> bool:
        if self._monotonic() < self._publish_at:
            return False
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for entry in entries:
                    pipe.xadd(self._stream, entry, maxlen=_KEPT, approximate=True)
                pipe.execute()
        except self._errors as error:
            self._note_failure(error)
            self._publish_at = self._monotonic() + _RETRY
            return False
        return True

    def read(self, *, urgent: bool = False) -> Iterator[Sequence[Change]]:
        """Give what is new, in portions.

        Args:
            urgent: another process of this machine committed a change: it must be found, in the stream or else in
                the database.

        Raises:
            FeedError: the database cannot be asked when it must be.
        """
        now = self._monotonic()
        found = self._read_stream(now)
        if found:
            yield found
        missed = found is None or (urgent and not found)
        if missed or now >= self._truth_at or self._is_expecting(now):
            yield from self._truth.read()
            self._truth_at = now + self._reconcile

    def _is_expecting(self, now: float) -> bool:
        if self._expected:
            self._expected = {one: until for one, until in self._expected.items() if until > now}
        return bool(self._expected)

    def _expect(self, announced: str, now: float) -> None:
        if len(self._expected) >= _MAX_EXPECTED:
            announced = _UNKNOWN
        self._expected[announced] = now + PATIENCE

    def _read_stream(self, now: float) -> Sequence[Change] | None:
        """Return what is new in the stream; None where it does not continue what was read before."""
        if now < self._stream_at:
            return None
        try:
            return self._continue(now)
        except self._errors as error:
            self._note_failure(error)
            # Not with every read: an attempt may take its whole time-out.
            self._stream_at, self._position = now + self._reconcile, None
            return None

    def _continue(self, now: float) -> Sequence[Change] | None:
        with self._client.pipeline(transaction=False) as pipe:
            # Whoever cannot write here cannot be heard here: a replica, or a server without memory.
            pipe.set(self._probe, "1", ex=PATIENCE)
            pipe.get(self._marker)
            pipe.xrange(self._stream, count=1)
            pipe.xinfo_stream(self._stream)
            pipe.xrange(self._stream, min=f"({self._position or _START}", count=_PORTION)
            probe, generation, oldest, about, entries = pipe.execute(raise_on_error=False)
        for answer in (probe, generation, oldest, entries):
            if isinstance(answer, Exception):
                raise answer
        if self._failing:
            _log.warning("Redis carries revocations again")
            self._failing = False
        # Of a stream that is not there, Redis tells nothing.
        top = _START if isinstance(about, Exception) else str(about["last-generated-id"])
        if generation is None or generation != self._generation or self._is_broken(oldest, top):
            self._generation = generation or self._mark()
            # What is appended from now on is read from here; what came before, from the database. And what was
            # announced before was not heard.
            self._position = top
            self._expect(_UNKNOWN, now)
            return None
        if entries:
            self._position = entries[-1][0]
        changes = [change for _, fields in entries if (change := self._take(fields, now)) is not None]
        if len(entries) >= _PORTION:
            self._truth_at = float("-inf")
        return changes

    def _is_broken(self, oldest: Sequence[tuple[str, Any]], top: str) -> bool:
        """Tell whether entries may be missing between what was read last and what can be read now."""
        position = self._position
        if position is None or _order(top) < _order(position):
            return True
        if _order(top) == _order(position):
            return False
        return not oldest or (position != _START and _order(oldest[0][0]) > _order(position))

    def _take(self, fields: Mapping[str, str], now: float) -> Change | None:
        """Return the change in an entry, or take notice of what else it says."""
        if "expect" in fields:
            self._expect(fields["expect"], now)
        elif "done" in fields:
            self._expected.pop(fields["done"], None)
        else:
            change = _parse(fields.get("change"))
            if change is None:
                self._truth_at = float("-inf")
            return change
        return None

    def _mark(self) -> str:
        """Give the stream a marker, by which readers see that it is not the one they knew."""
        self._client.set(self._marker, secrets.token_hex(8), nx=True)
        return str(self._client.get(self._marker))

    def _note_failure(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            _log.warning("Redis cannot carry revocations (%s): the database is asked", type(error).__name__)


def _connect(url: str) -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        from redis import Redis  # noqa: PLC0415  # an extra, loaded when it is used
        from redis.backoff import NoBackoff  # noqa: PLC0415  # likewise
        from redis.exceptions import RedisError  # noqa: PLC0415  # likewise
        from redis.retry import Retry  # noqa: PLC0415  # likewise
    except ImportError:
        raise ConfigurationError(
            "PERMJWT_REVOCATION_URL needs the package redis: pip install 'flask-permjwt[redis]'"
        ) from None
    scheme, _, rest = url.partition("://")
    try:
        client = Redis.from_url(
            f"{scheme.replace('valkey', 'redis')}://{rest}",
            decode_responses=True,
            socket_timeout=_TIME_OUT,
            socket_connect_timeout=_TIME_OUT,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        raise ConfigurationError(
            "PERMJWT_REVOCATION_URL is not the address of a Redis server: write redis://host:6379/0"
        ) from None
    # UnicodeDecodeError: somebody else wrote there.
    return client, (RedisError, OSError, UnicodeDecodeError)


def _write(change: Change) -> str:
    told = [change.kind.value, change.target, change.version, change.expires_at, change.lasts]
    return json.dumps(told, separators=(",", ":"))


def _parse(text: str | None) -> Change | None:
    """Read what somebody appended; None for what was not written by this library."""
    try:
        kind, target, version, expires_at, lasts = json.loads(text or "")
        change = Change(Kind(kind), target, version, expires_at, lasts)
    except (ValueError, TypeError, RecursionError):
        return None
    numbers = (change.version, change.expires_at, change.lasts)
    good = (
        isinstance(target, str)
        and 0 < len(target) <= _MAX_TEXT
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers)
        and isinstance(version, int)
        and 0 <= lasts <= _MAX_LASTS
    )
    return change if good else None


def _order(position: str) -> tuple[int, int]:
    milliseconds, _, count = position.partition("-")
    return int(milliseconds), int(count or 0)
