"""Throttling: counted before it is tried, given back when it was no failure, and what happens without Redis."""

import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_permjwt.accounts import counts
from flask_permjwt.accounts.addresses import address_key
from flask_permjwt.accounts.throttle import Check, Throttle, check_limit
from flask_permjwt.errors import BusyError, ConfigurationError, ThrottledError

TEN = "10 per 15 minutes"
WINDOW = 15 * 60
FIXTURES = [HealthCheck.function_scoped_fixture]


@pytest.fixture(autouse=True)
def own_keys(monkeypatch):
    """Keep the keys of each test apart; they expire with their windows."""
    monkeypatch.setattr(counts, "KEY_PREFIX", f"permjwt-test-{secrets.token_hex(8)}")


@pytest.fixture
def redis_client(redis_url):
    redis = pytest.importorskip("redis")
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def uri(request):
    return "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")


@pytest.fixture
def throttle(uri, fake_clock):
    return Throttle(storage_uri=uri, on_failure="refuse", clock=fake_clock)


def check(key="alice", kind="name", limit=TEN):
    return Check(kind, key, limit)


def passes(throttle, *checks):
    try:
        throttle.attempt(checks)
    except ThrottledError:
        return False
    return True


def how_many_pass(throttle, *checks, most=30):
    return next(n for n in range(most + 1) if n == most or not passes(throttle, *checks))


# Counting


def test_as_many_pass_as_the_limit_says(throttle):
    assert how_many_pass(throttle, check()) == 10


def test_the_refused_are_told_in_how_many_whole_seconds_to_come_again(throttle, fake_clock):
    fake_clock.advance(100.5)
    assert how_many_pass(throttle, check()) == 10
    with pytest.raises(ThrottledError) as refusal:
        throttle.attempt([check()])
    assert refusal.value.retry_after == WINDOW - 100
    assert (refusal.value.status, refusal.value.error) == (429, "too_many_requests")
    fake_clock.advance(refusal.value.retry_after - 1)
    assert not passes(throttle, check())
    fake_clock.advance(1)
    assert how_many_pass(throttle, check()) == 10


@pytest.mark.parametrize("before_the_end", [0.001, 0.5, 1])
def test_nobody_is_told_to_come_again_in_less_than_a_second(throttle, fake_clock, before_the_end):
    how_many_pass(throttle, check())
    fake_clock.advance(WINDOW - before_the_end)
    with pytest.raises(ThrottledError) as refusal:
        throttle.attempt([check()])
    assert refusal.value.retry_after == 1


def test_the_longest_wait_is_told(throttle):
    short, long = check("a", limit="1 per minute"), check("b", limit="1 per hour")
    assert passes(throttle, short, long)
    with pytest.raises(ThrottledError) as refusal:
        throttle.attempt([short, long])
    assert refusal.value.retry_after == 3600


def test_going_on_while_refused_does_not_prolong_it(throttle, fake_clock):
    for _ in range(50):
        passes(throttle, check())
    fake_clock.advance(WINDOW)
    assert passes(throttle, check())


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_being_refused_by_one_count_does_not_use_up_another(throttle, order):
    full, other = check("full", "address", "1/hour"), check("other")
    assert passes(throttle, full)
    for _ in range(20):
        assert not passes(throttle, *[full, other][order])
    assert how_many_pass(throttle, other) == 10


def test_a_success_is_no_failure(throttle):
    for _ in range(30):
        throttle.attempt([check(), check("192.0.2.1", "address")]).give_back()
    assert how_many_pass(throttle, check()) == 10


def test_a_success_takes_back_no_failure_of_others(throttle):
    for _ in range(9):
        throttle.attempt([check("192.0.2.1", "address")])
    for _ in range(5):
        attempt = throttle.attempt([check("192.0.2.1", "address")])
        attempt.give_back()
        attempt.give_back()
    assert how_many_pass(throttle, check("192.0.2.1", "address")) == 1


def test_clearing_begins_one_count_anew_and_no_other(throttle):
    address = check("192.0.2.1", "address")
    assert how_many_pass(throttle, check(), address) == 10
    throttle.clear(check())
    assert how_many_pass(throttle, check()) == 10
    assert not passes(throttle, address)


def test_what_is_given_back_after_its_window_ended_gives_nobody_more_attempts(throttle, fake_clock):
    late = [throttle.attempt([check()]) for _ in range(5)]
    fake_clock.advance(WINDOW)
    assert passes(throttle, check())
    for attempt in late:
        attempt.give_back()
    assert how_many_pass(throttle, check()) == 9


