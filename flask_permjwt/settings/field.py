"""How a setting is declared: its default, what reads it, and what it means."""

from collections.abc import Callable
from dataclasses import field
from typing import Any


def setting(default: object, read: Callable[[Any], Any], doc: str) -> Any:
    """Declare a setting that may be shown."""
    return field(default=default, metadata={"read": read, "doc": doc})
