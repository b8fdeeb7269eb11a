"""Permissions and grants: the grammar, and wildcards against a slow oracle that was written on its own."""

import copy
import pickle
from enum import Enum, IntEnum, StrEnum

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_permjwt.errors import PermissionSyntaxError
from flask_permjwt.policy.permissions import (
    Grants,
    as_text,
    is_segment,
    parse_grant,
    parse_permission,
    valid_grants,
)

# Few letters, so that grants and permissions meet often.
SEGMENTS = st.sampled_from(["a", "b", "c", "x.y", "A"])
PERMISSIONS = st.lists(SEGMENTS, min_size=1, max_size=4).map(tuple)
GRANTS = st.lists(SEGMENTS | st.just("*"), min_size=1, max_size=4).map(":".join)
GRANT_SETS = st.frozensets(GRANTS, max_size=6)
ODD_VALUES = st.sampled_from(["*", "a:b", "", "\0", "a\n", " a", "\uff41", "\ud800", "**", "a:*", "é", "\u0663"])


def covers_slowly(grant: str, segments: tuple[str, ...]) -> bool:
    """Say again what a grant covers, in the plainest way: segment by segment."""
    parts = grant.split(":")
    if parts[-1] == "*":
        if len(segments) < len(parts):
            return False
        parts, segments = parts[:-1], segments[: len(parts) - 1]
    if len(parts) != len(segments):
        return False
    return all(part in ("*", segment) for part, segment in zip(parts, segments, strict=True))


class Permission(StrEnum):
    READ = "reports:read"


class Mixed(str, Enum):  # noqa: UP042  # the older way to write it must work too
    READ = "reports:read"


class Plain(Enum):
    READ = "reports:read"
    NUMBER = 7


class Number(IntEnum):
    ONE = 1


@given(GRANT_SETS, PERMISSIONS)
@example(frozenset({"*"}), ("a",))
@example(frozenset({"a:*"}), ("a",))
@example(frozenset({"*:*"}), ("a",))
@example(frozenset({"*:b"}), ("a", "a", "b"))
def test_grants_cover_what_the_oracle_says(grants, segments):
    assert Grants(grants).covers(segments) == any(covers_slowly(grant, segments) for grant in grants)


@given(GRANT_SETS, st.lists(SEGMENTS | ODD_VALUES | st.text(max_size=3), min_size=1, max_size=4).map(tuple))
def test_segments_of_any_text_are_covered_as_the_oracle_says(grants, segments):
    assert Grants(grants).covers(segments) == any(covers_slowly(grant, segments) for grant in grants)


@given(GRANT_SETS, GRANT_SETS, PERMISSIONS)
def test_more_grants_never_cover_less(some, more, segments):
    if Grants(some).covers(segments):
        assert Grants(some | more).covers(segments)


@given(PERMISSIONS)
def test_a_lone_star_covers_every_permission(segments):
    assert Grants(["*"]).covers(segments)


@given(PERMISSIONS, PERMISSIONS)
def test_a_trailing_star_needs_at_least_one_segment_in_its_place(head, tail):
    grants = Grants([":".join(head) + ":*"])
    assert grants.covers(head + tail)
    assert not grants.covers(head)


@given(PERMISSIONS, PERMISSIONS)
def test_an_exact_grant_covers_itself_and_nothing_else(granted, asked):
    assert Grants([":".join(granted)]).covers(asked) == (granted == asked)


@pytest.mark.parametrize(
    ("grant", "permission", "covered"),
    [
        ("reports:*", "reports:read", True),
        ("reports:*", "reports:2024:read", True),
        ("reports:*", "reports", False),
        ("reports:*", "report:read", False),
        ("*", "anything:at:all", True),
        ("*:read", "reports:read", True),
        ("*:read", "reports:2024:read", False),
        ("*:read", "read", False),
        ("reports:*:read", "reports:2024:read", True),
        ("reports:*:read", "reports:read", False),
        ("reports:*:*", "reports:read", False),
        ("reports:read", "Reports:read", False),
    ],
)
def test_the_documented_examples_hold(grant, permission, covered):
    assert Grants([grant]).covers(tuple(permission.split(":"))) is covered


@given(GRANT_SETS)
def test_no_segments_at_all_are_covered_by_nothing(grants):
    assert not Grants(grants).covers(())