def test_what_is_given_back_after_the_count_was_cleared_gives_nobody_more_attempts(throttle):
    late = [throttle.attempt([check()]) for _ in range(5)]
    throttle.clear(check())
    for attempt in late:
        attempt.give_back()
    assert how_many_pass(throttle, check()) == 10


@settings(max_examples=60, deadline=None, suppress_health_check=FIXTURES)
@given(
    steps=st.lists(
        st.one_of(
            st.just("attempt"),
            st.just("clear"),
            st.tuples(st.just("give back"), st.integers(0, 30)),
            st.tuples(st.just("advance"), st.sampled_from([1, 100, WINDOW // 2, WINDOW])),
        ),
        max_size=60,
    )
)
def test_what_passes_and_is_not_given_back_never_exceeds_the_limit(uri, fake_clock, steps):
    throttle = Throttle(storage_uri=uri, on_failure="refuse", clock=fake_clock)
    one = check(secrets.token_hex(8), limit="3 per 15 minutes")
    out, failures = [], {}
    for step in steps:
        window = fake_clock() // WINDOW
        match step:
            case "attempt":
                may = failures.get(window, 0) < 3
                try:
                    out.append((throttle.attempt([one]), window))
                except ThrottledError:
                    assert not may
                else:
                    assert may
                    failures[window] = failures.get(window, 0) + 1
            case "clear":
                throttle.clear(one)
                failures[window] = 0
            case "give back", index if index < len(out):
                attempt, counted_in = out.pop(index)
                attempt.give_back()
                failures[counted_in] = max(0, failures[counted_in] - 1)
            case "advance", seconds:
                fake_clock.advance(seconds)


# Many at once


@pytest.mark.parametrize("round_", range(5))
def test_of_50_threads_that_guess_at_once_exactly_10_are_let_through(throttle, round_):
    start = threading.Barrier(50)

    def guess(number):
        start.wait()
        return passes(throttle, check(), check(f"192.0.2.{number}", "address"))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(50) as pool:
            assert sum(pool.map(guess, range(50))) == 10
    finally:
        sys.setswitchinterval(interval)


def test_threads_that_succeed_at_once_leave_nothing_counted(throttle):
    def succeed(_):
        try:
            throttle.attempt([check(limit="100/hour")]).give_back()
        except ThrottledError:
            pytest.fail("a success was refused")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(succeed, range(500)))
    assert how_many_pass(throttle, check(limit="100/hour"), most=200) == 100


# Keys


@given(
    one=st.tuples(st.text(max_size=5), st.text(max_size=5)),
    other=st.tuples(st.text(max_size=5), st.text(max_size=5)),
)
def test_no_two_keys_share_a_count(one, other):
    throttle = Throttle()
    assert passes(throttle, Check(*one, "1/hour"))
    assert passes(throttle, Check(*other, "1/hour")) is (one != other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b/c"), ("a/b", "c")),
        (("a", 'b", "c'), ('a", "b', "c")),
        (("a", ""), ("", "a")),
        (("a", "\ud800"), ("a", "?")),
    ],
    ids=ascii,
)
def test_no_text_passes_for_two_others(throttle, one, other):
    assert passes(throttle, Check(*one, "1/hour"))
    assert passes(throttle, Check(*other, "1/hour"))


@pytest.mark.redis
def test_what_users_type_stands_in_no_key_and_makes_none_long(redis_url, redis_client):
    throttle = Throttle(storage_uri=redis_url)
    throttle.attempt([check("alice" * 100_000), check("alice@example.com", "mail"), check("*?[\r\n\ud800")])
    keys = list(redis_client.scan_iter(f"{counts.KEY_PREFIX}*"))
    assert len(keys) == 3
    assert not any(b"alice" in key for key in keys)
    assert max(map(len, keys)) < 128


@pytest.mark.redis
def test_every_key_expires_whatever_is_given_back_late(redis_url, redis_client):
    throttle = Throttle(storage_uri=redis_url)
    attempt = throttle.attempt([check()])
    [key] = redis_client.scan_iter(f"{counts.KEY_PREFIX}*")
    assert 0 < redis_client.ttl(key) <= WINDOW
    redis_client.delete(key)
    attempt.give_back()
    assert int(redis_client.get(key)) == 0
    assert 0 < redis_client.ttl(key) <= WINDOW


@pytest.mark.redis
def test_the_client_repeats_no_hit_by_itself(redis_url):
    client = counts._open(redis_url).get_connection()
    assert client.get_retry().get_retries() == 0


@pytest.mark.redis
def test_workers_count_together_in_redis(redis_url, fake_clock):
    one, other = (Throttle(storage_uri=redis_url, clock=fake_clock) for _ in range(2))
    assert how_many_pass(one, check()) == 10
    assert not passes(other, check())


def test_a_flood_of_names_is_forgotten_when_its_window_ends(fake_clock):
    throttle = Throttle(clock=fake_clock)
    memory = throttle._process().memory
    for number in range(1000):
        throttle.attempt([check(str(number)), check(str(number), limit="5/minute")])
    assert len(memory) == 2000
    fake_clock.advance(60)
    throttle.attempt([check()])
    assert len(memory) == 1001
    fake_clock.advance(WINDOW)
    throttle.attempt([check()])
    assert len(memory) == 1


def test_a_flood_that_the_count_by_address_refuses_leaves_nothing_in_memory(fake_clock):
    throttle = Throttle(clock=fake_clock)
    memory = throttle._process().memory
    for number in range(1000):
        passes(throttle, check(str(number)), check("192.0.2.1", "address"))
    assert len(memory) == 11


def test_successes_leave_nothing_in_memory(fake_clock):
    throttle = Throttle(clock=fake_clock)
    for number in range(100):
        throttle.attempt([check(str(number))]).give_back()
    assert len(throttle._process().memory) == 0


def test_what_is_switched_off_counts_nothing():
    throttle = Throttle(enabled=False)
    assert how_many_pass(throttle, check(limit="1/hour")) == 30
    throttle.clear(check())


# Addresses


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:201", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:0db8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("localhost", "unknown"),
        ("192.0.2.1, 198.51.100.1", "unknown"),
        ("192.0.2.1:80", "unknown"),
        ("010.0.0.1", "unknown"),
        (" 192.0.2.1", "unknown"),
        ("192.0.2.1\n", "unknown"),
        (1, "unknown"),
        (b"\xc0\0\2\1", "unknown"),
    ],
)
def test_an_address_counts_with_those_of_the_same_subscriber(address, key):
    assert address_key(address) == key


