"""Ids that were skipped are looked for until nothing can bear them any more."""

from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.accounts.feeds.gaps import SeenIds


def wanted(seen, number):
    """Tell whether a reader would still ask for this id."""
    return number > (seen.highest or 0) or any(gap.low <= number <= gap.high for gap in seen.gaps)


@given(st.permutations(range(1, 13)), st.lists(st.integers(1, 5), min_size=12, max_size=12))
def test_whatever_the_order_of_commits_no_id_is_given_up_before_it_was_seen(commits, portions):
    seen, come, pending = SeenIds(600), set(), list(commits)
    for moment, size in enumerate(portions):
        portion, pending = pending[:size], pending[size:]
        visible = sorted(one for one in portion if wanted(seen, one))
        assert visible == sorted(portion), "a reader would not have asked for one that was just committed"
        seen.see(visible, monotonic=moment)
        come |= set(portion)
        assert all(wanted(seen, one) for one in range(1, 13) if one not in come)
        assert not any(wanted(seen, one) for one in come)


def test_a_skipped_id_is_given_up_when_no_transaction_can_be_that_old():
    seen = SeenIds(600)
    seen.see([1, 2, 5], monotonic=0)
    assert [(gap.low, gap.high) for gap in seen.gaps] == [(3, 4)]
    seen.see([6], monotonic=600)
    assert wanted(seen, 3)
    seen.see([7], monotonic=601)
    assert not wanted(seen, 3)
    assert wanted(seen, 8)


def test_a_gap_shrinks_as_its_ids_come():
    seen = SeenIds(600)
    seen.see([10, 20], monotonic=0)
    seen.see([11, 15, 19], monotonic=1)
    assert [(gap.low, gap.high) for gap in seen.gaps if gap.low > 10] == [(12, 14), (16, 18)]


def test_a_reading_of_everything_tells_what_to_look_for():
    seen = SeenIds(600)
    seen.begin(60_000, [(1, 4), (50_001, 59_999)], monotonic=0)
    assert wanted(seen, 4)
    assert not wanted(seen, 5)
    assert wanted(seen, 59_999)
    assert not wanted(seen, 60_000)
    assert wanted(seen, 60_001)


def test_after_an_empty_table_every_id_is_new():
    seen = SeenIds(600)
    seen.begin(0, [], monotonic=0)
    assert wanted(seen, 1)
