"""RFC 8725, JSON Web Token Best Current Practices: section 3, item by item.

Each test is named by the number of its item; the games around it are in the files of their families. What does
not apply:

- 3.3 Validate All Cryptographic Operations: its nested part. Nested tokens are not opened (``test_header_games``).
- 3.4 Validate Cryptographic Inputs: elliptic curve points (ECDH-ES). No such key is taken here.
- 3.6 Avoid Compression of Encryption Inputs: nothing is encrypted; ``zip`` is ignored (``test_header_games``).
"""

import json
import secrets

import jwt
import pytest

from flask_permjwt.errors import ConfigurationError, InvalidTokenError
from flask_permjwt.tokens.codec import TokenCodec, TokenType
from flask_permjwt.tokens.keys import KeyRing, derive_secret, hmac_key

ACCESS, REFRESH = TokenType.ACCESS, TokenType.REFRESH


def test_3_1_perform_algorithm_verification(forger):
    """The library is told which algorithm is right; each key has exactly one; the header does not choose."""
    for alg in ("HS384", "HS512", "RS256", "ES256", "EdDSA", "none", "hs256"):
        assert forger.refuses(forger.with_header(alg=alg), "not signed with a key of this API")
    assert not hasattr(forger.key, "algorithms")


def test_3_1_the_signature_is_really_checked_by_the_algorithm_of_the_header(forger):
    for digest in ("sha1", "sha384", "sha512"):
        assert forger.refuses(forger.forge(digest=digest), "signature")


def test_3_2_use_appropriate_algorithms(forger):
    """No ``none``, nothing deprecated: what can be set up is a short list."""
    assert forger.refuses(jwt.encode(forger.claims, None, algorithm="none", headers={"typ": "at+jwt"}))
    for algorithm in ("none", "None", "NONE", "", "HS1", "RS1", "RSA1_5", "dir"):
        with pytest.raises(ConfigurationError):
            hmac_key(secrets.token_urlsafe(64), algorithm)


def test_3_3_validate_all_cryptographic_operations(forger):
    """Any failure of the one operation refuses the whole token."""
    header, claims, signature = forger.forge().split(".")
    other = forger.segment({**forger.claims, "sub": "admin"})
    assert forger.refuses(f"{header}.{other}.{signature}", "signature")
    assert forger.refuses(f"{forger.segment({**forger.header, 'x': 1})}.{claims}.{signature}", "signature")


def test_3_4_validate_cryptographic_inputs(forger):
    """What applies of it to HMAC: a signature of the wrong length or spelling is no input at all."""
    signing_input, _, signature = forger.forge().rpartition(".")
    for wrong in ("", "AA", signature[:-1], signature + "AAAA", signature * 2, signature + "="):
        assert forger.refuses(f"{signing_input}.{wrong}")


@pytest.mark.parametrize(
    "secret",
    ["", "secret", "password123", "your-256-bit-secret", "a" * 31, "a" * 64, "0" * 43, "changeme" * 8],
)
def test_3_5_ensure_cryptographic_keys_have_sufficient_entropy(secret):
    """No human password as a key (RFC 7518 section 3.2): too short or too plain stops the start."""
    with pytest.raises(ConfigurationError, match=r"secrets\.token_urlsafe"):
        hmac_key(secret, "HS256")


def test_3_5_a_derived_key_is_unrelated_to_its_master_and_to_those_for_other_purposes():
    master = secrets.token_bytes(32)
    derived = {derive_secret(master, purpose, 32) for purpose in (b"tokens HS256", b"tokens HS512", b"csrf", b"")}
    assert len(derived | {master}) == 5


def test_3_7_use_utf_8(forger):
    """Headers and claims are UTF-8 and nothing else; a parser that guesses reads other claims than were signed."""
    text = json.dumps({**forger.claims, "name": "Zoë"}, ensure_ascii=False)
    assert forger.verify(forger.forge(None, text.encode())).claims["name"] == "Zoë"
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "utf-8-sig"):
        assert forger.refuses(forger.forge(None, text.encode(encoding)), "no JSON")
        header = json.dumps({**forger.header, "name": "Zoë"}, ensure_ascii=False)
        assert forger.refuses(forger.forge(header.encode(encoding)), "no JSON")


def test_3_8_validate_issuer_and_subject(forger):
    """The issuer exactly, and the key is its own; the subject is there and is handed on as it is."""
    codec = TokenCodec(KeyRing(forger.key), issuer="https://login.example.com")
    for iss in (
        "https://login.example.com/",
        "HTTPS://login.example.com",
        "login.example.com",
        None,
        ["https://x"],
    ):
        with pytest.raises(InvalidTokenError, match="issuer"):
            codec.verify(forger.with_claims(iss=iss), ACCESS)
    assert codec.verify(forger.with_claims(iss="https://login.example.com"), ACCESS)
    for sub in (None, "", 7, ["u"]):
        assert forger.refuses(forger.with_claims(sub=sub), "The claim sub")


def test_3_9_use_and_validate_audience(forger):
    """One issuer may serve several parties: each takes its own tokens only."""
    reports = TokenCodec(KeyRing(forger.key), audience=("reports",))
    billing = TokenCodec(KeyRing(forger.key), audience=("billing",))
    token = reports.encode(ACCESS, forger.claims)
    assert reports.verify(token, ACCESS)
    with pytest.raises(InvalidTokenError, match="audience"):
        billing.verify(token, ACCESS)
    assert forger.refuses(token, "audience")


def test_3_10_do_not_trust_received_claims(forger):
    """``kid`` is a look-up among our own keys by exact name; ``jku`` and ``x5u`` are never followed."""
    for kid in ("../../dev/null", "' OR 1=1 --", "https://attacker.example/jwks.json"):
        assert forger.refuses(forger.with_header(kid=kid), "not signed with a key of this API")
    for name in ("jku", "x5u"):
        brought = {**forger.header, name: "https://attacker.example/keys"}
        assert forger.refuses(forger.forge(brought, secret=secrets.token_bytes(64)), "signature")


def test_3_11_use_explicit_typing(forger):
    header = forger.header
    del header["typ"]
    assert forger.refuses(forger.forge(header), "another type")
    for typ in ("JWT", "application/jwt", "id+jwt", "", None):
        assert forger.refuses(forger.with_header(typ=typ), "another type")


def test_3_12_use_mutually_exclusive_validation_rules_for_different_kinds_of_jwts(forger):
    kinds = {token_type: forger.codec.encode(token_type, forger.claims) for token_type in TokenType}
    for token_type, token in kinds.items():
        accepted_as = set()
        for other in TokenType:
            try:
                accepted_as.add(forger.codec.verify(token, other).type)
            except InvalidTokenError:
                continue
        assert accepted_as == {token_type}


def test_2_1_a_public_key_is_never_a_secret():
    """The threat of section 2.1, closed at the start (``test_key_confusion`` has the rest)."""
    with pytest.raises(ConfigurationError, match="PEM"):
        hmac_key(
            "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----", "HS256"
        )
