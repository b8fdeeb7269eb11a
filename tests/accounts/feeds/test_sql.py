"""The feed in the app's database, on each kind of database."""

import secrets

import pytest
from sqlalchemy import delete, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from flask_permjwt.accounts.feeds.conformance import FeedConformance
from flask_permjwt.accounts.feeds.protocol import FeedError
from flask_permjwt.accounts.feeds.sql import PATIENCE, SQLFeed
from flask_permjwt.tokens.revocation import Change, Kind


def some(number=1):
    return [Change(Kind.SESSION, secrets.token_hex(16), 0, 4_000_000_000.0, 960) for _ in range(number)]


def read(feed):
    return [change for portion in feed.read() for change in portion]


class OnPlace(FeedConformance):
    def new_feed(self):
        return SQLFeed(self.place.db, self.place.model)

    def begin(self, *changes):
        return self.place.begin(*changes)


class TestOnServers(OnPlace):
    @pytest.fixture(
        autouse=True,
        params=[
            pytest.param("postgresql", marks=pytest.mark.postgresql),
            pytest.param("mariadb", marks=pytest.mark.mariadb),
        ],
    )
    def _place(self, request, make_place):
        self.place = make_place(request.param)


class TestOnSQLite(OnPlace):
    # One connection writes at a time, and whoever reads waits for its commit.
    test_a_transaction_that_commits_late_is_not_missed = None
    test_what_is_not_committed_is_not_given = None

    @pytest.fixture(autouse=True)
    def _place(self, make_place):
        self.place = make_place("sqlite")


def test_a_table_that_was_emptied_and_filled_again_is_read_from_the_start(place):
    feed = SQLFeed(place.db, place.model)
    place.begin(*some(30))()
    assert len(read(feed)) == 30
    place.db.drop_all()
    place.db.create_all()
    new = some(2)
    place.begin(*new)()
    # Their ids are lower than what was read before.
    assert set(new) <= set(read(feed))
    later = some(1)
    place.begin(*later)()
    assert set(later) <= set(read(feed))


def test_a_table_that_was_restored_with_other_rows_is_read_from_the_start(place):
    feed = SQLFeed(place.db, place.model)
    place.begin(*some(3))()
    read(feed)
    place.db.drop_all()
    place.db.create_all()
    others = some(3)
    place.begin(*others)()
    assert set(others) <= set(read(feed))


def test_what_is_read_every_time_does_not_grow_with_the_table(place):
    feed = SQLFeed(place.db, place.model)
    place.begin(*some(500))()
    read(feed)
    assert len(read(feed)) == 1
    place.begin(*some(500))()
    read(feed)
    assert len(read(feed)) == 1


@pytest.mark.mariadb
def test_a_rolled_back_id_is_given_up_in_time(make_place, fake_clock):
    place = make_place("mariadb")
    feed = SQLFeed(place.db, place.model, monotonic=fake_clock)
    place.begin(*some())()
    read(feed)
    place.begin(*some(5))
    place.open[-1].rollback()
    place.begin(*some())()
    read(feed)
    assert [gap.high - gap.low for gap in feed._seen.gaps if gap.low > 1] == [4]
    fake_clock.advance(PATIENCE + 1)
    read(feed)
    assert not feed._seen.gaps


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ],
)
@pytest.mark.parametrize("between", [1, 1100])
def test_a_process_that_starts_while_a_transaction_is_open_does_not_miss_its_commit(make_place, kind, between):
    place = make_place(kind)
    late = some()
    commit_late = place.begin(*late)
    place.begin(*some(between))()
    feed = SQLFeed(place.db, place.model)
    assert len(read(feed)) == between
    commit_late()
    assert set(late) <= set(read(feed))


