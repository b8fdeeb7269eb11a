"""Requirements: what a view asks for, as values that can be matched, listed and written into documents.

Leaves are [Needs][flask_permjwt.policy.requirements.Needs] (a permission or a template of one); nodes are
[AllOf][flask_permjwt.policy.requirements.AllOf] and [AnyOf][flask_permjwt.policy.requirements.AnyOf].
Public constructors are ``all_of`` and ``any_of``, which refuse to be empty: a check that passes when its list
is empty is how other libraries open views by accident.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from flask_permjwt.errors import PermissionSyntaxError
from flask_permjwt.policy.permissions import Grants, Segments, as_text, parse_permission

Values = Mapping[str, object]
"""What the templates of a requirement are filled with, by name."""

NO_VALUES: Final[Values] = {}

_FIELD: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Requirement(Protocol):
    """What a principal's grants are held against."""

    @property
    def fields(self) -> frozenset[str]:
        """The names that templates in it are filled from."""
        ...

    @property
    def scopes(self) -> tuple[str, ...]:
        """Every permission named in it, templates unfilled, in order, once each."""
        ...

    def met_by(self, grants: Grants, values: Values = NO_VALUES) -> bool:
        """Tell whether the grants are enough."""
        ...

    def missing(self, grants: Grants, values: Values = NO_VALUES) -> tuple[str, ...]:
        """Name what the grants lack, templates unfilled; empty exactly when they are enough."""
        ...


@dataclass(frozen=True, slots=True)
class Needs:
    """One permission, or a template of one such as ``project:{project_id}:edit``.

    A template's value fills one literal segment, whatever characters it holds. A name without a value (or
    with None) can be covered by nothing, not even ``*``.
    """

    text: str
    segments: tuple[str | None, ...] = field(repr=False, compare=False)
    names: tuple[str | None, ...] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, permission: object) -> "Needs":
        """Read a permission or a template.

        Raises:
            PermissionSyntaxError: it is neither.
        """
        text = as_text(permission)
        segments = tuple(text.split(":"))
        names = tuple(match[1] if (match := _FIELD.fullmatch(segment)) else None for segment in segments)
        literal = [segment for segment, name in zip(segments, names, strict=True) if name is None]
        if literal:
            try:
                parse_permission(":".join(literal))
            except PermissionSyntaxError:
                raise PermissionSyntaxError(
                    f"{text!r} is no requirement: segments of A-Z a-z 0-9 _ . - or a {{name}} that fills a "
                    "whole segment, joined by ':', are; wildcards stand in grants only"
                ) from None
        return cls(text, segments, names)

    @property
    def is_template(self) -> bool:
        """Whether it has to be filled before it can be matched."""
        return any(self.names)

    @property
    def fields(self) -> frozenset[str]:
        """The names that it is filled from."""
        return frozenset(name for name in self.names if name)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The permission itself, unfilled."""
        return (self.text,)

    def met_by(self, grants: Grants, values: Values = NO_VALUES) -> bool:
        """Tell whether a grant covers it, filled."""
        filled = self._fill(values)
        return filled is not None and grants.covers(filled)

    def missing(self, grants: Grants, values: Values = NO_VALUES) -> tuple[str, ...]:
        """Name it unless it is covered."""
        return () if self.met_by(grants, values) else (self.text,)

    def _fill(self, values: Values) -> Segments | None:
        filled: list[str] = []
        for segment, name in zip(self.segments, self.names, strict=True):
            if name is None:
                filled.append(str(segment))
                continue
            value = values.get(name)
            if isinstance(value, Enum):
                value = value.value
            if value is None:
                return None
            filled.append(str(value))
        return tuple(filled)

    def __str__(self) -> str:
        return self.text


class _Group:
    """What AllOf and AnyOf share: their parts, what those name, and being compared by value."""

    __slots__ = ("_exact", "_others", "fields", "parts", "scopes")

    def __init__(self, parts: Iterable[Requirement]) -> None:
        self.parts: Final = tuple(parts)
        if not self.parts:
            raise PermissionSyntaxError(
                "a requirement needs at least one permission; use requires_login for any valid token"
            )
        self.fields: Final = frozenset[str]().union(*(part.fields for part in self.parts))
        self.scopes: Final = tuple(dict.fromkeys(scope for part in self.parts for scope in part.scopes))
        # Permissions without a template are matched by set operations, in C, however many grants there are.
        self._exact: Final = frozenset(
            part.text for part in self.parts if isinstance(part, Needs) and not part.is_template
        )
        self._others: Final = tuple(
            part for part in self.parts if not (isinstance(part, Needs) and not part.is_template)
        )

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, _Group) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash((type(self), self.parts))

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.parts!r}"

    def _write(self, word: str) -> str:
        return f" {word} ".join(f"({part})" if isinstance(part, _Group) else str(part) for part in self.parts)


class AllOf(_Group):
    """Every part is needed."""

    __slots__ = ()

    @property
    def exact(self) -> frozenset[str] | None:
        """The permissions that are needed, where that is all: grants that hold them all are enough."""
        return None if self._others else self._exact

    def met_by(self, grants: Grants, values: Values = NO_VALUES) -> bool:
        """Tell whether every part is met."""
        if not (self._exact <= grants.exact or all(_covered(text, grants) for text in self._exact)):
            return False
        return not self._others or all(part.met_by(grants, values) for part in self._others)

    def missing(self, grants: Grants, values: Values = NO_VALUES) -> tuple[str, ...]:
        """Name what is missing of every part."""
        return tuple(dict.fromkeys(text for part in self.parts for text in part.missing(grants, values)))

    def __str__(self) -> str:
        return self._write("and")


class AnyOf(_Group):
    """One part is enough."""

    __slots__ = ()

    def met_by(self, grants: Grants, values: Values = NO_VALUES) -> bool:
        """Tell whether some part is met."""
        return (
            not self._exact.isdisjoint(grants.exact)
            or any(_covered(text, grants) for text in self._exact)
            or any(part.met_by(grants, values) for part in self._others)
        )

    def missing(self, grants: Grants, values: Values = NO_VALUES) -> tuple[str, ...]:
        """Name the alternatives unless one is met."""
        if self.met_by(grants, values):
            return ()
        return tuple(dict.fromkeys(text for part in self.parts for text in part.missing(grants, values)))

    def __str__(self) -> str:
        return self._write("or")


def _covered(text: str, grants: Grants) -> bool:
    return grants.covers(tuple(text.split(":")))


def parse_requirement(value: object) -> Requirement:
    """Read what a developer may pass as one requirement: text, a string enum's member, or a group.

    Raises:
        PermissionSyntaxError: it is none of these.
    """
    if isinstance(value, AllOf | AnyOf | Needs):
        return value
    return Needs.parse(value)


def all_of(*requirements: object) -> AllOf:
    """Need every one of these permissions (strings, string enum members, ``any_of`` or ``all_of`` groups).

    Raises:
        PermissionSyntaxError: there is none, or one is not written as the grammar asks.
    """
    return AllOf(parse_requirement(requirement) for requirement in requirements)


def any_of(*requirements: object) -> AnyOf:
    """Need one of these permissions (strings, string enum members, ``any_of`` or ``all_of`` groups).

    Raises:
        PermissionSyntaxError: there is none, or one is not written as the grammar asks.
    """
    return AnyOf(parse_requirement(requirement) for requirement in requirements)
