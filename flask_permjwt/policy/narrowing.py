"""Narrowing: what two grants both cover, which is one grant or nothing, and a scope as text.

A grant stands for the permissions of one length, or with a ``*`` at its end of that length and more. What two of
them have in common is told segment by segment, so it can be written as a grant again.
"""

from typing import Final

_ANY: Final = "*"


def common(one: str, other: str) -> str | None:
    """Return the grant that covers exactly what both grants cover; None when that is nothing."""
    first, second = one.split(":"), other.split(":")
    if len(first) > len(second):
        first, second = second, first
    if len(first) < len(second):
        if first[-1] != _ANY:
            return None
        first += [_ANY] * (len(second) - len(first))
    both: list[str] = []
    for mine, yours in zip(first, second, strict=True):
        if mine == _ANY:
            both.append(yours)
        elif yours in (_ANY, mine):
            both.append(mine)
        else:
            return None
    return ":".join(both)


def split_scope(scope: str) -> list[str]:
    """Return the words of a scope, which single spaces part (RFC 6749 section 3.3), in their order."""
    return [word for word in scope.split(" ") if word]