@given(st.ip_addresses(v=6).map(str))
def test_every_ipv6_address_of_a_subscriber_has_one_key(address):
    prefix = address_key(address).removesuffix("/64")
    assert "." in prefix or address_key(prefix) == address_key(address)


@given(st.text())
def test_any_text_has_a_short_key(text):
    assert len(address_key(text)) < 50


# Limits and settings


@pytest.mark.parametrize(
    "text", ["10 per 15 minutes", "5/hour", "1 per day", "3 PER 2 Hours", "1/second", "9/year"]
)
def test_a_limit_is_returned_as_it_was_written(text):
    assert check_limit(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ten per hour",
        "10",
        "10 per",
        "10 per fortnight",
        "10 per 0 minutes",
        "10/00hours",
        "0 per hour",
        "-1 per hour",
        "1.5 per hour",
        "1/second; 5/minute",
        "10 per 99999999999 years",
        "9" * 5000 + " per hour",
        "10 per hour\n5 per minute",
        None,
        10,
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_what_is_no_limit_is_refused_with_an_example(text):
    with pytest.raises(ConfigurationError, match="10 per 15 minutes"):
        check_limit(text)


def test_an_attempt_with_a_limit_that_is_none_counts_nothing(throttle):
    with pytest.raises(ConfigurationError):
        throttle.attempt([check(), check(limit="often")])
    assert how_many_pass(throttle, check()) == 10


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "memory",
        "localhost:6379",
        "memcached://localhost",
        "mongodb://localhost",
        "async+redis://localhost",
        "redis://:s3cret/tail@localhost:6379/0",
        "redis://:123/s3cret@localhost",
        "redis://:123?s3cret@localhost",
        "redis://:s3cret#tail@localhost:6379",
        "redis://:s3cret@localhost:port",
        "redis://:s3cret@[::1",
    ],
)
def test_a_storage_that_cannot_be_used_is_refused_without_telling_its_password(uri):
    with pytest.raises(ConfigurationError) as refusal:
        Throttle(storage_uri=uri)
    assert "s3cret" not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_redis_without_its_client_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(counts, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"flask-permjwt\[redis\]"):
        Throttle(storage_uri="redis://localhost")
    Throttle()


def test_what_to_do_without_the_storage_is_one_of_three():
    with pytest.raises(ConfigurationError, match="'memory', 'refuse' or 'allow'"):
        Throttle(on_failure="ignore")


# When Redis is gone


