"""Names: which texts are names, and when two are the same."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_permjwt.accounts.names import (
    check_email,
    check_role_name,
    check_username,
    compare_key,
    without_ignorable,
)
from flask_permjwt.errors import InvalidNameError
from flask_permjwt.mail import Message

SAME = [
    ("Alice", "aLICE"),
    ("Straße", "STRASSE"),
    ("\ufb01sh", "fish"),  # a ligature
    ("Jose\u0301", "jos\u00e9"),  # combining and composed
    ("\uff21\uff22", "ab"),  # fullwidth
    ("\u212a", "k"),  # the Kelvin sign
    ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ("\u01f0", "j\u030c"),
]
NOBODY = [
    "",
    " alice",
    "alice ",
    "\u3000alice",
    "a\0b",
    "a\nb",
    "a\x7fb",
    "a\u200bb",  # zero-width space
    "a\u200db",  # zero-width joiner
    "a\u202eb",  # right-to-left override
    "a\ufeffb",
    "a\u00adb",  # soft hyphen
    "a\ud800b",  # lone surrogate
    "a\u2028b",
    "a\u2029b",
    "a\ue000b",  # private use
    "a\u0378b",  # unassigned
    "a\u034fb",  # combining grapheme joiner: no control, yet drawn as nothing
    "a\u3164b",  # Hangul filler
    "a\ufe0fb",  # variation selector
    "a" * 256,
    "\ufdfa" * 15,  # 18 characters each in NFKC
    "\u00a8",  # NFKC makes a space of it, and a mark
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_that_read_alike_are_one_name(one, other):
    assert compare_key(one) == compare_key(other) is not None


def test_an_accent_makes_another_name():
    assert compare_key("josé") != compare_key("jose")


@pytest.mark.parametrize("text", NOBODY, ids=ascii)
def test_what_cannot_be_seen_or_stored_is_nobodys_name(text):
    assert compare_key(text) is None
    for check in (check_username, check_role_name):
        with pytest.raises(InvalidNameError):
            check(text)


@pytest.mark.parametrize("nothing", [None, 1, b"alice", ["alice"]])
def test_only_text_is_a_name(nothing):
    with pytest.raises(InvalidNameError):
        check_username(nothing)


@given(st.text(min_size=1, max_size=40))
@example("\u1fb7")
@example("\u03d3\u0301")
@example("\u0345\u0301")
def test_the_key_of_a_key_is_the_key_itself(text):
    key = compare_key(text)
    if key is not None:
        assert compare_key(key) == key


@given(st.text(min_size=1, max_size=40))
def test_no_spelling_of_the_same_text_has_another_key(text):
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        other = unicodedata.normalize(form, text)
        if (one := compare_key(text)) and (two := compare_key(other)):
            assert one == two


@pytest.mark.parametrize("name", ["a@b", "a\uff20b", "a\ufe6bb", "@"])
def test_no_user_name_can_be_an_address(name):
    with pytest.raises(InvalidNameError):
        check_username(name)


@pytest.mark.parametrize("name", ["a b", "O'Neil; DROP TABLE", "%_", "名前", "a" * 255])
def test_other_names_are_fine(name):
    assert check_username(name) == compare_key(name) == check_role_name(name)


def test_addresses_are_compared_like_names():
    assert check_email("Alice@EXAMPLE.com") == "alice@example.com"
    assert check_email("M\u00fcller@stra\u00dfe.example") == "m\u00fcller@strasse.example"


@pytest.mark.parametrize(
    "email",
    [
        *("", "alice", "@b", "a@", "a@b@c", "a @b", "a@b c", "a@b\n", "a@\u200bb", "a" * 250 + "@b.cd"),
        *("Alice <a@b>", "<a@b>", '"a"@b', "a(b)@c", "a,b@c", "a;b@c", "a:b@c", "a\\@b", "a[b]@c", "=?x?q?a?=@b"),
        # What NFKC changes: the mail would go elsewhere than to the mailbox that is compared.
        *("a\uff20b", "\uff41@b", "\ufb01@b", "a@\u2460.example", "mu\u0308ller@b", "a\u2024b@c"),
    ],
)
def test_what_has_not_the_shape_of_an_address_is_refused(email):
    with pytest.raises(InvalidNameError):
        check_email(email)


@given(st.text(min_size=1))
def test_every_address_that_is_taken_can_be_sent_a_mail(text):
    for email in (text, f"{text}@example.com", f"a@{text}"):
        try:
            check_email(email)
        except InvalidNameError:
            continue
        assert Message(email, "s", "t").to == email


@pytest.mark.parametrize("name", ["0" * 32, "0123456789ABCDEF" * 2, "\uff10" * 32])
def test_a_user_name_that_could_be_an_id_is_refused(name):
    with pytest.raises(InvalidNameError, match="32 hexadecimal"):
        check_username(name)
    assert check_username(name[:-1])
    assert check_username(f"{name}0")


def test_what_unicode_calls_ignorable_is_left_out_and_nothing_else():
    ignorable = (
        "\u00ad\u034f\u061c\u115f\u1160\u17b4\u180b\u200b\u200d\u202e\u2060\u3164\ufe0f\ufeff\uffa0\U000e0001"
    )
    assert without_ignorable(ignorable) == ""
    assert without_ignorable(f"a{ignorable}b") == "ab"
    kept = "a\u00e9\u0301 \t\u2028\U0001f40e\ud800"
    assert without_ignorable(kept) == kept
