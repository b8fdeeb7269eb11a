"""JSON Web Keys: one key, one algorithm; what is weak, damaged, or for something else is refused."""

import base64
import json
import secrets
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from flask_permjwt import settings
from flask_permjwt.errors import ConfigurationError, InvalidTokenError
from flask_permjwt.tokens.algorithms import ALGORITHMS, algorithm, is_served
from flask_permjwt.tokens.codec import TokenCodec, TokenType
from flask_permjwt.tokens.jwk import check_rsa, parse, public_half, public_jwk, read_jwk, read_set, whole_jwk
from flask_permjwt.tokens.keys import KeyRing, thumbprint
from flask_permjwt.tokens.pairs import generate, is_pair, is_pem, read_key, read_keys, read_pem
from flask_permjwt.tokens.signatures import Signer, pyjwt_of

PAIRS = {name: generate(name) for name in ("RS256", "ES256", "ES384", "ES512", "EdDSA")}
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}
NOW = 1_800_000_000
CLAIMS = {"sub": "u" * 32, "jti": "j" * 32, "sid": "s" * 32, "ver": 3, "iat": NOW, "exp": NOW + 900}


def jwk_of(name):
    return whole_jwk(PAIRS[name])


def pem(pair, *, password=None):
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return pair.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def public_pem(pair):
    return pair.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_the_settings_know_the_same_algorithms():
    assert tuple(ALGORITHMS) == settings.ALGORITHMS
    assert set(settings.SYNONYMS.values()) <= set(ALGORITHMS)
    assert not set(settings.SYNONYMS) & set(ALGORITHMS)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_new_key_of_every_algorithm_signs_verifies_and_comes_back_from_its_jwk(name):
    key = generate(name)
    assert (key.algorithm, key.signs) == (name, True)
    token = TokenCodec(KeyRing(key)).encode(TokenType.ACCESS, CLAIMS)
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header == {"alg": name, "kid": key.kid, "typ": "at+jwt"}
    again = read_jwk(json.dumps(whole_jwk(key)))
    assert again == key
    verified = TokenCodec(KeyRing(None, [public_half(again)])).verify(token, TokenType.ACCESS)
    assert verified.key_id == key.kid
    shown = public_jwk(key)
    if algorithm(name).kty == "oct":
        assert shown is None
    else:
        assert shown is not None
        assert not shown.keys() & PRIVATE
        assert (shown["alg"], shown["kid"], shown["use"]) == (name, thumbprint(shown), "sig")
        assert not read_jwk(shown).signs


@pytest.mark.parametrize("one", ["RS256", "ES256", "EdDSA"])
def test_a_key_in_a_log_shows_nothing_of_itself(one):
    key = PAIRS[one]
    assert not [
        value for value in whole_jwk(key).values() if len(value) > 20 and value != key.kid and value in repr(key)
    ]


