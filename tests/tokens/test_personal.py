"""Personal access tokens as text: what was made is taken, and whatever else is refused before anybody is asked."""

import hashlib
import re
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.tokens.personal import PREFIX, digest_of, new_personal_token

BASE_62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
SAMPLE = new_personal_token()


def test_a_new_token_is_one_that_scanners_can_look_for():
    for _ in range(50):
        assert re.fullmatch(r"pjwt_[0-9A-Za-z]{49}", new_personal_token())


def test_no_two_tokens_are_alike():
    assert len({new_personal_token() for _ in range(200)}) == 200


def test_the_checksum_is_the_crc_32_of_the_secret_in_base_62():
    """Written again, as a scanner of somebody else's would."""
    secret, checksum = SAMPLE[len(PREFIX) : -6], SAMPLE[-6:]
    number = 0
    for digit in checksum:
        number = number * 62 + BASE_62.index(digit)
    assert number == zlib.crc32(secret.encode())


def test_the_secret_holds_256_bits_and_all_of_them_count():
    numbers = [sum(BASE_62.index(digit) * 62**at for at, digit in enumerate(reversed(new_personal_token()[5:48])))
               for _ in range(300)]  # fmt: skip
    assert all(number < 2**256 for number in numbers)
    for bit in range(256):
        assert len({number >> bit & 1 for number in numbers}) == 2


def test_what_is_kept_is_the_sha_256_of_the_whole_text():
    assert digest_of(SAMPLE) == hashlib.sha256(SAMPLE.encode()).hexdigest()


@given(st.integers(0, len(SAMPLE) - 1), st.sampled_from(BASE_62 + "_-. \n\0é"))
def test_a_token_with_one_other_character_is_refused(at, character):
    changed = SAMPLE[:at] + character + SAMPLE[at + 1 :]
    if changed != SAMPLE:
        with pytest.raises(InvalidTokenError, match="malformed"):
            digest_of(changed)


WRONG = {
    "nothing": "",
    "a prefix": PREFIX,
    "one too short": SAMPLE[:-1],
    "one too long": SAMPLE + "0",
    "capitals": SAMPLE.upper(),
    "a line break after it": SAMPLE + "\n",
    "a space before it": f" {SAMPLE}",
    "no prefix": SAMPLE[5:],
    "letters of another alphabet": "pjwt_" + "é" * 49,
    "lone surrogates": "pjwt_" + "\ud800" * 49,
    "digits of another alphabet": "pjwt_" + "\u0663" * 49,
    "far too long": "pjwt_" * 10_000,
    "None": None,
    "a number": 7,
    "bytes": SAMPLE.encode(),
    "a list": [SAMPLE],
}


@pytest.mark.parametrize("what", WRONG)
def test_whatever_else_is_refused_with_our_own_error(what):
    with pytest.raises(InvalidTokenError, match="malformed"):
        digest_of(WRONG[what])
