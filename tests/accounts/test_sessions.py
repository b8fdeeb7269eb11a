"""Session rows: opened, rotated by compare-and-swap, ended."""

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

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
    assert row.refresh_id == successor.token_id
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


def test_a_clock_that_was_set_back_makes_no_grace_of_an_hour(world):
    opened = world.sessions.open(SUBJECT, now=1000, lifetime=9000, opened_by="password")
    assert isinstance(rotate(world, opened, now=4600), Rotated)
    # Another machine's clock may be a little behind.
    assert isinstance(rotate(world, opened, now=4591), Replayed)
    assert rotate(world, opened, now=1000) == Reused()


def test_within_the_grace_a_token_from_several_rotations_ago_gets_the_one_that_is_good_now(world, opened):
    second = rotate(world, opened, now=1100).successor
    third = rotate(world, second, now=1103).successor
    assert rotate(world, opened, now=1110) == rotate(world, second, now=1110) == Replayed(third)
    assert isinstance(rotate(world, third, now=1111), Rotated)


def test_each_token_has_a_grace_of_its_own(world, opened):
    second = rotate(world, opened, now=1100).successor
    third = rotate(world, second, now=1109).successor
    assert rotate(world, second, now=1119) == Replayed(third)
    assert rotate(world, opened, now=1111) == Reused()


def test_a_rotation_of_one_session_says_nothing_about_another(world, opened):
    other = world.sessions.open(SUBJECT, now=1000, lifetime=500, opened_by="password")
    rotate(world, opened)
    assert rotate(world, other, opened.token_id) == Reused()
    assert isinstance(rotate(world, opened), Replayed)


def test_rotations_are_remembered_only_for_their_grace(world, opened):
    grant = opened
    for step in range(20):
        grant = rotate(world, grant, now=1100 + 5 * step).successor
    kept = world.db.session.scalars(select(world.models.rotation)).all()
    assert 1 <= len(kept) <= 4
    rotate(world, grant, now=1400, grace=0)
    assert len(world.db.session.scalars(select(world.models.rotation)).all()) == len(kept)


def test_a_confirmation_makes_a_living_session_fresh_and_no_other(world, opened):
    other = world.sessions.open(SUBJECT, now=1000, lifetime=500, opened_by="password")
    assert opened.authenticated_at == 1000
    grant = world.sessions.confirm(opened.session_id, SUBJECT, now=1200)
    assert (grant.authenticated_at, grant.expires_at, grant.token_id) == (1200, 1500, opened.token_id)
    assert to_seconds(world.row(other.session_id).authenticated_at) == 1000
    assert rotate(world, opened, now=1300).successor.authenticated_at == 1200


@pytest.mark.parametrize("how", ["confirm", "renew"])
def test_what_is_over_can_be_neither_confirmed_nor_renewed(world, opened, how):
    change = getattr(world.sessions, how)
    assert change(opened.session_id, "cd" * 16, now=1100) is None
    assert change("0" * 32, SUBJECT, now=1100) is None
    assert change(opened.session_id, SUBJECT, now=1500) is None
    assert change(opened.session_id, SUBJECT, now=1499) is not None
    world.sessions.end(opened.session_id, SUBJECT, now=1499)
    assert change(opened.session_id, SUBJECT, now=1499) is None
    assert world.row(opened.session_id).ended_at == to_datetime(1499)


def test_a_session_that_somebody_else_has_locked_is_not_waited_for(world, opened):
    if world.db.engine.dialect.name == "sqlite":
        pytest.skip("one connection writes at a time")
    world.db.session.commit()
    with Session(world.db.engine) as other:
        other.execute(update(world.models.session).values(user_agent="being changed"))
        with world.sessions.apart() as session:
            assert world.sessions.inside(session).renew(opened.session_id, SUBJECT, now=1300) is None
        other.rollback()
    with world.sessions.apart() as session:
        assert world.sessions.inside(session).renew(opened.session_id, SUBJECT, now=1300) is not None


def test_a_session_that_is_renewed_was_used_then_and_ends_when_it_would(world, opened):
    grant = world.sessions.renew(opened.session_id, SUBJECT, now=1300)
    assert (grant.expires_at, grant.authenticated_at) == (1500, 1000)
    assert to_seconds(world.row(opened.session_id).last_used_at) == 1300


def test_living_sessions_of_one_subject_are_listed_the_last_used_first(world, opened):
    second = world.sessions.open(SUBJECT, now=1010, lifetime=500, opened_by="password")
    ended = world.sessions.open(SUBJECT, now=1020, lifetime=500, opened_by="password")
    world.sessions.open(SUBJECT, now=1000, lifetime=50, opened_by="password")
    world.sessions.open("cd" * 16, now=1000, lifetime=500, opened_by="password")
    world.sessions.end(ended.session_id, SUBJECT, now=1030)
    assert [one.id for one in world.sessions.listed(SUBJECT, now=1100)] == [second.session_id, opened.session_id]
    world.sessions.renew(opened.session_id, SUBJECT, now=1200)
    assert [one.id for one in world.sessions.listed(SUBJECT, now=1200)] == [opened.session_id, second.session_id]
    assert world.sessions.listed(SUBJECT, now=1510) == []
    assert world.sessions.listed("", now=1100) == []


def test_a_session_is_found_by_its_exact_id(world, opened):
    assert world.sessions.subject_of(opened.session_id) == SUBJECT
    for other in (
        "",
        "0" * 32,
        f"{opened.session_id} ",
        f" {opened.session_id}",
        opened.session_id[:-1],
        "\0",
        "\ud800",
        "x" * 10**5,
    ):
        assert world.sessions.subject_of(other) is None


def test_it_is_known_from_which_addresses_a_subject_logged_in(world, opened):
    assert world.sessions.was_seen_at(SUBJECT, "b")
    assert not world.sessions.was_seen_at(SUBJECT, "c")
    assert not world.sessions.was_seen_at("cd" * 16, "b")
    assert not world.sessions.was_seen_at(SUBJECT, None)


@pytest.mark.parametrize(
    ("before", "now", "known"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.11", False),
        ("192.0.2.11", "192.0.2.1", False),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::7", True),
        ("2001:db8::1", "2001:0DB8:0:0:ffff::", True),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", False),
        ("2001:db8::1", "192.0.2.1", False),
        ("::1", "unknown", False),
    ],
)
def test_an_address_is_known_with_those_that_count_as_one(world, before, now, known):
    for number in range(3):
        world.sessions.open(
            SUBJECT, now=1000, lifetime=150, opened_by="password", address=f"2001:db8:9:{number}::"
        )
    world.sessions.open(SUBJECT, now=1000, lifetime=150, opened_by="password", address=before)
    assert world.sessions.was_seen_at(SUBJECT, now) is known
    assert not world.sessions.was_seen_at("cd" * 16, now)


def test_what_is_past_its_end_is_pruned_in_bites_and_nothing_else(world, opened):
    for _ in range(5):
        rotate(world, world.sessions.open(SUBJECT, now=1000, lifetime=150, opened_by="password"), now=1010)
    now = 2000 + 24 * 3600
    living = world.sessions.open(SUBJECT, now=now - 10, lifetime=500, opened_by="password")
    rotate(world, living, now=now - 5)
    assert [world.sessions.prune(now=1200, limit=3) for _ in range(3)] == [3, 2, 0]
    assert world.row(opened.session_id) is not None
    assert world.sessions.prune(now=now, limit=100) == 6
    assert [one.id for one in world.db.session.scalars(select(world.models.session))] == [living.session_id]
    assert isinstance(rotate(world, living, now=now), Replayed)


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