class Redis:
    """A Redis of this test's own, which can be stopped, paused and started again on the same port."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        self.socket = folder / "redis.sock"
        self.url = f"redis://:s3cret@127.0.0.1:{self.port}/0"
        self.start()

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", "s3cret"]
        command += ["--save", "", "--appendonly", "no", "--unixsocket", self.socket, "--dir", self.folder]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        pytest.fail("redis-server does not start")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture
def own_redis(tmp_path):
    if shutil.which("redis-server") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no redis-server to start")
    server = Redis(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def outage_log(caplog):
    caplog.set_level(logging.INFO, "flask_permjwt")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.mark.redis
def test_without_redis_this_process_counts_in_its_memory(own_redis, fake_clock, outage_log):
    throttle = Throttle(storage_uri=own_redis.url, clock=fake_clock)
    own_redis.stop()
    assert how_many_pass(throttle, check()) == 10
    [line] = outage_log()
    assert f"redis://127.0.0.1:{own_redis.port}" in line
    assert "s3cret" not in line
    assert "counting in this process" in line


@pytest.mark.redis
def test_redis_is_tried_again_after_five_seconds(own_redis, fake_clock, outage_log):
    throttle = Throttle(storage_uri=own_redis.url, clock=fake_clock)
    attempt = throttle.attempt([check()])
    own_redis.stop()
    attempt.give_back()
    assert how_many_pass(throttle, check()) == 10
    own_redis.start()
    assert not passes(throttle, check())
    fake_clock.advance(4.9)
    assert not passes(throttle, check())
    fake_clock.advance(0.1)
    assert how_many_pass(throttle, check()) == 10
    assert len(outage_log()) == 2
    own_redis.stop()
    assert not passes(throttle, check())


@pytest.mark.redis
def test_an_outage_is_logged_once_however_long_it_takes(own_redis, fake_clock, outage_log):
    throttle = Throttle(storage_uri=own_redis.url, clock=fake_clock)
    own_redis.stop()
    for _ in range(20):
        passes(throttle, check())
        fake_clock.advance(3)
    assert len(outage_log()) == 1


@pytest.mark.redis
def test_a_clock_that_is_set_back_does_not_keep_redis_unused(own_redis, fake_clock, outage_log):
    throttle = Throttle(storage_uri=own_redis.url, clock=fake_clock)
    own_redis.stop()
    throttle.attempt([check()])
    own_redis.start()
    fake_clock.advance(-3600)
    throttle.attempt([check()])
    assert len(outage_log()) == 2


@pytest.mark.redis
def test_without_redis_attempts_are_refused_where_that_is_asked_for(own_redis, fake_clock):
    throttle = Throttle(storage_uri=own_redis.url, on_failure="refuse", clock=fake_clock)
    own_redis.stop()
    for _ in range(3):
        with pytest.raises(BusyError) as refusal:
            throttle.attempt([check()])
        assert refusal.value.retry_after == 5
        assert (refusal.value.status, refusal.value.error) == (503, "temporarily_unavailable")


@pytest.mark.redis
def test_without_redis_attempts_pass_uncounted_where_that_is_asked_for(own_redis, fake_clock):
    throttle = Throttle(storage_uri=own_redis.url, on_failure="allow", clock=fake_clock)
    own_redis.stop()
    assert how_many_pass(throttle, check()) == 30
    throttle.attempt([check()]).give_back()


@pytest.mark.redis
@pytest.mark.parametrize("on_failure", ["memory", "refuse", "allow"])
def test_a_success_does_not_fail_because_redis_went(own_redis, fake_clock, on_failure):
    throttle = Throttle(storage_uri=own_redis.url, on_failure=on_failure, clock=fake_clock)
    attempt = throttle.attempt([check(), check("192.0.2.1", "address")])
    own_redis.stop()
    attempt.give_back()
    throttle.clear(check())


@pytest.mark.redis
def test_what_redis_counted_is_not_taken_from_the_memory(own_redis, fake_clock):
    throttle = Throttle(storage_uri=own_redis.url, clock=fake_clock)
    in_redis = [throttle.attempt([check()]) for _ in range(5)]
    own_redis.stop()
    assert how_many_pass(throttle, check()) == 10
    for attempt in in_redis:
        attempt.give_back()
    assert not passes(throttle, check())


@pytest.mark.redis
def test_a_connection_that_was_closed_while_idle_is_no_outage(own_redis, fake_clock, outage_log):
    throttle = Throttle(storage_uri=own_redis.url, on_failure="refuse", clock=fake_clock)
    throttle.attempt([check()])
    own_redis.stop()
    own_redis.start()
    throttle.attempt([check()])
    assert outage_log() == []


@pytest.mark.redis
def test_a_redis_that_hangs_holds_one_request_for_half_a_second_and_the_next_not_at_all(own_redis, fake_clock):
    throttle = Throttle(storage_uri=own_redis.url, clock=fake_clock)
    throttle.attempt([check()])
    own_redis.pause()
    begun = time.monotonic()
    throttle.attempt([check(), check("192.0.2.1", "address")])
    first = time.monotonic() - begun
    assert how_many_pass(throttle, check()) == 9
    rest = time.monotonic() - begun - first
    own_redis.resume()
    assert 0.4 < first < 2
    assert rest < 0.45


@pytest.mark.redis
def test_of_many_threads_one_tries_a_redis_that_hangs_again(own_redis, fake_clock):
    throttle = Throttle(storage_uri=own_redis.url, clock=fake_clock)
    throttle.attempt([check()])
    own_redis.pause()
    throttle.attempt([check()])
    fake_clock.advance(5)

    def took(_):
        begun = time.monotonic()
        throttle.attempt([check(limit="100/hour")])
        return time.monotonic() - begun

    with ThreadPoolExecutor(10) as pool:
        slow = [seconds for seconds in pool.map(took, range(10)) if seconds > 0.45]
    own_redis.resume()
    assert len(slow) == 1


@pytest.mark.redis
def test_a_wrong_password_is_an_outage_that_does_not_tell_it(own_redis, fake_clock, outage_log):
    throttle = Throttle(storage_uri=own_redis.url.replace("s3cret", "wr0ng"), clock=fake_clock)
    assert how_many_pass(throttle, check()) == 10
    [line] = outage_log()
    assert "wr0ng" not in line
    assert "AuthenticationError" in line


@pytest.mark.redis
def test_a_full_redis_is_an_outage(own_redis, fake_clock, outage_log):
    redis = pytest.importorskip("redis")
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxmemory", "1")
    throttle = Throttle(storage_uri=own_redis.url, clock=fake_clock)
    assert how_many_pass(throttle, check()) == 10
    assert len(outage_log()) == 1


@pytest.mark.redis
def test_redis_is_reached_through_a_socket_of_unix_too(own_redis, fake_clock):
    uri = f"redis+unix://:s3cret@{own_redis.socket}"
    throttle = Throttle(storage_uri=uri, on_failure="refuse", clock=fake_clock)
    assert how_many_pass(throttle, check()) == 10
    assert not passes(Throttle(storage_uri=own_redis.url, on_failure="refuse", clock=fake_clock), check())


# Processes


def run(program, *arguments):
    """Run a program in a process of its own, which may fork."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


