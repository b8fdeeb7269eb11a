"""Keeping up: how often the feed is asked, who waits for whom, and when requests are refused."""

import os
import time
from threading import Event, Thread

import pytest

from flask_permjwt.accounts.feeds.freshness import Freshness
from flask_permjwt.accounts.feeds.host import HostEpoch
from flask_permjwt.accounts.feeds.protocol import FeedError
from flask_permjwt.errors import ConfigurationError, OutdatedError
from flask_permjwt.tokens.revocation import Change, Kind

LASTS = 960.0


def change(target="s1"):
    return Change(Kind.SESSION, target, 0, 4_000_000_000.0, LASTS)


class FakeFeed:
    """A feed that can be filled, stopped and made to hang."""

    def __init__(self):
        self.new, self.asked, self.is_gone, self.started_over = [], 0, False, 0
        self.published, self.urgent, self.fault = [], [], None
        self.go_on, self.is_asked = Event(), Event()
        self.go_on.set()

    def read(self, *, urgent=False):
        self.asked += 1
        self.urgent.append(urgent)
        self.is_asked.set()
        self.go_on.wait(30)
        if self.fault is not None:
            raise self.fault
        if self.is_gone:
            raise FeedError("nobody there")
        portion, self.new = self.new, []
        yield portion

    def announce(self):
        return "announced"

    def publish(self, changes, announced=None):
        self.published.append((list(changes), announced, self.host.counter[0] if self.host else None))

    host = None

    def start_over(self):
        self.started_over += 1


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def feed():
    return FakeFeed()


@pytest.fixture
def wall():
    return Clock(1_800_000_000.0)


@pytest.fixture
def steady():
    return Clock(50.0)


@pytest.fixture
def make(feed, wall, steady):
    def build(**options):
        given = {"interval": 1, "max_staleness": 30, "lasts": LASTS, "clock": wall, "monotonic": steady}
        host = options.pop("host", HostEpoch(None))
        return Freshness(feed, host, **{**given, **options})

    return build


def request(freshness, steady):
    """Do what every request does."""
    if steady() >= freshness.next_at or freshness.host.counter[0] != freshness.seen_at_host:
        freshness.catch_up()


def test_the_first_request_asks_and_later_ones_once_an_interval(make, feed, steady):
    freshness = make()
    for tenth in range(50):
        steady.now = 50 + tenth / 10
        request(freshness, steady)
    assert feed.asked == 5


def test_an_interval_of_zero_asks_on_every_request(make, feed, steady):
    freshness = make(interval=0)
    for _ in range(7):
        request(freshness, steady)
    assert feed.asked == 7


def test_what_is_read_is_known(make, feed, steady):
    freshness = make()
    feed.new = [change()]
    request(freshness, steady)
    assert len(freshness.state) == 1


def test_a_process_with_an_empty_memory_accepts_nothing_before_it_has_read(make, feed, steady):
    freshness = make()
    feed.is_gone = True
    for _ in range(3):
        with pytest.raises(OutdatedError):
            request(freshness, steady)
    feed.is_gone = False
    steady.now += 1
    request(freshness, steady)


def test_requests_go_on_until_what_is_known_is_too_old(make, feed, steady, caplog):
    freshness = make()
    request(freshness, steady)
    feed.is_gone = True
    for second in range(1, 31):
        steady.now = 50 + second
        request(freshness, steady)
    steady.now = 50 + 30.1
    with pytest.raises(OutdatedError) as caught:
        request(freshness, steady)
    assert caught.value.retry_after >= 1
    feed.is_gone = False
    steady.now += 1
    request(freshness, steady)
    assert [record.message for record in caplog.records] == [
        "nobody there: going on with what is known for 30 seconds",
        "revocations can be read again",
    ]


def test_while_nobody_answers_nobody_is_asked_more_often_than_twice_a_second(make, feed, steady):
    freshness = make(interval=0)
    request(freshness, steady)
    feed.is_gone, feed.asked = True, 0
    for hundredth in range(200):
        steady.now = 50 + hundredth / 100
        request(freshness, steady)
    assert feed.asked <= 5


