"""The verifier: whose tokens are taken, and what is read from them."""

import logging

import pytest

from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.tokens import signatures
from flask_permjwt.tokens.issuers.verifier import known_as


def test_a_token_of_an_issuer_that_is_trusted_is_taken(world):
    found = world.verify(world.outsider.token(scp="reports:read", auth_time=world.outsider.now - 5))
    principal = found.token.principal
    assert principal.can("reports:read")
    assert (principal.issuer, principal.claims["sub"]) == (world.outsider.name, "alice")
    assert principal.expiry == world.outsider.now + 3600
    assert principal.authenticated_at == world.outsider.now - 5
    assert found.holds == float("inf")


@pytest.mark.parametrize(
    "algorithm", ["RS256", "RS384", "RS512", "PS256", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)
def test_every_safe_algorithm_is_taken(make_outsider, make_world, algorithm):
    outsider = make_outsider(algorithm)
    world = make_world(jwks=outsider.jwks(alg=algorithm))
    assert world.verify(outsider.token()).subject == "alice"


def test_a_key_of_either_name_verifies_a_signature_of_either_name(make_outsider, make_world):
    outsider = make_outsider("EdDSA")
    for named in ({"alg": "Ed25519"}, {"alg": "EdDSA"}, {}):
        world = make_world(jwks=outsider.jwks(**named))
        assert world.verify(outsider.token())
        assert world.verify(outsider.sign({**outsider.header, "alg": "Ed25519"}, outsider.claims()))


@pytest.mark.parametrize(
    "name", ["https://other.example.com", "https://login.example.com/tenant/v2.0/", "", 5, None]
)
def test_a_token_of_anybody_else_is_left_to_others(world, name):
    assert world.issuers.verify(world.outsider.token(iss=name), world.judge) is None


def test_of_a_token_that_nobody_accepted_the_issuer_is_checked_last(world, caplog):
    for name in (None, "https://ours.example.com"):
        world.issuers.check_named(world.outsider.token(iss=name), ours="https://ours.example.com")
    for name in ("https://evil.example.com", 5, ["https://ours.example.com"]):
        with (
            caplog.at_level(logging.INFO, "flask_permjwt.issuers"),
            pytest.raises(InvalidTokenError, match="another issuer"),
        ):
            world.issuers.check_named(world.outsider.token(iss=name), ours="https://ours.example.com")
    assert "its issuer is none" in caplog.text
    assert "evil" not in caplog.text


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", "application/jwt"])
def test_types_of_access_tokens_are_taken_in_any_case(world, kind):
    assert world.verify(world.outsider.sign({**world.outsider.header, "typ": kind}, world.outsider.claims()))


def test_a_token_may_leave_out_its_type_and_its_key_where_one_key_fits(world):
    assert world.verify(world.outsider.sign({"alg": "RS256"}, world.outsider.claims()))


@pytest.mark.parametrize("audience", ["api://reports", ["api://reports"], ["x", "api://reports"]])
def test_one_of_the_audiences_must_be_ours(world, audience):
    assert world.verify(world.outsider.token(aud=audience))


REFUSED = {
    "audience": ({"aud": "api://other"}, "audience"),
    "no audience": ({"aud": None}, "audience"),
    "audience in part": ({"aud": "api://reports/more"}, "audience"),
    "audience of another shape": ({"aud": ["api://reports", 5]}, "audience"),
    "audience as an object": ({"aud": {"api://reports": 1}}, "audience"),
    "expired": ({"exp": 1_800_000_000}, "expired"),
    "no expiry": ({"exp": None}, "exp"),
    "expiry as text": ({"exp": "1800003600"}, "exp"),
    "no subject": ({"sub": None}, "sub"),
    "empty subject": ({"sub": ""}, "sub"),
    "long subject": ({"sub": "x" * 256}, "sub"),
    "subject as a number": ({"sub": 5}, "sub"),
    "not before as text": ({"nbf": "x"}, "nbf"),
    "issued at as text": ({"iat": "x"}, "iat"),
    "authenticated at as text": ({"auth_time": "x"}, "auth_time"),
    "ID token": ({"at_hash": "x"}, "ID token"),
    "ID token of the code flow": ({"nonce": "n-0S6_WzA2Mj"}, "ID token"),
    "logout token": ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "logout token"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_the_error_and_the_log_say_which_check_failed(world, caplog, fault):
    claims, word = REFUSED[fault]
    with caplog.at_level(logging.INFO, "flask_permjwt.issuers"), pytest.raises(InvalidTokenError) as caught:
        world.verify(world.outsider.token(**claims))
    assert word in caught.value.description
    assert word in caplog.text
    assert world.outsider.name in caplog.text


def test_a_signature_of_another_key_is_refused(world, make_key):
    token = world.outsider.sign(world.outsider.header, world.outsider.claims(), key=make_key("RS256", 1))
    with pytest.raises(InvalidTokenError, match="signature"):
        world.verify(token)


@pytest.mark.parametrize("kid", ["k2", "", 5, ["k1"]])
def test_a_key_that_is_not_published_is_refused(world, kid):
    token = world.outsider.sign({**world.outsider.header, "kid": kid}, world.outsider.claims())
    with pytest.raises(InvalidTokenError, match="key"):
        world.verify(token)


HEADERS = {
    "extension": ({"crit": ["exp"]}, "extension"),
    "unencoded payload": ({"b64": True}, "extension"),
    "logout token": ({"typ": "logout+jwt"}, "type"),
    "refresh token of ours": ({"typ": "rt+jwt"}, "type"),
    "type of a list": ({"typ": ["JWT"]}, "type"),
    "no signature": ({"alg": "none"}, "kind"),
    "shared secret": ({"alg": "HS256"}, "kind"),
    "no algorithm": ({"alg": None}, "kind"),
    "algorithm of a list": ({"alg": ["RS256"]}, "kind"),
    "algorithm of another key": ({"alg": "ES256"}, "key"),
}


@pytest.mark.parametrize("fault", HEADERS)
def test_headers_that_ask_for_something_else_are_refused(world, fault):
    members, word = HEADERS[fault]
    token = world.outsider.sign({**world.outsider.header, **members}, world.outsider.claims())
    with pytest.raises(InvalidTokenError, match=word):
        world.verify(token)


def test_a_signature_that_stops_pyjwt_is_no_signature(make_outsider, make_world):
    world = make_world(jwks=make_outsider("ES256").jwks())
    with pytest.raises(InvalidTokenError, match="signature"):
        world.verify(world.outsider.sign({**world.outsider.header, "alg": "ES256"}, world.outsider.claims()))


def test_a_verifier_that_fails_lets_nothing_pass(world, monkeypatch):
    monkeypatch.setattr(signatures, "pyjwt_of", lambda _: None)
    with pytest.raises(InvalidTokenError, match="signature"):
        world.verify(world.outsider.token())


def test_claims_that_are_asked_for_must_be_there_exactly(make_world):
    world = make_world(claims={"tid": "t1"})
    assert world.verify(world.outsider.token(tid="t1"))
    for wrong in (None, "t2", ["t1"]):
        with pytest.raises(InvalidTokenError, match="tid"):
            world.verify(world.outsider.token(tid=wrong))


def test_an_id_token_is_taken_where_that_is_asked_for(make_world):
    world = make_world(id_tokens=True)
    assert world.verify(world.outsider.token(at_hash="x", nonce="y"))
    with pytest.raises(InvalidTokenError, match="logout token"):
        world.verify(world.outsider.token(events={}))


def test_entra_takes_no_token_that_names_no_client(make_world):
    world = make_world(preset="entra")
    for good in ({"azp": "c"}, {"appid": "c"}):
        assert world.verify(world.outsider.token(**good))
    for wrong in ({}, {"azp": ""}, {"azp": None, "appid": None}, {"azp": "c", "nonce": "n"}):
        with pytest.raises(InvalidTokenError, match="access token"):
            world.verify(world.outsider.token(**wrong))
    assert make_world(preset="entra", id_tokens=True).verify(world.outsider.token())


def test_a_nonce_tells_nothing_where_the_tokens_themselves_say_what_they_are(make_world):
    world = make_world(preset="keycloak")
    assert world.verify(world.outsider.token(typ="Bearer", nonce="n"))
    for wrong in ({"typ": "ID", "nonce": "n"}, {"typ": "Bearer", "at_hash": "h"}, {"typ": "Bearer", "events": {}}):
        with pytest.raises(InvalidTokenError):
            world.verify(world.outsider.token(**wrong))


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d", "a.b.=", "a..c", "A.A.A", "e30.e31.AA", "x" * 20_000])
def test_what_is_no_token_is_refused(world, text):
    with pytest.raises(InvalidTokenError):
        world.issuers.verify(text, world.judge)


def test_an_outside_principal_has_no_session_and_no_roles_here(world):
    token = world.verify(world.outsider.token(jti="j" * 32, sid="s" * 32, roles=["admin"])).token
    assert token.principal.token_id is None
    assert token.principal.session_id is None
    assert token.principal.roles == frozenset()
    assert "|" in token.token_id
    assert "|" in token.session_id
    assert "|" in token.subject


def test_nobody_is_known_by_the_name_of_another():
    texts = [
        known_as(issuer, subject)
        for issuer in ("https://a", "https://a/b", "https://b")
        for subject in ("x", "y", "b|x", "|x", "x" * 250, "x" * 251, known_as("https://a", "x" * 250)[10:])
    ]
    assert len(set(texts)) == len(texts)
    assert max(map(len, texts)) <= 255
    digest = known_as("https://a", "x" * 250).partition("|")[2]
    assert known_as("https://a", digest) != known_as("https://a", "x" * 250)
