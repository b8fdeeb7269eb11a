"""What is done once the caller has committed: at the root's commit, and at nothing else."""

import gc
import logging
import weakref

import pytest
from sqlalchemy import create_engine, func, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import NullPool

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


# -- on sessions of SQLAlchemy's own, with a table of its own


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "rows"

    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.fixture
def engine(database_url):
    made = create_engine(database_url, poolclass=NullPool)
    Base.metadata.create_all(made)
    return made


@pytest.fixture
def session(engine):
    with Session(engine) as opened:
        yield opened


@pytest.fixture
def sqlite_session(make_database_url):
    engine = create_engine(make_database_url("sqlite"), poolclass=NullPool)
    Base.metadata.create_all(engine)
    with Session(engine) as opened:
        yield opened


@pytest.fixture
def note(session, called):
    """Note a word after the commit."""
    return lambda word: on_commit(session, lambda: called.append(word))


def rows_of(engine):
    with engine.connect() as connection:
        return set(connection.scalars(select(Row.id)))


# -- the root transaction


def test_the_commit_stands_for_others_when_it_is_called(session, engine, called):
    session.add(Row(id=1))
    on_commit(session, lambda: called.append(rows_of(engine)))
    session.commit()
    assert called == [{1}]


@pytest.mark.parametrize("end", ["rollback", "close"])
def test_what_was_asked_for_before_any_statement_is_dropped_too(sqlite_session, called, end):
    on_commit(sqlite_session, lambda: called.append("dropped"))
    getattr(sqlite_session, end)()
    sqlite_session.commit()
    assert called == []


def test_what_was_asked_for_before_any_statement_is_called_after_the_commit(sqlite_session, called):
    on_commit(sqlite_session, lambda: called.append("called"))
    sqlite_session.commit()
    assert called == ["called"]


def test_a_block_that_begins_a_transaction_is_a_commit(session, engine, note, called):
    with session.begin():
        session.add(Row(id=1))
        note("kept")
        assert called == []
    assert called == ["kept"]
    with pytest.raises(ZeroDivisionError), session.begin():  # noqa: PT012
        note("dropped")
        raise ZeroDivisionError
    session.commit()
    assert called == ["kept"]


@pytest.mark.mariadb
def test_a_commit_in_two_phases_is_a_commit(make_database_url, called):
    engine = create_engine(make_database_url("mariadb"), poolclass=NullPool)
    Base.metadata.create_all(engine)
    with Session(engine, twophase=True) as session:
        session.add(Row(id=1))
        on_commit(session, lambda: called.append(rows_of(engine)))
        session.flush()
        session.prepare()
        assert called == []
        session.commit()
        assert called == [{1}]
        session.add(Row(id=2))
        on_commit(session, lambda: called.append("dropped"))
        session.flush()
        session.prepare()
        session.rollback()
        session.commit()
    assert called == [{1}]


def test_a_session_inside_a_transaction_of_somebody_else_tells_of_its_own_commit(engine, called):
    with engine.connect() as connection, connection.begin() as outer:
        session = Session(connection, join_transaction_mode="rollback_only")
        session.add(Row(id=1))
        on_commit(session, lambda: called.append("own"))
        session.commit()
        assert called == ["own"]
        session.close()
        outer.rollback()


# -- savepoints


def test_what_a_savepoint_undoes_is_dropped_and_nothing_else(session, engine, note, called):
    session.add(Row(id=1))
    note("before")
    with pytest.raises(ZeroDivisionError), savepoint(session, Row):  # noqa: PT012
        session.add(Row(id=2))
        note("inside")
        raise ZeroDivisionError
    note("after")
    session.commit()
    assert called == ["before", "after"]
    assert rows_of(engine) == {1}


def test_a_released_savepoint_is_dropped_with_the_root(session, engine, note, called):
    with savepoint(session, Row):
        session.add(Row(id=1))
        note("inside")
    session.rollback()
    session.add(Row(id=2))
    session.commit()
    assert called == []
    assert rows_of(engine) == {2}


def test_a_released_savepoint_is_dropped_with_the_one_around_it(session, engine, note, called):
    session.add(Row(id=1))
    note("root")
    with pytest.raises(ZeroDivisionError), savepoint(session, Row):  # noqa: PT012
        note("outer")
        with savepoint(session, Row):
            session.add(Row(id=2))
            note("inner")
        note("outer again")
        raise ZeroDivisionError
    session.commit()
    assert called == ["root"]
    assert rows_of(engine) == {1}


