"""What a view needs, as OpenAPI can say it: alternatives of scopes, and a tree that says it all."""

from collections.abc import Iterable
from enum import Enum
from typing import Any, Final

from flask_permjwt.errors import PermissionSyntaxError
from flask_permjwt.policy.permissions import parse_permission
from flask_permjwt.policy.requirements import AllOf, AnyOf, Needs, Requirement, Values

_MOST: Final = 32

_Scopes = dict[str, None]
"""A set that keeps its order."""


def filled(requirement: Requirement, values: Values) -> Requirement:
    """Fill templates with values that are known beforehand; what these do not name stays as it is.

    So does what is given a value that cannot be written as a segment of a permission.
    """
    if isinstance(requirement, AllOf | AnyOf):
        return type(requirement)(filled(part, values) for part in requirement.parts)
    if not isinstance(requirement, Needs) or requirement.fields.isdisjoint(values):
        return requirement
    pairs = zip(requirement.segments, requirement.names, strict=True)
    text = ":".join(_segment(values.get(name or "")) or str(segment) for segment, name in pairs)
    try:
        return Needs.parse(text)
    except PermissionSyntaxError:
        return requirement  # longer than any permission


def _segment(value: object) -> str | None:
    text = str(value.value if isinstance(value, Enum) else value)
    try:
        return text if value is not None and ":" not in parse_permission(text) else None
    except PermissionSyntaxError:
        return None


def alternatives(requirement: Requirement) -> list[tuple[str, ...]]:
    """Return the sets of permissions each of which is enough; none of them holds another.

    Where there would be more than 32, one set is returned: what is needed in any case, which may be nothing.
    """
    found = _alternatives(requirement)
    if found is None:
        return [tuple(_needed_anyhow(requirement))]
    return [tuple(one) for one in found]


def tree(requirement: Requirement) -> list[Any]:
    """Write a requirement as JSON: a list of what is needed together.

    A member is a permission, ``{"any_of": [...]}`` or ``{"all_of": [...]}``.
    """
    if isinstance(requirement, AllOf):
        return [_node(part) for part in requirement.parts]
    return [_node(requirement)]


def _node(requirement: Requirement) -> Any:
    if isinstance(requirement, AllOf):
        return {"all_of": [_node(part) for part in requirement.parts]}
    if isinstance(requirement, AnyOf):
        return {"any_of": [_node(part) for part in requirement.parts]}
    return requirement.scopes[0]


def _alternatives(requirement: Requirement) -> list[_Scopes] | None:
    if isinstance(requirement, AnyOf):
        either: list[_Scopes] = []
        for part in requirement.parts:
            found = _alternatives(part)
            either = [] if found is None else _least([*either, *found])
            if found is None or len(either) > _MOST:
                return None
        return either
    if isinstance(requirement, AllOf):
        together: list[_Scopes] = [{}]
        for part in requirement.parts:
            found = _alternatives(part)
            together = [] if found is None else _least([one | other for one in together for other in found])
            if found is None or len(together) > _MOST:
                return None
        return together
    return [dict.fromkeys(requirement.scopes)]


def _least(sets: list[_Scopes]) -> list[_Scopes]:
    """Leave out what holds another one."""
    kept: list[_Scopes] = []
    for one in sets:
        if any(other.keys() <= one.keys() for other in kept):
            continue
        kept = [other for other in kept if not one.keys() <= other.keys()]
        kept.append(one)
    return kept


def _needed_anyhow(requirement: Requirement) -> _Scopes:
    if isinstance(requirement, AllOf):
        return _union(_needed_anyhow(part) for part in requirement.parts)
    if isinstance(requirement, AnyOf):
        first, *others = (_needed_anyhow(part) for part in requirement.parts)
        return {scope: None for scope in first if all(scope in other for other in others)}
    return dict.fromkeys(requirement.scopes)


def _union(sets: Iterable[_Scopes]) -> _Scopes:
    return {scope: None for one in sets for scope in one}
