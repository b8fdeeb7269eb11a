"""Claims: read strictly; whatever is wrong is refused with our own error, never by accident."""

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.errors import ConfigurationError, InvalidTokenError
from flask_permjwt.tokens import claims as reading

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.booleans())
def test_every_json_object_is_read_as_it_was_written(claims, ascii_only):
    assert reading.parse_object(json.dumps(claims, ensure_ascii=ascii_only).encode("utf-8"), "payload") == claims


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_an_object_or_our_own_error(data):
    with suppress(InvalidTokenError):
        assert isinstance(reading.parse_object(data, "payload"), dict)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"[]", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b"7", "no JSON object"),
        (b"null", "no JSON object"),
        (b"", "no JSON"),
        (b'{"a": 1} {}', "no JSON"),
        (b"{'a': 1}", "no JSON"),
        (b'{"a": 1,}', "no JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "no JSON"),
        (b'{"a": "\xff"}', "no JSON"),
        (b'{"a": "\xc0\x80"}', "no JSON"),
        ('{"a": 1}'.encode("utf-16"), "no JSON"),
        (b'{"a": "\n"}', "no JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "no JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "no JSON"),
        (b'{"a": 1, "a": 1}', "twice"),
        (b'{"b": [{"a": 1, "a": 2}]}', "twice"),
        (b'{"a": 1, "\\u0061": 2}', "twice"),
        (b'{"a": NaN}', "not finite"),
        (b'{"a": [Infinity]}', "not finite"),
        (b'{"a": -Infinity}', "not finite"),
        (b'{"a": 1e999}', "not finite"),
        (b'{"a": -1e999}', "not finite"),
        (b'{"a": "\\ud800"}', "no JSON"),
        (b'{"a": "\\uDFFF\\ud800"}', "no JSON"),
        (b'{"\\uDBff": 1}', "no JSON"),
    ],
)
def test_what_is_no_plain_json_object_is_refused(data, fault):
    with pytest.raises(InvalidTokenError, match=fault):
        reading.parse_object(data, "payload")


def test_a_pair_of_surrogates_is_one_character_and_a_backslash_is_none():
    assert reading.parse_object(rb'{"a": "\ud83d\ude00", "b": "\\ud800"}', "payload") == {
        "a": "😀",
        "b": "\\ud800",
    }


def test_the_description_says_what_was_read():
    with pytest.raises(InvalidTokenError, match="The token's header is no JSON"):
        reading.parse_object(b"{", "header")


@pytest.mark.parametrize("value", ["a", "ü" * 255, "😀", " ", "0"])
def test_text_of_1_to_255_characters_will_do(value):
    assert reading.text({"sub": value}, "sub") == value


@pytest.mark.parametrize("value", ["", "a" * 256, None, 1, True, ["a"], {}, "a\0", "\na", "a\x7f"])
def test_other_values_are_no_text(value):
    with pytest.raises(InvalidTokenError, match="The claim sub is missing or not valid"):
        reading.text({"sub": value}, "sub")


@pytest.mark.parametrize("value", [0, 1, 2**63 - 1])
def test_whole_numbers_from_zero_are_counts(value):
    assert reading.count({"ver": value}, "ver") == value


@pytest.mark.parametrize("value", [-1, 2**63, 10**400, 1.0, True, False, "1", None, [1], math.inf])
def test_other_values_are_no_counts(value):
    with pytest.raises(InvalidTokenError, match="The claim ver is missing or not valid"):
        reading.count({"ver": value}, "ver")


@pytest.mark.parametrize("value", [0, 0.5, 1_800_000_000, 253402300799])
def test_seconds_within_the_calendar_are_dates(value):
    assert reading.date({"exp": value}, "exp") == value


@pytest.mark.parametrize("read", [reading.text, reading.count, reading.date])
def test_a_missing_claim_is_refused(read):
    with pytest.raises(InvalidTokenError, match="The claim x is missing"):
        read({}, "x")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(["a", "b"], {"a", "b"}), (["a", 1, None, ["b"]], {"a"}), ("ab", set()), ({"a": 1}, set())],
)
def test_names_are_the_strings_of_a_list(value, expected):
    assert reading.names({"roles": value}, "roles") == expected
    assert reading.names({}, "roles") == set()


