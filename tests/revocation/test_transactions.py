"""A change takes effect when the root transaction commits: not at a savepoint, and not after a rollback."""

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from flask_permjwt.accounts.feeds.sql import PATIENCE
from flask_permjwt.errors import InvalidTokenError


@pytest.fixture
def here(pair):
    return pair()[0]


@pytest.fixture
def there(fleet):
    return fleet[0]


def disable(machine):
    machine.users.set_active(machine.users.find("alice"), active=False)


def test_nothing_takes_effect_before_the_commit(there):
    login = there.log_in()
    with there.app.app_context():
        disable(there)
        # SQLite lets nobody else read while this is written only in memory; on a file, readers go on.
        assert there.status(login) == 200
        there.db.session.commit()
        assert there.status(login) == 401


def test_what_is_rolled_back_never_takes_effect(there, wait):
    login = there.log_in()
    with there.app.app_context():
        disable(there)
        there.db.session.rollback()
    wait(1)
    assert there.status(login) == 200


def test_the_release_of_a_savepoint_is_no_commit(there, wait):
    login = there.log_in()
    with there.app.app_context():
        there.users.create("somebody")
        with there.db.session.begin_nested():
            disable(there)
        assert there.status(login) == 200
        there.db.session.rollback()
    wait(1)
    assert there.status(login) == 200


def test_a_savepoint_that_is_rolled_back_takes_its_changes_along(there, wait):
    login, other = there.log_in(), there.log_in("bob")
    with there.app.app_context():
        there.users.create("somebody")
        nested = there.db.session.begin_nested()
        disable(there)
        nested.rollback()
        there.users.set_active(there.users.find("bob"), active=False)
        there.db.session.commit()
    wait(1)
    assert (there.status(login), there.status(other)) == (200, 401)


@pytest.mark.postgresql
@pytest.mark.parametrize("commits", [True, False])
def test_within_somebody_elses_transaction_it_takes_effect_through_the_feed(pair, wait, commits):
    """The application's session may be bound to a connection whose transaction somebody else ends."""
    here, _ = pair("postgresql")
    login = here.log_in()
    with here.app.app_context():
        connection = here.db.engine.connect()
        outer = connection.begin()
        inner = Session(bind=connection, join_transaction_mode="create_savepoint")
        users = here.users.inside(inner)
        users.set_active(users.find("alice"), active=False)
        inner.commit()
        assert here.status(login) == 200
        outer.commit() if commits else outer.rollback()
        connection.close()
    wait(1)
    assert here.status(login) == (401 if commits else 200)


@pytest.mark.postgresql
def test_a_transaction_that_takes_longer_than_readers_look_for_ids_is_not_missed(pair, wait, steady):
    here, there = pair("postgresql")
    login = here.log_in()
    there.status(login)
    with here.app.app_context():
        disable(here)
        wait(1)
        # Another one commits, so that the open one's id is skipped.
        there.change("grant", "bob", "x")
        there.status(login)
        steady.now += PATIENCE + 1
        there.change("grant", "bob", "y")
        assert there.status(login) == 200
        steady.now += PATIENCE + 1
        there.status(login)
        assert not [gap for gap in there.state.freshness._feed._seen.gaps if gap.low > 1]
        here.db.session.commit()
    wait(1)
    assert there.status(login) == 401


def test_what_the_caller_left_pending_is_neither_flushed_nor_seen(pair, wait):
    here, there = pair()
    login = here.log_in()
    here.status(login)
    there.change("grant", "alice", "x")
    wait(1)
    with here.app.app_context():
        here.db.session.add(here.permjwt.models.user(username="pending"))
        flushed = []
        event.listen(here.db.session(), "after_flush", lambda *_: flushed.append(1))
        # The poll and the reading of changed permissions happen in this very context.
        with here.app.test_request_context("/reports", headers={"Authorization": f"Bearer {login.access_token}"}):
            here.app.preprocess_request()
        assert not flushed
        assert len(here.db.session.new) == 1


def test_a_change_written_and_committed_by_a_view_holds_for_the_next_request(pair):
    here, _ = pair()
    login = here.log_in()
    assert here.get("/away", login).status_code == 200
    assert here.status(login) == 401


def test_an_unreadable_token_cannot_be_revoked(here):
    with here.app.app_context(), pytest.raises(InvalidTokenError):
        here.permjwt.revocations.revoke_token("not.a.token")


def test_of_two_tokens_of_a_session_one_may_be_revoked(here):
    first = here.log_in()
    answer = here.app.test_client().post("/auth/refresh", json={"refresh_token": first.refresh_token})
    here.within(lambda: here.permjwt.revocations.revoke_token(first.access_token))
    assert here.status(first) == 401
    first.access_token = answer.json["access_token"]
    assert here.status(first) == 200


def test_revoking_a_refresh_token_ends_its_session(here):
    login = here.log_in()
    here.within(lambda: here.permjwt.revocations.revoke_token(login.refresh_token))
    assert here.status(login) == 401


def test_revoking_a_session_ends_it(here):
    login = here.log_in()
    [session] = here.get("/auth/sessions", login).json["sessions"]
    here.within(lambda: here.permjwt.revocations.revoke_session(session["id"]))
    here.within(lambda: here.permjwt.revocations.revoke_session(session["id"]))
    assert here.status(login) == 401


def test_an_expired_token_needs_no_entry(here, wait):
    login = here.log_in()
    wait(2 * 3600)
    count = lambda: here.within(lambda: here.db.session.query(here.permjwt.models.change).count())  # noqa: E731
    before = count()
    here.within(lambda: here.permjwt.revocations.revoke_token(login.access_token))
    assert count() == before


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda face: face.user_voided("u", "2"), TypeError),
        (lambda face: face.user_voided("u", True), TypeError),
        (lambda face: face.user_voided("u", -1), ValueError),
        (lambda face: face.user_voided("u", 2**63), ValueError),
        (lambda face: face.user_voided("", 1), ValueError),
        (lambda face: face.user_voided("u" * 256, 1), ValueError),
        (lambda face: face.user_voided(7, 1), TypeError),
        (lambda face: face.rights_changed("u", 1.5), TypeError),
        (lambda face: face.rights_changed(None, 1), TypeError),
        (lambda face: face.role_changed(b"r", 1), TypeError),
        (lambda face: face.role_changed("r", None), TypeError),
        (lambda face: face.revoke_session(None), TypeError),
        (lambda face: face.revoke_token(b"a.b.c"), TypeError),
    ],
)
def test_what_no_token_can_hold_is_refused_before_it_is_written(pair, call, error):
    here, _ = pair()
    with pytest.raises(error):
        here.within(lambda: call(here.permjwt.revocations))
    assert here.within(lambda: here.db.session.query(here.permjwt.models.change).count()) == 0