def test_after_a_long_rest_the_first_request_asks_and_passes(make, feed, steady):
    freshness = make()
    request(freshness, steady)
    steady.now += 3600
    feed.new = [change()]
    request(freshness, steady)
    assert len(freshness.state) == 1


def test_what_this_process_commits_is_known_at_once_and_told(make, feed, steady):
    freshness = make()
    request(freshness, steady)
    freshness.committed([change()], freshness.announce())
    assert len(freshness.state) == 1
    assert feed.published == [([change()], "announced", None)]


def test_a_change_can_be_found_before_the_others_are_told_to_look(make, feed, steady, tmp_path):
    freshness = make(host=HostEpoch(tmp_path / "e"))
    request(freshness, steady)
    feed.host = freshness.host
    before = freshness.host.counter[0]
    freshness.committed([change()])
    assert feed.published == [([change()], None, before)]
    assert freshness.host.counter[0] == before + 1


def test_a_change_on_the_same_host_is_asked_for_with_the_next_request(make, feed, steady, tmp_path):
    ours = make(host=HostEpoch(tmp_path / "e"))
    request(ours, steady)
    theirs = HostEpoch(tmp_path / "e")
    theirs.rise()
    feed.new = [change()]
    request(ours, steady)
    assert len(ours.state) == 1
    request(ours, steady)
    assert feed.asked == 2
    assert feed.urgent[-1]


def test_ones_own_change_makes_nobody_ask_but_the_others(make, feed, steady, tmp_path):
    freshness = make(host=HostEpoch(tmp_path / "e"))
    request(freshness, steady)
    freshness.committed([change()])
    request(freshness, steady)
    assert feed.asked == 1


def test_a_clock_that_was_set_back_makes_it_start_over(make, feed, steady, wall):
    freshness = make()
    request(freshness, steady)
    wall.now += 3600
    steady.now += 1
    request(freshness, steady)
    assert feed.started_over == 0
    wall.now -= 3600
    steady.now += 1
    request(freshness, steady)
    assert feed.started_over == 1
    steady.now += 1
    request(freshness, steady)
    assert feed.started_over == 1


def _asking(freshness, steady):
    done = []
    thread = Thread(target=lambda: done.append(request(freshness, steady)))
    thread.start()
    return thread, done


def test_while_one_thread_asks_the_others_go_on(make, feed, steady):
    freshness = make()
    request(freshness, steady)
    feed.go_on.clear()
    feed.is_asked.clear()
    steady.now += 1
    asker, _ = _asking(freshness, steady)
    assert feed.is_asked.wait(10)
    other, done = _asking(freshness, steady)
    other.join(10)
    assert done == [None]
    feed.go_on.set()
    asker.join(10)
    assert feed.asked == 2


def test_a_thread_whose_knowledge_is_older_than_the_interval_waits_for_the_one_that_asks(make, feed, steady):
    freshness = make()
    request(freshness, steady)
    feed.go_on.clear()
    feed.is_asked.clear()
    steady.now += 1000
    asker, _ = _asking(freshness, steady)
    assert feed.is_asked.wait(10)
    other, done = _asking(freshness, steady)
    other.join(0.1)
    assert not done
    feed.go_on.set()
    asker.join(10)
    other.join(10)
    assert done == [None]
    assert feed.asked == 2


def test_a_feed_that_hangs_holds_up_one_thread_and_not_the_others(make, feed, steady):
    freshness = make()
    request(freshness, steady)
    feed.go_on.clear()
    feed.is_asked.clear()
    steady.now += 5
    asker, _ = _asking(freshness, steady)
    assert feed.is_asked.wait(10)
    steady.now += 1
    other, done = _asking(freshness, steady)
    other.join(10)
    assert done == [None]
    # Until what is known is too old: then nobody waits for ever, and nobody passes.
    feed.is_gone = True
    feed.go_on.set()
    asker.join(10)
    steady.now += 31
    with pytest.raises(OutdatedError):
        request(freshness, steady)


