"""The codec: what goes in comes out, nothing else is accepted, and time is judged on every use."""

import base64
import dataclasses
import json
import math
import secrets
import string

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import HMACAlgorithm

from flask_permjwt.errors import ConfigurationError, ExpiredTokenError, InvalidTokenError, TokenTooLargeError
from flask_permjwt.policy.permissions import Grants, valid_grants
from flask_permjwt.tokens.codec import MAX_LENGTH, TokenCodec, TokenType
from flask_permjwt.tokens.keys import KeyRing, hmac_key

ACCESS, REFRESH = TokenType.ACCESS, TokenType.REFRESH
SECRET = secrets.token_urlsafe(64)
KEY = hmac_key(SECRET, "HS256")
NOW = 1_800_000_000
CLAIMS = {"sub": "u" * 32, "jti": "j" * 32, "sid": "s" * 32, "ver": 3, "iat": NOW, "exp": NOW + 900}
CODEC = TokenCodec(KeyRing(KEY))
GRANTS = st.lists(st.sampled_from(["a", "b:c", "b:*", "*:c", "x.y:z"]), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def make(**options) -> TokenCodec:
    return TokenCodec(KeyRing(KEY), **options)


def payload_of(token: str) -> dict:
    segment = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


# Round trip


@given(GRANTS, st.sampled_from(list(TokenType)))
def test_what_was_signed_is_read_back(grants, token_type):
    token = CODEC.verify(CODEC.encode(token_type, CLAIMS, grants), token_type)
    assert token.type is token_type
    assert (token.subject, token.token_id, token.session_id) == ("u" * 32, "j" * 32, "s" * 32)
    assert (token.version, token.issued_at, token.expires_at, token.not_before) == (3, NOW, NOW + 900, None)
    assert token.csrf is None
    assert token.principal.subject == token.subject
    assert token.principal.token_id == token.token_id
    assert token.principal.session_id == token.session_id
    assert token.principal.expiry == token.expires_at
    assert token.principal.claims is token.claims
    assert token.principal.permissions == (set(grants) if token_type is ACCESS else set())


@given(st.dictionaries(st.text(min_size=1, max_size=5).map(lambda name: "x" + name), JSON, max_size=4))
def test_claims_of_any_shape_come_back_and_cannot_be_changed(extra):
    token = CODEC.verify(CODEC.encode(REFRESH, {**extra, **CLAIMS}), REFRESH)

    def thaw(value):
        assert not isinstance(value, list | dict)
        if hasattr(value, "items"):
            return {name: thaw(one) for name, one in value.items()}
        return [thaw(one) for one in value] if isinstance(value, tuple) else value

    assert thaw(token.claims) == {**extra, **CLAIMS}


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("token_type", TokenType)
def test_the_header_names_type_algorithm_and_key(algorithm, token_type):
    key = hmac_key(SECRET, algorithm)
    codec = TokenCodec(KeyRing(key))
    token = codec.encode(token_type, CLAIMS)
    assert jwt.get_unverified_header(token) == {"typ": token_type.value, "alg": algorithm, "kid": key.kid}
    assert codec.decode(token, token_type, now=NOW).subject == "u" * 32


def test_permissions_are_signed_in_order_at_their_claim():
    assert payload_of(CODEC.encode(ACCESS, CLAIMS, {"b", "a", "c:*"})) == {
        **CLAIMS,
        "permissions": ["a", "b", "c:*"],
    }


def test_permissions_may_stand_in_nested_objects():
    codec = make(permissions_claim="data.rights.permissions")
    given_claims = {**CLAIMS, "data": {"other": 1}}
    token = codec.encode(ACCESS, given_claims, ["a"])
    assert payload_of(token)["data"] == {"other": 1, "rights": {"permissions": ["a"]}}
    assert codec.verify(token, ACCESS).principal.permissions == {"a"}
    assert given_claims["data"] == {"other": 1}


def test_permissions_at_another_place_than_the_configured_one_grant_nothing():
    token = make(permissions_claim="data.permissions").encode(ACCESS, {**CLAIMS, "permissions": ["*"]}, [])
    assert make(permissions_claim="data.permissions").verify(token, ACCESS).principal.permissions == set()
    assert (
        CODEC.verify(make(permissions_claim="other").encode(ACCESS, CLAIMS, ["a"]), ACCESS).principal.grants
        == Grants()
    )


def test_a_caller_cannot_smuggle_permissions_in_among_the_claims():
    token = CODEC.encode(ACCESS, {**CLAIMS, "permissions": ["*"]}, ["a"])
    assert CODEC.verify(token, ACCESS).principal.permissions == {"a"}


@given(JSON)
def test_a_permissions_claim_of_any_shape_never_grants_more_than_its_valid_strings(value):
    token = make(permissions_claim="other").encode(ACCESS, {**CLAIMS, "permissions": value})
    granted = CODEC.verify(token, ACCESS).principal.permissions
    assert granted == valid_grants(value)
    assert granted <= (set(filter(lambda one: isinstance(one, str), value)) if isinstance(value, list) else set())


@pytest.mark.parametrize("claim", [["admin", "a b", "*", 7, None], "admin", "*", {"*": True}, 1, None])
def test_a_refresh_token_authorises_nothing_whatever_it_claims(claim):
    token = CODEC.encode(REFRESH, {**CLAIMS, "permissions": claim, "roles": ["admin"]}, ["*"])
    principal = CODEC.verify(token, REFRESH).principal
    assert principal.grants == Grants()
    assert principal.roles == frozenset()
    assert not principal.can("a")


@pytest.mark.parametrize(
    ("roles", "kept"), [(["a", "b"], {"a", "b"}), ("admin", set()), (["a", 1], {"a"}), (None, set())]
)
def test_roles_are_a_list_of_strings(roles, kept):
    assert CODEC.verify(CODEC.encode(ACCESS, {**CLAIMS, "roles": roles}), ACCESS).principal.roles == kept


@pytest.mark.parametrize(
    ("csrf", "kept"), [("value", "value"), (7, None), (None, None), (["value"], None), (True, None)]
)
@pytest.mark.parametrize("token_type", TokenType)
def test_the_csrf_value_is_a_string(csrf, kept, token_type):
    assert CODEC.verify(CODEC.encode(token_type, {**CLAIMS, "csrf": csrf}), token_type).csrf == kept


def test_a_token_in_a_log_shows_neither_its_csrf_value_nor_its_claims():
    token = CODEC.verify(CODEC.encode(ACCESS, {**CLAIMS, "csrf": "hush-hush", "note": "hush-hush"}), ACCESS)
    assert "hush-hush" not in repr(token)


def test_a_verified_token_cannot_be_changed():
    token = CODEC.verify(CODEC.encode(ACCESS, CLAIMS), ACCESS)
    for name in ("type", "subject", "expires_at", "principal"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(token, name, None)
    with pytest.raises(TypeError):
        token.claims["sub"] = "other"


# Nothing else is accepted

BASE64URL = string.ascii_letters + string.digits + "-_"
SAMPLE = CODEC.encode(ACCESS, {**CLAIMS, "csrf": "c" * 22}, ["reports:read"])


@given(st.integers(0, len(SAMPLE) - 1), st.sampled_from(BASE64URL + ".=+/ \n\0é"))
def test_a_token_with_one_other_character_is_refused(at, character):
    changed = SAMPLE[:at] + character + SAMPLE[at + 1 :]
    if changed != SAMPLE:
        with pytest.raises(InvalidTokenError):
            CODEC.verify(changed, *TokenType)


@pytest.mark.parametrize("segment", range(3))
def test_a_token_with_any_single_bit_changed_is_refused(segment):
    segments = SAMPLE.split(".")
    raw = base64.urlsafe_b64decode(segments[segment] + "==")
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        changed = base64.urlsafe_b64encode(flipped).rstrip(b"=").decode()
        with pytest.raises(InvalidTokenError):
            CODEC.verify(".".join([*segments[:segment], changed, *segments[segment + 1 :]]), *TokenType)


@given(st.integers(0, len(SAMPLE)), st.sampled_from(BASE64URL + ".= \n\0"))
def test_a_token_with_one_character_more_is_refused(at, character):
    with pytest.raises(InvalidTokenError):
        CODEC.verify(SAMPLE[:at] + character + SAMPLE[at:], *TokenType)


def test_a_token_that_was_cut_is_refused():
    for length in range(len(SAMPLE)):
        with pytest.raises(InvalidTokenError):
            CODEC.verify(SAMPLE[:length], *TokenType)


@given(st.text(max_size=60) | st.text(BASE64URL + ".", max_size=60))
def test_any_other_text_is_refused_with_our_own_error(text):
    with pytest.raises(InvalidTokenError) as caught:
        CODEC.verify(text, *TokenType)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("value", [None, 7, b"a.b.c", SAMPLE.encode(), [SAMPLE], bytearray(SAMPLE.encode())])
def test_only_text_is_a_token(value):
    with pytest.raises(InvalidTokenError, match="malformed"):
        CODEC.verify(value, *TokenType)


def test_pyjwt_has_the_last_word(monkeypatch):
    """Our own checks may only refuse: whatever PyJWT raises, also what it never should, the answer is no."""
    for fault in (
        jwt.InvalidSignatureError("x"),
        NotImplementedError("x"),
        TypeError("x"),
        RecursionError("x"),
        False,
    ):

        def refuse(*_, fault=fault, **__):
            if fault:
                raise fault
            return fault

        codec = make()
        monkeypatch.setattr(HMACAlgorithm, "verify", refuse)
        with pytest.raises(InvalidTokenError, match=r"^The token's signature is not valid\.$") as caught:
            codec.verify(SAMPLE, ACCESS)
        assert caught.value.__context__ is None


def test_a_forged_signature_is_refused_before_pyjwt_is_asked(monkeypatch):
    asked = []
    codec = make()
    monkeypatch.setattr(HMACAlgorithm, "verify", lambda *given, **_: asked.append(given))
    with pytest.raises(InvalidTokenError, match="signature"):
        codec.verify(SAMPLE[:-2] + ("AA" if not SAMPLE.endswith("AA") else "BA"), ACCESS)
    assert not asked


# Types, issuer, audience


@pytest.mark.parametrize("token_type", TokenType)
def test_a_type_that_was_not_asked_for_is_refused(token_type):
    token = CODEC.encode(token_type, CLAIMS)
    (other,) = set(TokenType) - {token_type}
    with pytest.raises(InvalidTokenError, match="another type"):
        CODEC.verify(token, other)
    assert CODEC.verify(token, token_type, other).type is token_type


def test_where_no_type_is_accepted_no_token_is():
    with pytest.raises(InvalidTokenError, match="another type"):
        CODEC.verify(SAMPLE)


def test_the_issuer_is_written_and_then_required():
    codec = make(issuer="https://one")
    token = codec.encode(ACCESS, CLAIMS)
    assert codec.verify(token, ACCESS).claims["iss"] == "https://one"
    for other in (CODEC, make(issuer="https://one/"), make(issuer="https://ONE")):
        with pytest.raises(InvalidTokenError, match="issuer"):
            codec.verify(other.encode(ACCESS, CLAIMS), ACCESS)


@pytest.mark.parametrize(("audience", "written"), [(("api",), "api"), (("api", "web"), ["api", "web"])])
def test_the_audience_is_written_and_then_one_of_it_required(audience, written):
    codec = make(audience=audience)
    token = codec.encode(ACCESS, CLAIMS)
    assert payload_of(token)["aud"] == written
    assert codec.verify(token, ACCESS)
    assert make(audience=("other", "api")).verify(token, ACCESS)
    with pytest.raises(InvalidTokenError, match="audience"):
        make(audience=("other",)).verify(token, ACCESS)
    with pytest.raises(InvalidTokenError, match="audience"):
        codec.verify(CODEC.encode(ACCESS, CLAIMS), ACCESS)


def test_where_no_audience_is_configured_a_token_that_names_one_is_not_for_us():
    with pytest.raises(InvalidTokenError, match="audience"):
        CODEC.verify(make(audience=("api",)).encode(ACCESS, CLAIMS), ACCESS)


# Time


def test_a_token_expires_at_its_second_and_not_before():
    token = CODEC.verify(SAMPLE, ACCESS)
    CODEC.judge(token, NOW + 899.999)
    for now in (NOW + 900, NOW + 901, math.inf):
        with pytest.raises(ExpiredTokenError):
            CODEC.judge(token, now)


def test_a_token_begins_at_its_second_and_not_before():
    token = CODEC.verify(CODEC.encode(ACCESS, {**CLAIMS, "nbf": NOW + 10}), ACCESS)
    assert token.not_before == NOW + 10
    CODEC.judge(token, NOW + 10)
    with pytest.raises(InvalidTokenError, match="not valid yet"):
        CODEC.judge(token, NOW + 9.999)


def test_leeway_widens_both_ends_by_as_much():
    codec = make(leeway=5)
    token = codec.verify(codec.encode(ACCESS, {**CLAIMS, "nbf": NOW}), ACCESS)
    codec.judge(token, NOW - 5)
    codec.judge(token, NOW + 904.999)
    with pytest.raises(InvalidTokenError, match="not valid yet"):
        codec.judge(token, NOW - 5.001)
    with pytest.raises(ExpiredTokenError):
        codec.judge(token, NOW + 905)


def test_a_clock_that_gives_no_number_lets_nothing_pass():
    with pytest.raises(ExpiredTokenError):
        CODEC.judge(CODEC.verify(SAMPLE, ACCESS), math.nan)


@given(st.integers(0, 2 * NOW))
def test_decoding_is_verifying_and_judging(now):
    if now < NOW + 900:
        assert CODEC.decode(SAMPLE, ACCESS, now=now) == CODEC.verify(SAMPLE, ACCESS)
    else:
        with pytest.raises(ExpiredTokenError):
            CODEC.decode(SAMPLE, ACCESS, now=now)


# Signing


@pytest.mark.parametrize("permissions", ["*", "admin", ""])
def test_one_string_of_permissions_is_not_signed_letter_by_letter(permissions):
    with pytest.raises(TypeError, match="not one string"):
        CODEC.encode(ACCESS, CLAIMS, permissions)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_not_signed(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        CODEC.encode(ACCESS, {**CLAIMS, "x": number})


def test_a_token_that_would_be_refused_for_its_length_is_not_signed():
    longest = MAX_LENGTH
    spare = longest - len(CODEC.encode(ACCESS, {**CLAIMS, "x": ""})) - 4
    fitting = CODEC.encode(ACCESS, {**CLAIMS, "x": "a" * (spare * 3 // 4)})
    assert longest - 8 < len(fitting) <= longest
    assert CODEC.verify(fitting, ACCESS)
    with pytest.raises(TokenTooLargeError, match="16 KiB"):
        CODEC.encode(ACCESS, {**CLAIMS, "x": "a" * (spare * 3 // 4 + 12)})


def test_a_permissions_claim_with_a_meaning_of_its_own_is_refused_at_once():
    with pytest.raises(ConfigurationError):
        make(permissions_claim="roles")


# What others ask the codec for


def test_a_token_is_told_to_be_ours_by_its_header_alone():
    assert CODEC.is_own(CODEC.encode(ACCESS, CLAIMS))
    other = TokenCodec(KeyRing(hmac_key(SECRET[::-1], "HS256")))
    assert not CODEC.is_own(other.encode(ACCESS, CLAIMS))


def test_the_key_that_signs_is_named():
    assert CODEC.signing_key_id == KEY.kid
    CODEC.keep_up()
    assert CODEC.signing_key_id == KEY.kid


@pytest.mark.parametrize("ends", [NOW, NOW - 1])
def test_a_token_whose_end_is_not_after_its_beginning_was_never_valid(ends):
    token = CODEC.encode(ACCESS, CLAIMS | {"exp": ends})
    with pytest.raises(InvalidTokenError, match="never valid"):
        CODEC.verify(token, ACCESS)


def test_an_access_token_ends_no_later_than_those_that_are_issued_now():
    codec = make(access_lifetime=60)
    token = codec.encode(ACCESS, CLAIMS)
    assert codec.verify(token, ACCESS).expires_at == NOW + 60
    refresh = codec.encode(TokenType.REFRESH, CLAIMS)
    assert codec.verify(refresh, TokenType.REFRESH).expires_at == NOW + 900
