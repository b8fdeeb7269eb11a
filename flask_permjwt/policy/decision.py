"""The decision: a principal held against a requirement, answered by a value with its reason."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from flask_permjwt.policy.principal import Principal
from flask_permjwt.policy.requirements import NO_VALUES, Requirement, Values


class Rule(Enum):
    """The requirements that name no permission."""

    LOGIN = "login"
    """Any valid token."""

    CLOSED = "closed"
    """Nobody: a view that declares nothing where undeclared views are denied."""


class Reason(Enum):
    """Why a principal is denied."""

    UNAUTHENTICATED = "unauthenticated"
    MISSING_PERMISSIONS = "missing_permissions"
    CLOSED = "closed"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Granted:
    """The principal may go on."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The principal may not go on.

    Attributes:
        reason: which kind of denial it is.
        missing: the permissions that are lacking; a template is named unfilled.
        max_age: how many seconds ago the user may have proved who they are, where that is the reason.
    """

    reason: Reason
    missing: tuple[str, ...] = ()
    max_age: int | None = None


Decision = Granted | Denied

GRANTED: Final = Granted()
_UNAUTHENTICATED: Final = Denied(Reason.UNAUTHENTICATED)
_CLOSED: Final = Denied(Reason.CLOSED)


def decide(
    principal: Principal,
    need: Requirement | Rule,
    values: Values = NO_VALUES,
    max_age: int | None = None,
    now: float = 0,
) -> Decision:
    """Hold a principal against a need.

    Args:
        principal: who asks.
        need: a requirement, or a rule that names no permission.
        values: what templates are filled with, by name.
        max_age: how many seconds ago the user may have proved who they are (RFC 9470 section 4); None for any.
        now: seconds since 1970-01-01 UTC; looked at with ``max_age`` only.
    """
    if principal.subject is None:
        return _UNAUTHENTICATED
    if isinstance(need, Rule):
        if need is not Rule.LOGIN:
            return _CLOSED
    elif not need.met_by(principal.grants, values):
        return Denied(Reason.MISSING_PERMISSIONS, need.missing(principal.grants, values))
    if max_age is None or principal.is_fresh(max_age, now=now):
        return GRANTED
    return Denied(Reason.STALE, max_age=max_age)
