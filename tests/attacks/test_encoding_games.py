"""Encoding games: one spelling per token, and nothing that is large, deep or odd costs more than a refusal."""

import base64
import json
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.tokens.codec import MAX_LENGTH, TokenCodec, TokenType
from flask_permjwt.tokens.keys import KeyRing, hmac_key

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def spellings(segment: str) -> list[str]:
    """Return the other spellings that a careless decoder takes for the same bytes."""
    spare = {2: 16, 3: 4}.get(len(segment) % 4, 1)
    last = ALPHABET.index(segment[-1])
    return [segment[:-1] + ALPHABET[last + extra] for extra in range(1, spare)]


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("padding", ["=", "==", "===", "====", "%3D", "."])
def test_padding_is_refused_in_every_segment(forger, part, padding):
    segments = forger.forge().split(".")
    segments[part] += padding
    assert forger.refuses(".".join(segments), "malformed")
    if part < 2:
        assert forger.refuses(forger.sign(".".join(segments[:2])), "malformed")


@pytest.mark.parametrize("size", range(6))
def test_bits_that_carry_nothing_must_be_zero(forger, size):
    """Signed as they stand: refused for their spelling, not for the signature."""
    claims = forger.segment(json.dumps(forger.claims) + " " * size)
    header = forger.segment(json.dumps(forger.header) + " " * size)
    assert forger.verify(forger.sign(f"{header}.{claims}"))
    for other in spellings(claims):
        assert forger.refuses(forger.sign(f"{header}.{other}"), "malformed")
    for other in spellings(header):
        assert forger.refuses(forger.sign(f"{other}.{claims}"), "malformed")


def test_a_signature_has_one_spelling(forger):
    signing_input, _, signature = forger.forge().rpartition(".")
    others = spellings(signature)
    assert len(others) == 3
    for other in others:
        assert base64.urlsafe_b64decode(other + "=") == base64.urlsafe_b64decode(signature + "=")
        assert forger.refuses(f"{signing_input}.{other}", "malformed")


def test_the_other_base64_alphabet_is_refused(forger):
    claims = {**forger.claims, "x": "\u00ff\u00fe\u00bf???>>>~~~"}
    raw = json.dumps(claims, ensure_ascii=False).encode()
    standard = base64.b64encode(raw).rstrip(b"=").decode()
    assert set("+/") & set(standard)
    header = forger.segment(forger.header)
    assert forger.verify(forger.sign(f"{header}.{standard.translate(str.maketrans('+/', '-_'))}"))
    assert forger.refuses(forger.sign(f"{header}.{standard}"), "malformed")


@pytest.mark.parametrize(
    "odd", [*string.whitespace, "\0", "\x7f", "\x85", "\u00a0", "\u200b", "\ufeff", "\u2028", "\ud800"]
)
def test_white_space_and_controls_are_refused_anywhere(forger, odd):
    token = forger.forge()
    first, second = token.index("."), token.rindex(".")
    for at in (0, 3, first, first + 1, second, second + 1, len(token)):
        assert forger.refuses(token[:at] + odd + token[at:], "malformed")


@pytest.mark.parametrize(
    "letter", ["\uff21", "\u0410", "\u0661", "\uff11", "\u00e9", "\U0001d400", "\u212a", "\u017f"]
)
def test_letters_and_digits_beyond_ascii_are_refused(forger, letter):
    """Also those that are equal to an ASCII letter once folded, and digits of other scripts."""
    token = forger.forge()
    for at in (0, 40, len(token) - 1):
        assert forger.refuses(token[:at] + letter + token[at + 1 :], "malformed")


@pytest.mark.parametrize("change", [str.swapcase, str.upper, str.lower, lambda text: text[::-1]])
def test_a_token_in_other_letters_is_another_token(forger, change):
    assert forger.refuses(change(forger.forge()))


