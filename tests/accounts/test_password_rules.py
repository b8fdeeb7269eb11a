"""Password rules: long enough, not the first that is guessed, not the user's own name; and nothing else."""

import gzip
import os
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.accounts import password_rules
from flask_permjwt.accounts.password_rules import PasswordRules
from flask_permjwt.errors import BusyError, ConfigurationError, InvalidPasswordError, WeakPasswordError

GOOD = "correct horse battery staple"
TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)


@pytest.fixture(scope="module")
def rules():
    return PasswordRules()


def refusal_of(rules, password, **names):
    try:
        rules.check(password, **names)
    except InvalidPasswordError as refusal:
        return refusal
    return None


def is_weak(rules, password, **names):
    return isinstance(refusal_of(rules, password, **names), WeakPasswordError)


def wide(text):
    """Write a text in the full-width letters of East Asia, which NFKC makes the plain ones."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def common_passwords():
    packed = files("flask_permjwt.accounts").joinpath("common_passwords.txt.gz").read_bytes()
    return gzip.decompress(packed).decode().splitlines()


# Length


@pytest.mark.parametrize("length", [12, 64, 65, 1024])
def test_12_characters_are_enough_and_more_than_64_are_allowed(rules, length):
    rules.check((GOOD + " x" * 512)[:length])


def test_fewer_than_the_least_are_refused_with_the_number(rules):
    with pytest.raises(WeakPasswordError, match="at least 12"):
        rules.check("h8#kq!Wz0pL")
    with pytest.raises(WeakPasswordError, match="at least 12"):
        rules.check("")
    with pytest.raises(WeakPasswordError, match="at least 20"):
        PasswordRules(min_length=20).check("h8#kq!Wz0pLr")


def test_more_than_the_most_are_refused_and_not_called_weak(rules):
    with pytest.raises(InvalidPasswordError, match="at most 1024") as refusal:
        rules.check(GOOD + "x" * 1024)
    assert not isinstance(refusal.value, WeakPasswordError)
    with pytest.raises(InvalidPasswordError, match="at most 64"):
        PasswordRules(max_length=64).check((GOOD * 3)[:65])


@pytest.mark.parametrize(
    "password",
    ["пароль собаки", "犬も歩けば棒に当たるという", "🐎🔋📎🐈🐕🦊🐻🐼🐨🐯🦁🐮", "e\u0301tranget\u00e9s là"],
)
def test_characters_of_any_script_count_one_each(rules, password):
    assert len(password) >= 12
    rules.check(password)
    assert is_weak(PasswordRules(min_length=len(password) + 1), password)


@pytest.mark.parametrize("password", [f" {GOOD[:10]} ", "\thorse\tstaple\t", "zwölf\u200bZeichen\n"], ids=ascii)
def test_white_space_counts_as_it_was_typed(rules, password):
    assert len(password) >= 12
    rules.check(password)


@pytest.mark.parametrize(
    "lengths",
    [
        {"min_length": 7},
        {"min_length": 0},
        {"max_length": 63},
        {"max_length": 1025},
        {"min_length": 80, "max_length": 64},
    ],
)
def test_lengths_that_nist_does_not_allow_are_refused_at_start(lengths):
    with pytest.raises(ConfigurationError):
        PasswordRules(**lengths)


# No composition rules


@pytest.mark.parametrize(
    "password",
    ["justsomesmallletters", "JUSTSOMEBIGLETTERS", "83920174650281", "?%!(/&;§.:_*", "        a     b   c z"],
)
def test_no_kind_of_character_is_asked_for(rules, password):
    rules.check(password)


def test_passphrases_pass(rules):
    for password in (
        *("the quick brown fox", "assertions and proofs", "property of nobody", "monopoly player"),
        *(
            "hiphiphooray and more",
            "deforested strut",
            "we were poor then",
            "no one noticed it",
            "tresses of uiop",
        ),
    ):
        rules.check(password, username="alice", email="alice@example.com")


@given(st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789"), min_size=20, max_size=20))
def test_what_a_generator_makes_is_refused_only_with_good_reason(text):
    if len(set(text)) > 10 and is_weak(PasswordRules(), text):
        assert password_rules._runs(text) * 3 <= len(text)


# The commonest


def test_the_list_is_as_it_is_compared():
    entries = common_passwords()
    assert len(entries) > 16_000
    assert entries == sorted(set(entries))
    assert all(len(entry) >= 8 and password_rules._folded(entry) == entry for entry in entries)
    assert {"password", "password1", "1qaz2wsx", "password1234"} <= set(entries)


@pytest.mark.parametrize("eighth", range(8))
def test_every_password_of_the_list_is_refused(eighth):
    rules = PasswordRules(min_length=8)
    assert [entry for entry in common_passwords()[eighth::8] if not is_weak(rules, entry)] == []


@pytest.mark.parametrize("password", ["password1234", "PASSWORD1234", "PassWord1234", wide("password1234")])
def test_the_commonest_are_refused_however_they_are_written(rules, password):
    with pytest.raises(WeakPasswordError, match="most used"):
        rules.check(password)


@pytest.mark.parametrize("password", ["my password1234 x", "xpassword1234", "password1234\n", "\npassword1234"])
def test_the_whole_password_is_compared_and_not_its_parts(rules, password):
    rules.check(password)


def test_two_neighbours_of_the_list_are_not_taken_for_one(rules):
    first, second, third = common_passwords()[5000:5003]
    rules.check(f"{first}\n{second}\n{third}")


# Repetitions and runs


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "ABCabcAbCaBc",
        "abcabcabcabca",
        "h8#kh8#kh8#k",
        "passwordpassword",
        "h8#kq!Wh8#kq!W",
    ],
)
def test_the_repetition_of_a_short_piece_is_refused(rules, password):
    with pytest.raises(WeakPasswordError, match="repeats"):
        rules.check(password)


def test_a_long_piece_may_be_repeated(rules):
    rules.check("h8#kq!Wzh8#kq!Wz")


@pytest.mark.parametrize(
    "password",
    [
        "abcdefghijkl",
        "zyxwvutsrqpo",
        "987654321098",
        "012345678901",
        "890123456789",
        "wertyUiop[]\\",
        "qwertyuiopas",
        "poiuytrewqlkj",
        "qwertzuiopasdf",
        "azertyuiopqsd",
        "abcdef654321",
        "aaaaaabbbbbb",
        "1qaz@wsx3edc",
        "абвгдежзийкл",
        "йцукенгшщзхъ",
        "αβγδεζηθικλμ",
        "!@#$%^&*()_+",
    ],
)
def test_neighbouring_characters_are_refused(password):
    with pytest.raises(WeakPasswordError, match="neighbouring"):
        PasswordRules().check(password)


@given(st.data())
def test_every_row_of_the_alphabet_and_of_the_keyboard_is_refused_both_ways(data):
    row = data.draw(
        st.sampled_from([*password_rules._ROWS, "abcdefghijklmnopqrstuvwxyz"]).filter(lambda row: len(row) > 7)
    )
    start = data.draw(st.integers(0, len(row) - 8))
    piece = row[start:][:: data.draw(st.sampled_from([1, -1]))]
    assert is_weak(PasswordRules(min_length=8), piece)


# One's own names


@pytest.mark.parametrize(
    "password",
    [
        "alice.w0nder!",
        "x7alice.w0nderK",
        "ALICE.W0NDER-1865",
        "alice_lewis@mail.example.co.uk",
        "alice.w0nderalice.w0nderqz!",
        "w0nder-example-19",
        wide("alice.w0nder"),
        "alice.w0nder12345678",
        "alice.w0nderabcabcabc",
        "alice.w0nderpassword",
        "alicealicealice!k7",
        "mail.example.co.uk2",
        "alicelewis1865",
    ],
)
def test_ones_own_names_dressed_up_are_refused(rules, password):
    with pytest.raises(WeakPasswordError, match="user name"):
        rules.check(password, username="Alice.W0nder", email="Alice_Lewis@mail.example.co.uk")


@pytest.mark.parametrize(
    "password", ["alice.w0nder in a rabbit hole", "the rabbit of example street", "bob and the beanstalk"]
)
def test_ones_own_names_with_enough_else_pass(rules, password):
    rules.check(password, username="Alice.W0nder", email="bob@example.com")


def test_names_of_fewer_than_four_characters_turn_up_by_chance_and_are_let_be(rules):
    rules.check("ann-k7!vann-", username="ann", email="an@x.org")


def test_the_names_of_others_are_no_reason(rules):
    rules.check("alice.w0nder1865")


@pytest.mark.parametrize(
    "names", [{}, {"username": ""}, {"email": ""}, {"email": "@"}, {"email": "no-address"}, {"username": "...."}]
)
def test_names_may_be_missing_or_odd(rules, names):
    rules.check(GOOD, **names)


@given(TEXTS, st.one_of(st.none(), TEXTS), st.one_of(st.none(), TEXTS))
def test_every_text_gets_an_answer(password, username, email):
    refusal = refusal_of(PasswordRules(min_length=8), password, username=username, email=email)
    assert refusal is None or refusal.status == 422


@given(st.text(min_size=4, max_size=30), st.text(min_size=9, max_size=30))
def test_a_refusal_never_repeats_the_password(username, password):
    for text in (password, username + password[:7], password[:4] * 5):
        refusal = refusal_of(PasswordRules(), text, username=username)
        assert refusal is None or text not in str(refusal)


@pytest.mark.parametrize(
    "password",
    ["a" * 1024, "ab" * 511 + "c" * 2, "qwertyuiop" * 102, "a" * 500 + "b" + "a" * 523, "\ufdfa" * 1023 + "x"],
)
def test_the_longest_are_judged_at_once(rules, password):
    begun = time.process_time()
    is_weak(rules, password, username=("abcd " * 51)[:255], email="a" * 240 + "@example.com")
    assert time.process_time() - begun < 0.5


# One more rule


def test_the_apps_own_rule_gets_the_password_as_typed_and_both_names():
    asked = []

    def rule(password, **names):
        asked.append((password, names))

    PasswordRules(extra=rule).check(" Straße, Maße  ", username="Alice", email="A@b.example")
    assert asked == [(" Straße, Maße  ", {"username": "Alice", "email": "A@b.example"})]


def test_the_apps_own_rule_is_asked_last():
    def rule(password, **_):
        pytest.fail("it was asked about a password that is refused anyway")

    assert is_weak(PasswordRules(extra=rule), "password1234")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("It was leaked.", "It was leaked."),
        ("", WeakPasswordError.default_description),
        (f"{GOOD} was leaked.", WeakPasswordError.default_description),
    ],
)
def test_what_the_apps_own_rule_says_is_told_unless_it_repeats_the_password(reason, told):
    with pytest.raises(WeakPasswordError) as refusal:
        PasswordRules(extra=lambda password, **_: reason).check(GOOD)
    assert refusal.value.description == told


@pytest.mark.parametrize("answer", [True, False, 0, ["leaked"]])
def test_an_answer_that_could_mean_either_is_an_error_and_no_yes(answer):
    with pytest.raises(TypeError, match="sentence or None"):
        PasswordRules(extra=lambda password, **_: answer).check(GOOD)


@pytest.mark.parametrize("error", [BusyError(30), WeakPasswordError("Known.")])
def test_what_a_rule_refuses_on_purpose_is_passed_on(error):
    def rule(password, **_):
        raise error

    with pytest.raises(type(error)) as refusal:
        PasswordRules(extra=rule).check(GOOD)
    assert refusal.value is error


def test_a_rule_that_fails_takes_no_password_and_its_words_are_kept_out_of_the_log(caplog):
    def rule(password, **_):
        raise ConnectionError(f"no route for {password}")

    with pytest.raises(BusyError) as refusal:
        PasswordRules(extra=rule).check(GOOD)
    assert refusal.value.__cause__ is None
    assert "password_check failed" in caplog.text
    assert "ConnectionError" in caplog.text
    assert GOOD not in caplog.text + str(refusal.value)


# What cannot be seen


@pytest.mark.parametrize("nothing", ["\u200b", "\u00ad", "\u2060", "\ufe0f", "\u034f", "\U000e0041", "\uffa0"])
def test_what_cannot_be_seen_makes_no_password_another(rules, nothing):
    for password in ("password1234", "qwertyuiopasdf", "abcabcabcabcabc", "Alice.W0nder1"):
        with pytest.raises(WeakPasswordError):
            rules.check(nothing.join(password), username="alice.w0nder")
    with pytest.raises(WeakPasswordError, match="can be seen"):
        rules.check("k7" + nothing * 20)
    with pytest.raises(WeakPasswordError, match="can be seen"):
        rules.check(nothing * 20)
    with pytest.raises(WeakPasswordError, match="user name"):
        rules.check("Alice.W0nder1", username=nothing.join("alice.w0nder"))
    rules.check(nothing.join(GOOD))


# The list in memory

LOADS = """
import tracemalloc
from flask_permjwt.accounts import password_rules
assert not password_rules._common_passwords.cache_info().currsize
rules = password_rules.PasswordRules()
assert not password_rules._common_passwords.cache_info().currsize
tracemalloc.start()
rules.check("correct horse battery staple")
print(tracemalloc.get_traced_memory()[0])
"""


def test_the_list_is_read_when_it_is_first_needed_and_takes_little_memory():
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", LOADS], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 500_000
