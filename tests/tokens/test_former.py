"""Former tokens at their floor: every claim is looked at, and whatever is odd is refused."""

import json
import secrets

import jwt
import pytest

from flask_permjwt.errors import ExpiredTokenError, InvalidTokenError
from flask_permjwt.tokens.former import FormerCodec, FormerType
from flask_permjwt.tokens.keys import base64url, hmac_key

SECRET = secrets.token_bytes(48)
NOW = 1_800_000_000
GOOD = {
    "fresh": False,
    "iat": NOW,
    "jti": "8e0c6b9e-7c1d-4f0e-9a52-8f2f2c1c6a11",
    "type": "access",
    "sub": "alice",
    "nbf": NOW,
    "exp": NOW + 900,
}


def token(headers=None, **changed):
    claims = {name: value for name, value in {**GOOD, **changed}.items() if value is not ...}
    return jwt.encode(claims, SECRET, "HS256", headers=headers)


@pytest.fixture
def make():
    return lambda **options: FormerCodec([hmac_key(SECRET, "HS256")], **options)


def test_a_good_token_says_what_it_says(make):
    found = make().decode(token(csrf="value"), FormerType.ACCESS, now=NOW)
    assert (found.subject, found.token_id, found.type) == ("alice", GOOD["jti"], FormerType.ACCESS)
    assert (found.issued_at, found.expires_at, found.fresh, found.csrf) == (NOW, NOW + 900, False, "value")
    assert found.header["alg"] == "HS256"
    assert "value" not in repr(found)


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "refresh"},
        {"type": ...},
        {"type": ["access"]},
        {"sub": ...},
        {"sub": None},
        {"sub": ["alice"]},
        {"sub": True},
        {"sub": "a" * 256},
        {"jti": ...},
        {"jti": 5},
        {"iat": ...},
        {"iat": NOW + 60},
        {"nbf": NOW + 60},
        {"exp": ...},
        {"exp": "tomorrow"},
        {"exp": True},
        {"aud": "api"},
        {"aud": 5},
    ],
    ids=str,
)
def test_what_is_odd_is_refused(make, changed):
    with pytest.raises(InvalidTokenError):
        make().decode(token(**changed), FormerType.ACCESS, now=NOW)


def test_an_identity_that_is_a_number_is_its_digits(make):
    assert make().decode(token(sub=17), FormerType.ACCESS, now=NOW).subject == "17"
    codec = make(identity="uid")
    assert codec.decode(token(uid="u1", sub=...), FormerType.ACCESS, now=NOW).subject == "u1"


@pytest.mark.parametrize(
    ("given", "subject"), [("u1", "u1"), (17, "17"), (True, None), (["u1"], None), ({}, None)]
)
def test_where_a_function_reads_it_an_identity_is_anything_that_is_there(make, given, subject):
    found = make(any_identity=True).decode(token(sub=given), FormerType.ACCESS, now=NOW)
    assert (found.subject, found.claims["sub"]) == (subject, given)
    with pytest.raises(InvalidTokenError, match="sub"):
        make(any_identity=True).decode(token(sub=...), FormerType.ACCESS, now=NOW)


def test_an_audience_may_be_one_of_some_or_missing(make):
    codec = make(audience=("api",), needs_audience=False)
    assert codec.decode(token(), FormerType.ACCESS, now=NOW)
    assert codec.decode(token(aud=["api"]), FormerType.ACCESS, now=NOW)
    with pytest.raises(InvalidTokenError):
        codec.decode(token(aud="web"), FormerType.ACCESS, now=NOW)


@pytest.mark.parametrize(
    ("fresh", "is_fresh"),
    [
        (True, True),
        (NOW + 5, True),
        (NOW + 0.5, True),
        (NOW, False),
        (1, False),
        (False, False),
        ("yes", False),
        (..., False),
    ],
)
def test_fresh_is_true_or_a_time(make, fresh, is_fresh):
    assert make().decode(token(fresh=fresh), FormerType.ACCESS, now=NOW).fresh is is_fresh


def test_no_nbf_is_needed_and_a_csrf_value_is_text(make):
    found = make().decode(token(nbf=..., csrf=5), FormerType.ACCESS, now=NOW)
    assert found.csrf is None


def test_issuer_and_audience_are_held_against_what_is_set(make):
    codec = make(issuer=("us",), audience=("api", "web"))
    for audience in ("api", ["web", "other"]):
        assert codec.decode(token(iss="us", aud=audience), FormerType.ACCESS, now=NOW)
    for wrong in (
        {"iss": "us"},
        {"iss": "us", "aud": ["other"]},
        {"iss": "us", "aud": ["api", 5]},
        {"aud": "api"},
    ):
        with pytest.raises(InvalidTokenError):
            codec.decode(token(**wrong), FormerType.ACCESS, now=NOW)


def test_time_has_a_beginning_an_end_and_a_leeway(make):
    codec, text = make(leeway=10), token()
    assert codec.decode(text, FormerType.ACCESS, now=NOW - 10)
    assert codec.decode(text, FormerType.ACCESS, now=NOW + 909)
    with pytest.raises(ExpiredTokenError):
        codec.decode(text, FormerType.ACCESS, now=NOW + 910)
    for now in (NOW - 11, float("nan")):
        with pytest.raises(InvalidTokenError):
            codec.decode(text, FormerType.ACCESS, now=now)


def test_after_the_change_none_was_issued_and_one_day_none_is_taken(make):
    codec = make(issued_until=NOW + 5, ends_at=NOW + 100)
    assert codec.decode(token(iat=NOW + 5), FormerType.ACCESS, now=NOW + 50)
    with pytest.raises(InvalidTokenError, match="ceased to be"):
        codec.decode(token(iat=NOW + 6), FormerType.ACCESS, now=NOW + 50)
    with pytest.raises(ExpiredTokenError):
        codec.decode(token(), FormerType.ACCESS, now=NOW + 100)


def test_it_is_told_by_its_header_and_accepted_by_its_signature(make):
    codec = make()
    assert codec.is_former(token())
    other = hmac_key(secrets.token_bytes(48), "HS256")
    forged = jwt.encode(GOOD, other.secret, "HS256")
    assert codec.is_former(forged)
    with pytest.raises(InvalidTokenError):
        codec.decode(forged, FormerType.ACCESS, now=NOW)


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+jwt"},
        {"typ": None},
        {"kid": "k1"},
        {"crit": ["exp"]},
    ],
    ids=str,
)
def test_another_header_is_none_of_theirs(make, header):
    assert not make().is_former(token(headers=header))


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "a b.c.d", "e30.e30.e30", None])
def test_what_is_no_token_is_none(make, text):
    assert not make().is_former(text)
    with pytest.raises(InvalidTokenError):
        make().decode(text, FormerType.ACCESS, now=NOW)


@pytest.mark.parametrize("algorithm", ["none", "HS512", "RS256", 5, ["HS256"], None])
def test_an_algorithm_that_is_not_set_has_no_key(make, algorithm):
    head = base64url(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    text = f"{head}.{token().split('.', 1)[1]}"
    assert make().is_former(text) is False
    with pytest.raises(InvalidTokenError, match="not signed with a key"):
        make().decode(text, FormerType.ACCESS, now=NOW)


def test_the_type_in_the_header_is_looked_at_by_whoever_decodes_too(make):
    with pytest.raises(InvalidTokenError, match="not signed with a key"):
        make().decode(token(headers={"typ": "at+jwt"}), FormerType.ACCESS, now=NOW)
