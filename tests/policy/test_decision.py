"""The decision: closed for nobody known, and a value with its reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.policy.decision import GRANTED, Denied, Granted, Reason, Rule, decide
from flask_permjwt.policy.permissions import Grants
from flask_permjwt.policy.principal import ANONYMOUS, Principal
from flask_permjwt.policy.requirements import all_of, any_of

GRANT_SETS = st.frozensets(st.sampled_from(["*", "a", "b", "a:*", "a:b", "*:b"]))
NEEDS = st.sampled_from([all_of("a"), all_of("a", "b"), any_of("a:b", "b"), all_of("a:{p}"), *Rule])
VALUES = st.sampled_from([{}, {"p": "b"}, {"p": "*"}, {"p": None}])


def user(*grants: str) -> Principal:
    return Principal(subject="u", grants=Grants(grants))


@given(NEEDS, GRANT_SETS, VALUES)
def test_nobody_known_is_granted_nothing_whatever_grants_are_there(need, grants, values):
    decision = decide(Principal(subject=None, grants=Grants(grants)), need, values)
    assert decision == Denied(Reason.UNAUTHENTICATED)
    assert decide(ANONYMOUS, need, values) == decision


@given(NEEDS.filter(lambda need: not isinstance(need, Rule)), GRANT_SETS, VALUES)
def test_a_requirement_is_granted_exactly_when_it_is_met_and_otherwise_says_what_is_missing(need, grants, values):
    decision = decide(user(*grants), need, values)
    if need.met_by(Grants(grants), values):
        assert decision == Granted()
    else:
        assert decision == Denied(Reason.MISSING_PERMISSIONS, need.missing(Grants(grants), values))
        assert decision.missing


@given(NEEDS, GRANT_SETS, GRANT_SETS, VALUES)
def test_more_grants_never_turn_granted_into_denied(need, some, more, values):
    if decide(user(*some), need, values) is GRANTED:
        assert decide(user(*some, *more), need, values) is GRANTED


@given(GRANT_SETS)
def test_login_asks_for_no_permission(grants):
    assert decide(user(*grants), Rule.LOGIN) is GRANTED


@given(GRANT_SETS)
def test_closed_is_closed_to_everybody(grants):
    assert decide(user(*grants), Rule.CLOSED) == Denied(Reason.CLOSED)


@pytest.mark.parametrize("decision", [GRANTED, Denied(Reason.CLOSED)])
def test_a_decision_cannot_be_changed(decision):
    with pytest.raises((AttributeError, TypeError)):
        decision.reason = Reason.UNAUTHENTICATED


@given(
    authenticated_at=st.none() | st.integers(0, 10**10),
    now=st.integers(0, 10**10),
    max_age=st.integers(1, 10**6),
)
def test_freshness_is_asked_for_only_when_all_else_is_granted(authenticated_at, now, max_age):
    fresh = authenticated_at is not None and -min(max_age, 30) <= now - authenticated_at <= max_age
    someone = Principal("somebody", Grants(["a"]), authenticated_at=authenticated_at)
    for need in (Rule.LOGIN, all_of("a")):
        decision = decide(someone, need, max_age=max_age, now=now)
        assert decision == (GRANTED if fresh else Denied(Reason.STALE, max_age=max_age))
        assert decide(someone, need) == GRANTED
    assert decide(someone, all_of("b"), max_age=max_age, now=now).reason is Reason.MISSING_PERMISSIONS
    assert decide(someone, Rule.CLOSED, max_age=max_age, now=now).reason is Reason.CLOSED
    assert decide(ANONYMOUS, Rule.LOGIN, max_age=max_age, now=now).reason is Reason.UNAUTHENTICATED


def test_a_clock_that_was_set_back_makes_nothing_fresh_for_longer():
    someone = Principal("somebody", authenticated_at=1000)
    fresh = [now for now in range(1201) if decide(someone, Rule.LOGIN, max_age=60, now=now) == GRANTED]
    assert fresh == list(range(970, 1061))


def test_a_clock_that_gives_no_number_makes_nothing_fresh():
    someone = Principal("somebody", authenticated_at=1000)
    assert isinstance(decide(someone, Rule.LOGIN, max_age=60, now=float("nan")), Denied)
