"""The feed over Redis Streams: fast while Redis is there, and never less than the database."""

import secrets
import socket
import subprocess
import sys
import time

import pytest

from flask_permjwt.accounts.feeds.conformance import FeedConformance
from flask_permjwt.accounts.feeds.protocol import FeedError
from flask_permjwt.accounts.feeds.redis import RedisFeed
from flask_permjwt.accounts.feeds.sql import PATIENCE, SQLFeed
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.revocation import Change, Kind

pytestmark = pytest.mark.redis
NOWHERE = "redis://127.0.0.1:9/0"


def some(number=1):
    return [Change(Kind.SESSION, secrets.token_hex(16), 0, 4_000_000_000.0, 960) for _ in range(number)]


def read(feed, **options):
    return {change for portion in feed.read(**options) for change in portion}


class Truth:
    """A feed in the database that counts how often it is asked."""

    def __init__(self, place):
        self.feed = SQLFeed(place.db, place.model)
        self.asked = 0
        self.is_gone = False

    def read(self, *, urgent=False):
        self.asked += 1
        if self.is_gone:
            raise FeedError("gone")
        yield from self.feed.read()

    def start_over(self):
        self.feed.start_over()


@pytest.fixture
def place(make_place):
    return make_place("sqlite")


@pytest.fixture
def name(redis_url):
    """A name of our own on a server that others use too."""
    redis = pytest.importorskip("redis")
    name = secrets.token_hex(8)
    yield name
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(f"flask_permjwt:{name}:*"):
            client.delete(key)


@pytest.fixture
def server(redis_url):
    redis = pytest.importorskip("redis")
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def make_feed(place, name, redis_url, fake_clock):
    def make(url=redis_url):
        truth = Truth(place)
        feed = RedisFeed(url, name, truth, reconcile=5, monotonic=fake_clock)
        feed.truth = truth
        return feed

    return make


@pytest.fixture
def settled(make_feed, fake_clock):
    """A feed for which everything that was announced before it started is over."""
    feed = make_feed()
    read(feed)
    fake_clock.advance(PATIENCE + 1)
    read(feed)
    return feed


@pytest.fixture
def commit(place, make_feed):
    """Commit changes; published by another process unless that crashes in between."""
    publisher = make_feed()

    def do(*changes, crash=False, deaf=False):
        announced = None if deaf else publisher.announce()
        place.begin(*changes)()
        if not crash:
            publisher.publish(changes, announced)

    return do


class TestRedisFeed(FeedConformance):
    @pytest.fixture(autouse=True)
    def _place(self, request, make_place, name, redis_url):
        self.place = make_place("postgresql")
        self.make = lambda: RedisFeed(redis_url, name, SQLFeed(self.place.db, self.place.model), reconcile=1e9)
        self.publisher = self.make()

    pytestmark = pytest.mark.postgresql

    def new_feed(self):
        return self.make()

    def begin(self, *changes):
        commit = self.place.begin(*changes)

        def commit_and_publish():
            commit()
            self.publisher.publish(changes)

        return commit_and_publish


def test_while_redis_carries_them_the_database_is_not_asked(settled, commit):
    asked = settled.truth.asked
    for _ in range(20):
        changes = some(3)
        commit(*changes)
        assert read(settled) == set(changes)
        assert read(settled) == set()
    assert settled.truth.asked == asked


def test_what_was_committed_and_never_published_is_found_in_the_database_at_once(settled, commit, fake_clock):
    lost = some()
    commit(*lost, crash=True)
    assert set(lost) <= read(settled)
    # Nobody knows whether that was all.
    asked = settled.truth.asked
    read(settled)
    assert settled.truth.asked == asked + 1
    fake_clock.advance(PATIENCE + 1)
    read(settled)
    read(settled)
    assert settled.truth.asked == asked + 2


def test_what_was_not_even_announced_is_found_when_the_database_is_asked_next(settled, commit, fake_clock):
    lost = some()
    commit(*lost, crash=True, deaf=True)
    assert read(settled) == set()
    fake_clock.advance(5)
    assert set(lost) <= read(settled)


