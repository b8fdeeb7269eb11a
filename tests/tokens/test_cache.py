"""The cache of verified tokens: bounded, cheap under a flood, safe under threads, and honest."""

import os
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_permjwt.tokens.cache import ANY_LENGTH, BoundedCache


@given(size=st.integers(0, 12), asked=st.lists(st.integers(0, 20)))
def test_it_is_bounded_and_gives_back_what_was_put_under_that_very_text(size, asked):
    cache = BoundedCache(size)
    for number in asked:
        text = str(number)
        found = cache.get(text)
        assert found in {None, f"token {number}"}
        if found is None:
            cache.put(text, f"token {number}")
            assert (cache.get(text) is not None) == (size > 0)
        assert len(cache) <= size


@pytest.mark.parametrize("size", [8, 100, 4096])
def test_what_is_in_use_survives_a_flood_of_what_comes_once(size):
    cache = BoundedCache(size)
    cache.put("mine", "my token")
    for number in range(20 * size):
        cache.put(f"flood {number}", "another")
        if number % (size // 4) == 0:
            assert cache.get("mine") == "my token"
    assert len(cache) <= size


def test_the_last_half_of_the_size_is_never_forgotten():
    cache = BoundedCache(10)
    for number in range(1000):
        cache.put(str(number), number + 1)
        for recent in range(max(0, number - 3), number + 1):
            assert cache.younger.get(str(recent)) or cache._older.get(str(recent))


def test_zero_remembers_nothing():
    cache = BoundedCache(0)
    cache.put("a", "token")
    assert (cache.get("a"), len(cache)) == (None, 0)


def test_one_is_forgotten_and_the_others_are_not():
    cache = BoundedCache(8)
    for text in "abcdef":
        cache.put(text, f"token {text}")
    cache.forget("a")
    cache.forget("f")
    cache.forget("never there")
    assert cache.get("a") is cache.get("f") is None
    assert cache.get("b")


def test_threads_never_get_another_token_and_never_more_than_fits():
    cache, wrong, most = BoundedCache(64), Counter(), Counter()

    def work(seed):
        for step in range(20_000):
            text = str((seed * 7919 + step * 104729) % 300)
            found = cache.get(text)
            if found is None:
                cache.put(text, f"token {text}")
            elif found != f"token {text}":
                wrong[text] += 1
            if step % 1000 == 0:
                cache.forget(text)
            most[len(cache)] += 1

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong
    # Threads that turn the page at the same moment may each add one.
    assert max(most) <= 64 + 6


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_a_copy_of_its_own():
    cache = BoundedCache(8)
    cache.put("before", "token")
    child = os.fork()
    if not child:
        known = cache.get("before") is not None
        cache.put("in the child", "token")
        os._exit(0 if known and len(cache) == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cache.get("in the child") is None


def test_a_text_longer_than_any_header_has_to_be_is_not_remembered():
    cache = BoundedCache(8)
    for text in ("a" * 8192, "b" * 8193):
        cache.put(text, "token")
    assert (cache.get("a" * 8192), cache.get("b" * 8193), len(cache)) == ("token", None, 1)


def test_where_texts_of_any_length_are_good_a_long_one_is_remembered():
    cache = BoundedCache(8, longest=ANY_LENGTH)
    cache.put("b" * 100_000, "token")
    assert cache.get("b" * 100_000) == "token"
