"""The clock that is passed in wherever time matters, so that tests need no sleep."""

from collections.abc import Callable

Clock = Callable[[], float]
"""Returns the time in seconds since 1970-01-01 UTC, as ``time.time`` does."""
