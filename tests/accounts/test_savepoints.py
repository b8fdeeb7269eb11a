"""Savepoints: a failure undoes the block alone, and a rollback undoes everything."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from flask_permjwt.accounts.inserts import _insert_in_savepoint, insert_if_absent
from flask_permjwt.accounts.savepoints import broken_unique_column, savepoint
from flask_permjwt.errors import EmailTakenError, UsernameTakenError


def names(world):
    return set(world.db.session.scalars(select(world.models.user.username)))


def test_a_rollback_removes_what_was_written_inside_a_savepoint(world):
    world.users.create("alice")
    world.db.session.rollback()
    assert names(world) == set()


def test_a_rollback_removes_it_also_after_the_transaction_had_only_read(world):
    assert names(world) == set()
    world.users.create("alice")
    world.db.session.rollback()
    assert names(world) == set()


def test_a_commit_keeps_what_was_written_inside_a_savepoint(world):
    world.users.create("alice")
    world.db.session.commit()
    world.db.session.rollback()
    assert names(world) == {"alice"}


def test_a_losing_insert_keeps_the_callers_pending_rows(world):
    world.users.create("alice")
    world.db.session.commit()
    world.db.session.add(world.models.user(username="pending"))
    world.users.create("flushed")
    with pytest.raises(UsernameTakenError):
        world.users.create("ALICE")
    world.db.session.commit()
    assert names(world) == {"alice", "pending", "flushed"}


def test_a_losing_insert_after_which_the_caller_rolls_back_leaves_nothing(world):
    world.users.create("alice")
    with pytest.raises(UsernameTakenError):
        world.users.create("alice")
    world.db.session.rollback()
    assert names(world) == set()


def test_the_callers_own_error_is_not_taken_for_a_lost_name(world):
    world.users.create("alice")
    world.db.session.commit()
    world.db.session.add(world.models.user(username="Alice"))
    with pytest.raises(IntegrityError):
        world.users.create("bob")
    world.db.session.rollback()


def test_sqlite_takes_the_write_lock_before_the_block_reads(sqlite_world):
    session = sqlite_world.db.session
    with closing(sqlite3.connect(sqlite_world.db.engine.url.database, timeout=0)) as other:
        with savepoint(session, sqlite_world.models.user):
            assert names(sqlite_world) == set()
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        assert session.connection().connection.driver_connection.in_transaction, "the release must not commit"


@pytest.mark.parametrize("insert", [insert_if_absent, _insert_in_savepoint])
def test_a_row_is_inserted_once(world, alice, insert):
    table = world.models.user_permissions
    row = {"user_id": alice.id, "permission": "a:b"}
    session = world.db.session
    assert insert(session, world.models.user, table, row) is True
    assert insert(session, world.models.user, table, row) is False
    session.commit()
    assert session.scalar(select(func.count()).select_from(table)) == 1


def test_what_a_user_typed_is_never_read_as_the_name_of_a_constraint(world):
    world.users.create("email_key' for key 'username_key", email="a@b")
    world.db.session.commit()
    world.db.session.add(world.models.user(username="bob", email="a@b"))
    with pytest.raises(IntegrityError) as caught:
        world.db.session.flush()
    world.db.session.rollback()
    assert broken_unique_column(caught.value, world.models.user.__table__) == "email_key"
    assert broken_unique_column(caught.value, world.models.role.__table__) is None
    with pytest.raises(UsernameTakenError):
        world.users.create("EMAIL_KEY' for key 'username_key")
    with pytest.raises(UsernameTakenError):
        world.users.create("email_key' FOR key 'username_key", email="name_key@b")
    world.users.create("carol", email="username_key@b")
    with pytest.raises(EmailTakenError):
        world.users.create("dave", email="USERNAME_KEY@b")
