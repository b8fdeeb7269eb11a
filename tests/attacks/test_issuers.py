"""Attacks with tokens of other issuers, by somebody who has anything signed: by their own key or the issuer."""

import base64
import hmac
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flask_permjwt.errors import ExpiredTokenError, InvalidTokenError
from flask_permjwt.tokens.codec import TokenType
from flask_permjwt.tokens.issuers.config import read_issuers
from flask_permjwt.tokens.issuers.jwks import read_keys
from flask_permjwt.tokens.issuers.loaders import FixedKeys
from flask_permjwt.tokens.issuers.verifier import Issuers, Trusted

NOW = 1_800_000_000


class CountingKeys:
    """Keys that count how often they are asked for."""

    def __init__(self, keys):
        self.keys, self.asked = keys, 0

    def find(self, kid, algorithm):
        self.asked += 1
        return self.keys.find(kid, algorithm)


@pytest.fixture
def keys():
    return []


@pytest.fixture
def issuers(outsider, keys):
    given = {"issuer": outsider.name, "audience": outsider.audience, "permissions": "scp", "jwks": outsider.jwks()}
    other = {**given, "issuer": "https://other.example.com"}
    trusted = []
    for one in read_issuers([given, other]):
        keys.append(CountingKeys(FixedKeys(one, given["jwks"])))
        trusted.append(Trusted(one, keys[-1]))
    return Issuers(trusted)


@pytest.fixture
def refuses(issuers):
    def check(token, match=None):
        with pytest.raises(InvalidTokenError, match=match) as caught:
            issuers.verify(token, judge)
        assert caught.value.__cause__ is None

    return check


def judge(token):
    """Judge the time as the codec does."""
    if not token.expires_at > NOW:
        raise ExpiredTokenError


def segments(*parts):
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in parts]
    return ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in texts)


def public_forms(key):
    """Return every form in which somebody might take a public key for a secret."""
    public = key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return [
        pem,
        pem.strip(),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        public.public_bytes(Encoding.DER, PublicFormat.PKCS1),
        public.public_numbers().n.to_bytes(256, "big"),
    ]