def test_a_literal_star_is_not_the_wildcard():
    assert not Grants(["a:b", "x:*:y"]).covers(("a", "*"))
    assert Grants(["a:*"]).covers(("a", "*"))


def test_a_value_with_colons_is_not_split_to_meet_an_exact_grant():
    assert not Grants(["project:1:edit"]).covers(("project", "1:edit"))


@pytest.mark.parametrize("text", ["a", "a:b", "A-Z.0_9:x", "a" * 255])
def test_what_fits_the_grammar_is_a_permission_and_a_grant(text):
    assert parse_permission(text) == text
    assert parse_grant(text) == text


WRONG = [
    "",
    ":",
    "a:",
    ":a",
    "a::b",
    " a",
    "a ",
    "a\n",
    "a b",
    "ä",
    "a/b",
    "a*",
    "*a",
    "**",
    "\u0663",
    "\0",
    "a" * 256,
]


@pytest.mark.parametrize("text", WRONG)
def test_what_does_not_fit_the_grammar_is_neither(text):
    with pytest.raises(PermissionSyntaxError):
        parse_permission(text)
    with pytest.raises(PermissionSyntaxError):
        parse_grant(text)


@pytest.mark.parametrize("text", ["*", "a:*", "*:a", "a:*:b"])
def test_wildcards_stand_in_grants_only(text):
    assert parse_grant(text) == text
    with pytest.raises(PermissionSyntaxError, match="wildcards stand in grants only"):
        parse_permission(text)


@pytest.mark.parametrize("member", [Permission.READ, Mixed.READ, Plain.READ])
def test_members_of_a_string_enum_are_permissions(member):
    assert parse_permission(member) == "reports:read"
    assert type(as_text(member)) is str


@pytest.mark.parametrize("value", [None, 1, True, b"a", ["a"], Plain.NUMBER, Number.ONE])
def test_what_is_no_string_is_no_permission(value):
    with pytest.raises(PermissionSyntaxError):
        as_text(value)


@given(st.text(max_size=5))
def test_a_segment_is_ascii_and_holds_no_colon_or_star(text):
    if is_segment(text):
        assert text
        assert text.isascii()
        assert not set(text) & set(":* \n\0")


@pytest.mark.parametrize(
    "shape", ["admin", "*", b"*", None, 1, True, {"*": 1}, {"permissions": ["*"]}, iter(["*"])]
)
def test_a_wrong_shape_grants_nothing(shape):
    assert valid_grants(shape) == frozenset()


@pytest.mark.parametrize("collection", [list, tuple, set, frozenset])
def test_only_what_is_a_grant_is_kept_of_a_collection(collection):
    assert valid_grants(collection(["a:b", "*:c", "", "a b", None, 7, ("*",)])) == {"a:b", "*:c"}


def test_a_list_within_the_list_grants_nothing():
    assert valid_grants([["*"], {"a": "*"}, "a"]) == {"a"}


@pytest.mark.parametrize("text", ["admin", "*", "ab*", ""])
def test_one_string_is_not_taken_letter_by_letter(text):
    with pytest.raises(PermissionSyntaxError, match="collection of strings"):
        Grants(text)


def test_a_wrong_grant_is_refused():
    with pytest.raises(PermissionSyntaxError):
        Grants(["a:b", "not a grant"])


@given(GRANT_SETS, GRANT_SETS)
def test_grants_are_equal_when_their_texts_are(some, others):
    assert (Grants(some) == Grants(others)) == (some == others)
    assert hash(Grants(some)) == hash(Grants(sorted(some)))
    assert Grants(some) != some


@pytest.mark.parametrize("name", ["all", "exact", "_wildcards", "other"])
def test_grants_cannot_be_changed(name):
    grants = Grants(["a"])
    with pytest.raises(AttributeError, match="cannot be changed"):
        setattr(grants, name, frozenset({"*"}))
    with pytest.raises(AttributeError, match="cannot be changed"):
        delattr(grants, name)
    assert not grants.covers(("b",))


@given(GRANT_SETS)
def test_copied_grants_are_the_same_grants(grants):
    original = Grants(grants)
    assert copy.copy(original) == copy.deepcopy(original) == pickle.loads(pickle.dumps(original)) == original  # noqa: S301  # pickled one expression earlier


def test_grants_name_themselves_in_order():
    assert repr(Grants(["b", "a:*"])) == "Grants(['a:*', 'b'])"
