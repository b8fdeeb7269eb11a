"""The source of keys: who fetches, who waits, and what is used meanwhile."""

import logging
import time
from threading import Event, Thread

import pytest

from flask_permjwt.errors import KeysUnavailableError
from flask_permjwt.tokens.issuers import source as module
from flask_permjwt.tokens.issuers.algorithms import SAFE
from flask_permjwt.tokens.issuers.jwks import KeysError, read_keys
from flask_permjwt.tokens.issuers.protocol import Loaded
from flask_permjwt.tokens.issuers.source import KeySource

HOUR = 3600
DAY = 24 * HOUR


class Published:
    """What an issuer publishes, and how often it was asked."""

    def __init__(self, keys):
        self.keys, self.asked, self.fault, self.lifetime = keys, 0, None, HOUR
        self.gate = None
        self.asking = Event()

    def load(self):
        self.asked += 1
        self.asking.set()
        if self.gate is not None:
            assert self.gate.wait(20)
        if self.fault is not None:
            raise self.fault
        return Loaded(self.keys, self.lifetime)


@pytest.fixture
def keys(make_key, jwk_of):
    def make(*names):
        listed = [{**jwk_of(make_key("ES256", name)), "kid": name} for name in names]
        return read_keys({"keys": listed}, SAFE)

    return make


@pytest.fixture
def published(keys):
    return Published(keys("a"))


@pytest.fixture
def dropped():
    return []


@pytest.fixture
def source(published, fake_clock, dropped):
    return KeySource(
        "https://issuer",
        published,
        stale=DAY,
        cooldown=30,
        on_dropped=lambda: dropped.append(1),
        monotonic=fake_clock,
    )


def has(source, kid="a"):
    return source.find(kid, "ES256")[0] is not None


def test_keys_are_fetched_when_the_first_token_comes_and_then_kept(source, published):
    assert published.asked == 0
    assert all(has(source) for _ in range(10))
    assert published.asked == 1


def test_keys_are_fetched_again_before_their_time_is_over(source, published, fake_clock):
    has(source)
    fake_clock.advance(0.79 * HOUR)
    assert has(source)
    assert published.asked == 1
    fake_clock.advance(0.02 * HOUR)
    assert has(source)
    assert published.asked == 2


def test_it_says_until_when_an_answer_holds(source, published, fake_clock):
    assert source.find("a", "ES256")[1] == pytest.approx(0.8 * HOUR)
    fake_clock.advance(0.8 * HOUR)
    published.fault = KeysError("down")
    assert source.find("a", "ES256")[1] == pytest.approx(30)
    fake_clock.advance(0.2 * HOUR + DAY - 5)
    assert source.find("a", "ES256")[1] == pytest.approx(5)


def test_while_the_issuer_is_down_known_keys_serve_on_and_then_no_more(source, published, fake_clock, caplog):
    has(source)
    published.fault = KeysError("down")
    fake_clock.advance(HOUR + DAY - 1)
    with caplog.at_level(logging.WARNING, "flask_permjwt.issuers"):
        assert has(source)
    assert "down" in caplog.text
    assert published.asked == 2
    fake_clock.advance(2)
    with pytest.raises(KeysUnavailableError):
        has(source)
    published.fault = None
    fake_clock.advance(30)
    assert has(source)
    assert "again" in caplog.text


def test_a_failure_is_followed_by_a_pause(source, published, fake_clock):
    published.fault = KeysError("down")
    for _ in range(5):
        with pytest.raises(KeysUnavailableError) as caught:
            has(source)
    assert published.asked == 1
    assert caught.value.retry_after == 30
    fake_clock.advance(30)
    published.fault = None
    assert has(source)
    assert published.asked == 2


def test_while_stale_keys_serve_an_attempt_is_made_once_per_pause(source, published, fake_clock):
    has(source)
    published.fault = KeysError("down")
    fake_clock.advance(HOUR)
    for _ in range(10):
        for _ in range(10):
            assert has(source)
        fake_clock.advance(30)
    assert published.asked == 11


def test_a_flood_of_unknown_keys_brings_one_fetch_per_pause(source, published, fake_clock):
    has(source)
    fake_clock.advance(30)
    assert not any(has(source, f"x{number}") for number in range(1000))
    assert published.asked == 2
    fake_clock.advance(30)
    assert not has(source, "x")
    assert has(source)
    assert published.asked == 3


def test_a_new_key_is_found_with_the_first_token_that_it_signed(source, published, keys, fake_clock, dropped):
    has(source)
    published.keys = keys("a", "b")
    assert not has(source, "b")  # the first fetch was just now
    fake_clock.advance(30)
    assert has(source, "b")
    assert published.asked == 2
    assert dropped == []


def test_whether_a_key_is_new_cannot_be_told_while_the_issuer_is_down(source, published, fake_clock):
    has(source)
    published.fault = KeysError("down")
    fake_clock.advance(30)
    for _ in range(5):
        with pytest.raises(KeysUnavailableError):
            has(source, "b")
        assert has(source)
    assert published.asked == 2


def test_a_key_that_is_gone_is_told_of_and_verifies_nothing(source, published, keys, fake_clock, dropped):
    has(source)
    published.keys = keys("b")
    fake_clock.advance(30)
    assert has(source, "b")
    assert dropped == [1]
    assert not has(source, "a")