def test_another_process_of_this_host_says_that_there_is_something(settled, commit):
    lost = some()
    commit(*lost, crash=True, deaf=True)
    assert set(lost) <= read(settled, urgent=True)
    carried = some()
    commit(*carried)
    asked = settled.truth.asked
    assert read(settled, urgent=True) == set(carried)
    assert settled.truth.asked == asked


def test_a_transaction_that_was_open_when_the_process_started_is_not_missed(make_feed, commit, place):
    late = some()
    publisher = make_feed()
    publisher.announce()
    commit_late = place.begin(*late) if place.db.engine.dialect.name != "sqlite" else None
    feed = make_feed()
    read(feed)
    if commit_late is None:
        commit_late = place.begin(*late)
    commit_late()
    assert set(late) <= read(feed)


@pytest.mark.parametrize("refusal", ["a replica", "no memory", "no replicas"])
def test_a_server_that_can_be_read_and_not_written_is_not_relied_on(place, name, tmp_path, refusal, fake_clock):
    port = _free_port()
    truth = Truth(place)
    feed = RedisFeed(f"redis://127.0.0.1:{port}/0", name, truth, reconcile=5, monotonic=fake_clock)
    writer = RedisFeed(f"redis://127.0.0.1:{port}/0", name, Truth(place), reconcile=5, monotonic=fake_clock)
    with _Server(port, tmp_path) as client:
        read(feed)
        fake_clock.advance(PATIENCE + 1)
        read(feed)
        if refusal == "a replica":
            client.replicaof("127.0.0.1", 9)
        elif refusal == "no memory":
            client.config_set("maxmemory", "1")
        else:
            client.config_set("min-replicas-to-write", "1")
        lost = some()
        announced = writer.announce()
        assert announced is None
        place.begin(*lost)()
        writer.publish(lost, announced)
        assert set(lost) <= read(feed)


def test_entries_that_were_trimmed_before_they_were_read_are_found_in_the_database(settled, commit, server, name):
    commit(*some())
    read(settled)
    lost = some()
    commit(*lost)
    server.xtrim(f"flask_permjwt:{name}:changes", maxlen=0, approximate=False)
    assert set(lost) <= read(settled)
    later = some()
    commit(*later)
    assert set(later) <= read(settled)


def test_more_that_was_announced_than_is_worth_counting_is_waited_for_all_the_same(settled, server, name, commit):
    with server.pipeline(transaction=False) as pipe:
        for number in range(10_050):
            pipe.xadd(f"flask_permjwt:{name}:changes", {"expect": str(number)})
        pipe.execute()
    for _ in range(3):
        read(settled)
    assert len(settled._expected) <= 10_001
    lost = some()
    commit(*lost, crash=True, deaf=True)
    assert set(lost) <= read(settled)


def test_a_server_that_lost_its_data_is_noticed_and_the_database_is_asked(make_feed, commit, server, name):
    feed = make_feed()
    read(feed)
    commit(*some(5))
    read(feed)
    lost = some()
    commit(*lost)
    server.delete(f"flask_permjwt:{name}:changes", f"flask_permjwt:{name}:generation")
    assert set(lost) <= read(feed)
    later = some()
    commit(*later)
    assert set(later) <= read(feed)


def test_a_replica_that_took_over_without_the_last_entries_is_noticed(make_feed, commit, server, name):
    feed = make_feed()
    read(feed)
    commit(*some(5))
    read(feed)
    # The same generation, and a stream that ends earlier.
    last = server.xrevrange(f"flask_permjwt:{name}:changes", count=2)
    server.xdel(f"flask_permjwt:{name}:changes", last[0][0])
    lost = some()
    commit(*lost, crash=True)
    assert set(lost) <= read(feed)


