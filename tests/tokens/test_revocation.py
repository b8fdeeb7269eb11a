"""Revocation state: what voids a token, what makes its permissions stale, and how long that is known."""

from itertools import pairwise
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.policy.principal import Principal
from flask_permjwt.tokens.codec import TokenType, VerifiedToken
from flask_permjwt.tokens.revocation import Change, Kind, RevocationState, Standing

NOW, LASTS = 1_800_000_000.0, 960.0


def token(**values):
    given = {
        "type": TokenType.ACCESS,
        "subject": "alice",
        "token_id": "j1",
        "session_id": "s1",
        "version": 3,
        "issued_at": NOW,
        "not_before": None,
        "expires_at": NOW + 900,
        "csrf": None,
        "rights_versions": {"u": 5, "r1": 2},
        "rights_in_store": False,
        "claims": {},
        "principal": Principal("alice"),
    }
    return VerifiedToken(**{**given, **values})


def change(kind, target, version=0, *, now=NOW, lasts=LASTS):
    return Change(kind, target, version, now + lasts, lasts)


@pytest.fixture
def state():
    return RevocationState(lasts=LASTS)


def learn(state, *changes, now=NOW, monotonic=0.0):
    state.apply(changes, now=now, monotonic=monotonic)


@pytest.mark.parametrize(
    ("one", "standing"),
    [
        (change(Kind.TOKEN, "j1"), Standing.VOID),
        (change(Kind.TOKEN, "j2"), Standing.CURRENT),
        (change(Kind.TOKEN, "s1"), Standing.CURRENT),
        (change(Kind.SESSION, "s1"), Standing.VOID),
        (change(Kind.SESSION, "S1"), Standing.CURRENT),
        (change(Kind.SESSION, "j1"), Standing.CURRENT),
        (change(Kind.USER, "alice", 4), Standing.VOID),
        (change(Kind.USER, "alice", 3), Standing.CURRENT),
        (change(Kind.USER, "alice", 2), Standing.CURRENT),
        (change(Kind.USER, "Alice", 4), Standing.CURRENT),
        (change(Kind.RIGHTS, "alice", 6), Standing.STALE),
        (change(Kind.RIGHTS, "alice", 5), Standing.CURRENT),
        (change(Kind.RIGHTS, "bob", 6), Standing.CURRENT),
        (change(Kind.ROLE, "r1", 3), Standing.STALE),
        (change(Kind.ROLE, "r1", 2), Standing.CURRENT),
        (change(Kind.ROLE, "r2", 9), Standing.CURRENT),
        (change(Kind.ROLE, "alice", 9), Standing.CURRENT),
    ],
    ids=str,
)
def test_a_change_concerns_exactly_the_tokens_that_it_names(state, one, standing):
    learn(state, one)
    assert state.judge(token()) is standing


def test_without_changes_every_token_is_current(state):
    assert state.judge(token()) is Standing.CURRENT


def test_a_token_without_counts_is_stale_as_soon_as_anything_changed_for_its_user(state):
    bare = token(rights_versions={})
    assert state.judge(bare) is Standing.CURRENT
    learn(state, change(Kind.RIGHTS, "alice", 1))
    assert state.judge(bare) is Standing.STALE


def test_a_token_that_tells_no_permissions_is_always_read_from_the_store(state):
    assert state.judge(token(rights_in_store=True)) is Standing.STALE
    learn(state, change(Kind.SESSION, "s1"))
    assert state.judge(token(rights_in_store=True)) is Standing.VOID


def test_void_outweighs_stale(state):
    learn(state, change(Kind.RIGHTS, "alice", 9), change(Kind.USER, "alice", 9))
    assert state.judge(token()) is Standing.VOID


@given(st.permutations([3, 4, 5, 6]))
def test_of_several_counts_the_highest_holds_in_whatever_order_they_come(versions):
    state = RevocationState(lasts=LASTS)
    for step, version in enumerate(versions):
        learn(state, change(Kind.USER, "alice", version), monotonic=step * LASTS)
    assert state.judge(token(version=5)) is Standing.VOID
    assert state.judge(token(version=6)) is Standing.CURRENT


