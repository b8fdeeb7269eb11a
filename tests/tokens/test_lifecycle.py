"""The life of a key: at any time, which key signs, which verify, and what is told to others, from times alone."""

import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flask_permjwt.tokens.keys import Key, KeyRing
from flask_permjwt.tokens.lifecycle import KeyPlan, ManagedKey, State

LASTS = 1000.0
LEAD = 100.0


def key(kid="a", *, signs=True):
    return Key(kid, "HS256", b"x" * 32, signs=signs)


def managed(kid="a", signs_from=0.0, *, signs=True, **times):
    return ManagedKey(key(kid, signs=signs), signs_from=signs_from, **times)


def states(plan, now):
    return {one.key.kid: plan.state(one, now).value for one in plan.keys}


def test_a_key_is_next_then_active_then_retired_then_gone():
    plan = KeyPlan([managed("old", 0), managed("new", 100)], lasts=50)
    assert states(plan, 99) == {"old": "active", "new": "next"}
    assert states(plan, 100) == {"old": "retired", "new": "active"}
    assert states(plan, 149) == {"old": "retired", "new": "active"}
    assert states(plan, 150) == {"old": "gone", "new": "active"}
    assert [plan.changes_at(now) for now in (0, 99, 100, 150)] == [100, 100, 150, math.inf]


def test_a_key_of_longer_tokens_is_kept_for_as_long_as_they_are_good():
    plan = KeyPlan([managed("old", 0, tokens_last=500), managed("new", 100)], lasts=50)
    assert plan.dropped_at(plan.keys[0]) == 600


def test_a_void_key_is_gone_at_once_and_its_predecessor_does_not_come_back():
    plan = KeyPlan([managed("old", 0), managed("new", 100, void_at=200)], lasts=1000)
    assert states(plan, 200) == {"old": "retired", "new": "gone"}
    assert plan.signing(200) is None
    assert plan.ring(200).signing is None
    assert [one.kid for one in plan.ring(200).keys] == ["old"]


@pytest.mark.parametrize("now", [99, 150, 1800, 5000])
def test_a_void_key_is_void_whatever_the_clock_says(now):
    plan = KeyPlan([managed("void", 0, void_at=2000), managed("new", 2000)], lasts=1000)
    assert states(plan, now) == {"void": "gone", "new": "active"}
    assert KeyPlan([managed("void", 0, void_at=2000)], lasts=1000).signing(now) is None


def test_a_next_key_that_is_stopped_never_takes_over():
    plan = KeyPlan([managed("old", 0), managed("new", 100, retired_at=50)], lasts=1000)
    assert states(plan, 60) == {"old": "active", "new": "retired"}
    assert states(plan, 5000) == {"old": "active", "new": "gone"}


def test_with_no_key_whose_time_has_come_the_first_next_one_signs():
    plan = KeyPlan([managed("one", 100), managed("two", 200)], lasts=1000)
    assert plan.signing(0).key.kid == "one"
    assert states(plan, 0) == {"one": "active", "two": "next"}


def test_a_public_key_verifies_and_never_signs():
    plan = KeyPlan([managed("own", 0), managed("theirs", 50, signs=False)], lasts=10)
    assert states(plan, 1000) == {"own": "active", "theirs": "retired"}
    assert KeyPlan([managed("theirs", signs=False)], lasts=10).signing(5) is None


def test_without_keys_there_is_nothing():
    plan = KeyPlan([], lasts=10)
    assert plan.signing(0) is None
    assert plan.ring(0) == KeyRing(None)
    assert plan.changes_at(0) == math.inf


