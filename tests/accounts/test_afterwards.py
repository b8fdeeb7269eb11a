"""What is done once the caller has committed: at the root's commit, and at nothing else."""

import pytest
from sqlalchemy.orm import Session

from flask_permjwt.accounts.afterwards import on_commit
from flask_permjwt.accounts.savepoints import savepoint


@pytest.fixture
def called():
    return []


@pytest.fixture
def later(world, called):
    return lambda name: on_commit(world.db.session, lambda: called.append(name))


def write(world, name="x"):
    world.users.create(name)


def test_it_is_called_at_the_commit_once_and_in_order(world, later, called):
    write(world)
    later("first")
    later("second")
    assert called == []
    world.db.session.commit()
    assert called == ["first", "second"]
    world.db.session.commit()
    assert called == ["first", "second"]


def test_it_is_dropped_at_a_rollback(world, later, called):
    write(world)
    later("first")
    world.db.session.rollback()
    write(world)
    later("second")
    world.db.session.commit()
    assert called == ["second"]


@pytest.mark.parametrize("end", ["close", "remove"])
def test_it_is_dropped_when_the_session_is_closed(world, later, called, end):
    write(world)
    later("first")
    getattr(world.db.session, end)()
    world.db.session.commit()
    assert called == []


def test_the_release_of_a_savepoint_calls_nothing(world, later, called):
    with savepoint(world.db.session, world.models.user):
        write(world, "a")
        later("inner")
        with savepoint(world.db.session, world.models.user):
            write(world, "b")
            later("innermost")
        assert called == []
    assert called == []
    world.db.session.commit()
    assert called == ["inner", "innermost"]


class UndoError(Exception):
    """Undoes a savepoint."""


def test_what_was_registered_in_a_savepoint_goes_with_it(world, later, called):
    write(world)
    later("outer")
    with pytest.raises(UndoError), savepoint(world.db.session, world.models.user):  # noqa: PT012  # what is undone
        later("inner")
        with savepoint(world.db.session, world.models.user):
            later("released first")
        raise UndoError
    later("after")
    world.db.session.commit()
    assert called == ["outer", "after"]


def test_a_savepoint_that_was_released_goes_with_the_transaction_around_it(world, later, called):
    with savepoint(world.db.session, world.models.user):
        later("inner")
    world.db.session.rollback()
    world.db.session.commit()
    assert called == []


def test_what_fails_harms_neither_the_commit_nor_the_others(world, later, called, caplog):
    write(world, "kept")
    on_commit(world.db.session, lambda: 1 / 0)
    later("next")
    world.db.session.commit()
    assert called == ["next"]
    assert "ZeroDivisionError" in caplog.text
    world.db.session.rollback()
    assert world.users.find("kept") is not None


def test_the_session_can_be_used_by_what_is_called(world, called):
    write(world, "first")

    def use():
        called.append(world.users.find("first").username)
        write(world, "second")
        on_commit(world.db.session, lambda: called.append("second"))
        world.db.session.commit()

    on_commit(world.db.session, use)
    world.db.session.commit()
    assert called == ["first", "second"]
    assert world.users.find("second") is not None


def test_a_commit_that_fails_calls_nothing(sqlite_world, called):
    session = sqlite_world.db.session
    sqlite_world.users.create("a")
    session.commit()
    on_commit(session, lambda: called.append("x"))
    session.add(sqlite_world.models.user(username="A"))
    with pytest.raises(Exception, match="UNIQUE"):
        session.commit()
    session.rollback()
    session.commit()
    assert called == []


def test_sessions_do_not_mix(world, called):
    other = Session(world.db.engine)
    on_commit(other, lambda: called.append("other"))
    write(world)
    world.db.session.commit()
    assert called == []
    other.connection()
    other.commit()
    assert called == ["other"]
    other.close()
