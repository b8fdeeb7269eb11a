"""Requirements: groups as logic, templates that never widen, and nothing that passes for being empty."""

from enum import Enum, StrEnum

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from flask_permjwt.errors import PermissionSyntaxError
from flask_permjwt.policy.permissions import Grants
from flask_permjwt.policy.requirements import AllOf, AnyOf, Needs, all_of, any_of, parse_requirement

SEGMENTS = st.sampled_from(["a", "b", "c", "7"])
PERMISSIONS = st.lists(SEGMENTS, min_size=1, max_size=3).map(":".join)
GRANT_SETS = st.frozensets(st.lists(SEGMENTS | st.just("*"), min_size=1, max_size=4).map(":".join), max_size=6)
EXACT_GRANT_SETS = st.frozensets(PERMISSIONS, max_size=8)
TEMPLATES = (
    st.lists(SEGMENTS | st.sampled_from(["{p}", "{q}"]), min_size=1, max_size=3)
    .filter(lambda parts: any("{" in part for part in parts))
    .map(":".join)
)
ODD = [
    "*",
    "a:b",
    "a:*",
    ":",
    "",
    "\0",
    "a\n",
    " a",
    "{p}",
    "{q}",
    "\uff41",
    "é",
    "\ud800",
    "a\0",
    "%2a",
    "..",
    "7",
]
TEXTS = st.text(max_size=4) | st.sampled_from(ODD) | SEGMENTS
VALUES = st.fixed_dictionaries({}, optional={"p": TEXTS | st.integers() | st.none(), "q": TEXTS})


def groups(leaves):
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            lambda kind, parts: kind(*parts),
            st.sampled_from([all_of, any_of]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=8,
    ).map(parse_requirement)


LITERAL_REQUIREMENTS = groups(PERMISSIONS)
REQUIREMENTS = groups(PERMISSIONS | TEMPLATES)


class Permission(StrEnum):
    READ = "reports:read"
    EDIT = "project:{project_id}:edit"


class Project(Enum):
    SEVEN = "7"
    NONE = None


def fill(template: str, values: dict) -> tuple[str, ...] | None:
    """Fill a template in the plainest way; None when a value is missing."""
    filled = []
    for part in template.split(":"):
        if part.startswith("{"):
            if values.get(part[1:-1]) is None:
                return None
            filled.append(str(values[part[1:-1]]))
        else:
            filled.append(part)
    return tuple(filled)


# Monotony, logic, and what is missing


@given(REQUIREMENTS, GRANT_SETS, GRANT_SETS, VALUES)
def test_more_grants_never_take_access_away(requirement, some, more, values):
    if requirement.met_by(Grants(some), values):
        assert requirement.met_by(Grants(some | more), values)


@given(st.lists(REQUIREMENTS, min_size=1, max_size=4), GRANT_SETS, VALUES)
def test_all_of_is_met_when_every_part_is(parts, grants, values):
    assert all_of(*parts).met_by(Grants(grants), values) == all(
        part.met_by(Grants(grants), values) for part in parts
    )


@given(st.lists(REQUIREMENTS, min_size=1, max_size=4), GRANT_SETS, VALUES)
def test_any_of_is_met_when_some_part_is(parts, grants, values):
    assert any_of(*parts).met_by(Grants(grants), values) == any(
        part.met_by(Grants(grants), values) for part in parts
    )


@given(REQUIREMENTS, GRANT_SETS, VALUES)
def test_a_group_of_one_is_that_one(requirement, grants, values):
    met = requirement.met_by(Grants(grants), values)
    assert all_of(requirement).met_by(Grants(grants), values) == met
    assert any_of(requirement).met_by(Grants(grants), values) == met


@given(REQUIREMENTS, GRANT_SETS, VALUES)
def test_nothing_is_missing_exactly_when_it_is_met(requirement, grants, values):
    missing = requirement.missing(Grants(grants), values)
    assert (missing == ()) == requirement.met_by(Grants(grants), values)
    assert set(missing) <= set(requirement.scopes)
    assert len(set(missing)) == len(missing)


@given(LITERAL_REQUIREMENTS, GRANT_SETS)
def test_granting_what_is_missing_is_enough(requirement, grants):
    assert requirement.met_by(Grants(grants | set(requirement.missing(Grants(grants)))))


@given(REQUIREMENTS, VALUES)
def test_nobody_without_grants_meets_anything(requirement, values):
    assert not requirement.met_by(Grants(), values)


@given(LITERAL_REQUIREMENTS)
def test_a_star_meets_whatever_has_no_template(requirement):
    assert requirement.met_by(Grants(["*"]))


# Templates


@given(TEMPLATES, EXACT_GRANT_SETS, VALUES)
@example("a:{p}", frozenset({"a:a:b"}), {"p": "a:b"})
@example("a:{p}", frozenset({"a:7"}), {"p": 7})
def test_exact_grants_cover_a_filled_template_only_if_each_value_is_the_literal_segment(template, grants, values):
    filled = fill(template, values)
    covered = Needs.parse(template).met_by(Grants(grants), values)
    assert covered == (filled is not None and any(tuple(grant.split(":")) == filled for grant in grants))


@given(TEMPLATES, VALUES, st.integers(1, 5))
def test_a_value_never_changes_the_number_of_segments(template, values, size):
    assume(fill(template, values) is not None)
    needs = Needs.parse(template)
    at_least = Grants([":".join(["*"] * size)])
    more = Grants([":".join(["*"] * (size + 1))])
    counted = needs.met_by(at_least, values) and not needs.met_by(more, values)
    assert counted == (len(template.split(":")) == size)


