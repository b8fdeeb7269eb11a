"""Key confusion: one key serves one algorithm, and a public key is never a secret (RFC 8725 sections 2.1, 3.1)."""

import hashlib
import hmac

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.codec import TokenCodec, TokenType
from flask_permjwt.tokens.keys import Key, KeyRing, hmac_key

ASYMMETRIC = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def public_pem(algorithm: str) -> bytes:
    key = ASYMMETRIC[algorithm].public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_public_key_cannot_be_set_up_as_a_secret(algorithm):
    with pytest.raises(ConfigurationError, match="PEM"):
        hmac_key(public_pem(algorithm), "HS256")


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_even_if_a_public_key_got_in_pyjwt_does_not_accept_it(algorithm):
    """The second lock: PyJWT prepares the key before anything is checked with it, and refuses this one."""
    with pytest.raises(jwt.InvalidKeyError):
        TokenCodec(KeyRing(Key("kid", "HS256", public_pem(algorithm))))


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
@pytest.mark.parametrize("named", [True, False])
def test_a_token_signed_by_an_asymmetric_key_is_refused(forger, algorithm, named):
    headers = {"typ": "at+jwt"} | ({"kid": forger.key.kid} if named else {})
    token = jwt.encode(forger.claims, ASYMMETRIC[algorithm], algorithm=algorithm, headers=headers)
    assert forger.refuses(token, "not signed with a key of this API")


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    "alg",
    [
        "HS384",
        "HS512",
        "RS256",
        "PS256",
        "ES256",
        "EdDSA",
        "Ed25519",
        "HS1",
        "dir",
        "A128KW",
        "RSA-OAEP",
        "ECDH-ES",
    ],
)
def test_the_algorithm_of_the_header_is_never_used(forger, alg, named):
    """A right HMAC by the key's own algorithm, and one by the algorithm that the header claims."""
    header = {**forger.header, "alg": alg}
    if not named:
        del header["kid"]
    assert forger.refuses(forger.forge(header), "not signed with a key of this API")
    assert forger.refuses(
        forger.forge(header, digest=HASHES.get(alg, "sha1")), "not signed with a key of this API"
    )


@pytest.mark.parametrize(
    "alg",
    ["hs256", "Hs256", "HS256 ", " HS256", "HS256\0", "HS256\n", "HS-256", "SHA256", "\uff28S256", "HS25\u0666"],
)
def test_the_algorithm_is_compared_to_the_letter(forger, alg):
    assert forger.refuses(forger.with_header(alg=alg), "not signed with a key of this API")


@pytest.mark.parametrize("own", HASHES)
@pytest.mark.parametrize("other", HASHES)
def test_the_same_secret_for_another_algorithm_is_another_key(make_forger, own, other):
    forger = make_forger(own)
    codec = TokenCodec(KeyRing(hmac_key(forger.secret, other)))
    token = codec.encode(TokenType.ACCESS, forger.claims)
    if own == other:
        assert forger.verify(token)
    else:
        assert forger.refuses(token, "not signed with a key of this API")


@pytest.mark.parametrize("own", HASHES)
def test_a_signature_by_another_hash_under_the_right_header_is_refused(make_forger, own):
    forger = make_forger(own)
    for digest in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2s"):
        if digest != HASHES[own]:
            assert forger.refuses(forger.forge(digest=digest), "signature")


@pytest.mark.parametrize(
    "secret",
    [b"", b"\0", b"secret", b"none", b"null", b"undefined", b"changeme", bytes(32), bytes(64)],
)
def test_a_guessed_secret_is_refused(forger, secret):
    assert forger.refuses(forger.forge(secret=secret), "signature")


def test_what_is_near_to_the_secret_is_not_the_secret(forger):
    right = forger.key.secret
    near = [
        right + b"\0",
        right[:-1],
        right + b"\n",
        right.swapcase(),
        hashlib.sha512(right).digest(),
        right[::-1],
    ]
    for secret in near:
        assert forger.refuses(forger.forge(secret=secret), "signature")


def test_a_token_of_another_app_is_refused(forger, make_forger):
    stranger = make_forger()
    token = stranger.codec.encode(TokenType.ACCESS, stranger.claims)
    assert stranger.verify(token)
    assert forger.refuses(token, "not signed with a key of this API")
    assert forger.refuses(forger.forge(secret=stranger.key.secret), "signature")


def test_the_raw_bytes_of_the_hmac_are_not_a_signature_of_another_spelling(forger):
    signing_input = forger.forge().rpartition(".")[0]
    digest = hmac.new(forger.key.secret, signing_input.encode(), "sha256")
    assert forger.refuses(f"{signing_input}.{digest.hexdigest()}", "signature")
    assert forger.refuses(f"{signing_input}.{forger.segment(digest.hexdigest())}", "signature")
    assert forger.refuses(f"{signing_input}.{forger.segment(digest.digest() + digest.digest())}", "signature")