@pytest.mark.parametrize(("algorithm", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")])
def test_a_public_key_is_no_secret(outsider, refuses, algorithm, digest):
    for secret in (*public_forms(outsider.key), json.dumps(outsider.jwks()["keys"][0]).encode(), b""):
        signed = segments({**outsider.header, "alg": algorithm}, outsider.claims())
        mac = hmac.digest(secret, signed.encode(), digest)
        refuses(f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}", "kind")


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", " none", "none\x00"])
def test_nobody_signs_with_nothing(outsider, refuses, name):
    signed = segments({**outsider.header, "alg": name}, outsider.claims())
    refuses(f"{signed}.AA", "kind")
    refuses(f"{signed}.", "malformed")


def test_an_issuer_that_publishes_a_shared_secret_has_no_key(outsider):
    published = {
        "keys": [{"kty": "oct", "kid": "k1", "alg": "HS256", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ"}]
    }
    assert len(read_keys(published, ("RS256",))) == 0


def test_keys_that_a_token_brings_along_are_never_used(outsider, refuses, make_key, jwk_of, keys):
    own = make_key("RS256", 7)
    jwk = {**jwk_of(own), "kid": "k1"}
    for members in (
        {"jwk": jwk},
        {"jku": "https://evil.example.com/keys"},
        {"x5u": "https://evil.example.com/cert"},
        {"x5c": ["MIIB"]},
        {"jwk": jwk, "kid": None},
        {"jku": "http://127.0.0.1:1/", "kid": None},
    ):
        header = {name: one for name, one in {**outsider.header, **members}.items() if one is not None}
        refuses(outsider.sign(header, outsider.claims(), key=own), "signature")


def test_and_they_change_nothing_about_a_token_of_the_issuer(outsider, issuers):
    header = {
        **outsider.header,
        "jku": "https://evil.example.com/keys",
        "jwk": {"kty": "oct"},
        "x5c": "x",
        "x5u": 5,
    }
    assert issuers.verify(outsider.sign(header, outsider.claims()), judge)


@pytest.mark.parametrize(
    "kid",
    ["../../etc/passwd", "k1\x00", "K1", " k1", "k1 ", "' OR 1=1 --", "k1/../k1", "https://evil.example.com"],
)
def test_a_key_is_found_by_its_exact_name_only(outsider, refuses, kid):
    refuses(outsider.sign({**outsider.header, "kid": kid}, outsider.claims()), "key")


NAMES = [
    "https://login.example.com/tenant/v2.0/",
    "https://login.example.com/tenant/v2.0 ",
    "https://login.example.com/tenant/V2.0",
    "HTTPS://login.example.com/tenant/v2.0",
    "https://login.example.com:443/tenant/v2.0",
    "https://login.example.com/tenant/v2.0?",
    "https://login.example.com/tenant/v2.0#",
    "https://login.example.com/tenant",
    "https://login.example.com/tenant/v2.0.evil.example.com",
    "https://login.example.com/tenant/../tenant/v2.0",
    "https://log\u0456n.example.com/tenant/v2.0",
    ["https://login.example.com/tenant/v2.0"],
    {"https://login.example.com/tenant/v2.0": 1},
    True,
    None,
]


@pytest.mark.parametrize("name", NAMES)
def test_an_issuer_is_matched_exactly_and_before_any_key_is_looked_for(outsider, issuers, keys, name):
    token = outsider.sign(outsider.header, {**outsider.claims(), "iss": name})
    assert issuers.verify(token, judge) is None
    assert [one.asked for one in keys] == [0, 0]


def test_who_is_trusted_for_one_issuer_is_not_for_another(outsider, make_outsider, make_key, jwk_of):
    """Two tenants: each has keys of its own, and a right signature of the other is worth nothing."""
    mallory_key = make_key("RS256", 8)
    entries = [
        {"issuer": outsider.name, "audience": outsider.audience, "permissions": "scp", "jwks": outsider.jwks()},
        {
            "issuer": "https://mallory.example.com",
            "audience": outsider.audience,
            "permissions": "scp",
            "jwks": {"keys": [{**jwk_of(mallory_key), "kid": "k1"}]},
        },
    ]
    issuers = Issuers(Trusted(one, FixedKeys(one, one.jwks)) for one in read_issuers(entries))
    with pytest.raises(InvalidTokenError, match="signature"):
        issuers.verify(outsider.sign(outsider.header, outsider.claims(), key=mallory_key), judge)
    mine = outsider.sign(outsider.header, outsider.claims(iss="https://mallory.example.com"), key=mallory_key)
    assert issuers.verify(mine, judge).token.subject != f"{outsider.name}|alice"


def test_an_issuer_named_twice_in_a_token_is_refused(outsider, refuses):
    payload = json.dumps(outsider.claims()).replace('"iss"', '"iss": "https://evil.example.com", "iss"')
    refuses(outsider.sign(outsider.header, payload.encode()), "twice")


def test_a_payload_that_is_changed_afterwards_is_refused(outsider, refuses):
    header, _, signature = outsider.token(scp="reports:read").split(".")
    refuses(f"{header}.{segments(outsider.claims(scp='admin:all'))}.{signature}", "signature")


WILD = ["*", "*:*", "permjwt:*", "permjwt:sessions:manage", "permjwt", "reports:*", "*:read", "**", "reports: *"]


@pytest.mark.parametrize("value", WILD)
@pytest.mark.parametrize("shape", ["text", "list", "between others"])
def test_a_wildcard_from_outside_grants_nothing(outsider, issuers, value, shape):
    scp = {"text": value, "list": [value], "between others": ["x:y", value]}[shape]
    principal = issuers.verify(outsider.token(scp=scp), judge).token.principal
    for wanted in ("reports:read", "permjwt:sessions:manage", "anything", "a:b:c"):
        assert not principal.can(wanted)


def test_a_string_is_not_a_list_of_letters(outsider, issuers):
    principal = issuers.verify(outsider.token(scp="administrate"), judge).token.principal
    assert principal.permissions == {"administrate"}


def test_a_token_is_refused_for_what_it_says_before_anything_is_fetched_for_it(outsider, refuses, keys):
    for claims in ({"aud": "api://other"}, {"exp": "never"}, {"exp": NOW}, {"sub": None}, {"at_hash": "x"}):
        refuses(outsider.sign({**outsider.header, "kid": "new"}, outsider.claims(**claims)))
    assert [one.asked for one in keys] == [0, 0]


def test_our_own_codec_takes_nothing_that_an_issuer_signed(forger, outsider):
    for header in (
        outsider.header,
        {**outsider.header, "typ": "at+jwt"},
        {**forger.header, "alg": "RS256"},
        {**forger.header},
    ):
        assert forger.refuses(outsider.sign(header, forger.claims))


def test_an_issuer_takes_nothing_that_we_signed(forger, outsider, refuses):
    """Who may have tokens of ours made with claims of their own cannot become a subject of the issuer."""
    refuses(forger.forge(forger.header, outsider.claims()), "kind")
    ours = forger.codec.encode(TokenType.ACCESS, {**forger.claims, "iss": outsider.name}, ["reports:read"])
    assert forger.codec.is_own(ours)
    assert not forger.codec.is_own(outsider.token())
    assert forger.codec.verify(ours, TokenType.ACCESS).principal.issuer is None


@pytest.mark.parametrize("name", ["scp", "aud", "x"])
def test_a_token_nested_without_end_is_refused(outsider, refuses, name):
    payload = json.dumps(outsider.claims()).encode()
    deep = payload[:-1] + f', "{name}2": '.encode() + b"[" * 5000 + b"]" * 5000 + b"}"
    refuses(outsider.sign(outsider.header, deep))


def test_the_apps_own_code_is_never_run_on_words_that_nobody_signed(outsider, make_key, caplog):
    """A forger chooses the words: 'map' could be made to work, to fail, or to write them into the log."""
    asked = []

    def by_table(value):
        asked.append(value)
        return {"Reports.Read": "reports:read"}[value]

    entry = {"issuer": outsider.name, "audience": outsider.audience, "permissions": "scp", "map": by_table}
    (issuer,) = read_issuers([{**entry, "jwks": outsider.jwks()}])
    issuers = Issuers([Trusted(issuer, FixedKeys(issuer, issuer.jwks))])
    claims = outsider.claims(scp="Reports.Read FORGED")
    for forged in (
        outsider.sign(outsider.header, claims, key=make_key("RS256", 7)),
        outsider.sign({**outsider.header, "kid": "other"}, claims),
    ):
        with pytest.raises(InvalidTokenError):
            issuers.verify(forged, judge)
    assert asked == []
    assert issuers.verify(outsider.sign(outsider.header, claims), judge).token.principal.permissions == {
        "reports:read"
    }
    assert sorted(asked) == ["FORGED", "Reports.Read"]
    assert "FORGED" not in caplog.text
