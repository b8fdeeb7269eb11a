"""The use-cases: log in, refresh, log out, on each kind of database."""

import logging
import re
from dataclasses import replace

import argon2
import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select

from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.errors import (
    ConfigurationError,
    ExpiredTokenError,
    InvalidCredentialsError,
    InvalidTokenError,
    UsernameTakenError,
)
from flask_permjwt.tokens.codec import TokenType

PASSWORD = "correct horse battery staple"
MONTH = 30 * 86400


def claims(world, text):
    return world.verified(text).claims


def sessions_open(world):
    model = world.models.session
    return world.db.session.scalar(select(func.count()).select_from(model).where(model.ended_at.is_(None)))


# -- log in


@pytest.mark.parametrize("name", ["Alice", "ALICE", "alice@example.com", "ALICE@EXAMPLE.COM"])
def test_a_login_gives_two_tokens_of_one_session(world, alice, name):
    world.users.create_role("editor", "reports:*")
    world.users.grant(alice, "models:read")
    world.users.assign(alice, "editor")
    world.db.session.commit()
    tokens = world.log_in(name)
    access, refresh = world.verified(tokens.access_token), world.verified(tokens.refresh_token)
    role = world.users.find_role("editor")
    now = int(world.clock())
    assert (access.type, refresh.type) == (TokenType.ACCESS, TokenType.REFRESH)
    assert access.subject == refresh.subject == alice.public_id
    assert access.session_id == refresh.session_id == tokens.session_id
    assert access.version == refresh.version == 1
    assert access.principal.permissions == {"reports:*", "models:read"}
    assert access.principal.roles == {"editor"}
    assert access.claims["pv"] == {"u": 3, role.public_id: 1}
    assert (access.issued_at, access.expires_at, refresh.expires_at) == (now, now + 900, now + MONTH)
    assert (tokens.access_expires_at, tokens.refresh_expires_at) == (now + 900, now + MONTH)
    assert (tokens.now, tokens.expires_in) == (now, 900)
    assert set(refresh.claims) == {"sub", "iat", "exp", "jti", "sid", "ver"}
    assert "csrf" not in access.claims
    assert tokens.access_csrf is tokens.refresh_csrf is None


def test_times_are_whole_seconds(world, alice):
    world.clock.advance(0.75)
    tokens = world.log_in()
    for text in (tokens.access_token, tokens.refresh_token):
        assert all(isinstance(claims(world, text)[name], int) for name in ("iat", "exp"))


def test_csrf_values_are_bound_to_session_and_kind_and_to_nothing_a_client_knows(world, alice):
    tokens = world.log_in(bind_csrf=True)
    other = world.log_in(bind_csrf=True)
    assert world.verified(tokens.access_token).csrf == tokens.access_csrf
    assert world.verified(tokens.refresh_token).csrf == tokens.refresh_csrf
    values = {tokens.access_csrf, tokens.refresh_csrf, other.access_csrf, other.refresh_csrf}
    assert len(values) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", value) for value in values)


def test_what_was_issued_shows_no_token_when_it_is_printed(world, alice):
    tokens = world.log_in(bind_csrf=True)
    shown = repr(tokens)
    for secret in (tokens.access_token, tokens.refresh_token, tokens.access_csrf, tokens.refresh_csrf):
        assert secret not in shown


@pytest.fixture
def argon2_runs(monkeypatch):
    """Note with which parameters argon2 really ran."""
    runs = []
    verify = PasswordHasher.verify

    def counted(self, stored, password):
        runs.append(str(stored).rpartition("$")[0].rpartition("$")[0])
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    return runs


@pytest.mark.parametrize(
    ("name", "password", "reason"),
    [
        ("nobody", PASSWORD, "unknown user"),
        ("nobody@example.com", PASSWORD, "unknown user"),
        ("al\0ice", PASSWORD, "unknown user"),
        ("al\ud800ice", PASSWORD, "unknown user"),
        ("alice", "wrong", "wrong password"),
        ("alice", "", "wrong password"),
        ("alice", "\ud800", "wrong password"),
        ("disabled", PASSWORD, "disabled"),
        ("disabled", "wrong", "disabled"),
        ("none", PASSWORD, "no password"),
    ],
    ids=ascii,
)
def test_every_refusal_has_the_same_words_and_the_same_work(
    world, alice, argon2_runs, caplog, name, password, reason
):
    world.users.create("disabled", PASSWORD, active=False)
    world.users.create("none")
    world.db.session.commit()
    with pytest.raises(InvalidCredentialsError) as caught:
        world.log_in(name, password)
    assert caught.value.description == "The user name or the password is wrong."
    assert argon2_runs == ["$argon2id$v=19$m=8,t=1,p=1"]
    assert sessions_open(world) == 0
    assert reason in caplog.text
    assert PASSWORD not in caplog.text
    assert "argon2id" not in caplog.text


