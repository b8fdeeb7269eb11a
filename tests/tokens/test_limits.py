"""Limits: a token that carries a scope is good for what it and its permissions both name."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.policy.permissions import NO_GRANTS, Grants
from flask_permjwt.tokens.codec import TokenCodec, TokenType
from flask_permjwt.tokens.keys import KeyRing, hmac_key

ACCESS, REFRESH = TokenType.ACCESS, TokenType.REFRESH
NOW = 1_800_000_000
CLAIMS = {"sub": "u" * 32, "jti": "j" * 32, "sid": "s" * 32, "ver": 3, "iat": NOW, "exp": NOW + 900}
CODEC = TokenCodec(KeyRing(hmac_key(secrets.token_urlsafe(64), "HS256")))
GRANTS = st.frozensets(st.sampled_from(["a", "a:b", "a:*", "*:b", "*", "permjwt:*", "permjwt:x"]), max_size=4)


@given(GRANTS, GRANTS)
def test_a_narrowed_token_grants_what_its_permissions_and_its_limit_both_do(granted, limit):
    token = CODEC.verify(CODEC.encode(ACCESS, CLAIMS, granted, limit=Grants(limit)), ACCESS)
    both = Grants(granted).limited_to(Grants(limit))
    assert token.limit == Grants(limit)
    assert token.principal.grants == both
    # Whoever reads nothing but the permissions is told no more.
    assert set(token.claims["permissions"]) == both.all


@given(GRANTS)
def test_a_token_without_a_limit_carries_no_scope(granted):
    token = CODEC.verify(CODEC.encode(ACCESS, CLAIMS, granted), ACCESS)
    assert token.limit is None
    assert "scope" not in token.claims
    assert token.principal.permissions == granted


def test_a_limit_stands_in_a_token_that_leaves_permissions_to_the_store():
    token = CODEC.verify(CODEC.encode(ACCESS, CLAIMS, None, limit=Grants(["b:c", "a"])), ACCESS)
    assert token.rights_in_store
    assert token.claims["scope"] == "a b:c"
    assert token.limit == Grants(["b:c", "a"])


def test_a_limit_to_nothing_is_a_limit():
    token = CODEC.verify(CODEC.encode(ACCESS, CLAIMS, ["a"], limit=NO_GRANTS), ACCESS)
    assert (token.limit, token.principal.grants) == (NO_GRANTS, NO_GRANTS)


def test_permissions_that_are_wider_than_the_scope_beside_them_are_cut():
    token = CODEC.verify(CODEC.encode(ACCESS, {**CLAIMS, "scope": "a:b"}, ["a:*", "c"]), ACCESS)
    assert token.principal.permissions == {"a:b"}


def test_permissions_that_are_no_grants_are_left_out_of_a_narrowed_token():
    token = CODEC.verify(CODEC.encode(ACCESS, CLAIMS, ["a", "no grant"], limit=Grants(["*"])), ACCESS)
    assert token.principal.permissions == {"a"}


def test_a_refresh_token_carries_no_scope_for_its_session_knows_it():
    token = CODEC.verify(CODEC.encode(REFRESH, CLAIMS, limit=Grants(["a"])), REFRESH)
    assert "scope" not in token.claims
    assert token.limit is None


@pytest.mark.parametrize("scope", [None, [], ["a"], 0, False, {"a": 1}])
def test_a_scope_of_a_wrong_shape_is_refused(scope):
    with pytest.raises(InvalidTokenError, match="scope"):
        CODEC.verify(CODEC.encode(ACCESS, {**CLAIMS, "scope": scope}, ["a"]), ACCESS)
