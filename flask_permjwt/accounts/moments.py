"""Moments: whole seconds since 1970-01-01 UTC in the code, naive UTC DateTime in the database.

Both are exact on every database: DATETIME of MySQL keeps whole seconds and no zone.
"""

from datetime import UTC, datetime


def to_datetime(seconds: float) -> datetime:
    """Return a moment as the database keeps it: UTC, whole seconds, no zone."""
    return datetime.fromtimestamp(int(seconds), UTC).replace(tzinfo=None)


def to_seconds(moment: datetime) -> int:
    """Return a moment of the database in seconds since 1970-01-01 UTC."""
    return int(moment.replace(tzinfo=UTC).timestamp())


def utc_now() -> datetime:
    """Return the present moment as the database keeps it."""
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None)