def test_what_a_stranger_typed_forges_no_line_in_the_log(world, caplog):
    with pytest.raises(InvalidCredentialsError):
        world.log_in("x\n2026-01-01 login of admin\x1b[0m\u2028\u202e" + "y" * 10_000, "wrong", address="1\n2")
    (line,) = caplog.messages
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 700


def test_a_hash_is_renewed_at_login_when_parameters_rose_and_nobody_is_logged_out(make_world, database_url):
    world = make_world(database_url)
    alice = world.users.create("alice", PASSWORD)
    world.db.session.commit()
    before = world.log_in()
    weak = alice.password_hash
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    world.accounts._passwords = stronger
    tokens = world.log_in()
    assert alice.password_hash != weak
    assert "m=16,t=2" in alice.password_hash
    assert (alice.token_version, alice.policy_version) == (1, 1)
    assert world.verified(tokens.access_token).version == 1
    renewed = alice.password_hash
    world.log_in()
    assert alice.password_hash == renewed
    assert world.refresh(before.refresh_token)
    with pytest.raises(InvalidCredentialsError):
        world.log_in("alice", "wrong")


# -- refresh


def test_a_refresh_gives_new_tokens_of_the_same_session_with_the_same_end(world, alice):
    first = world.log_in(bind_csrf=True)
    world.clock.advance(1000)
    second = world.refresh(first.refresh_token, bind_csrf=True)
    assert second.session_id == first.session_id
    assert second.refresh_expires_at == first.refresh_expires_at
    assert second.access_expires_at == first.access_expires_at + 1000
    ids = {claims(world, text)["jti"] for text in (second.access_token, second.refresh_token)}
    assert claims(world, first.refresh_token)["jti"] not in ids
    # A page that read it a moment before is not refused.
    assert (second.access_csrf, second.refresh_csrf) == (first.access_csrf, first.refresh_csrf)
    assert sessions_open(world) == 1


def test_rights_are_read_again_never_copied(world, alice):
    world.users.grant(alice, "reports:read")
    world.db.session.commit()
    tokens = world.log_in()
    world.users.revoke(alice, "reports:read")
    world.users.grant(alice, "models:read")
    world.db.session.commit()
    again = world.verified(world.refresh(tokens.refresh_token).access_token)
    assert again.principal.permissions == {"models:read"}
    assert again.claims["pv"] == {"u": 4}


def test_no_access_token_outlives_its_session(world, alice):
    tokens = world.log_in()
    world.clock.advance(MONTH - 100)
    last = world.refresh(tokens.refresh_token)
    assert last.access_expires_at == last.refresh_expires_at == tokens.refresh_expires_at
    assert last.expires_in == 100
    world.clock.advance(100)
    with pytest.raises(ExpiredTokenError):
        world.verified(last.refresh_token)


def test_within_the_grace_the_very_same_refresh_token_is_given_again(world, alice):
    tokens = world.log_in()
    world.clock.advance(60)
    first = world.refresh(tokens.refresh_token, bind_csrf=True)
    world.clock.advance(9)
    again = world.refresh(tokens.refresh_token, bind_csrf=True)
    assert again.refresh_token == first.refresh_token
    assert again.refresh_csrf == first.refresh_csrf
    assert again.access_token != first.access_token
    assert world.refresh(first.refresh_token)


def test_reuse_after_the_grace_ends_its_own_session_for_good(world, alice, caplog):
    tokens, other = world.log_in(), world.log_in()
    successor = world.refresh(tokens.refresh_token)
    world.clock.advance(11)
    with pytest.raises(InvalidTokenError):
        world.refresh(tokens.refresh_token)
    assert "used again" in caplog.text
    assert tokens.refresh_token not in caplog.text
    world.db.session.rollback()
    with pytest.raises(InvalidTokenError):
        world.refresh(successor.refresh_token)
    assert world.refresh(other.refresh_token)


def test_an_access_token_refreshes_nothing(world, alice):
    tokens = world.log_in()
    with pytest.raises(InvalidTokenError):
        world.refresh(tokens.access_token)
    assert sessions_open(world) == 1