def test_what_was_skipped_before_an_old_row_is_not_looked_for(make_place, fake_clock):
    place = make_place("sqlite")
    old = Change(Kind.SESSION, "old", 0, fake_clock() - 7200 + 960, 960)
    place.begin(*some(3), old, *some(3))()
    place.db.session.execute(delete(place.model).where(place.model.id.in_((1, 2, 6))))
    place.db.session.commit()
    feed = SQLFeed(place.db, place.model, clock=fake_clock)
    read(feed)
    assert [(gap.low, gap.high) for gap in feed._seen.gaps] == [(1, 2), (6, 6)]
    place.db.session.execute(delete(place.model).where(place.model.id == 3))
    place.db.session.commit()
    feed.start_over()
    read(feed)
    assert [(gap.low, gap.high) for gap in feed._seen.gaps] == [(6, 6)]


@pytest.mark.postgresql
def test_more_gaps_than_one_question_should_hold_are_all_looked_for(make_place):
    place = make_place("postgresql")
    feed = SQLFeed(place.db, place.model)
    place.begin(*some())()
    read(feed)
    late = some()
    commit_late = place.begin(*late)
    for _ in range(70):
        place.begin(*some())
        place.open[-1].rollback()
        place.begin(*some())()
        place.open[-1].close()
    read(feed)
    assert len(feed._seen.gaps) > 50
    commit_late()
    assert set(late) <= set(read(feed))


@pytest.mark.parametrize("is_known", [True, False])
def test_a_database_that_cannot_be_asked_is_a_feed_error_without_its_words(place, monkeypatch, is_known):
    feed = SQLFeed(place.db, place.model)
    place.begin(*some())()
    if is_known:
        read(feed)

    def gone(*_, **__):
        raise OperationalError("SELECT", {}, Exception("the password is 'secret'"))

    with monkeypatch.context() as patch:
        patch.setattr(Session, "execute", gone)
        with pytest.raises(FeedError, match="cannot be asked") as caught:
            read(feed)
    assert "secret" not in str(caught.value)
    new = some()
    place.begin(*new)()
    assert set(new) <= set(read(feed))


def test_a_table_that_is_missing_is_named_with_the_remedy(place):
    feed = SQLFeed(place.db, place.model)
    place.db.drop_all()
    with pytest.raises(FeedError, match=r"permjwt_changes is missing: run `flask db upgrade`"):
        read(feed)
    place.db.create_all()
    new = some()
    place.begin(*new)()
    assert set(new) <= set(read(feed))


def test_a_memory_database_is_not_read_as_nobody_else_can_write_to_it(make_place):
    place = make_place("memory")
    place.begin(*some())()
    assert read(SQLFeed(place.db, place.model)) == []


def test_kinds_of_a_later_version_are_left_alone(place):
    feed = SQLFeed(place.db, place.model)
    with Session(place.db.engine) as session:
        session.execute(
            text(
                "INSERT INTO permjwt_changes (kind, target, version, lasts, expires_at) "
                "VALUES ('galaxy', 'x', 0, 10, '2090-01-01 00:00:00')"
            )
        )
        session.commit()
    known = some()
    place.begin(*known)()
    assert read(feed) == known


def test_nothing_of_the_caller_is_flushed_or_read(place):
    feed = SQLFeed(place.db, place.model)
    read(feed)
    statements = []
    place.db.session.add(place.model(kind="session", target="mine", version=0, lasts=1, expires_at=None))
    event.listen(place.db.engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    assert read(feed) == []
    assert len(statements) == 1
    assert len(place.db.session.new) == 1
    place.db.session.rollback()


def test_pruned_rows_do_not_make_it_start_over_as_the_newest_stays(place):
    feed = SQLFeed(place.db, place.model)
    place.begin(*some(10))()
    read(feed)
    with Session(place.db.engine) as session:
        newest = session.scalar(text("SELECT max(id) FROM permjwt_changes"))
        session.execute(delete(place.model.__table__).where(place.model.__table__.c.id < newest))
        session.commit()
    assert len(read(feed)) == 1
