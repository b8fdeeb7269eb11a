"""Key sets: which keys are used, and for what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.tokens.issuers.algorithms import SAFE
from flask_permjwt.tokens.issuers.jwks import KeysError, read_keys


@pytest.fixture
def rsa(make_key, jwk_of):
    return {**jwk_of(make_key("RS256")), "kid": "r"}


@pytest.fixture
def curve(make_key, jwk_of):
    return {**jwk_of(make_key("ES256")), "kid": "e"}


def read(*keys, algorithms=SAFE):
    return read_keys({"keys": list(keys)}, algorithms)


def serves(keys, kid="r"):
    return {one for one in SAFE if keys.find(kid, one)}


def test_a_key_serves_the_algorithm_that_it_names(rsa):
    assert serves(read({**rsa, "alg": "PS384"})) == {"PS384"}


def test_a_key_that_names_none_serves_one_family(rsa, curve):
    assert serves(read(rsa)) == {"RS256", "RS384", "RS512"}
    assert serves(read(rsa, algorithms=("PS256", "RS256"))) == {"PS256"}
    assert serves(read(curve), "e") == {"ES256"}


def test_thumbprints_are_those_of_rfc_7638():
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5h"
        "ajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    keys = read({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
    assert keys.thumbprints == {"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}


IGNORED = {
    "no object": ("x", "no JSON object"),
    "unknown type": ({"kty": "XYZ"}, "type"),
    "type of a list": ({"kty": ["RSA"]}, "type"),
    "shared secret": ({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"}, "type"),
    "unknown curve": ({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, "type"),
    "curve of a list": ({"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA"}, "type"),
    "curve of Diffie and Hellman": ({"kty": "OKP", "crv": "X25519", "x": "AA"}, "type"),
}


@pytest.mark.parametrize("fault", IGNORED)
def test_keys_that_we_do_not_know_are_ignored(rsa, fault):
    jwk, word = IGNORED[fault]
    keys = read(jwk, rsa)
    assert len(keys) == 1
    assert word in keys.ignored[0]


@pytest.mark.parametrize(
    ("member", "value", "word"),
    [
        ("use", "enc", "use"),
        ("use", None, "use"),
        ("key_ops", ["encrypt"], "key_ops"),
        ("key_ops", "verify", "key_ops"),
        ("alg", "RSA-OAEP", "not allowed"),
        ("alg", "HS256", "not allowed"),
        ("alg", "none", "not allowed"),
        ("alg", "ES256", "not allowed"),
        ("alg", ["RS256"], "not allowed"),
        ("d", "AQAB", "private"),
        ("p", "AQAB", "private"),
        ("kid", 5, "name"),
        ("kid", "", "name"),
        ("kid", "x" * 256, "name"),
        ("n", 5, "malformed"),
        ("n", "AQAB=", "malformed"),
        ("e", None, "malformed"),
        ("e", "AA", "malformed"),
        ("n", "AQAB", "malformed"),
    ],
)
def test_keys_that_are_for_something_else_or_broken_are_ignored(rsa, member, value, word):
    keys = read({**rsa, member: value})
    assert len(keys) == 0
    assert word in keys.ignored[0]


@pytest.mark.parametrize("bits", [1024, 2040])
def test_short_rsa_keys_are_ignored(make_key, jwk_of, bits):
    assert "bits" in read(jwk_of(make_key("RS256", 0, bits))).ignored[0]


def test_a_point_that_is_not_on_its_curve_is_ignored(curve):
    assert "malformed" in read({**curve, "x": curve["y"], "y": curve["x"]}).ignored[0]


def test_a_key_for_verifying_is_used(rsa):
    assert len(read({**rsa, "use": "sig", "key_ops": ["verify"], "x5c": ["nonsense"], "other": 1})) == 1


def test_two_keys_of_one_name_that_a_token_could_mean_are_both_ignored(rsa, make_key, jwk_of, curve):
    other = {**jwk_of(make_key("RS256", 1)), "kid": "r"}
    keys = read(rsa, other, curve)
    assert serves(keys) == set()
    assert serves(keys, "e") == {"ES256"}
    assert len(keys.ignored) == 2


def test_keys_of_one_name_and_different_families_are_told_apart(rsa, curve, make_key, jwk_of):
    keys = read(rsa, {**curve, "kid": "r"}, {**jwk_of(make_key("PS256", 1)), "kid": "r", "alg": "PS256"})
    assert serves(keys) == {"RS256", "RS384", "RS512", "ES256", "PS256"}


def test_a_key_that_is_listed_twice_is_one(rsa):
    assert serves(read(rsa, rsa)) == {"RS256", "RS384", "RS512"}


def test_a_token_without_a_name_means_the_only_key_that_fits(rsa, curve, make_key, jwk_of):
    assert read(rsa, curve).find(None, "RS256")
    nameless = [jwk_of(make_key("RS256", number)) for number in (1, 2)]
    assert read(*nameless).find(None, "RS256") is None
    assert read(rsa, *nameless).find("r", "RS256")


@pytest.mark.parametrize("document", [{}, {"keys": {}}, {"keys": None}, {"keys": "x"}])
def test_what_is_no_key_set_is_refused(document):
    with pytest.raises(KeysError, match="no JWK Set"):
        read_keys(document, SAFE)


def test_a_set_of_more_than_a_hundred_keys_is_refused(rsa):
    with pytest.raises(KeysError, match="101 keys"):
        read(*[rsa] * 101)


JSON = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=2), max_size=2)
NAMES = st.sampled_from(["kty", "crv", "n", "e", "x", "y", "kid", "use", "key_ops", "alg", "d"])


@given(
    st.lists(
        st.dictionaries(NAMES, JSON | st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB"])),
        max_size=3,
    )
)
def test_no_nonsense_is_a_key(jwks):
    keys = read(*jwks)
    assert len(keys) <= len(jwks)
    assert all(key.algorithms <= set(SAFE) for key in keys._keys)