def test_the_epoch_rises_with_what_is_new_and_with_nothing_else(state):
    epochs = [state.epoch]
    for one in (
        change(Kind.SESSION, "s9"),
        change(Kind.SESSION, "s9"),
        change(Kind.USER, "alice", 2),
        change(Kind.USER, "alice", 1),
        change(Kind.USER, "alice", 3),
    ):
        learn(state, one)
        epochs.append(state.epoch)
    assert [later - earlier for earlier, later in pairwise(epochs)] == [1, 0, 1, 0, 1]
    learn(state)
    assert state.epoch == epochs[-1]


def test_what_can_concern_no_token_any_more_is_forgotten(state):
    for step in range(40):
        learn(
            state,
            change(Kind.SESSION, f"s{step}", now=NOW + 100 * step),
            now=NOW + 100 * step,
            monotonic=100 * step,
        )
        state.forget(now=NOW + 100 * step, monotonic=100 * step)
    assert len(state) <= (LASTS * 1.25) / 100 + 3
    state.forget(now=NOW + 4000 + 2 * LASTS, monotonic=4000 + 2 * LASTS)
    assert len(state) == 0


def test_nothing_is_forgotten_before_the_last_token_that_it_touches_has_expired(state):
    learn(state, change(Kind.SESSION, "s1"))
    for seconds in range(0, 961, 10):
        state.forget(now=NOW + seconds, monotonic=seconds)
        assert state.judge(token()) is Standing.VOID


def test_a_clock_that_jumps_ahead_and_back_brings_nothing_back(state):
    learn(state, change(Kind.SESSION, "s1"))
    state.forget(now=NOW + 1_000_000, monotonic=10)
    state.forget(now=NOW + 5, monotonic=15)
    assert state.judge(token()) is Standing.VOID


def test_a_clock_that_was_set_back_keeps_what_voids_tokens_of_before(state):
    learn(state, now=NOW)
    # An hour back: the token of before lives for an hour longer, and the entry says it is over soon.
    back = NOW - 3600
    learn(state, change(Kind.SESSION, "s1", now=back), now=back, monotonic=10)
    state.forget(now=back + 2000, monotonic=2010)
    assert state.judge(token()) is Standing.VOID
    state.forget(now=NOW + 1000, monotonic=10_000)
    assert state.judge(token()) is Standing.CURRENT


def test_rights_are_current_unless_something_newer_is_known(state):
    learn(state, change(Kind.RIGHTS, "alice", 5), change(Kind.ROLE, "r1", 2))
    assert state.is_current("alice", {"u": 5, "r1": 2})
    assert not state.is_current("alice", {"u": 4, "r1": 2})
    assert not state.is_current("alice", {"u": 5, "r1": 1})
    assert not state.is_current("alice", {})
    assert state.is_current("bob", {})


def test_whoever_sees_the_new_epoch_sees_what_it_stands_for(state):
    stop, faults = [], []

    def look():
        seen = {}
        while not stop:
            epoch = state.epoch
            standing = state.judge(token(session_id=f"s{epoch}"))
            # The change that raised the epoch to N names the session sN.
            if epoch and standing is not Standing.VOID:
                faults.append(epoch)
            seen[epoch] = standing

    threads = [Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 2000):
        learn(state, change(Kind.SESSION, f"s{number}"), monotonic=number)
    stop.append(True)
    for thread in threads:
        thread.join()
    assert not faults


def test_when_in_doubt_every_token_is_judged_anew():
    state = RevocationState(lasts=60)
    before = state.epoch
    state.doubt()
    assert state.epoch == before + 1


def test_after_a_fork_every_token_is_judged_anew_whoever_held_the_lock(state):
    epoch = state.epoch
    state._lock.acquire()
    state.start_over_after_fork()
    assert state.epoch > epoch
    learn(state, change(Kind.SESSION, "s1"))
    assert state.judge(token()) is Standing.VOID


def test_a_link_that_ended_is_told_by_its_name_and_voids_nothing(state):
    assert not state.has_ended("link of alice")
    learn(state, change(Kind.SESSION, "link of alice"), change(Kind.SESSION, "s2"))
    assert state.has_ended("link of alice")
    assert not state.has_ended("link of bob")
    assert not state.has_ended("")
    assert state.judge(token()) is Standing.CURRENT