def test_a_token_of_another_user_does_not_fit_the_session(world, alice):
    tokens = world.log_in()
    bob = world.users.create("bob")
    world.db.session.commit()
    forged = replace(world.verified(tokens.refresh_token), subject=bob.public_id)
    with pytest.raises(InvalidTokenError), world.accounts.transaction():
        world.accounts.refresh(forged, bind_csrf=False)
    assert world.refresh(tokens.refresh_token)


@pytest.mark.parametrize(
    "void",
    [
        lambda world, user: world.users.set_active(user, False),
        lambda world, user: world.users.set_password(user, "another password"),
        lambda world, user: world.users.delete(user),
        lambda world, user: setattr(user, "active", False),
        lambda world, user: setattr(user, "token_version", 2),
    ],
    ids=["disabled", "new password", "deleted", "disabled by hand", "voided by hand"],
)
def test_disabling_deleting_or_a_new_password_stops_refresh_at_once_and_for_good(world, alice, void):
    tokens = world.log_in()
    void(world, alice)
    world.db.session.commit()
    with pytest.raises(InvalidTokenError):
        world.refresh(tokens.refresh_token)
    assert sessions_open(world) == 0


def test_who_was_enabled_again_must_log_in_again(world, alice):
    tokens = world.log_in()
    world.users.set_active(alice, False)
    world.users.set_active(alice, True)
    world.db.session.commit()
    with pytest.raises(InvalidTokenError):
        world.refresh(tokens.refresh_token)
    assert world.verified(world.log_in().access_token).version == 2


def test_a_name_that_is_used_again_brings_no_old_token_back(world, alice):
    tokens = world.log_in()
    world.users.delete(alice)
    again = world.users.create("Alice", PASSWORD, email="alice@example.com")
    world.db.session.commit()
    with pytest.raises(InvalidTokenError):
        world.refresh(tokens.refresh_token)
    assert world.users.get(world.verified(tokens.access_token).subject) is None
    assert world.verified(world.log_in().access_token).subject == again.public_id


# -- log out


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_logging_out_ends_this_session_and_may_be_repeated(world, alice, which):
    tokens, other = world.log_in(), world.log_in()
    world.log_out(getattr(tokens, which))
    world.log_out(getattr(tokens, which))
    with pytest.raises(InvalidTokenError):
        world.refresh(tokens.refresh_token)
    assert world.refresh(other.refresh_token)


def test_logging_out_between_two_refreshes_wins_over_the_grace(world, alice):
    tokens = world.log_in()
    successor = world.refresh(tokens.refresh_token)
    world.log_out(successor.access_token)
    for dead in (tokens, successor):
        with pytest.raises(InvalidTokenError):
            world.refresh(dead.refresh_token)


# -- the transaction


def test_a_refusal_of_credentials_is_committed_and_anything_else_is_undone(world):
    def create_and_raise(name, error):
        with world.accounts.transaction():
            world.users.create(name)
            raise error

    with pytest.raises(InvalidTokenError):
        create_and_raise("kept", InvalidTokenError)
    for error in (UsernameTakenError, ConfigurationError, ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            create_and_raise("undone", error)
    world.db.session.rollback()
    assert world.users.find("kept")
    assert world.users.find("undone") is None


def test_the_use_cases_themselves_commit_nothing(world, alice):
    tokens = world.log_in()
    world.accounts.log_in("alice", PASSWORD, bind_csrf=False)
    world.accounts.log_out(world.verified(tokens.access_token))
    world.db.session.rollback()
    assert sessions_open(world) == 1


def test_no_secret_is_ever_logged(world, alice, caplog):
    caplog.set_level(logging.DEBUG, logger="flask_permjwt")
    tokens = world.log_in(bind_csrf=True)
    world.refresh(tokens.refresh_token)
    world.clock.advance(100)
    with pytest.raises(InvalidTokenError):
        world.refresh(tokens.refresh_token)
    with pytest.raises(InvalidCredentialsError):
        world.log_in("alice", "a wrong password")
    for secret in (PASSWORD, "a wrong password", "argon2id", tokens.refresh_token, tokens.access_token):
        assert secret not in caplog.text


def test_a_grace_is_not_cut_short_where_a_second_begins(world, alice):
    world.clock.now = 1_800_000_000.95
    tokens = world.log_in()
    successor = world.refresh(tokens.refresh_token)
    world.clock.advance(9.9)
    assert world.refresh(tokens.refresh_token).refresh_token == successor.refresh_token
