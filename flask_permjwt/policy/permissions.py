"""Permissions and grants: the grammar, and the question whether a grant covers a permission.

A *permission* is one or more segments of ``[A-Za-z0-9_.-]+`` joined by ``:``, such as ``reports:2024:read``.
A *grant* is written the same way and may hold ``*`` as a whole segment: it stands for exactly one segment,
and as the last segment for one or more.
"""

import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final, NoReturn

from flask_permjwt.errors import PermissionSyntaxError
from flask_permjwt.policy.narrowing import common, split_scope

Segments = tuple[str, ...]

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.-]+")
_PERMISSION: Final = re.compile(r"[A-Za-z0-9_.-]+(?::[A-Za-z0-9_.-]+)*")
_GRANT: Final = re.compile(r"(?:\*|[A-Za-z0-9_.-]+)(?::(?:\*|[A-Za-z0-9_.-]+))*")
_MAX_LENGTH: Final = 255

# Keys of the trie that no text can equal: a literal segment "*" (the value of a template) must never be
# taken for the wildcard.
_ANY_ONE: Final = object()
_ANY_REST: Final = object()
_END: Final = object()


def is_segment(text: str) -> bool:
    """Tell whether ``text`` can stand between two colons of a permission."""
    return _SEGMENT.fullmatch(text) is not None


def as_text(permission: object) -> str:
    """Return a permission as plain text; members of a string ``Enum`` give their value.

    Raises:
        PermissionSyntaxError: it is no string.
    """
    value = permission.value if isinstance(permission, Enum) else permission
    if not isinstance(value, str):
        raise PermissionSyntaxError(
            f"a permission is a string or a member of a string enum, not {type(permission).__name__}"
        )
    return str(value)


def parse_permission(permission: object) -> str:
    """Check a permission without wildcards and return its text.

    Raises:
        PermissionSyntaxError: it does not fit the grammar.
    """
    text = as_text(permission)
    if len(text) > _MAX_LENGTH or _PERMISSION.fullmatch(text) is None:
        raise PermissionSyntaxError(
            f"{text!r} is no permission: segments of A-Z a-z 0-9 _ . - joined by ':' "
            f"(at most {_MAX_LENGTH} characters) are; wildcards stand in grants only"
        )
    return text


def parse_grant(grant: object) -> str:
    """Check a grant, in which ``*`` may stand for a whole segment, and return its text.

    Raises:
        PermissionSyntaxError: it does not fit the grammar.
    """
    text = as_text(grant)
    if not _is_grant(text):
        raise PermissionSyntaxError(
            f"{text!r} is no grant: segments of A-Z a-z 0-9 _ . - or a single * joined by ':' are "
            f"(at most {_MAX_LENGTH} characters)"
        )
    return text


def _is_grant(text: str) -> bool:
    return len(text) <= _MAX_LENGTH and _GRANT.fullmatch(text) is not None


def valid_grants(grants: object) -> frozenset[str]:
    """Keep what is a grant in a value from outside; a wrong shape grants nothing.

    A string is not a list: ``"admin"`` gives no grant, least of all one per character.
    """
    if not isinstance(grants, list | tuple | set | frozenset):
        return frozenset()
    texts = [as_text(grant) for grant in grants if isinstance(grant, str)]
    return frozenset([text for text in texts if _is_grant(text)])


def read_scope(scope: str) -> "Grants":
    """Return what a scope may grant at most (RFC 6749 section 3.3); words that are no grants grant nothing."""
    return Grants.of_valid(valid_grants(split_scope(scope)))