@pytest.mark.parametrize(
    "path", ["permissions", "data.permissions", "https://example", "a.sub.exp", "permissions.iss"]
)
def test_a_path_into_a_claim_of_no_other_meaning_is_taken(path):
    assert reading.check_permissions_claim(path) == tuple(path.split("."))


@pytest.mark.parametrize("path", ["", ".", ".a", "a.", "a..b"])
def test_a_path_with_an_empty_part_is_refused(path):
    with pytest.raises(ConfigurationError, match="empty part"):
        reading.check_permissions_claim(path)


@pytest.mark.parametrize(
    "name", ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "ver", "pv", "roles", "csrf"]
)
def test_a_path_into_a_claim_with_a_meaning_of_its_own_is_refused(name):
    for path in (name, f"{name}.permissions"):
        with pytest.raises(ConfigurationError, match="meaning of its own"):
            reading.check_permissions_claim(path)


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple)


@given(PATHS, JSON)
def test_what_is_written_at_a_path_is_read_there(path, value):
    assert reading.read_path(reading.write_path({}, path, value), path) == value


def test_writing_leaves_what_was_given_and_what_stood_beside():
    given_claims = {"data": {"other": 1}, "sub": "u"}
    written = reading.write_path(given_claims, ("data", "permissions"), ["a"])
    assert written == {"data": {"other": 1, "permissions": ["a"]}, "sub": "u"}
    assert given_claims == {"data": {"other": 1}, "sub": "u"}


@pytest.mark.parametrize("inner", ["text", 1, None, ["a"]])
def test_nothing_is_written_into_what_is_no_object(inner):
    with pytest.raises(TypeError, match="is no object"):
        reading.write_path({"data": inner}, ("data", "permissions"), ["a"])


@pytest.mark.parametrize("claims", [{}, {"a": None}, {"a": "b"}, {"a": ["b"]}, {"a": {"c": 1}}, {"b": 1}])
def test_a_path_that_leads_nowhere_gives_nothing(claims):
    assert reading.read_path(claims, ("a", "b")) is None


@pytest.mark.parametrize("path", [".".join("abcdefghi"), "a\ud800", "a.b\n", "\x00"])
def test_a_path_that_no_token_could_hold_is_refused_at_start(path):
    with pytest.raises(ConfigurationError, match="PERMJWT_PERMISSIONS_CLAIM"):
        reading.check_permissions_claim(path)


def test_a_path_may_be_eight_levels_deep():
    assert len(reading.check_permissions_claim(".".join("abcdefgh"))) == 8


@pytest.mark.parametrize(
    ("claims", "granted"),
    [({"scope": "a b:*"}, {"a", "b:*"}), ({"scope": ""}, set()), ({"scope": "**"}, set())],
)
def test_a_scope_limits_to_its_grants(claims, granted):
    assert reading.limit(claims).all == granted


def test_without_a_scope_there_is_no_limit():
    assert reading.limit({"permissions": ["a"]}) is None


@pytest.mark.parametrize("value", [None, 0, 1.5, True, [], ["a"], {"a": 1}, {}])
def test_a_scope_that_is_no_string_is_refused_and_never_taken_for_missing(value):
    with pytest.raises(InvalidTokenError, match="scope"):
        reading.limit({"scope": value})


def test_many_lists_beside_each_other_are_no_deep_ones():
    wide = {"scope": [[] for _ in range(100)]}
    assert reading.parse_object(json.dumps(wide).encode(), "payload") == wide


@pytest.mark.parametrize("value", [None, 3, "3", [3]])
def test_counts_that_are_no_object_are_none(value):
    assert reading.counts({"rights": value}, "rights") == {}


def test_what_is_no_count_counts_as_zero():
    told = {"user": 3, "role": 0, "less": -1, "text": "2", "half": 1.5, "yes": True, "huge": 10**30}
    assert reading.counts({"rights": told}, "rights") == dict.fromkeys(told, 0) | {"user": 3}
