"""The mapping: what the words of others grant here."""

import logging
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.policy.permissions import parse_permission
from flask_permjwt.tokens.issuers.mapping import grants_for, read_values

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
SEGMENTS = st.sampled_from(["*", "permjwt", "reports", "read", "a.b", "", " ", "ü", "permjwt "])
VALUES = st.lists(st.lists(SEGMENTS, min_size=1, max_size=3).map(":".join), max_size=5)


@given(VALUES)
def test_no_value_is_a_wildcard_and_none_is_ours(values):
    grants = grants_for(values, None)
    assert grants.all == grants.exact <= set(values)
    assert not any(one.startswith("permjwt:") or one == "permjwt" for one in grants.all)
    assert {parse_permission(one) for one in grants.all} == grants.all


@given(VALUES, st.dictionaries(VALUES.map(" ".join), st.just("reports:*"), max_size=3))
def test_a_map_grants_what_it_says_and_nothing_else(values, mapping):
    named = {"reports:*"} if set(values) & set(mapping) else set()
    assert grants_for(values, mapping.get).all == named


@given(JSON, st.lists(st.sampled_from(["a", "b", "c.d"]), min_size=1, max_size=3).map(tuple))
def test_any_shape_of_claim_gives_strings_or_nothing(value, path):
    for claims in ({"a": value}, {"a": {"b": value}}, {"c.d": value, "a.b": value}):
        assert all(isinstance(one, str) and one for one in read_values(claims, [path]))


def test_a_string_is_split_at_spaces_and_a_list_is_not():
    assert read_values({"scp": "a b  c"}, [("scp",)]) == {"a", "b", "c"}
    assert read_values({"scp": ["a b", "c", 5, None]}, [("scp",)]) == {"a b", "c"}
    assert read_values({"scp": {"a": 1}}, [("scp",)]) == frozenset()
    assert read_values({"scp": "admin"}, [("scp",)]) == {"admin"}


def test_several_claims_add_up():
    assert read_values({"scp": "a", "roles": ["b"]}, [("scp",), ("roles",), ("none",)]) == {"a", "b"}


def test_names_with_dots_are_found_whole_first():
    claims = {
        "https://example.com/roles": ["a"],
        "resource_access": {"my.api": {"roles": ["b"]}, "my": {"api": {"roles": ["c"]}}},
    }
    assert read_values(claims, [("https://example", "com/roles")]) == {"a"}
    assert read_values(claims, [("resource_access", "my", "api", "roles")]) == {"b"}
    assert read_values(claims, [("resource_access", "my.api", "roles")]) == {"b"}
    assert read_values(claims, [("resource_access", "your", "roles")]) == frozenset()
    assert read_values(claims, [("resource_access", "my.api", "roles", "more")]) == frozenset()


class Right(StrEnum):
    READ = "reports:read"


def test_a_callable_gives_one_grant_several_or_none():
    given = {"one": "a:b", "several": ["a:*", Right.READ], "none": None}
    assert grants_for(["one"], given.get).all == {"a:b"}
    assert grants_for(["several"], given.get).all == {"a:*", "reports:read"}
    assert grants_for(["none", "unknown"], given.get).all == frozenset()
    assert grants_for(["*"], {"*": "permjwt:*"}.get).all == {"permjwt:*"}


@pytest.mark.parametrize("wrong", ["no grant", "", ["a:b", "no grant"], 5, [None], {"a:b": 1}])
def test_a_callable_that_gives_nonsense_grants_nothing_and_is_told_of(caplog, wrong):
    with caplog.at_level(logging.WARNING, "flask_permjwt.issuers"):
        assert grants_for(["x", "y"], lambda value: wrong if value == "x" else "a:b").all == {"a:b"}
    assert "grants nothing" in caplog.text


def test_a_callable_that_fails_grants_nothing_and_is_told_of_once_without_the_tokens_words(caplog):
    table = {"good": "a:b", "odd": "not a grant"}
    values = ["good", "odd", *(f"WORD{number}" for number in range(100))]
    assert grants_for(values, table.__getitem__, issuer="https://issuer").all == {"a:b"}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info is None
    assert record.getMessage().endswith(
        "https://issuer failed: what it failed for grants nothing: KeyError, PermissionSyntaxError"
    )
    assert "WORD" not in caplog.text