class Grants:
    """A set of grants, made ready for matching; immutable.

    Args:
        grants: valid grants.

    Attributes:
        all: the grants as text.
        exact: those without a wildcard.

    Raises:
        PermissionSyntaxError: one of them is not a grant, or a single string stands where a collection belongs.
    """

    __slots__ = ("_wildcards", "all", "exact")

    all: frozenset[str]
    exact: frozenset[str]
    _wildcards: dict[object, dict] | None  # type: ignore[type-arg]  # a trie is its own value type

    def __init__(self, grants: Iterable[object] = ()) -> None:
        # Taken letter by letter, "ab*" would grant everything.
        if isinstance(grants, str):
            raise PermissionSyntaxError(f"{grants!r} is a string; give grants as a collection of strings")
        self._fill(frozenset(map(parse_grant, grants)))

    @classmethod
    def of_valid(cls, texts: frozenset[str]) -> "Grants":
        """Make them of what ``valid_grants`` kept, which need not be checked again."""
        grants = cls.__new__(cls)
        grants._fill(texts)  # noqa: SLF001  # our own, a moment old
        return grants

    def _fill(self, texts: frozenset[str]) -> None:
        self._set("all", texts)
        self._set("exact", frozenset([grant for grant in texts if "*" not in grant]))
        self._set("_wildcards", None)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("grants cannot be changed; make new ones")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("grants cannot be changed; make new ones")

    def __reduce__(self) -> tuple[Callable[[frozenset[str]], "Grants"], tuple[frozenset[str]]]:
        # Not checked again: what two grants have in common may be longer than either may be.
        return Grants.of_valid, (self.all,)

    def _trie(self) -> dict[object, dict]:  # type: ignore[type-arg]
        """Return the wildcards as a trie by segment, built when it is first needed."""
        if self._wildcards is not None:
            return self._wildcards
        root: dict[object, dict] = {}  # type: ignore[type-arg]
        for grant in self.all - self.exact:
            *head, last = grant.split(":")
            node = root
            for segment in head:
                node = node.setdefault(_ANY_ONE if segment == "*" else segment, {})
            if last == "*":
                node[_ANY_REST] = {}
            else:
                node.setdefault(last, {})[_END] = {}
        self._set("_wildcards", root)
        return root

    def covers(self, segments: Segments) -> bool:
        """Tell whether some grant covers the permission with these literal segments.

        The segments may hold any text, also what the grammar does not allow (values of templates): such
        a segment is only covered by a wildcard.
        """
        if all(map(is_segment, segments)) and ":".join(segments) in self.exact:
            return True
        return len(self.exact) < len(self.all) and _matches(self._trie(), segments)

    def includes(self, other: "Grants") -> bool:
        """Tell whether these cover everything that other grants cover."""
        return other.all <= self.all or other.all == other._within(self)  # noqa: SLF001  # another one of us

    def limited_to(self, other: "Grants") -> "Grants":
        """Return what both grant: it covers a permission exactly when these do and the others do."""
        mine, yours = self._within(other), other._within(self)  # noqa: SLF001  # as above
        texts = mine | yours
        for one in self.all - self.exact - mine:
            for another in other.all - other.exact - yours:
                both = common(one, another)
                if both is not None:
                    texts.add(both)
        return Grants.of_valid(frozenset(texts))

    def _within(self, other: "Grants") -> set[str]:
        # There are infinitely many segments, so several grants cover another one only if one of them does; and
        # what covers a literal "*", which nobody can grant, covers any segment there.
        return {grant for grant in self.all if other.covers(tuple(grant.split(":")))}

    def as_scope(self) -> str:
        """Write them as a scope (RFC 6749 section 3.3), sorted."""
        return " ".join(sorted(self.all))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Grants) and self.all == other.all

    def __hash__(self) -> int:
        return hash(self.all)

    def __repr__(self) -> str:
        return f"Grants({sorted(self.all)})"


NO_GRANTS: Final = Grants()


def _matches(node: dict[object, dict], segments: Segments) -> bool:  # type: ignore[type-arg]
    if not segments:
        return _END in node
    if _ANY_REST in node:
        return True
    first, rest = segments[0], segments[1:]
    return any(_matches(node[step], rest) for step in (first, _ANY_ONE) if step in node)