def test_extra_and_missing_segments_are_refused(forger):
    token = forger.forge()
    header, claims, signature = token.split(".")
    for text in (
        "",
        ".",
        "..",
        "...",
        header,
        f"{header}.{claims}",
        f"{header}.{claims}.",
        f".{claims}.{signature}",
        f"{header}..{signature}",
        f".{token}",
        f"{token}.",
        f"{token}.{signature}",
        f"{header}.{token}",
        f"{token}.{token}",
        f"{token},{token}",
        f"{token} {token}",
        f"{token}\n{token}",
        f"Bearer {token}",
        f'"{token}"',
    ):
        assert forger.refuses(text, "malformed")


def test_the_json_serialization_is_refused(forger):
    """A JWT is compact (RFC 7519 section 3); the form of RFC 7515 section 7.2 may hold two signatures."""
    header, claims, signature = forger.forge().split(".")
    flat = {"protected": header, "payload": claims, "signature": signature}
    assert forger.refuses(json.dumps(flat), "malformed")
    assert forger.refuses(json.dumps({"payload": claims, "signatures": [flat]}), "malformed")


@pytest.mark.parametrize("unit", ["A", ".", "=", "\0", "é", "a.b.", "[", "\ud800"])
def test_a_megabyte_is_refused_at_once(forger, unit):
    """By its length, before anything is decoded: four hundred such tokens in less than a second."""
    text = (unit * 1_000_000)[:1_000_000]
    before = time.process_time()
    for _ in range(400):
        with pytest.raises(InvalidTokenError):
            forger.codec.verify(text, TokenType.ACCESS)
    assert time.process_time() - before < 1


def test_a_signed_token_longer_than_16_kib_is_refused_and_a_shorter_one_is_not(forger):
    fixed = len(forger.with_claims(x=""))
    near = (MAX_LENGTH - fixed) * 3 // 4
    tokens = [forger.with_claims(x="a" * (near + more)) for more in range(-4, 5)]
    assert MAX_LENGTH in map(len, tokens)
    for token in tokens:
        assert forger.refuses(token, "malformed") if len(token) > MAX_LENGTH else forger.verify(token)


@pytest.mark.parametrize(
    "deep",
    [
        "[" * 5000 + "]" * 5000,
        '{"a":' * 1500 + "1" + "}" * 1500,
        '[{"a":' * 1000 + "1" + "}]" * 1000,
        "[" * 10_000,
        "[" * 33 + "]" * 33,
        '{"a":' * 33 + "1" + "}" * 33,
    ],
    ids=len,
)
def test_deep_json_is_refused(forger, deep):
    claims = json.dumps(forger.claims)[:-1]
    assert forger.refuses(forger.forge(None, f'{claims},"x":{deep}}}'))
    header = json.dumps(forger.header)[:-1]
    if len(deep) > 1000:
        assert forger.refuses(forger.forge(f'{header},"x":{deep}}}'), "no JSON")


def test_json_as_deep_as_anybody_writes_it_is_read(forger):
    claims = json.dumps(forger.claims)[:-1]
    assert forger.verify(forger.forge(None, f'{claims},"x":{"[" * 30 + "]" * 30}}}'))


@pytest.mark.parametrize("name", ["sub", "exp", "permissions", "ver", "x"])
def test_a_name_that_stands_twice_is_refused(forger, name):
    claims = {**forger.claims, "x": 1}
    body = json.dumps(claims)
    value = json.dumps(claims[name])
    assert forger.refuses(forger.forge(None, f'{{"{name}": {value}, {body[1:]}'), "twice")
    assert forger.refuses(forger.forge(None, f'{body[:-1]}, "{name}": {value}}}'), "twice")
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in name)
    assert forger.refuses(forger.forge(None, f'{body[:-1]}, "{escaped}": {value}}}'), "twice")


@pytest.mark.parametrize("value", ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "a": 2}}]'])
def test_a_name_that_stands_twice_is_refused_at_any_depth(forger, value):
    assert forger.refuses(forger.forge(None, f'{json.dumps(forger.claims)[:-1]}, "x": {value}}}'), "twice")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "[1e400]"])