def test_the_thumbprint_is_that_of_the_rfc():
    """RFC 7638 section 3.1."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3ok"
        "njhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHz"
        "u6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8"
        "awapJzKnqDKgw"
    )
    key = read_jwk({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"})
    assert key.kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_ed25519_thumbprint_is_that_of_the_rfc():
    """RFC 8037 appendix A.3."""
    key = read_jwk({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert key.algorithm == "EdDSA"


@pytest.mark.parametrize("named", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("own", ["EdDSA", "Ed25519"])
def test_both_names_of_ed25519_are_one_algorithm(named, own):
    assert is_served(named, own)
    jwk = jwk_of("EdDSA")
    token = TokenCodec(KeyRing(read_jwk({**jwk, "alg": named}))).encode(TokenType.ACCESS, CLAIMS)
    assert TokenCodec(KeyRing(read_jwk({**jwk, "alg": own}))).verify(token, TokenType.ACCESS)


@pytest.mark.parametrize("named", ["eddsa", "Ed448", "ESP256", "", None, ["EdDSA"], 1, "HS256"])
def test_no_other_name_is(named):
    assert not is_served(named, "EdDSA")
    assert not is_served(named, "ES256")


@pytest.mark.parametrize("name", ["ES257", "none", "", None, [], 256])
def test_what_is_no_algorithm_is_refused(name):
    with pytest.raises(ConfigurationError, match="no algorithm"):
        algorithm(name)


def changed(name, **members):
    return {key: value for key, value in {**jwk_of(name), **members}.items() if value is not None}


REFUSED = {
    "not JSON": ("{", "JSON object"),
    "a list": ("[]", "JSON object"),
    "nothing": (None, "JSON object"),
    "lone surrogates": ("\ud800", "JSON object"),
    "a member twice": ('{"kty": "oct", "kty": "RSA"}', "JSON object"),
    "no type": ({}, "type"),
    "a type of the future": (changed("ES256", kty="PQ"), "type"),
    "another curve": (changed("ES256", crv="secp256k1", alg=None), "type"),
    "Ed448": (changed("EdDSA", crv="Ed448", alg=None), "type"),
    "X25519": (changed("EdDSA", crv="X25519", alg=None), "type"),
    "a list for a curve": (changed("EdDSA", crv=["Ed25519"]), "type"),
    "another type's algorithm": (changed("ES256", alg="RS256"), "no key for it"),
    "another curve's algorithm": (changed("ES256", alg="ES384"), "no key for it"),
    "a secret for RS256": ({"kty": "oct", "k": "A" * 86, "alg": "RS256"}, "no key for it"),
    "none": (changed("ES256", alg="none"), "no algorithm"),
    "encryption": (changed("RS256", use="enc"), "use"),
    "operations of encryption": (changed("RS256", key_ops=["encrypt", "wrapKey"]), "key_ops"),
    "operations that are no list": (changed("RS256", key_ops="verify"), "key_ops"),
    "RSA without alg": (changed("RS256", alg=None), "must name its algorithm"),
    "a secret without alg": ({"kty": "oct", "k": "A" * 86}, "must name its algorithm"),
    "an empty kid": (changed("ES256", kid=""), "kid"),
    "a number for a kid": (changed("ES256", kid=7), "kid"),
    "a kid of control characters": (changed("ES256", kid="a\n"), "kid"),
    "a missing member": (changed("ES256", y=None), "base64url"),
    "a number for a member": (changed("ES256", x=5), "base64url"),
    "padding": (changed("EdDSA", x=jwk_of("EdDSA")["x"] + "="), "base64url"),
    "another spelling": (changed("EdDSA", x=jwk_of("EdDSA")["x"][:-1] + "B"), "base64url"),
    "an impossible length": (changed("EdDSA", x="AAAAA"), "base64url"),
    "a short coordinate": (changed("ES256", x="AAAA"), "damaged"),
    "a point beside the curve": (changed("ES256", x=jwk_of("ES384")["x"][:43]), "(damaged|base64url)"),
    "three primes": (changed("RS256", oth=[]), "two primes"),
    "some of the primes' numbers": (changed("RS256", p=None), "damaged"),
    "another one's private half": (changed("EdDSA", d=whole_jwk(generate("EdDSA"))["d"]), "do not belong|damaged"),
    "a short secret": ({"kty": "oct", "k": "AAAA", "alg": "HS256"}, "at least 32 bytes"),
    "an empty secret": ({"kty": "oct", "k": "", "alg": "HS256"}, "empty"),
    "no secret": ({"kty": "oct", "alg": "HS256"}, "empty"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_refused(fault):
    given, match = REFUSED[fault]
    with pytest.raises(ConfigurationError, match=match) as caught:
        read_jwk(given)
    assert caught.value.__cause__ is None
    if isinstance(given, dict):
        shown = str(caught.value)
        assert not any(str(value) in shown for name, value in given.items() if name in PRIVATE and value)


def test_a_key_that_does_not_verify_what_it_signs_is_refused(monkeypatch):
    """Some versions of PyJWT do not compare the halves of an Ed25519 key."""

    def refuse(*_):
        raise InvalidTokenError

    monkeypatch.setattr(Signer, "check", refuse)
    with pytest.raises(ConfigurationError, match="do not belong together"):
        read_jwk(jwk_of("EdDSA"))


def test_a_kid_of_ones_own_is_kept_and_a_default_settles_what_is_open():
    assert read_jwk(changed("ES256", kid="of 2026, A")).kid == "of 2026, A"
    assert read_jwk(changed("RS256", alg=None), default="PS384").algorithm == "PS384"
    assert read_jwk(changed("ES384", alg=None), default="PS384").algorithm == "ES384"
    assert read_jwk({"kty": "oct", "k": "A" * 86}, default="HS512", allow_weak=True).algorithm == "HS512"


def test_what_the_registry_of_operations_does_not_know_says_nothing():
    assert read_jwk(changed("ES256", key_ops=["sign", "verify"]))
    assert read_jwk(changed("ES256", key_ops=["notarize", 7]))
    assert read_jwk(changed("ES256", key_ops=[]))


def test_zeros_in_front_of_a_number_do_not_make_another_key():
    jwk = jwk_of("RS256")
    raw = b"\0" + base64.urlsafe_b64decode(jwk["n"] + "==")
    padded = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    del jwk["kid"]
    assert read_jwk({**jwk, "n": padded}).kid == PAIRS["RS256"].kid


@pytest.mark.parametrize(
    ("bits", "exponent", "match"),
    [
        (2047, 65537, "2047 bits"),
        (20001, 65537, "20001 bits"),
        (2048, 1, "exponent"),
        (2048, 4, "exponent"),
        (2048, 2, "exponent"),
    ],
)
def test_weak_rsa_numbers_are_refused(bits, exponent, match):
    with pytest.raises(ConfigurationError, match=match):
        check_rsa(2 ** (bits - 1) + 1, exponent)


def test_a_set_is_read_whole_or_not_at_all():
    good = [whole_jwk(generate("HS256")) for _ in range(2)]
    assert [key.kid for key in read_set({"keys": good})] == [one["kid"] for one in good]
    for document, match in [
        ({}, "list"),
        ({"keys": []}, "list"),
        ({"keys": good * 51}, "list"),
        ({"keys": [*good, {"kty": "PQ"}]}, "type"),
        ({"keys": [good[0], {**good[1], "kid": good[0]["kid"]}]}, "same kid"),
        ({"keys": [good[0], jwk_of("ES256")]}, "secrets beside public keys"),
    ]:
        with pytest.raises(ConfigurationError, match=match):
            read_set(document)


def test_two_keys_of_one_name_make_no_ring():
    with pytest.raises(ConfigurationError, match="two different keys"):
        KeyRing(PAIRS["ES256"], [read_jwk(changed("EdDSA", kid=PAIRS["ES256"].kid))])


# PEM

EC_PAIR = ec.generate_private_key(ec.SECP384R1())


@pytest.mark.parametrize(
    ("pair", "default", "name"),
    [
        (rsa.generate_private_key(65537, 2048), None, "RS256"),
        (rsa.generate_private_key(65537, 2048), "PS512", "PS512"),
        (rsa.generate_private_key(65537, 2048), "ES256", "RS256"),
        (ec.generate_private_key(ec.SECP256R1()), None, "ES256"),
        (EC_PAIR, "ES256", "ES384"),
        (ec.generate_private_key(ec.SECP521R1()), "HS256", "ES512"),
        (ed25519.Ed25519PrivateKey.generate(), None, "EdDSA"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519", "Ed25519"),
    ],
)
def test_pem_is_read_public_and_private(pair, default, name):
    whole, public = read_pem(b"\n" + pem(pair), default=default), read_pem(public_pem(pair), default=default)
    assert (whole.algorithm, whole.signs, public.signs) == (name, True, False)
    assert public == public_half(whole)
    Signer(public).check(b"signed", Signer(whole).sign(b"signed"))


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (pem(ed25519.Ed25519PrivateKey.generate(), password=b"secret"), "not encrypted"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "cannot be read"),
        (pem(ed448.Ed448PrivateKey.generate()), "signs nothing here"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "signs nothing here"),
        (pem(dsa.generate_private_key(2048)), "signs nothing here"),
    ],
)
def test_pem_that_is_refused(data, match):
    with pytest.raises(ConfigurationError, match=match) as caught:
        read_pem(data)
    assert caught.value.__cause__ is None


def test_small_rsa_keys_in_pem_are_refused():
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505  # which is to be refused
    with pytest.raises(ConfigurationError, match="1024 bits"):
        read_pem(pem(small))


def test_keys_come_in_any_dress():
    secret = secrets.token_urlsafe(64)
    text = pem(EC_PAIR).decode()
    assert is_pem(text.encode())
    assert read_key(text) == read_key(text.encode()) == read_keys(text, default="HS256")[0]
    assert (
        read_key(jwk_of("ES256")) == read_keys(json.dumps(jwk_of("ES256")), default="HS256")[0] == PAIRS["ES256"]
    )
    assert read_keys({"keys": [jwk_of("ES256")]}, default="HS256") == (PAIRS["ES256"],)
    assert read_keys(secret, default="HS512")[0].secret == secret.encode()
    for one in (b"{", b"{}", b"{not json", secret.encode()):
        assert not is_pair(one)
    assert parse(b'{"a": 1}') == {"a": 1}
    assert read_keys(secret, default="ES256")[0].algorithm == "HS256"


# Without cryptography


@pytest.mark.parametrize("work", [lambda: generate("ES256"), lambda: read_pem(pem(EC_PAIR))])
def test_without_cryptography_the_extra_is_named(work, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'flask-permjwt\[keys\]'"):
        work()


def test_without_cryptography_a_signer_names_the_extra(monkeypatch):
    pyjwt_of.cache_clear()
    monkeypatch.setattr("jwt.algorithms.has_crypto", False)
    with pytest.raises(ConfigurationError, match=r"ES256 needs cryptography: pip install 'flask-permjwt\[keys\]'"):
        Signer(PAIRS["ES256"])
    assert Signer(generate("HS256")).sign(b"x")


def test_whatever_stops_pyjwt_the_answer_is_no():
    signer = Signer(PAIRS["EdDSA"])
    for signature in ("", "AAAA", "A" * 86, "\0", "A"):
        with pytest.raises(InvalidTokenError, match="signature"):
            signer.check(b"signed", signature)
