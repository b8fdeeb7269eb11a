"""Tokens of clients: a claim and ``sub`` say the same, or the token is nobody's."""

import secrets

import pytest

from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.tokens import claims as reading
from flask_permjwt.tokens.codec import TokenCodec, TokenType
from flask_permjwt.tokens.keys import KeyRing, hmac_key

ACCESS, REFRESH = TokenType.ACCESS, TokenType.REFRESH
NOW = 1_800_000_000
ID = "c" * 32
CLAIMS = {"sub": f"client:{ID}", "client_id": ID, "jti": "j" * 32, "ver": 3, "iat": NOW, "exp": NOW + 900}
USERS = {"sub": "u" * 32, "jti": "j" * 32, "sid": "s" * 32, "ver": 3, "iat": NOW, "exp": NOW + 900}
CODEC = TokenCodec(KeyRing(hmac_key(secrets.token_urlsafe(64), "HS256")))


def test_a_clients_token_is_of_no_session():
    token = CODEC.verify(CODEC.encode(ACCESS, CLAIMS, ["a"]), ACCESS)
    assert (token.principal.client_id, token.principal.subject) == (ID, f"client:{ID}")
    assert (token.session_id, token.principal.session_id) == ("", None)
    assert token.principal.permissions == {"a"}


def test_a_users_token_is_of_no_client():
    token = CODEC.verify(CODEC.encode(ACCESS, USERS, ["a"]), ACCESS)
    assert token.principal.client_id is None


@pytest.mark.parametrize(
    "claims",
    [
        {**CLAIMS, "sub": "u" * 32},
        {**CLAIMS, "sub": ID},
        {**CLAIMS, "sub": f"client:{ID}x"},
        {**CLAIMS, "sub": "client:"},
        {**CLAIMS, "client_id": "d" * 32},
        {**CLAIMS, "client_id": ""},
        {**CLAIMS, "client_id": None},
        {**CLAIMS, "client_id": [ID]},
        {**CLAIMS, "client_id": 7},
        {**CLAIMS, "client_id": True},
        {**CLAIMS, "sid": "s" * 32},
        {**CLAIMS, "sid": ""},
        {**USERS, "client_id": ID},
        {**USERS, "sub": f"client:{ID}"},
        {name: value for name, value in CLAIMS.items() if name != "client_id"},
        {name: value for name, value in USERS.items() if name != "sid"},
    ],
)
def test_who_says_two_things_about_who_acts_is_nobody(claims):
    with pytest.raises(InvalidTokenError):
        CODEC.verify(CODEC.encode(ACCESS, claims, ["a"]), ACCESS, REFRESH)


def test_a_client_has_no_refresh_token():
    with pytest.raises(InvalidTokenError):
        CODEC.verify(CODEC.encode(REFRESH, CLAIMS), ACCESS, REFRESH)


def test_no_permissions_claim_leads_into_who_acts():
    assert "client_id" in reading.RESERVED


def test_the_sub_of_a_client_leads_back_to_it_and_no_other_does():
    assert reading.client_of(reading.client_subject(ID)) == ID
    assert reading.client_of("u" * 32) is None