def test_numbers_that_are_none_are_refused_wherever_they_stand(forger, value):
    for name in ("x", "exp", "ver"):
        claims = {key: one for key, one in forger.claims.items() if key != name}
        assert forger.refuses(forger.forge(None, f'{json.dumps(claims)[:-1]}, "{name}": {value}}}'), "not finite")


@pytest.mark.parametrize("digits", [4301, 10_000])
def test_a_number_of_thousands_of_digits_is_refused(forger, digits):
    for name in ("x", "exp", "ver"):
        claims = {key: one for key, one in forger.claims.items() if key != name}
        text = f'{json.dumps(claims)[:-1]}, "{name}": {"9" * digits}}}'
        assert forger.refuses(forger.forge(None, text), "no JSON")


@pytest.mark.parametrize(
    "claims",
    [
        b"",
        b" ",
        b"null",
        b"true",
        b"7",
        b'"text"',
        b"[]",
        b'[{"sub": "u"}]',
        b"{",
        b"}",
        b"{}{}",
        b"{}\0",
        b"\0{}",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
        b'{"sub": "\xff"}',
        b'{"sub": "\xed\xa0\x80"}',
        b'{"sub": "\xc0\x80"}',
        b"{'sub': 'u'}",
        b'{"sub": "u",}',
        b'{"sub": "u" /* comment */}',
        b'{"sub": "line\nbreak"}',
        b'{"sub": 0x10}',
        b'{"sub": 01}',
        b'{"exp": +1}',
        b'{"exp": .5}',
        '{"exp": \u0661}'.encode(),
    ],
    ids=repr,
)
def test_a_payload_that_is_no_json_object_is_refused(forger, claims):
    token = forger.sign(f"{forger.segment(forger.header)}.{forger.segment(claims)}")
    assert forger.refuses(token)


@pytest.mark.parametrize("escape", [r"\ud800", r"\udfff", r"\uDBFF\ud800", r"a\udc00b", r"\udc00\ud800"])
def test_half_a_surrogate_pair_is_refused_wherever_it_stands(forger, escape):
    for name in ("sub", "csrf", "x"):
        claims = {key: one for key, one in forger.claims.items() if key != name}
        assert forger.refuses(forger.forge(None, f'{json.dumps(claims)[:-1]}, "{name}": "{escape}"}}'), "no JSON")
    assert forger.refuses(forger.forge(None, f'{json.dumps(forger.claims)[:-1]}, "{escape}": 1}}'), "no JSON")
    assert forger.refuses(forger.forge(f'{json.dumps(forger.header)[:-1]}, "x": "{escape}"}}'), "no JSON")


KEY = hmac_key("0123456789abcdefghijklmnopqrstuvwxyz", "HS256")
CODEC = TokenCodec(KeyRing(KEY))


@given(
    st.text(ALPHABET + ".=+/ ", max_size=80) | st.text(max_size=40) | st.text(ALPHABET, min_size=1, max_size=30)
)
def test_no_text_at_all_raises_anything_but_our_own_error(text):
    for token in (text, f"{text}.{text}.{text}", f"eyJ{text}.eyJ{text}.{text}"):
        with pytest.raises(InvalidTokenError):
            CODEC.verify(token, *TokenType)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_signed_bytes_at_all_raise_anything_but_our_own_error(header, claims):
    import hmac  # noqa: PLC0415  # needed here only

    def segment(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    own = CODEC.encode(TokenType.ACCESS, {}).split(".")[0]
    for start in (segment(header), own):
        signing_input = f"{start}.{segment(claims)}"
        signature = segment(hmac.digest(KEY.secret, signing_input.encode(), "sha256"))
        with pytest.raises(InvalidTokenError):
            CODEC.verify(f"{signing_input}.{signature}", *TokenType)