OPENS_NOTHING = """
import sys
from flask_permjwt.accounts.throttle import Check, Throttle
import socket
socket.socket.connect = lambda *_: sys.exit("connected")
throttle = Throttle(storage_uri=sys.argv[1], on_failure="refuse")
print("limits" in sys.modules, "redis" in sys.modules)
"""


@pytest.mark.parametrize("address", ["memory://", "redis://localhost:1"])
def test_nothing_is_loaded_or_opened_before_the_first_attempt(address):
    assert run(OPENS_NOTHING, address) == ["False", "False"]


FORKS = """
import os, sys, threading, time
from flask_permjwt.accounts import counts
from flask_permjwt.accounts.throttle import Check, Throttle
from flask_permjwt.errors import ThrottledError

counts.KEY_PREFIX = sys.argv[2]
throttle = Throttle(storage_uri=sys.argv[1], on_failure="refuse", clock=lambda: 1_800_000_000)

def pass_():
    try:
        throttle.attempt([Check("name", "alice", "5/hour")])
    except ThrottledError:
        return 0
    return 1

passed = pass_() + pass_()
process = throttle._process()
# Somebody holds all locks while the process forks.
locks = [process.memory._lock] + ([process.shared._lock] if process.shared else [])
for lock in locks:
    lock.acquire()
reads, writes = os.pipe()
if os.fork() == 0:
    os.write(writes, b"%d" % sum(pass_() for _ in range(6)))
    assert throttle._process() is not process
    if process.shared:
        assert throttle._process().shared._storage is not process.shared._storage
    os._exit(0)
for lock in locks:
    lock.release()
_, status = os.wait()
print(passed, int(os.read(reads, 9)), sum(pass_() for _ in range(6)), status)
"""


@pytest.mark.redis
def test_a_forked_process_opens_a_connection_of_its_own_and_counts_with_the_others(redis_url):
    assert run(FORKS, redis_url, counts.KEY_PREFIX) == ["2", "3", "0", "0"]


def test_a_forked_process_counts_for_itself_in_memory_whatever_was_locked():
    assert run(FORKS, "memory://", "") == ["2", "5", "3", "0"]