def test_without_a_server_the_database_is_asked_every_time(make_feed, commit, caplog):
    feed = make_feed(NOWHERE)
    for _ in range(3):
        changes = some()
        commit(*changes, crash=True)
        assert set(changes) <= read(feed)
    feed.publish(some())
    assert [record.message for record in caplog.records] == [
        "Redis cannot carry revocations (ConnectionError): the database is asked"
    ]


def test_a_server_that_comes_back_is_used_again(place, name, commit, fake_clock, tmp_path):
    port = _free_port()
    feed = RedisFeed(f"redis://127.0.0.1:{port}/0", name, Truth(place), reconcile=5, monotonic=fake_clock)
    read(feed)
    with _Server(port, tmp_path):
        fake_clock.advance(5)
        read(feed)
        changes = some()
        feed.publish(changes)
        assert set(changes) <= read(feed)
    # Stopped: what is in the database is found all the same.
    later = some()
    commit(*later, crash=True)
    assert set(later) <= read(feed)
    with _Server(port, tmp_path):
        fake_clock.advance(5)
        read(feed)
        again = some()
        feed.publish(again)
        assert set(again) <= read(feed)


def test_a_database_that_is_gone_is_an_error_as_soon_as_it_must_be_asked(settled, commit, fake_clock):
    feed = settled
    feed.truth.is_gone = True
    carried = some()
    commit(*carried)
    assert read(feed) == set(carried)
    fake_clock.advance(5)
    late = some()
    commit(*late)
    found = []
    with pytest.raises(FeedError):
        found.extend(portion for portion in feed.read())
    assert found == [late]


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "[]",
        "{}",
        "nonsense",
        '["session"]',
        '["galaxy","x",0,1,1]',
        '["user",7,"x",1,1]',
        "null",
        '["user","x",true,1,1]',
        '["user","",1,1,1]',
        '["user","x",1,1,-5]',
        '["user","x",1.5,1,1]',
        '["user","x",1,1,1e999]',
        "[" * 100_000,
    ],
)
def test_what_others_write_there_is_ignored_and_the_database_asked(settled, commit, server, name, junk):
    feed = settled
    asked = feed.truth.asked
    server.xadd(f"flask_permjwt:{name}:changes", {"change": junk})
    changes = some()
    commit(*changes)
    assert read(feed) == set(changes)
    assert feed.truth.asked == asked + 1


def test_bytes_that_are_no_text_do_not_stop_it(make_feed, commit, server, name):
    feed = make_feed()
    read(feed)
    read(feed)
    server.xadd(f"flask_permjwt:{name}:changes", {"change": b"\xff\xfe"})
    changes = some()
    commit(*changes)
    assert set(changes) <= read(feed)


def test_apps_on_one_server_do_not_see_each_other(commit, place, redis_url, fake_clock):
    other = RedisFeed(redis_url, secrets.token_hex(8), Truth(place), reconcile=5, monotonic=fake_clock)
    read(other)
    fake_clock.advance(PATIENCE + 1)
    read(other)
    commit(*some())
    assert read(other) == set()


def test_an_address_that_is_none_is_refused_at_the_start(place):
    with pytest.raises(ConfigurationError, match="redis://host:6379"):
        RedisFeed("redis://host:no-port/0", "x", Truth(place), reconcile=5)


def test_valkey_is_another_word_for_redis(place, name, redis_url):
    feed = RedisFeed(redis_url.replace("redis://", "valkey://"), name, Truth(place), reconcile=5)
    read(feed)
    changes = some()
    feed.publish(changes, feed.announce())
    assert read(feed) == set(changes)


def test_the_package_is_only_loaded_when_it_is_used():
    code = "import sys, flask_permjwt; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class _Server:
    """A Redis of our own, to be stopped."""

    def __init__(self, port, folder):
        self.command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(folder)]
        self.port = port

    def __enter__(self):
        redis = pytest.importorskip("redis")
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        client = redis.Redis(port=self.port)
        for _ in range(100):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
        self.client = client
        return client

    def __exit__(self, *_):
        self.client.close()
        self.process.terminate()
        self.process.wait(10)
