"""Narrowing: what is left of grants is what both sides allow, against the same slow oracle as for grants alone."""

import copy
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_permjwt.policy.narrowing import common
from flask_permjwt.policy.permissions import NO_GRANTS, Grants, read_scope
from flask_permjwt.policy.requirements import Needs, all_of, any_of

SEGMENTS = st.sampled_from(["a", "b", "permjwt", "x.y"])
GRANTS = st.lists(SEGMENTS | st.just("*"), min_size=1, max_size=4).map(":".join)
GRANT_SETS = st.frozensets(GRANTS, max_size=5)
ASKED = st.lists(
    SEGMENTS | st.sampled_from(["*", "", "a:b", "\0", "é", "\ud800", "other"]), min_size=1, max_size=6
).map(tuple)


def covers_slowly(grant: str, segments: tuple[str, ...]) -> bool:
    parts = grant.split(":")
    if parts[-1] == "*":
        if len(segments) < len(parts):
            return False
        parts, segments = parts[:-1], segments[: len(parts) - 1]
    if len(parts) != len(segments):
        return False
    return all(part in ("*", segment) for part, segment in zip(parts, segments, strict=True))


@given(GRANTS, GRANTS, ASKED)
@example("*", "a:b", ("a", "b"))
@example("a:*", "*:b", ("a", "b"))
@example("*:*", "*:b:*", ("a", "b", "c"))
def test_what_two_grants_have_in_common_covers_exactly_what_both_cover(one, other, asked):
    both = common(one, other)
    covered = both is not None and covers_slowly(both, asked)
    assert covered == (covers_slowly(one, asked) and covers_slowly(other, asked))
    assert both == common(other, one)


@given(GRANT_SETS, GRANT_SETS, ASKED)
@example(frozenset({"permjwt:*"}), frozenset({"*"}), ("permjwt", "sessions", "manage"))
@example(frozenset({"*"}), frozenset({"a:*", "*:b"}), ("c", "b"))
@example(frozenset({"a:b", "a:*"}), frozenset({"*:b"}), ("a", "b"))
def test_limited_grants_cover_exactly_what_both_sides_cover(mine, limit, asked):
    limited = Grants(mine).limited_to(Grants(limit))
    by_both = any(covers_slowly(one, asked) for one in mine) and any(covers_slowly(one, asked) for one in limit)
    assert limited.covers(asked) is by_both


TEXTS = st.lists(SEGMENTS, min_size=1, max_size=3).map(":".join)
TEMPLATES = st.lists(SEGMENTS | st.just("{it}"), min_size=1, max_size=3).map(":".join)


@given(GRANT_SETS, GRANT_SETS, st.lists(TEXTS | TEMPLATES, min_size=1, max_size=3), ASKED)
def test_a_requirement_is_met_where_each_of_its_permissions_is_met_by_both(mine, limit, texts, values):
    grants, narrow = Grants(mine), Grants(limit)
    limited = grants.limited_to(narrow)
    filled = {"it": values[0]}
    one_by_one = [
        Needs.parse(one).met_by(grants, filled) and Needs.parse(one).met_by(narrow, filled) for one in texts
    ]
    assert all_of(*texts).met_by(limited, filled) is all(one_by_one)
    assert any_of(*texts).met_by(limited, filled) is any(one_by_one)


@given(GRANT_SETS, GRANT_SETS, GRANT_SETS)
def test_narrowing_again_changes_nothing_and_order_does_not_matter(mine, limit, further):
    grants, one, other = Grants(mine), Grants(limit), Grants(further)
    limited = grants.limited_to(one)
    assert limited.limited_to(one) == limited == limited.limited_to(grants)
    assert grants.includes(limited)
    assert one.includes(limited)
    there, back = limited.limited_to(other), grants.limited_to(other).limited_to(one)
    assert there.includes(back)
    assert back.includes(there)


@given(GRANT_SETS, GRANT_SETS)
def test_grants_include_others_exactly_when_narrowing_leaves_those_whole(mine, others):
    grants, other = Grants(mine), Grants(others)
    left = {common(one, another) for one in others for another in mine}
    assert grants.includes(other) is (others <= left)


@given(GRANT_SETS, GRANT_SETS, ASKED)
def test_what_includes_others_covers_whatever_they_cover(mine, others, asked):
    if Grants(mine).includes(Grants(others)) and any(covers_slowly(one, asked) for one in others):
        assert any(covers_slowly(one, asked) for one in mine)


@pytest.mark.parametrize(
    ("mine", "others", "included"),
    [
        ({"*"}, {"*", "a:*", "*:b"}, True),
        ({"a:*"}, {"*"}, False),
        ({"a:*"}, {"a:*:c", "a:b"}, True),
        ({"*:b"}, {"*:*"}, False),
        ({"a:b", "a:c"}, {"a:*"}, False),
        ({"permjwt:*"}, {"permjwt:sessions:manage"}, True),
        (set(), set(), True),
        (set(), {"a"}, False),
    ],
)
def test_the_plain_cases_of_inclusion(mine, others, included):
    assert Grants(mine).includes(Grants(others)) is included


@given(GRANT_SETS)
def test_nothing_is_left_of_what_is_limited_to_nothing(mine):
    assert Grants(mine).limited_to(NO_GRANTS) == NO_GRANTS == NO_GRANTS.limited_to(Grants(mine))


@given(GRANT_SETS)
def test_a_lone_star_limits_nothing(mine):
    assert Grants(mine).limited_to(Grants(["*"])) == Grants(mine)


def test_what_is_left_may_be_longer_than_a_grant_and_can_be_copied_all_the_same():
    one, other = "*:" + "a" * 200, "b" * 200 + ":*"
    limited = Grants([one]).limited_to(Grants([other]))
    assert limited.covers(("b" * 200, "a" * 200))
    for copied in (copy.copy(limited), copy.deepcopy(limited), pickle.loads(pickle.dumps(limited))):  # noqa: S301  # our own
        assert copied == limited


@given(GRANT_SETS)
def test_a_scope_is_read_as_it_was_written(mine):
    assert read_scope(Grants(mine).as_scope()) == Grants(mine)


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        ("", set()),
        ("   ", set()),
        ("a  b ", {"a", "b"}),
        ("openid offline_access a:b", {"openid", "offline_access", "a:b"}),
        ("a:b\tc", set()),
        ("a\nb", set()),
        ("a,b **  :a a: é \ud800 c", {"c"}),
        ("a" * 256, set()),
        ("*", {"*"}),
    ],
)
def test_words_of_a_scope_that_are_no_grants_grant_nothing(scope, granted):
    assert read_scope(scope).all == granted