def test_another_key_under_the_same_name_is_another_key(
    source, published, keys, fake_clock, dropped, make_key, jwk_of
):
    has(source)
    jwk = {**jwk_of(make_key("ES256", "other")), "kid": "a"}
    published.keys = read_keys({"keys": [jwk]}, SAFE)
    fake_clock.advance(HOUR)
    assert has(source)
    assert dropped == [1]


def test_an_empty_set_is_believed(source, published, keys, fake_clock):
    has(source)
    published.keys = keys()
    fake_clock.advance(HOUR)
    assert not has(source)


def test_keys_that_are_left_out_are_told_of_once(source, published, fake_clock, caplog):
    published.keys = read_keys({"keys": [{"kty": "XYZ"}]}, SAFE)
    with caplog.at_level(logging.WARNING, "flask_permjwt.issuers"):
        has(source)
        fake_clock.advance(HOUR)
        has(source)
    assert caplog.text.count("is of a type that is not known") == 1


def test_a_fault_of_a_loader_is_a_failure_like_any_other(source, published, caplog):
    published.fault = RuntimeError("secret")
    with pytest.raises(KeysUnavailableError):
        has(source)
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def in_thread(function):
    results = []

    def run():
        try:
            results.append(function())
        except KeysUnavailableError:
            results.append("503")

    thread = Thread(target=run)
    thread.start()
    return thread, results


def test_while_one_thread_fetches_ahead_the_others_go_on(source, published, fake_clock):
    has(source)
    fake_clock.advance(0.9 * HOUR)
    published.asking.clear()
    published.gate = Event()
    thread, results = in_thread(lambda: has(source))
    assert published.asking.wait(20)
    assert all(has(source) for _ in range(100))
    with pytest.raises(KeysUnavailableError):
        has(source, "b")  # which the answer may bring
    published.gate.set()
    thread.join(20)
    assert results == [True]
    assert published.asked == 2


def test_who_brings_a_key_that_another_thread_is_asking_for_does_not_wait(source, published, keys, fake_clock):
    has(source)
    fake_clock.advance(30)
    published.keys = keys("a", "b")
    published.asking.clear()
    published.gate = Event()
    thread, results = in_thread(lambda: has(source, "b"))
    assert published.asking.wait(20)
    for _ in range(100):
        with pytest.raises(KeysUnavailableError):
            has(source, "b")
        assert has(source)
    published.gate.set()
    thread.join(20)
    assert results == [True]
    assert has(source, "b")
    assert published.asked == 2


def test_where_no_key_is_known_the_others_wait_for_the_first_fetch(source, published):
    published.gate = Event()
    threads = [in_thread(lambda: has(source)) for _ in range(5)]
    assert published.asking.wait(20)
    published.gate.set()
    for thread, _ in threads:
        thread.join(20)
    assert [results for _, results in threads] == [[True]] * 5
    assert published.asked == 1


def test_nobody_waits_for_the_first_fetch_for_long(source, published, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    published.gate = Event()
    thread, results = in_thread(lambda: has(source))
    assert published.asking.wait(20)
    with pytest.raises(KeysUnavailableError):
        has(source)
    published.gate.set()
    thread.join(20)
    assert results == [True]


def test_few_wait_for_the_first_fetch_and_the_others_are_answered_at_once(source, published, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 20)
    published.gate = Event()
    threads = [in_thread(lambda: has(source)) for _ in range(20)]
    until = time.monotonic() + 10
    while sum(thread.is_alive() for thread, _ in threads) > 5 and time.monotonic() < until:
        time.sleep(0.01)
    assert sum(results == ["503"] for _, results in threads) == 15
    published.gate.set()
    for thread, _ in threads:
        thread.join(20)
    assert sum(results == [True] for _, results in threads) == 5
    assert published.asked == 1


def test_once_somebody_has_waited_in_vain_nobody_else_waits_for_that_fetch(source, published, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    published.gate = Event()
    published.fault = KeysError("down")
    thread, results = in_thread(lambda: has(source))
    assert published.asking.wait(20)
    with pytest.raises(KeysUnavailableError):
        has(source)
    monkeypatch.setattr(module, "_PATIENCE", 10)
    began = time.monotonic()
    for _ in range(100):
        with pytest.raises(KeysUnavailableError):
            has(source)
    assert time.monotonic() - began < 5
    published.gate.set()
    thread.join(20)
    assert results == ["503"]
    assert not source._is_slow  # the next fetch may be a quick one


def test_of_two_threads_that_found_it_time_one_fetches(source, published, fake_clock):
    has(source)
    before = source._held
    fake_clock.advance(HOUR)
    assert has(source)
    assert source._refresh(before) is source._held
    assert published.asked == 2


def test_of_two_threads_that_bring_an_unknown_key_one_fetches(source, published, keys, fake_clock):
    has(source)
    before = source._held
    fake_clock.advance(30)
    published.keys = keys("a", "b")
    assert has(source, "b")
    fake_clock.advance(30)
    assert source._ask_for_unknown(before) is source._held
    assert published.asked == 2


def test_after_a_fork_nobody_waits_for_a_thread_that_is_not_there(source):
    source._lock.acquire()
    source.start_over_after_fork()
    assert has(source)


def test_after_a_fork_nobody_waits_for_a_thread_to_say_that_a_key_went(source, dropped):
    assert has(source)
    source.start_over_after_fork()
    assert dropped == [1]