TIMES = st.floats(0, 1000).map(float)
KEYS = st.lists(
    st.builds(
        lambda number, **times: (number, times),
        st.integers(0, 9),
        signs_from=TIMES,
        retired_at=st.none() | TIMES,
        void_at=st.none() | TIMES,
        tokens_last=st.sampled_from([0.0, 5.0, 700.0]),
        signs=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda one: one[0],
).map(lambda given: [managed(str(number), **times) for number, times in given])


@given(KEYS, TIMES)
def test_laws_of_any_keys_at_any_time(keys, now):
    plan = KeyPlan(keys, lasts=10)
    ring = plan.ring(now)
    signing = plan.signing(now)
    assert [one for one in plan.keys if plan.state(one, now) is State.ACTIVE] == ([signing] if signing else [])
    assert ring.signing == (signing.key if signing else None)
    assert set(ring.keys) == {one.key for one in keys if plan.state(one, now) is not State.GONE}
    for one in keys:
        if one.void_at is not None:
            assert one.key not in ring.keys
        if one.retired_at is not None and one.retired_at <= now:
            assert one is not signing
        assert plan.dropped_at(one) <= plan.ends_at(one) + max(10, one.tokens_last)


@given(KEYS, TIMES, TIMES)
def test_nothing_changes_before_it_is_said_to(keys, now, later):
    plan = KeyPlan(keys, lasts=10)
    now, later = sorted((now, later))
    if later < plan.changes_at(now):
        assert plan.ring(now) == plan.ring(later)
        assert states(plan, now) == states(plan, later)


@given(KEYS, TIMES, TIMES)
def test_who_was_gone_does_not_come_back(keys, now, later):
    plan = KeyPlan(keys, lasts=10)
    now, later = sorted((now, later))
    gone = {one.key.kid for one in keys if plan.state(one, now) is State.GONE}
    assert gone <= {one.key.kid for one in keys if plan.state(one, later) is State.GONE}


class Life(RuleBasedStateMachine):
    """A directory of keys over its life, beside a model that writes down what happened."""

    @initialize()
    def begin(self):
        self.now = 1_000.0
        self.made = 0
        self.keys: dict[str, ManagedKey] = {}
        self.signed: list[tuple[str, float]] = []  # by which key, and when it expires
        self.void: set[str] = set()
        self.known: dict[str, float] = {}  # since when each key verifies
        self.add(self.now)

    @property
    def plan(self):
        return KeyPlan(self.keys.values(), lasts=LASTS)

    def add(self, signs_from):
        self.made += 1
        kid = f"k{self.made}"
        self.keys[kid] = managed(kid, signs_from, created_at=self.now, tokens_last=LASTS)
        self.known[kid] = self.now

    @rule(seconds=st.sampled_from([1.0, 30.0, LEAD, 500.0, LASTS]))
    def wait(self, seconds):
        self.now += seconds

    @rule(lasts=st.floats(1, LASTS))
    def sign(self, lasts):
        signing = self.plan.signing(self.now)
        self.signed.append((signing.key.kid, self.now + lasts))

    @precondition(lambda self: not any(state == "next" for state in states(self.plan, self.now).values()))
    @rule()
    def rotate(self):
        self.add(self.now + LEAD)

    @rule(data=st.data())
    def retire_at_once(self, data):
        kid = data.draw(st.sampled_from(sorted(self.keys)))
        if kid in self.void:
            return
        one, plan = self.keys[kid], self.plan
        if one is plan.signing(self.now):
            waiting = [other for other in plan.keys if plan.state(other, self.now) is State.NEXT]
            if waiting:
                other = waiting[0]
                self.keys[other.key.kid] = managed(
                    other.key.kid, self.now, created_at=other.created_at, tokens_last=LASTS
                )
            else:
                self.add(self.now)
        before = self.keys[kid]
        self.keys[kid] = managed(
            kid, before.signs_from, created_at=before.created_at, tokens_last=LASTS, void_at=self.now
        )
        self.void.add(kid)

    @invariant()
    def there_is_always_one_that_signs(self):
        if self.made:
            assert list(states(self.plan, self.now).values()).count("active") == 1

    @invariant()
    def what_was_signed_is_accepted_until_it_expires_unless_its_key_is_void(self):
        if not self.made:
            return
        ring = self.plan.ring(self.now)
        for kid, expires_at in self.signed:
            if kid in self.void:
                assert ring.find(kid) is None
            elif self.now < expires_at:
                assert ring.find(kid) is not None

    @invariant()
    def the_next_one_verifies_before_it_signs(self):
        if self.made:
            plan = self.plan
            waiting = [one for one in plan.keys if plan.state(one, self.now) is State.NEXT]
            assert all(plan.ring(self.now).find(one.key.kid) for one in waiting)

    @invariant()
    def old_keys_are_dropped(self):
        if self.made:
            later = self.now + LEAD + LASTS
            assert len(self.plan.ring(later).keys) == 1


TestLife = Life.TestCase
TestLife.settings = hypothesis_settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("other", [None, 1, "ring"])
def test_a_ring_is_equal_to_a_ring_of_the_same_keys_only(other):
    ring = KeyRing(key("a"), [key("b")])
    assert ring == KeyRing(key("a"), [key("a"), key("b")])
    assert hash(ring) == hash(KeyRing(key("a"), [key("b")]))
    assert ring != KeyRing(key("b"), [key("a")])
    assert ring != other
