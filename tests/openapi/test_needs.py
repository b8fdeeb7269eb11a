"""Requirements as alternatives of scopes: they say what the guard says, no more and no less."""

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt import all_of, any_of
from flask_permjwt.openapi.needs import alternatives, filled, tree
from flask_permjwt.policy.permissions import Grants
from flask_permjwt.policy.requirements import Needs, parse_requirement

LETTERS = "abcd"
requirements = st.recursive(
    st.sampled_from(LETTERS),
    lambda parts: st.lists(parts, min_size=1, max_size=3).flatmap(
        lambda found: st.sampled_from([all_of(*found), any_of(*found)])
    ),
    max_leaves=8,
)


def sets():
    return chain.from_iterable(combinations(LETTERS, size) for size in range(len(LETTERS) + 1))


@given(requirements)
def test_the_alternatives_are_met_exactly_when_the_requirement_is(requirement):
    requirement = all_of(requirement)
    found = alternatives(requirement)
    for held in sets():
        assert any(set(one) <= set(held) for one in found) == requirement.met_by(Grants(held))


@given(requirements)
def test_no_alternative_holds_another(requirement):
    found = [set(one) for one in alternatives(all_of(requirement))]
    assert not any(one <= other for one, other in combinations(found, 2))
    assert not any(other <= one for one, other in combinations(found, 2))


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        (Needs.parse("a"), [("a",)]),
        (all_of("a", "b"), [("a", "b")]),
        (any_of("a", "b"), [("a",), ("b",)]),
        (all_of("a", any_of("b", all_of("c", "d"))), [("a", "b"), ("a", "c", "d")]),
        (any_of(all_of("a", "b"), "a"), [("a",)]),
        (all_of("project:{project_id}:edit"), [("project:{project_id}:edit",)]),
    ],
)
def test_what_a_requirement_becomes(requirement, expected):
    assert alternatives(requirement) == expected


def pairs(count):
    return [any_of(f"a{number}", f"b{number}") for number in range(count)]


def test_as_many_alternatives_as_a_person_can_read_are_written():
    assert len(alternatives(all_of(*pairs(5)))) == 32


@pytest.mark.parametrize("count", [6, 200])
def test_of_too_many_alternatives_only_what_is_needed_anyhow_is_written(count):
    assert alternatives(all_of("x", *pairs(count))) == [("x",)]
    assert alternatives(any_of(all_of("x", *pairs(count)), all_of("y", "x"))) == [("x",)]
    assert alternatives(any_of(all_of(*pairs(count)), "y")) == [()]


def test_a_tree_says_it_all():
    assert tree(all_of("a", any_of("b", all_of("c", "d")))) == ["a", {"any_of": ["b", {"all_of": ["c", "d"]}]}]
    assert tree(any_of("a", "b")) == [{"any_of": ["a", "b"]}]
    assert tree(Needs.parse("a")) == ["a"]
    assert tree(all_of(*pairs(200)))[199] == {"any_of": ["a199", "b199"]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, "a:7:{y}"),
        ("b_c", "a:b_c:{y}"),
        *((odd, "a:{x}:{y}") for odd in ("b:c", "*", "{z}", "b c", "", None, "b" * 255)),
    ],
)
def test_a_template_is_filled_with_what_can_be_one_segment_and_with_nothing_else(value, expected):
    assert tree(filled(parse_requirement("a:{x}:{y}"), {"x": value, "z": "1"})) == [expected]
