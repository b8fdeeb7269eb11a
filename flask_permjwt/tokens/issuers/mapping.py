"""The mapping: from the claims of others to permissions here. Nothing from outside is a wildcard."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from flask_permjwt.errors import PermissionSyntaxError
from flask_permjwt.policy.permissions import Grants, parse_grant, parse_permission

Path = tuple[str, ...]
"""The way to a claim in nested objects; names with dots in them are found too."""

RESERVED: Final = "permjwt"
"""The first segment of this library's own permissions: nobody outside has them, unless ``map`` says so."""

_log = logging.getLogger("flask_permjwt.issuers")


def read_values(claims: Mapping[str, Any], paths: Iterable[Path]) -> frozenset[str]:
    """Return what stands at the permission claims of a token.

    A string holds values with spaces between them (RFC 6749 section 3.3), a list one value each; whatever has
    another shape gives none.
    """
    found: set[str] = set()
    for path in paths:
        value = _at(claims, path)
        if isinstance(value, str):
            found.update(one for one in value.split(" ") if one)
        elif isinstance(value, list | tuple):
            found.update(one for one in value if isinstance(one, str) and one)
    return frozenset(found)


def _at(value: Any, path: Path) -> Any:
    """Return what a path leads to: the longest name first, so that ``https://example.com/roles`` is one."""
    if not path:
        return value
    if isinstance(value, Mapping):
        for end in range(len(path), 0, -1):
            name = ".".join(path[:end])
            if name in value:
                return _at(value[name], path[end:])
    return None


def grants_for(
    values: Iterable[str], translate: Callable[[str], object] | None, *, issuer: str = "an issuer"
) -> Grants:
    """Return what the values of others grant here: of a token whose signature is right, for ``translate`` is run.

    Args:
        values: what stands in their token.
        translate: gives the grants that a value stands for: a string, several, or None for nothing. Without it,
            each value is the permission of its own name, if it is written like one and none of this library's.
        issuer: whose they are, for the log.
    """
    if translate is None:
        return Grants(value for value in values if _is_literal(value))
    grants: set[str] = set()
    faults: set[str] = set()
    for value in values:
        try:
            grants.update(_translated(value, translate))
        except Exception as fault:  # noqa: BLE001
            # The app's own code: its fault must neither let anybody in nor keep everybody out. What it says may
            # repeat the token, and there is one for each value.
            faults.add(type(fault).__name__)
    if faults:
        _log.warning(
            "the 'map' of %s failed: what it failed for grants nothing: %s", issuer, ", ".join(sorted(faults))
        )
    return Grants(grants)


def _is_literal(value: str) -> bool:
    try:
        return parse_permission(value).partition(":")[0] != RESERVED
    except PermissionSyntaxError:
        return False


def _translated(value: str, translate: Callable[[str], object]) -> list[str]:
    given: Any = translate(value)
    if given is None:
        return []
    return [parse_grant(one) for one in (given if _is_several(given) else [given])]


def _is_several(given: object) -> bool:
    return isinstance(given, list | tuple | set | frozenset)
