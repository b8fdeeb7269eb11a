"""Token types by allow-list, both ways (RFC 8725 sections 3.11 and 3.12)."""

import pytest

from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.tokens.codec import TokenType

UNKNOWN = [
    "JWT",
    "jwt",
    "",
    "id_token",
    "logout+jwt",
    "dpop+jwt",
    "secevent+jwt",
    "application/at+jwt",
    "AT+JWT",
    "At+jwt",
    "at+JWT",
    "RT+jwt",
    "at+jwt ",
    " at+jwt",
    "at+jwt\0",
    "at+jwt\n",
    "at jwt",
    "at+jwt,rt+jwt",
    "access",
    "refresh",
    "ACCESS",
    "REFRESH",
    "\uff41t+jwt",
]
NO_TEXT = [None, True, False, 0, 1, [], ["at+jwt"], ["at+jwt", "rt+jwt"], {}, {"typ": "at+jwt"}]


def test_a_refresh_token_is_never_accepted_as_an_access_token(forger):
    token = forger.codec.encode(TokenType.REFRESH, forger.claims, ["*"])
    with pytest.raises(InvalidTokenError, match="another type"):
        forger.codec.verify(token, TokenType.ACCESS)
    assert forger.codec.verify(token, TokenType.REFRESH)


def test_an_access_token_is_never_accepted_as_a_refresh_token(forger):
    token = forger.codec.encode(TokenType.ACCESS, forger.claims, ["*"])
    with pytest.raises(InvalidTokenError, match="another type"):
        forger.codec.verify(token, TokenType.REFRESH)
    assert forger.codec.verify(token, TokenType.ACCESS)


def test_the_same_holds_for_headers_that_we_did_not_write_to_the_letter(forger):
    for own, other in ((TokenType.ACCESS, TokenType.REFRESH), (TokenType.REFRESH, TokenType.ACCESS)):
        token = forger.with_header(typ=own.value, x=1)
        assert forger.codec.verify(token, own)
        with pytest.raises(InvalidTokenError, match="another type"):
            forger.codec.verify(token, other)


@pytest.mark.parametrize("typ", UNKNOWN + NO_TEXT, ids=repr)
def test_an_unknown_type_is_refused_as_access_and_as_refresh(forger, typ):
    assert forger.refuses(forger.with_header(typ=typ), "another type")


def test_a_token_without_a_type_is_refused_as_access_and_as_refresh(forger):
    header = forger.header
    del header["typ"]
    assert forger.refuses(forger.forge(header), "another type")


@pytest.mark.parametrize("name", ["typ", "type", "token_type", "token_use", "fresh", "cty"])
def test_a_type_among_the_claims_counts_for_nothing(forger, name):
    token = forger.forge({**forger.header, "typ": "rt+jwt"}, {**forger.claims, name: "at+jwt"})
    with pytest.raises(InvalidTokenError, match="another type"):
        forger.codec.verify(token, TokenType.ACCESS)
    assert forger.refuses(forger.forge({**forger.header, "typ": "JWT"}, {**forger.claims, name: "at+jwt"}))


def test_a_refresh_token_carries_no_right_even_where_it_is_accepted(forger):
    token = forger.codec.verify(forger.with_header(typ="rt+jwt"), TokenType.REFRESH)
    assert token.claims["permissions"] == ("reports:read",)
    assert not token.principal.can("reports:read")