def test_an_inner_savepoint_that_is_undone_leaves_the_outer_one(session, engine, note, called):
    with savepoint(session, Row):
        note("outer")
        session.add(Row(id=1))
        with pytest.raises(ZeroDivisionError), savepoint(session, Row):  # noqa: PT012
            note("inner")
            raise ZeroDivisionError
        note("outer again")
    session.commit()
    assert called == ["outer", "outer again"]
    assert rows_of(engine) == {1}


def test_an_outer_savepoint_that_is_undone_while_an_inner_one_is_open_takes_it_along(session, note, called):
    session.execute(insert(Row).values(id=1))
    outer = session.begin_nested()
    note("outer")
    session.begin_nested()
    note("inner")
    outer.rollback()
    note("root")
    session.commit()
    assert called == ["root"]


def test_a_savepoint_that_is_closed_and_neither_released_nor_undone_is_dropped(session, engine, note, called):
    session.execute(insert(Row).values(id=1))
    nested = session.begin_nested()
    session.execute(insert(Row).values(id=2))
    note("inside")
    nested.close()
    note("root")
    session.commit()
    assert called == ["root"]
    assert rows_of(engine) == {1}


def test_a_flush_that_fails_in_a_savepoint_drops_what_was_inside(session, note, called):
    session.execute(insert(Row).values(id=1))
    note("before")
    with pytest.raises(IntegrityError), session.begin_nested():  # noqa: PT012
        note("inside")
        session.add(Row(id=1))
        session.flush()
    note("after")
    session.commit()
    assert called == ["before", "after"]


def test_the_root_may_be_committed_or_closed_over_open_savepoints(session, note, called):
    session.execute(insert(Row).values(id=1))
    session.begin_nested()
    session.begin_nested()
    note("committed")
    session.commit()
    # What is left of it: SQLAlchemy commits one level at a time, unless the root is asked.
    assert called == ["committed"]
    session.execute(insert(Row).values(id=2))
    session.begin_nested()
    note("closed")
    session.close()
    session.commit()
    assert called == ["committed"]


# -- what is called


def test_what_it_writes_and_does_not_commit_is_rolled_back_like_anything_else(session, engine):
    on_commit(session, lambda: session.execute(insert(Row).values(id=2)))
    session.execute(insert(Row).values(id=1))
    session.commit()
    session.rollback()
    assert rows_of(engine) == {1}


def test_it_may_use_a_session_of_its_own_while_the_block_of_the_caller_ends(session, engine, called):
    def follow():
        with Session(engine) as own, own.begin():
            own.add(Row(id=2))

    with session.begin():
        session.add(Row(id=1))
        on_commit(session, follow)
    assert rows_of(engine) == {1, 2}


def test_one_that_raises_is_logged_without_its_words_and_harms_nothing(session, engine, note, called, caplog):
    def fail():
        raise ValueError("marked secret")

    session.add(Row(id=1))
    on_commit(session, fail)
    note("next")
    session.commit()
    assert called == ["next"]
    assert rows_of(engine) == {1}
    [record] = caplog.records
    assert (record.name, record.levelno) == ("flask_permjwt.signals", logging.ERROR)
    assert "ValueError" in caplog.text
    assert "marked" not in caplog.text


@pytest.mark.parametrize("statement", ["flush", "execute"])
def test_one_that_breaks_the_session_leaves_it_usable_for_the_next_and_for_the_caller(
    session, engine, called, caplog, statement
):
    def fail():
        if statement == "execute":
            session.execute(text("SELECT nothing FROM nowhere"))
        session.add(Row(id=1))
        session.flush()

    session.add(Row(id=1))
    on_commit(session, fail)
    on_commit(session, lambda: called.append(session.scalar(select(func.count()).select_from(Row))))
    session.commit()
    session.expunge_all()
    session.add(Row(id=2))
    session.commit()
    assert called == [1]
    assert rows_of(engine) == {1, 2}
    assert "Error" in caplog.text


def test_a_session_is_kept_by_nobody(sqlite_session, called):
    engine = sqlite_session.get_bind()
    session = Session(engine)
    on_commit(session, lambda: called.append("never"))
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None
    session = Session(engine)
    on_commit(session, lambda: called.append("called"))
    session.commit()
    transaction = weakref.ref(session)
    session.close()
    del session
    gc.collect()
    assert transaction() is None
    assert called == ["called"]
