"""Unsigned tokens: ``none`` in all spellings, and signatures that are absent or empty (RFC 8725 section 3.2)."""

import itertools

import jwt
import pytest

from flask_permjwt.tokens.codec import TokenType

SPELLINGS = ["".join(letters) for letters in itertools.product("nN", "oO", "nN", "eE")]
DISGUISES = ["none ", " none", "none\n", "none\0", "n\u043ene", "\uff4eone", "", "null", "None256", "NONE,HS256"]
NO_TEXT = [None, False, True, 0, [], ["none"], ["HS256"], {}, {"alg": "HS256"}]


@pytest.mark.parametrize("alg", SPELLINGS + DISGUISES + NO_TEXT, ids=repr)
@pytest.mark.parametrize("signature", ["", "AA", "none"])
def test_no_spelling_of_none_makes_a_token_without_a_signature_good(forger, alg, signature):
    header, payload = forger.segment({**forger.header, "alg": alg}), forger.segment(forger.claims)
    assert forger.refuses(f"{header}.{payload}.{signature}")
    assert forger.refuses(f"{header}.{payload}")


@pytest.mark.parametrize("alg", SPELLINGS + DISGUISES + NO_TEXT, ids=repr)
def test_no_spelling_of_none_is_accepted_even_with_a_right_signature(forger, alg):
    assert forger.refuses(forger.with_header(alg=alg), "not signed with a key of this API")


def test_a_header_without_an_algorithm_is_refused(forger):
    header = forger.header
    del header["alg"]
    assert forger.refuses(forger.forge(header), "not signed with a key of this API")


def test_an_unsigned_token_as_a_library_makes_it_is_refused(forger):
    assert forger.refuses(jwt.encode(forger.claims, None, algorithm="none", headers={"typ": "at+jwt"}))
    assert forger.refuses(jwt.encode(forger.claims, "", algorithm="none", headers=forger.header | {"alg": "none"}))


@pytest.mark.parametrize("cut", range(1, 44))
def test_a_signature_that_was_shortened_is_refused(forger, cut):
    assert forger.refuses(forger.forge()[:-cut])


def test_our_own_header_does_not_excuse_a_missing_signature(forger):
    token = forger.codec.encode(TokenType.ACCESS, forger.claims)
    assert forger.verify(token)
    assert forger.refuses(token.rpartition(".")[0] + ".")
    assert forger.refuses(token.rpartition(".")[0])
