"""Attempts: sealed by us, and nothing else is opened."""

import base64
import hashlib
import json
from dataclasses import asdict, fields, replace

import pytest

from flask_permjwt.providers.attempts import Attempt, Seal, challenge_of, new_state

NOW = 1_800_000_000
ATTEMPT = Attempt(
    state="s" * 43,
    provider="google",
    begun_at=NOW,
    expires_at=NOW + 600,
    cookie=False,
    target="/a?b=%20#c",
    challenge="c" * 43,
    subject="f" * 32,
    session_id="0" * 32,
)


@pytest.fixture
def seal():
    return Seal(b"k" * 32)


@pytest.mark.parametrize(
    "attempt", [ATTEMPT, replace(ATTEMPT, target=None, subject=None, fresh=True, cookie=True)]
)
def test_what_was_sealed_is_opened_until_it_is_over(seal, attempt):
    sealed = seal.close(attempt)
    assert seal.open(sealed, now=NOW + 599.9) == attempt
    assert seal.open(sealed, now=NOW + 600) is None


def test_it_fits_into_a_cookie_with_the_longest_target(seal):
    # A quote is two characters in JSON; a browser keeps 4,096 bytes, name and attributes included.
    longest = replace(ATTEMPT, provider="p" * 32, target="/" + '"' * 1023)
    assert len(seal.close(longest)) < 3500
    assert seal.open(seal.close(longest), now=NOW) == longest
    assert seal.open(seal.close(replace(ATTEMPT, target="/" * 3000)), now=NOW) is None


@pytest.mark.parametrize("other", [Seal(b"l" * 32), Seal(b"k" * 31)])
def test_another_secret_opens_nothing(seal, other):
    assert other.open(seal.close(ATTEMPT), now=NOW) is None


@pytest.mark.parametrize(
    "twist", [lambda s: s[:-1], lambda s: "A" + s[1:], lambda s: s.replace(".", ""), lambda s: ""]
)
def test_every_byte_counts(seal, twist):
    assert seal.open(twist(seal.close(ATTEMPT)), now=NOW) is None


def test_one_that_another_version_sealed_is_begun_again(seal):
    said = {**asdict(ATTEMPT), "more": 1}
    body = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    assert seal.open(f"{body}.{seal._mac('attempt', body)}", now=NOW) is None


def test_nonce_and_verifier_are_of_the_state_and_the_secret(seal):
    values = [seal.nonce("a"), seal.verifier("a"), seal.nonce("b"), seal.verifier("b"), Seal(b"l" * 32).nonce("a")]
    assert len(set(values)) == len(values)
    assert seal.verifier("a") == seal.verifier("a")
    assert all(len(one) == 43 for one in values)
    held = seal.close(ATTEMPT)
    assert seal.verifier(ATTEMPT.state) not in held


def test_the_challenge_is_that_of_rfc_7636_appendix_b():
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_names_of_cookies_tell_nothing_of_the_state(seal):
    state = new_state()
    name = seal.cookie_name(state, secure=False)
    assert seal.cookie_name(state, secure=True) == f"__Host-{name}"
    assert name[-16:] == hashlib.sha256(state.encode()).hexdigest()[:16]
    assert len({new_state() for _ in range(100)}) == 100
    assert {one.name for one in fields(Attempt)} >= {"state", "provider"}
