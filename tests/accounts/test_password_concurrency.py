"""The work of argon2 is bounded: so many hashes at once, some more waiting, and the rest is refused at once."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from flask_permjwt.accounts import passwords as module
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.errors import BusyError, ConfigurationError, InvalidPasswordError

FAST = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}


class SlowHasher(PasswordHasher):
    """Works on a hash until it is told that it is done."""

    def __init__(self):
        super().__init__(**FAST)
        self.done = threading.Event()
        self.lock = threading.Lock()
        self.at_work = self.most_at_work = self.works = 0

    def _work(self):
        with self.lock:
            self.works += 1
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        self.done.wait(30)
        with self.lock:
            self.at_work -= 1

    def hash(self, password, **options):
        self._work()
        return super().hash(password, **options)

    def verify(self, stored, password):
        self._work()
        return super().verify(stored, password)


@pytest.fixture
def hasher():
    hasher = SlowHasher()
    yield hasher
    hasher.done.set()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(50) as pool:
        yield pool


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def waiting(passwords):
    """How many wait for a turn or have one."""
    return 5 * passwords._concurrency - passwords._gates[os.getpid()]._inside._value


@pytest.fixture
def stored():
    return PasswordHasher(**FAST).hash("secret")


WORKS = {
    "the right password": lambda passwords, stored: passwords.verify(stored, "secret"),
    "a wrong password": lambda passwords, stored: passwords.verify(stored, "wrong"),
    "nobody": lambda passwords, stored: passwords.verify(None, "secret"),
    "no hash of argon2": lambda passwords, stored: passwords.verify("plain", "secret"),
    "no password": lambda passwords, stored: passwords.verify(stored, "\ud800"),
    "a new password": lambda passwords, stored: passwords.hash("secret"),
}


@pytest.mark.parametrize("width", [1, 3])
def test_of_50_at_once_so_many_work_four_times_as_many_wait_the_rest_is_refused(pool, hasher, stored, width):
    passwords = Passwords(hasher, concurrency=width)
    answers = [pool.submit(passwords.verify, stored, "secret") for _ in range(50)]
    wait_until(lambda: sum(answer.done() for answer in answers) == 50 - 5 * width)
    wait_until(lambda: hasher.at_work == width)
    hasher.done.set()
    errors = [answer.exception() for answer in answers]
    assert errors.count(None) == 5 * width
    assert all(isinstance(error, BusyError) and error.retry_after == 1 for error in errors if error)
    assert hasher.most_at_work == width


@pytest.mark.parametrize("work", WORKS)
def test_the_refusal_is_the_same_whatever_would_be_worked_on(pool, hasher, stored, work):
    passwords = Passwords(hasher, concurrency=1)
    busy = [pool.submit(passwords.verify, None, "flood") for _ in range(5)]
    wait_until(lambda: hasher.at_work == 1 and waiting(passwords) == 5)
    begun = time.monotonic()
    with pytest.raises(BusyError) as refusal:
        WORKS[work](passwords, stored)
    assert time.monotonic() - begun < 1
    assert (refusal.value.status, refusal.value.retry_after) == (503, 1)
    assert str(refusal.value) == BusyError.default_description
    assert hasher.works == 1
    hasher.done.set()
    assert [answer.result() for answer in busy] == [False] * 5


@pytest.mark.parametrize("work", WORKS)
def test_every_work_takes_one_turn_and_gives_it_back(pool, hasher, stored, work):
    passwords = Passwords(hasher, concurrency=1)
    answer = pool.submit(WORKS[work], passwords, stored)
    wait_until(lambda: hasher.at_work == 1)
    assert waiting(passwords) == 1
    hasher.done.set()
    answer.result()
    assert waiting(passwords) == 0
    for _ in range(3):
        WORKS[work](passwords, stored)


def test_nobody_waits_for_longer_than_two_seconds(pool, hasher, stored, monkeypatch):
    assert module.LONGEST_WAIT == 2
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.05)
    passwords = Passwords(hasher, concurrency=1)
    busy = pool.submit(passwords.verify, stored, "secret")
    wait_until(lambda: hasher.at_work == 1)
    for _ in range(3):
        begun = time.monotonic()
        with pytest.raises(BusyError):
            passwords.verify(stored, "secret")
        assert 0.04 < time.monotonic() - begun < 1
        assert waiting(passwords) == 1
    hasher.done.set()
    assert busy.result() is True
    assert passwords.verify(stored, "secret") is True


def test_what_costs_no_work_waits_for_no_turn(pool, hasher, stored):
    passwords = Passwords(hasher, concurrency=1)
    for _ in range(5):
        pool.submit(passwords.verify, None, "flood")
    wait_until(lambda: hasher.at_work == 1 and waiting(passwords) == 5)
    assert passwords.verify(stored, "a" * 1025) is False
    assert passwords.needs_rehash(stored) is False
    with pytest.raises(InvalidPasswordError):
        passwords.hash("")
    hasher.done.set()


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, RuntimeError])
def test_a_work_that_fails_gives_its_turn_back(stored, error):
    class BrokenHasher(PasswordHasher):
        broken = True

        def verify(self, stored, password):
            if self.broken:
                raise error
            return super().verify(stored, password)

    hasher = BrokenHasher(**FAST)
    passwords = Passwords(hasher, concurrency=1)
    for _ in range(5):
        with pytest.raises(error):
            passwords.verify(stored, "secret")
    hasher.broken = False
    assert passwords.verify(stored, "secret") is True


@pytest.mark.parametrize(("processors", "width"), [(1, 1), (2, 2), (4, 4), (64, 4), (None, 1)])
def test_by_default_each_processor_works_on_one_hash_and_four_are_the_most(monkeypatch, processors, width):
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert Passwords()._concurrency == width


@pytest.mark.parametrize("width", [0, -1])
def test_at_least_one_hash_must_be_allowed(width):
    with pytest.raises(ConfigurationError, match="at least one"):
        Passwords(concurrency=width)


FORKS = """
import os, threading
from argon2 import PasswordHasher
from flask_permjwt.accounts.passwords import Passwords

passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1), concurrency=1)
stored = passwords.hash("secret")
inside, go_on = threading.Event(), threading.Event()

def work():
    with passwords._turn():
        inside.set()
        go_on.wait(30)

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
inside.wait(30)
if os.fork() == 0:
    os._exit(0 if [passwords.verify(stored, "secret") for _ in range(3)] == [True] * 3 else 1)
_, status = os.wait()
go_on.set()
for thread in threads:
    thread.join()
print(status, passwords.verify(stored, "secret"))
"""


def test_what_is_at_work_while_a_process_forks_takes_no_turn_of_the_new_one():
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", FORKS], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["0", "True"], done.stderr
