"""Freezing: parsed JSON made read-only all the way down."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

MAX_DEPTH: Final = 32


def freeze(value: Any, depth: int = 0) -> Any:
    """Copy a value so that nothing in it can be changed: objects become mapping proxies, arrays tuples.

    Args:
        value: what a JSON parser returns, or something frozen already.
        depth: how deep in a larger value this one lies.

    Raises:
        ValueError: it is nested deeper than 32 levels: a fixed bound, so that what is accepted does not depend
            on how much of Python's stack happens to be left.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    kind = type(value)
    if kind is str or kind is int:  # most of what there is, told apart without walking through the others
        return value
    if kind is dict or isinstance(value, Mapping):
        return MappingProxyType({name: freeze(one, depth + 1) for name, one in value.items()})
    if isinstance(value, list | tuple):
        return tuple([freeze(one, depth + 1) for one in value])
    return value
