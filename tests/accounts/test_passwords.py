"""Passwords: exact, hashed with argon2id, and the same work for nobody."""

import argon2
import pytest
from argon2 import PasswordHasher, extract_parameters

from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.errors import ConfigurationError, InvalidPasswordError

FAST = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}


class CountingHasher(PasswordHasher):
    """Notes with which parameters argon2 really ran."""

    def __init__(self, **parameters):
        super().__init__(**{**FAST, **parameters})
        self.runs = []

    def verify(self, stored, password):
        try:
            result = super().verify(stored, password)
        except argon2.exceptions.VerifyMismatchError:
            self.runs.append(extract_parameters(stored))
            raise
        self.runs.append(extract_parameters(stored))
        return result


@pytest.fixture
def hasher():
    return CountingHasher()


@pytest.fixture
def passwords(hasher):
    return Passwords(hasher)


def test_the_default_is_argon2id_as_rfc_9106_recommends():
    parameters = extract_parameters(Passwords().hash("a password"))
    assert parameters == argon2.profiles.RFC_9106_LOW_MEMORY


@pytest.mark.parametrize("password", ["secret", " secret ", "Секрет", "a" * 1024, "é", "a\0b"])
def test_a_password_fits_its_own_hash(passwords, password):
    assert passwords.verify(passwords.hash(password), password) is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("secret", "Secret"),
        ("secret", "secret "),
        ("\u00e9", "e\u0301"),
        ("a\0b", "a"),
        ("a" * 1024, "a" * 1023),
        ("x" * 72 + "1", "x" * 72 + "2"),
    ],
    ids=ascii,
)
def test_nothing_is_trimmed_folded_or_cut_off(passwords, one, other):
    assert passwords.verify(passwords.hash(one), other) is False


@pytest.mark.parametrize("password", ["", "a" * 1025, "a\ud800", None, b"bytes"], ids=ascii)
def test_what_can_be_no_password_is_refused_before_hashing(passwords, password):
    with pytest.raises(InvalidPasswordError):
        passwords.hash(password)


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "",
        "plain",
        "$argon2id$garbage",
        "$2b$12$abcdefghijklmnopqrstuv",
        "pbkdf2:sha256:1$a$b",
        "$argon2id$é",
    ],
)
def test_where_there_is_no_hash_the_same_work_is_done(passwords, hasher, stored):
    right = passwords.hash("secret")
    assert passwords.verify(right, "wrong") is False
    assert passwords.verify(stored, "secret") is False
    wrong, nobody = hasher.runs
    assert nobody == wrong == extract_parameters(right)


@pytest.mark.parametrize("password", ["", "a\ud800", "\udcff"], ids=ascii)
def test_what_can_be_no_password_fits_nothing_after_the_same_work(passwords, hasher, password):
    # A hash of the very bytes, as another program might have stored them.
    stored = hasher.hash(password.encode("utf-8", "surrogatepass"))
    assert passwords.verify(stored, password) is False
    assert len(hasher.runs) == 1


def test_a_password_that_is_too_long_costs_no_work(passwords, hasher):
    assert passwords.verify(passwords.hash("secret"), "a" * 1025) is False
    assert hasher.runs == []


@pytest.mark.parametrize(
    ("had", "rehash"),
    [
        ({}, False),
        ({"time_cost": 1}, True),
        ({"memory_cost": 8}, True),
        ({"hash_len": 16}, True),
        ({"salt_len": 8}, True),
        ({"type": argon2.Type.I}, True),
        ({"time_cost": 3, "memory_cost": 64, "hash_len": 64}, False),
    ],
)
def test_a_hash_is_renewed_when_it_is_weaker_and_never_when_it_is_stronger(had, rehash):
    now = {"time_cost": 2, "memory_cost": 16, "parallelism": 1}
    stored = PasswordHasher(**{**now, **had}).hash("secret")
    assert Passwords(PasswordHasher(**now)).needs_rehash(stored) is rehash


def test_another_kind_of_hash_is_renewed(passwords):
    assert passwords.needs_rehash("plain")


def test_a_hasher_of_another_kind_is_refused():
    with pytest.raises(ConfigurationError, match="argon2id"):
        Passwords(PasswordHasher(type=argon2.Type.D))


def test_a_hash_does_not_show_itself_where_parameters_are_logged(fast_passwords):
    made = fast_passwords.hash("correct horse")
    assert made.startswith("$argon2id$")
    assert repr(made) == "<password hash>"
    assert fast_passwords.verify(str(made), "correct horse")
