"""Conformance: what a feed must do, as tests that any feed can run.

Subclass it in a test module, and say how your feed is made and how changes are committed::

    class TestMyFeed(FeedConformance):
        def new_feed(self): ...
        def begin(self, *changes): ...
"""

import secrets
from collections.abc import Callable
from itertools import count

from flask_permjwt.accounts.feeds.protocol import Feed
from flask_permjwt.tokens.revocation import Change, Kind

_EXPIRES_AT = 4_000_000_000.0


class FeedConformance:
    """The tests. Each gets a feed with nothing in it."""

    def new_feed(self) -> Feed:
        """Return a feed as another process would have it."""
        raise NotImplementedError

    def begin(self, *changes: Change) -> Callable[[], None]:
        """Write changes in a transaction that is left open; return what commits and publishes them."""
        raise NotImplementedError

    def settle(self) -> None:
        """Wait until what was published must have arrived; nothing by default."""

    def test_the_first_reading_gives_everything(self) -> None:
        """A process that starts knows what was revoked before."""
        changes = _some(3)
        self.begin(*changes)()
        assert self._read(self.new_feed()) == set(changes)

    def test_what_is_committed_later_is_given_to_everybody(self) -> None:
        """Each reader gets each change."""
        feeds = [self.new_feed() for _ in range(3)]
        for feed in feeds:
            assert self._read(feed) == set()
        known: set[Change] = set()
        for _ in range(5):
            changes = _some(2)
            self.begin(*changes)()
            known |= set(changes)
            for feed in feeds[:2]:
                assert set(changes) <= self._read(feed) <= known
        assert self._read(feeds[2]) == known

    def test_a_transaction_that_commits_late_is_not_missed(self) -> None:
        """Ids are given in the order of writing, and commits come in any."""
        for first_is_read in (True, False):
            feed = self.new_feed()
            if first_is_read:
                self._read(feed)
            late, early = _some(1), _some(1)
            commit_late, commit_early = self.begin(*late), self.begin(*early)
            commit_early()
            assert set(early) <= self._read(feed)
            assert set(late).isdisjoint(self._read(feed))
            commit_late()
            assert set(late) <= self._read(feed)

    def test_what_was_not_read_to_the_end_is_given_again(self) -> None:
        """A reader who was interrupted misses nothing."""
        feed = self.new_feed()
        self._read(feed)
        changes = _some(3)
        self.begin(*changes)()
        self.settle()
        next(iter(feed.read()), None)
        feed.start_over()
        assert set(changes) <= self._read(feed)

    def test_starting_over_gives_everything_again(self) -> None:
        """Whoever cannot rely on what it knows asks for all."""
        feed = self.new_feed()
        changes = _some(4)
        self.begin(*changes)()
        self._read(feed)
        feed.start_over()
        assert set(changes) <= self._read(feed)

    def test_what_is_not_committed_is_not_given(self) -> None:
        """A change may yet be rolled back."""
        feed = self.new_feed()
        open_one = _some(1)
        commit = self.begin(*open_one)
        assert set(open_one).isdisjoint(self._read(feed))
        commit()
        assert set(open_one) <= self._read(feed)

    def test_many_at_once_all_arrive(self) -> None:
        """Nothing depends on how many there are."""
        feed = self.new_feed()
        self._read(feed)
        changes = _some(1500)
        self.begin(*changes)()
        assert set(changes) <= self._read(feed)

    def test_every_kind_is_carried_as_it_is(self) -> None:
        """What is revoked, for how long, and the counts."""
        number = count(1)
        changes = [
            Change(kind, f"{secrets.token_hex(8)} \u00e9'\"\\%", next(number), _EXPIRES_AT, 960) for kind in Kind
        ]
        feed = self.new_feed()
        self._read(feed)
        self.begin(*changes)()
        assert set(changes) <= self._read(feed)

    def _read(self, feed: Feed) -> set[Change]:
        self.settle()
        return {change for portion in feed.read() for change in portion}


def _some(number: int) -> list[Change]:
    return [Change(Kind.SESSION, secrets.token_hex(16), 0, _EXPIRES_AT, 960) for _ in range(number)]
