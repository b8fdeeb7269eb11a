"""The principal: an immutable value, all the way down."""

import dataclasses
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.errors import PermissionSyntaxError
from flask_permjwt.policy.frozen import MAX_DEPTH, freeze
from flask_permjwt.policy.permissions import Grants
from flask_permjwt.policy.principal import ANONYMOUS, Principal
from flask_permjwt.policy.requirements import any_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def thaw(value):
    if isinstance(value, MappingProxyType):
        return {name: thaw(one) for name, one in value.items()}
    return [thaw(one) for one in value] if isinstance(value, tuple) else value


def mutable_within(value) -> bool:
    if isinstance(value, MappingProxyType):
        return any(map(mutable_within, value.values()))
    if isinstance(value, tuple):
        return any(map(mutable_within, value))
    return not isinstance(value, str | int | float | None)


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Principal)])
@pytest.mark.parametrize("principal", [ANONYMOUS, Principal(subject="u")])
def test_no_attribute_can_be_set_or_deleted(principal, name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(principal, name, "*")
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(principal, name)


def test_no_attribute_can_be_added():
    with pytest.raises((AttributeError, TypeError)):
        ANONYMOUS.is_admin = True


def test_its_grants_cannot_be_changed():
    with pytest.raises(AttributeError):
        ANONYMOUS.grants.exact = frozenset({"a"})
    with pytest.raises(AttributeError):
        ANONYMOUS.permissions.add("a")


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=3))
def test_claims_are_the_same_data_with_nothing_left_that_could_be_changed(claims):
    principal = Principal(subject="u", claims=claims)
    assert thaw(principal.claims) == claims
    assert not mutable_within(principal.claims)


def test_whoever_made_the_claims_cannot_change_them_later():
    inner = {"groups": ["viewer"]}
    claims = {"data": inner}
    principal = Principal(subject="u", claims=claims)
    proxied = Principal(subject="u", claims=MappingProxyType(claims))
    inner["groups"].append("admin")
    claims["more"] = {}
    for one in (principal, proxied):
        assert thaw(one.claims) == {"data": {"groups": ["viewer"]}}


def test_freezing_what_is_frozen_changes_nothing():
    once = freeze({"a": [1, {"b": [2]}]})
    assert freeze(once) == once
    assert not mutable_within(freeze(once))


def test_claims_are_frozen_down_to_a_fixed_depth_and_refused_beyond():
    assert Principal(subject="u", claims={"a": nested(MAX_DEPTH)})
    with pytest.raises(ValueError, match="nested deeper"):
        Principal(subject="u", claims={"a": nested(MAX_DEPTH + 1)})


def test_a_principal_can_do_what_was_granted():
    principal = Principal(subject="u", grants=Grants(["a:*", "b"]))
    assert principal.can("a:read", "b")
    assert principal.can(any_of("c", "b"))
    assert not principal.can("a:read", "c")
    assert principal.can("a:{p}", values={"p": 7})
    assert not principal.can("b:{p}", values={"p": ""})
    assert not principal.can("a:{p}")


def test_asking_for_nothing_is_an_error_and_no_permission():
    with pytest.raises(PermissionSyntaxError):
        Principal(subject="u", grants=Grants(["*"])).can()


def test_the_anonymous_can_do_nothing_even_with_grants():
    assert not Principal(subject=None, grants=Grants(["*"])).can("a")
    assert not ANONYMOUS.can("a")


@pytest.mark.parametrize(("principal", "known"), [(ANONYMOUS, False), (Principal(subject="u"), True)])
def test_a_principal_is_anonymous_or_authenticated(principal, known):
    assert principal.is_authenticated is known
    assert principal.is_anonymous is not known


def test_permissions_are_the_grants_as_text():
    assert Principal(subject="u", grants=Grants(["a:*", "b"])).permissions == {"a:*", "b"}


def test_roles_decide_nothing():
    assert not Principal(subject="u", roles=frozenset({"admin", "*", "a"})).can("a")


@pytest.mark.parametrize(("label", "personal"), [(None, False), ("ci", True), ("", True)])
def test_a_principal_is_personal_when_its_token_has_a_name(label, personal):
    assert Principal(subject="u", token_name=label).is_personal is personal


def test_principals_are_compared_and_hashed_without_their_claims():
    one, other = Principal(subject="u", claims={"a": [1]}), Principal(subject="u", claims={"a": [2]})
    assert one == other
    assert hash(one) == hash(other)
    assert one != Principal(subject="u", grants=Grants(["a"]))


def test_a_principal_in_a_log_shows_neither_its_claims_nor_its_permissions():
    assert "secret" not in repr(Principal(subject="u", grants=Grants(["secret"]), claims={"csrf": "secret"}))
