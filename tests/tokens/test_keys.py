"""Keys: derived by RFC 5869, named by RFC 7638, and refused when they could be guessed."""

import base64
import hashlib
import hmac
import itertools
import secrets
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.jwk import public_half
from flask_permjwt.tokens.keys import Key, KeyRing, derive_secret, hmac_key
from flask_permjwt.tokens.pairs import generate

SIZES = {"HS256": 32, "HS384": 48, "HS512": 64}
GOOD = secrets.token_urlsafe(64)

# RFC 5869 appendix A, the test cases with SHA-256: key material, salt, info, length, result.
HKDF_VECTORS = {
    "A.1": (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        42,
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    "A.2": (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        82,
        (
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
            "cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
    ),
    "A.3": (
        "0b" * 22,
        "",
        "",
        42,
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
}


@pytest.mark.parametrize("name", HKDF_VECTORS)
def test_secrets_are_derived_as_rfc_5869_does(name):
    material, salt, info, length, result = HKDF_VECTORS[name]
    derived = derive_secret(bytes.fromhex(material), bytes.fromhex(info), length, salt=bytes.fromhex(salt))
    assert derived == bytes.fromhex(result)


@given(st.binary(max_size=40), st.binary(max_size=20), st.integers(1, 255 * 32))
def test_a_shorter_secret_is_the_start_of_a_longer_one_and_as_long_as_asked(master, purpose, length):
    assert derive_secret(master, purpose, length) == derive_secret(master, purpose, 255 * 32)[:length]


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=8), st.binary(max_size=8))
def test_different_purposes_give_different_secrets(master, one, other):
    assert (derive_secret(master, one, 32) == derive_secret(master, other, 32)) == (one == other)


@pytest.mark.parametrize("length", [-1, 0, 255 * 32 + 1])
def test_a_length_that_hkdf_cannot_give_is_refused(length):
    with pytest.raises(ValueError, match="HKDF-SHA256"):
        derive_secret(b"master", b"purpose", length)


@pytest.mark.parametrize("algorithm", SIZES)
def test_a_secret_as_long_as_the_hash_is_enough_and_one_byte_less_is_not(algorithm):
    size = SIZES[algorithm]
    secret = bytes(range(100, 100 + size))
    assert hmac_key(secret, algorithm).secret == secret
    with pytest.raises(ConfigurationError, match=f"at least {size} bytes"):
        hmac_key(secret[:-1], algorithm)


@pytest.mark.parametrize("algorithm", SIZES)
@pytest.mark.parametrize("secret", ["", b""])
def test_an_empty_secret_is_refused_and_the_command_that_makes_one_is_named(algorithm, secret):
    with pytest.raises(ConfigurationError, match=r"is empty; make one with: python -c .*token_urlsafe\(64\)"):
        hmac_key(secret, algorithm, allow_weak=True)


@pytest.mark.parametrize("secret", ["a" * 64, "ab" * 40, "changeme" * 9, b"\0" * 64, "0123456" * 10])
def test_a_secret_of_few_different_bytes_is_refused(secret):
    with pytest.raises(ConfigurationError, match="repeats too few characters"):
        hmac_key(secret, "HS256")


def test_eight_different_bytes_are_enough():
    assert hmac_key("01234567" * 8, "HS256")


def test_test_apps_may_use_a_weak_secret_but_no_short_one_and_no_public_key():
    assert hmac_key("a" * 64, "HS512", allow_weak=True).secret == b"a" * 64
    with pytest.raises(ConfigurationError, match="at least 32 bytes"):
        hmac_key("a" * 31, "HS256", allow_weak=True)
    with pytest.raises(ConfigurationError, match="PEM"):
        hmac_key("-----BEGIN PUBLIC KEY-----" + "a" * 40, "HS256", allow_weak=True)


@pytest.mark.parametrize("algorithm", ["none", "None", "", "RS256", "ES256", "hs256", "HS1", "HS256 ", "EdDSA"])
def test_what_is_no_hmac_algorithm_is_refused(algorithm):
    with pytest.raises(ConfigurationError, match="no algorithm for a secret"):
        hmac_key(GOOD, algorithm)


@pytest.mark.parametrize("secret", ["hunter2", "correct horse battery", "xyzw" * 20, "-----BEGIN xyzw" * 5])
def test_no_message_holds_the_secret(secret):
    with pytest.raises(ConfigurationError) as caught:
        hmac_key(secret, "HS256")
    assert secret[:7] not in str(caught.value).replace("-----BEGIN", "")
    assert "xyzw" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_in_a_log_does_not_show_its_secret():
    key = hmac_key(GOOD, "HS256")
    assert GOOD not in repr(key)
    assert GOOD[:8] not in str(key)


def test_a_key_cannot_be_changed():
    key = hmac_key(GOOD, "HS256")
    with pytest.raises(AttributeError):
        key.algorithm = "none"


def test_text_and_its_utf8_bytes_are_the_same_key():
    secret = "schlüssel-" + GOOD
    assert hmac_key(secret, "HS256") == hmac_key(secret.encode(), "HS256")


def test_text_that_is_no_unicode_is_still_a_secret():
    assert hmac_key("\udcff" + GOOD, "HS256").secret.endswith(GOOD.encode())


def test_a_key_is_named_by_the_thumbprint_of_its_jwk():
    """RFC 7638 section 3: SHA-256 over the required members in order, without white space."""
    # RFC 7515 appendix A.1.1
    k = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    jwk = f'{{"k":"{k}","kty":"oct"}}'.encode()
    secret = base64.urlsafe_b64decode(k + "==")
    kid = base64.urlsafe_b64encode(hashlib.sha256(jwk).digest()).rstrip(b"=").decode()
    assert hmac_key(secret, "HS256").kid == kid


def test_different_secrets_have_different_names():
    assert len({hmac_key(secrets.token_bytes(32), "HS256").kid for _ in range(50)}) == 50


def test_a_key_ring_finds_a_key_by_its_exact_name_only():
    key = hmac_key(GOOD, "HS256")
    ring = KeyRing(key)
    assert ring.signing is key
    assert ring.find(key.kid) is key
    for name in (key.kid + " ", key.kid.swapcase(), key.kid[:-1], "", "*", "../" + key.kid):
        assert ring.find(name) is None


@pytest.mark.parametrize("kid", [None, 0, 1, True, b"kid", [], {}, ["kid"], 1.5])
def test_what_is_no_string_names_no_key(kid):
    assert KeyRing(Key("kid", "HS256", GOOD.encode())).find(kid) is None


def test_generated_secrets_are_never_taken_for_another_kind_of_key():
    for number in range(2000):
        seed = hmac.digest(b"reproducible", str(number).encode(), "sha512")
        assert hmac_key(seed, "HS512", allow_weak=True)
        assert hmac_key(base64.urlsafe_b64encode(seed).rstrip(b"="), "HS512")
        assert hmac_key(seed.hex(), "HS512")


def test_a_secret_may_start_as_der_does():
    """With "0" and a letter that happens to be its length: one generated secret in 4,096."""
    letters = string.ascii_letters + string.digits + "-_"
    rest = "".join(letters[number * 37 % 64] for number in range(82))
    start = "0" + chr(84)
    refused = set()
    for third, fourth in itertools.product(letters, letters):
        try:
            hmac_key(start + third + fourth + rest, "HS512")
        except ConfigurationError:
            refused.add(third + fourth)
    # One in 16 million is a sequence within a sequence, to the byte.
    assert refused == {"0" + chr(82)}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_pair_and_its_public_half_are_one_key(algorithm):
    pair = generate(algorithm)
    assert KeyRing(pair, [public_half(pair)]).keys == (pair,)
    with pytest.raises(ConfigurationError, match="two different keys"):
        KeyRing(pair, [replace(public_half(pair), algorithm="PS512")])
    with pytest.raises(ConfigurationError, match="two different keys"):
        KeyRing(pair, [replace(generate(algorithm), kid=pair.kid)])
