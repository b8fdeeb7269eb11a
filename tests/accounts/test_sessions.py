"""Session rows: opened, rotated by compare-and-swap, ended."""

import pytest

from flask_permjwt.accounts.moments import to_datetime, to_seconds
from flask_permjwt.accounts.sessions import Gone, Replayed, Reused, Rotated

SUBJECT = "ab" * 16


@pytest.fixture
def opened(world):
    return world.sessions.open(SUBJECT, now=1000, lifetime=500, opened_by="password", user_agent="a", address="b")


def rotate(world, grant, token_id=None, *, now=1100, grace=10, subject=SUBJECT):
    return world.sessions.rotate(grant.session_id, subject, token_id or grant.token_id, now=now, grace=grace)


def test_a_session_is_kept_with_who_when_and_how(world, opened):
    row = world.row(opened.session_id)
    assert (row.subject, row.opened_by, row.user_agent, row.address) == (SUBJECT, "password", "a", "b")
    assert [to_seconds(one) for one in (row.created_at, row.last_used_at, row.expires_at)] == [1000, 1000, 1500]
    assert row.ended_at is None
    assert (opened.issued_at, opened.expires_at) == (1000, 1500)


def test_what_a_client_calls_itself_is_made_fit_for_every_database(world):
    for sent, kept in (
        ("x" * 300, "x" * 255),
        ("a\0b", "ab"),
        ("a\ud800b", "a?b"),
        ("é" * 300, "é" * 255),
        (None, None),
        ("", ""),
    ):
        grant = world.sessions.open(
            SUBJECT, now=1000, lifetime=500, opened_by="password", user_agent=sent, address="1" * 99
        )
        world.db.session.commit()
        assert world.row(grant.session_id).user_agent == kept
        assert world.row(grant.session_id).address == "1" * 64


def test_a_rotation_names_a_new_token_with_the_same_end(world, opened):
    rotated = rotate(world, opened)
    assert isinstance(rotated, Rotated)
    successor = rotated.successor
    assert successor.token_id != opened.token_id
    assert (successor.session_id, successor.issued_at, successor.expires_at) == (opened.session_id, 1100, 1500)
    row = world.row(opened.session_id)
    assert (row.refresh_id, row.previous_refresh_id) == (successor.token_id, opened.token_id)
    assert to_seconds(row.last_used_at) == 1100


@pytest.mark.parametrize("elapsed", [0, 9, 10, -3])
def test_within_the_grace_the_same_successor_is_given_again(world, opened, elapsed):
    first = rotate(world, opened)
    again = rotate(world, opened, now=1100 + elapsed)
    assert again == Replayed(first.successor)
    assert world.row(opened.session_id).ended_at is None


@pytest.mark.parametrize(("elapsed", "grace"), [(11, 10), (4, 2.5), (0, 0), (-3, 0), (100, 10)])
def test_after_the_grace_a_used_token_ends_its_session_and_no_other(world, opened, elapsed, grace):
    other = world.sessions.open(SUBJECT, now=1000, lifetime=500, opened_by="password")
    successor = rotate(world, opened).successor
    assert rotate(world, opened, now=1100 + elapsed, grace=grace) == Reused()
    assert world.row(opened.session_id).ended_at == to_datetime(1100 + elapsed)
    assert rotate(world, successor, now=1201) == Gone()
    assert isinstance(rotate(world, other), Rotated)


def test_a_token_from_two_rotations_ago_ends_the_session_even_within_the_grace(world, opened):
    second = rotate(world, opened).successor
    rotate(world, second)
    assert rotate(world, opened) == Reused()


def test_a_token_id_that_was_never_given_ends_the_session(world, opened):
    assert rotate(world, opened, "0" * 32) == Reused()


@pytest.mark.parametrize("now", [1500, 1501, 99999])
def test_the_absolute_end_holds_however_often_it_rotates(world, opened, now):
    grant = rotate(world, opened, now=1499).successor
    assert grant.expires_at == 1500
    assert rotate(world, grant, now=now) == Gone()
    assert rotate(world, opened, now=now, grace=99999) == Gone()


def test_an_ended_session_is_gone_also_within_the_grace(world, opened):
    successor = rotate(world, opened).successor
    assert world.sessions.end(opened.session_id, SUBJECT, now=1101) is True
    assert rotate(world, successor) == Gone()
    assert rotate(world, opened) == Gone()


def test_another_subject_can_neither_rotate_nor_end_a_session(world, opened):
    assert rotate(world, opened, subject="cd" * 16) == Gone()
    assert world.sessions.end(opened.session_id, "cd" * 16, now=1100) is False
    assert isinstance(rotate(world, opened), Rotated)


def test_a_session_that_never_was_is_gone(world):
    assert world.sessions.rotate("0" * 32, SUBJECT, "0" * 32, now=1, grace=10) == Gone()
    assert world.sessions.end("0" * 32, SUBJECT, now=1) is False


def test_ending_twice_keeps_the_first_end(world, opened):
    world.sessions.end(opened.session_id, SUBJECT, now=1100)
    assert world.sessions.end(opened.session_id, SUBJECT, now=1200) is False
    assert world.row(opened.session_id).ended_at == to_datetime(1100)


def test_all_sessions_of_one_subject_end_but_the_one_that_is_spared(world):
    mine = [world.sessions.open(SUBJECT, now=1000, lifetime=500, opened_by="password") for _ in range(3)]
    other = world.sessions.open("cd" * 16, now=1000, lifetime=500, opened_by="password")
    assert world.sessions.end_all(SUBJECT, now=1100, except_id=mine[0].session_id) == 2
    assert [world.row(one.session_id).ended_at is None for one in (*mine, other)] == [True, False, False, True]
    assert world.sessions.end_all(SUBJECT, now=1200) == 1


def test_rows_that_the_app_has_loaded_show_the_change(world, opened):
    row = world.row(opened.session_id)
    world.sessions.end_all(SUBJECT, now=1100)
    assert row.ended_at == to_datetime(1100)


def test_nothing_is_committed_but_by_a_transaction(world):
    grant = world.sessions.open(SUBJECT, now=1000, lifetime=500, opened_by="password")
    world.db.session.rollback()
    assert world.row(grant.session_id) is None