def test_with_an_interval_of_zero_nobody_goes_on_without_an_answer_that_is_younger_than_the_request(
    make, feed, steady
):
    freshness = make(interval=0)
    request(freshness, steady)
    feed.go_on.clear()
    feed.is_asked.clear()
    steady.now += 0.1
    asker, _ = _asking(freshness, steady)
    assert feed.is_asked.wait(10)
    steady.now += 0.1
    others = [_asking(freshness, steady) for _ in range(4)]
    steady.now += 0.1
    others[0][0].join(0.4)
    assert not any(done for _, done in others)
    feed.new = []
    feed.go_on.set()
    for thread, _ in [(asker, None), *others]:
        thread.join(10)
    # The first began before the others came; one of these asked for all.
    assert feed.asked == 3
    assert all(done == [None] for _, done in others)


def test_while_a_server_hangs_those_whose_knowledge_is_too_old_are_refused_soon(make, feed, steady):
    freshness = make()
    request(freshness, steady)
    feed.go_on.clear()
    feed.is_asked.clear()
    steady.now += 31
    asker, _ = _asking(freshness, steady)
    assert feed.is_asked.wait(10)
    steady.now += 4
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(OutdatedError):
            freshness.catch_up()
    assert time.monotonic() - began < 2
    feed.go_on.set()
    asker.join(10)


def test_whatever_the_feed_raises_requests_get_an_answer_and_later_ones_go_on(make, feed, steady, caplog):
    freshness = make()
    request(freshness, steady)
    feed.fault = RuntimeError("a secret")
    steady.now += 2
    request(freshness, steady)
    steady.now += 40
    with pytest.raises(OutdatedError):
        request(freshness, steady)
    feed.fault = None
    steady.now += 2
    request(freshness, steady)
    assert "secret" not in caplog.text
    feed.fault = ConfigurationError("fix this")
    steady.now += 2
    with pytest.raises(ConfigurationError):
        request(freshness, steady)


@pytest.mark.parametrize("rest", [0, 5, 1000])
def test_a_thread_waits_for_one_that_has_only_just_begun_to_ask(make, feed, steady, rest):
    """It has the lock, and nothing else shows it yet."""
    freshness = make()
    if rest:
        request(freshness, steady)
        steady.now += rest
    freshness._lock.acquire()
    other, done = _asking(freshness, steady)
    other.join(0.1)
    assert other.is_alive()
    freshness._lock.release()
    other.join(10)
    assert done == [None]
    assert feed.asked == 1 + bool(rest)


def test_a_change_on_the_same_host_is_waited_for_also_where_asking_takes_long(make, feed, steady, tmp_path):
    freshness = make(host=HostEpoch(tmp_path / "e"))
    request(freshness, steady)
    feed.new = [change()]
    HostEpoch(tmp_path / "e").rise()
    feed.go_on.clear()
    feed.is_asked.clear()
    asker, _ = _asking(freshness, steady)
    assert feed.is_asked.wait(10)
    steady.now += 0.9
    other, done = _asking(freshness, steady)
    other.join(0.4)
    assert not done
    feed.go_on.set()
    asker.join(10)
    other.join(10)
    assert done == [None]
    assert len(freshness.state) == 1


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_while_a_thread_was_learning_does_not_hang_the_child(make, feed, steady):
    freshness = make()
    request(freshness, steady)
    epoch = freshness.state.epoch
    with freshness.state._lock:
        child = os.fork()
        if child == 0:
            feed.new = [change()]
            freshness.committed([change("s2")])
            request(freshness, steady)
            os._exit(0 if freshness.state.epoch > epoch and feed.started_over == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_while_a_thread_was_asking_does_not_hang_the_child(make, feed, steady):
    freshness = make()
    request(freshness, steady)
    feed.go_on.clear()
    feed.is_asked.clear()
    steady.now += 1
    asker, _ = _asking(freshness, steady)
    assert feed.is_asked.wait(10)
    child = os.fork()
    if child == 0:
        feed.go_on.set()
        feed.new = [change()]
        steady.now += 100
        request(freshness, steady)
        os._exit(0 if len(freshness.state) == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
    feed.go_on.set()
    asker.join(10)