@given(TEMPLATES, GRANT_SETS, TEXTS, TEXTS)
def test_values_that_no_grant_names_are_all_alike(template, grants, one, other):
    named = {segment for grant in grants for segment in grant.split(":") if segment != "*"}
    assume(one not in named)
    assume(other not in named)
    needs = Needs.parse(template)
    grants = Grants(grants)
    assert needs.met_by(grants, {"p": one, "q": one}) == needs.met_by(grants, {"p": other, "q": other})


@given(TEMPLATES, GRANT_SETS, TEXTS)
def test_a_missing_value_is_covered_by_nothing(template, grants, value):
    needs = Needs.parse(template)
    for name in needs.fields:
        values = {"p": value, "q": value}
        del values[name]
        assert not needs.met_by(Grants(grants | {"*"}), values)
        assert not needs.met_by(Grants(grants | {"*"}), {**values, name: None})


@pytest.mark.parametrize("value", ODD)
def test_a_value_is_one_literal_segment_whatever_it_holds(value):
    needs = Needs.parse("project:{p}:edit")
    others = Grants(["project:1:edit", "project:a:b:edit", "project:b", "edit", "a:*", "project:p:edit"])
    assert not needs.met_by(others, {"p": value})
    assert needs.met_by(Grants(["project:*:edit"]), {"p": value})


def test_a_number_and_its_digits_are_the_same_segment():
    needs = Needs.parse("project:{p}:edit")
    assert needs.met_by(Grants(["project:7:edit"]), {"p": 7})
    assert needs.met_by(Grants(["project:7:edit"]), {"p": Project.SEVEN})
    assert not needs.met_by(Grants(["project:7:edit"]), {"p": "07"})


def test_a_member_whose_value_is_none_is_a_missing_value():
    grants = Grants(["*", "project:None:edit"])
    assert not Needs.parse("project:{p}:edit").met_by(grants, {"p": Project.NONE})


def test_what_is_missing_of_a_template_is_named_unfilled():
    needs = all_of("project:{p}:edit", "a")
    assert needs.missing(Grants(["a"]), {"p": "secret"}) == ("project:{p}:edit",)


def test_requirements_know_the_names_they_are_filled_from():
    requirement = all_of("a", any_of("x:{p}", "y:{q}:{p}"))
    assert requirement.fields == {"p", "q"}
    assert Needs.parse("a").fields == frozenset()
    assert Needs.parse("a:{p}").is_template
    assert not Needs.parse("a").is_template


# What is refused


@pytest.mark.parametrize("kind", [all_of, any_of])
def test_an_empty_requirement_is_refused(kind):
    with pytest.raises(PermissionSyntaxError, match="at least one permission"):
        kind()


@pytest.mark.parametrize("kind", [AllOf, AnyOf])
def test_an_empty_group_is_refused_however_it_is_made(kind):
    with pytest.raises(PermissionSyntaxError, match="at least one permission"):
        kind(iter(()))


@pytest.mark.parametrize("kind", [all_of, any_of])
@pytest.mark.parametrize(
    "permission",
    [
        "",
        "*",
        "a:*",
        "a b",
        "a:",
        "{p",
        "{}",
        "{1p}",
        "a{p}",
        "{p}a",
        "{p}{q}",
        "{p:int}",
        "{p}:*",
        "{p}\n",
        "a" * 256,
    ],
)
def test_what_is_no_permission_and_no_template_is_refused(kind, permission):
    with pytest.raises(PermissionSyntaxError):
        kind("good", permission)


@pytest.mark.parametrize("value", [None, 7, b"a", ["a"], ("a", "b"), {"a"}, all_of])
def test_what_is_no_text_and_no_group_is_refused(value):
    with pytest.raises(PermissionSyntaxError):
        parse_requirement(value)


# Being values


def test_members_of_a_string_enum_are_permissions_and_templates():
    assert all_of(Permission.READ, Permission.EDIT) == all_of("reports:read", "project:{project_id}:edit")
    assert any_of(Permission.READ).met_by(Grants(["reports:read"]))


@given(REQUIREMENTS, REQUIREMENTS)
def test_requirements_are_compared_by_value(one, other):
    assert all_of(one) == all_of(one)
    assert hash(all_of(one)) == hash(all_of(one))
    assert (any_of(one) == any_of(other)) == (one == other)
    assert all_of(one) != any_of(one)
    assert all_of(one) != "all_of"


@given(REQUIREMENTS)
def test_a_requirement_read_again_is_itself(requirement):
    assert parse_requirement(requirement) is requirement


def test_scopes_are_named_once_in_order():
    assert all_of("b", "a", any_of("b", "c:{p}")).scopes == ("b", "a", "c:{p}")
    assert Needs.parse("a:{p}").scopes == ("a:{p}",)


def test_requirements_read_as_sentences():
    assert str(all_of("a", any_of("b", all_of("c", "d:{p}")))) == "a and (b or (c and d:{p}))"
    assert str(Needs.parse("a:{p}")) == "a:{p}"
    assert repr(any_of("a")) == "AnyOf(Needs(text='a'),)"


def test_what_takes_a_look_at_permissions_alone_is_told():
    assert all_of("a", "b:c").exact == {"a", "b:c"}
    assert all_of("a", any_of("b", "c")).exact is None
    assert all_of("a", "b:{c}").exact is None
