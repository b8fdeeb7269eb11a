"""Key sources: whoever asks gets the keys of the moment, and nobody waits for a look at the directory."""

import gc
import logging
import os
import threading
from dataclasses import replace

import pytest

from flask_permjwt.errors import ConfigurationError, InvalidTokenError, NoSigningKeyError
from flask_permjwt.tokens.codec import TokenCodec, TokenType
from flask_permjwt.tokens.key_source import FixedKeys, WatchedKeys
from flask_permjwt.tokens.keys import KeyRing
from flask_permjwt.tokens.lifecycle import ManagedKey
from flask_permjwt.tokens.pairs import generate

OLD, NEW = generate("HS256"), generate("EdDSA")
NOW = 1_800_000_000
CLAIMS = {"sub": "u" * 32, "jti": "j" * 32, "sid": "s" * 32, "ver": 3, "iat": NOW, "exp": NOW + 900}


class World:
    """A directory that can be changed, two clocks, and what happened."""

    def __init__(self):
        self.keys = [ManagedKey(OLD, signs_from=0)]
        self.now, self.steady = float(NOW), 0.0
        self.reads = self.losses = 0
        self.fault = None
        self.said = []
        self.during = lambda: None

    def read(self, report):
        self.reads += 1
        self.during()
        if self.fault:
            raise ConfigurationError(self.fault)
        for said in self.said if report else ():
            report(ConfigurationError(said))
        return tuple(self.keys)

    def watch(self, **options):
        options = {"refresh": 60, "lasts": 1000, **options}
        made = WatchedKeys(self.read, clock=lambda: self.now, monotonic=lambda: self.steady, **options)
        made.lost = self.lose
        return made

    def lose(self):
        self.losses += 1

    def wait(self, seconds):
        self.now += seconds
        self.steady += seconds


@pytest.fixture
def world():
    return World()


def test_fixed_keys_stay():
    ring = KeyRing(OLD)
    fixed = FixedKeys(ring)
    fixed.keep_up()
    fixed.seek()
    assert fixed.ring is ring


def test_a_change_is_noticed_within_the_refresh_time_and_not_asked_for_before(world):
    keys = world.watch()
    world.keys.append(ManagedKey(NEW, signs_from=NOW + 500))
    world.wait(59)
    keys.keep_up()
    assert (world.reads, keys.ring.find(NEW.kid)) == (1, None)
    world.wait(1)
    keys.keep_up()
    keys.keep_up()
    assert world.reads == 2
    assert keys.ring.find(NEW.kid) == NEW
    assert keys.ring.signing == OLD
    assert world.losses == 0


def test_a_key_takes_over_at_its_time_to_the_second_and_the_old_one_is_dropped_at_its_own(world):
    world.keys.append(ManagedKey(NEW, signs_from=NOW + 30))
    keys = world.watch()
    for seconds, signing, known, losses in [(29, OLD, True, 0), (1, NEW, True, 0), (999, NEW, True, 0)]:
        world.wait(seconds)
        keys.keep_up()
        assert (keys.ring.signing, bool(keys.ring.find(OLD.kid)), world.losses) == (signing, known, losses)
    world.wait(1)
    keys.keep_up()
    assert (keys.ring.signing, keys.ring.find(OLD.kid), world.losses) == (NEW, None, 1)


def test_a_name_that_nobody_knows_is_looked_for_once_a_second_and_no_oftener(world):
    keys = world.watch()
    codec = TokenCodec(keys)
    world.keys = [ManagedKey(NEW, signs_from=NOW)]
    token = TokenCodec(KeyRing(NEW)).encode(TokenType.ACCESS, CLAIMS)
    for _ in range(100):
        with pytest.raises(InvalidTokenError, match="not signed with a key of this API"):
            codec.verify(token, TokenType.ACCESS)
    assert world.reads == 1
    world.wait(1)
    assert codec.verify(token, TokenType.ACCESS).key_id == NEW.kid
    assert world.reads == 2


def test_the_codec_signs_with_the_key_of_the_moment_and_verifies_what_the_one_before_signed(world):
    codec = TokenCodec(world.watch())
    first = codec.encode(TokenType.ACCESS, CLAIMS)
    world.keys.append(ManagedKey(NEW, signs_from=NOW + 120))
    world.wait(60)
    second = codec.encode(TokenType.ACCESS, CLAIMS)
    world.wait(60)
    third = codec.encode(TokenType.ACCESS, CLAIMS)
    kids = [codec.verify(token, TokenType.ACCESS).key_id for token in (first, second, third)]
    assert kids == [OLD.kid, OLD.kid, NEW.kid]
    assert all(map(codec.knows, [OLD.kid, NEW.kid, ""]))
    world.keys[0] = ManagedKey(OLD, signs_from=0, void_at=NOW + 120)
    world.wait(60)
    assert not codec.knows(OLD.kid)
    with pytest.raises(InvalidTokenError, match="not signed with a key of this API"):
        codec.verify(first, TokenType.ACCESS)
    assert world.losses == 1


def test_without_a_key_that_signs_nothing_is_signed_and_it_is_said_aloud(world, caplog):
    codec = TokenCodec(world.watch())
    world.keys = [ManagedKey(OLD, signs_from=0, void_at=NOW)]
    world.wait(60)
    with caplog.at_level(logging.ERROR), pytest.raises(NoSigningKeyError) as caught:
        codec.encode(TokenType.ACCESS, CLAIMS)
    assert (caught.value.status, caught.value.retry_after) == (503, 60)
    assert "no key signs any more: flask permjwt keys generate" in caplog.text
    with pytest.raises(InvalidTokenError):
        codec.verify(TokenCodec(KeyRing(OLD)).encode(TokenType.ACCESS, CLAIMS), TokenType.ACCESS)


def test_further_keys_verify_besides(world):
    keys = world.watch(also=[NEW])
    assert keys.ring.signing == OLD
    assert keys.ring.find(NEW.kid) == NEW
    world.keys = [ManagedKey(generate("ES256"), signs_from=0)]
    world.wait(60)
    keys.keep_up()
    assert keys.ring.find(NEW.kid) == NEW


def test_what_cannot_be_read_stops_the_start(world):
    world.fault = "the key file x is open to others"
    with pytest.raises(ConfigurationError, match="open to others"):
        world.watch()


def test_what_cannot_be_read_later_is_said_at_every_refresh_and_what_is_known_goes_on(world, caplog):
    world.keys.append(ManagedKey(NEW, signs_from=NOW + 100))
    keys = world.watch()
    world.fault = "the key file x is open to others"
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            world.wait(60)
            keys.keep_up()
            for _ in range(5):
                world.wait(1)
                keys.seek()
    assert caplog.text.count("open to others") == 3
    assert keys.ring.signing == NEW
    world.fault = None
    world.keys = [ManagedKey(NEW, signs_from=0)]
    world.wait(60)
    keys.keep_up()
    assert keys.ring.find(OLD.kid) is None


def test_what_one_file_lacks_keeps_nothing_else_from_being_noticed(world, caplog):
    keys = world.watch()
    world.said = ["the key file x is no key", "the key file y is no key"]
    world.keys = [ManagedKey(OLD, signs_from=0, void_at=NOW), ManagedKey(NEW, signs_from=NOW)]
    world.wait(60)
    with caplog.at_level(logging.ERROR):
        keys.keep_up()
    assert (keys.ring.signing, keys.ring.find(OLD.kid), world.losses) == (NEW, None, 1)
    assert "x is no key" in caplog.text
    assert "y is no key" in caplog.text


def test_a_directory_that_is_empty_all_at_once_is_taken_for_one_that_cannot_be_read(world, caplog):
    keys = world.watch()
    world.keys = []
    world.wait(60)
    with caplog.at_level(logging.ERROR):
        keys.keep_up()
    assert (keys.ring.signing, world.losses) == (OLD, 0)
    assert "no key that signs was found" in caplog.text


@pytest.mark.parametrize("kid", ["another name", OLD.kid], ids=["another name", "its own"])
def test_a_key_that_is_void_does_not_verify_besides(world, kid):
    world.keys.append(ManagedKey(NEW, signs_from=NOW))
    also = [replace(OLD, kid=kid), generate("ES256")]
    keys = world.watch(also=also)
    assert keys.is_besides(OLD)
    assert not keys.is_besides(NEW)
    assert keys.ring.find(kid)
    world.keys[0] = ManagedKey(OLD, signs_from=0, void_at=NOW)
    world.wait(60)
    keys.keep_up()
    assert keys.ring.keys == (NEW, also[1])
    assert world.losses == 1


def test_two_keys_of_one_name_are_refused(world):
    world.keys.append(ManagedKey(replace(NEW, kid=OLD.kid), signs_from=5))
    with pytest.raises(ConfigurationError, match="two different keys"):
        world.watch()


def test_a_key_that_comes_with_a_name_of_the_settings_is_told_of_and_stops_nothing(world, caplog):
    keys = world.watch(also=[NEW])
    named_alike = replace(generate("ES256"), kid=NEW.kid)
    world.keys = [ManagedKey(OLD, signs_from=0, retired_at=5), ManagedKey(named_alike, signs_from=NOW)]
    world.wait(60)
    with caplog.at_level(logging.ERROR):
        keys.keep_up()
    assert "two different keys" in caplog.text
    assert keys.ring.signing == named_alike


def test_while_one_thread_looks_others_go_on(world):
    keys = world.watch()
    looking, go_on = threading.Event(), threading.Event()

    def slow():
        looking.set()
        assert go_on.wait(10)

    world.during = slow
    world.wait(60)
    one = threading.Thread(target=keys.keep_up)
    one.start()
    assert looking.wait(10)
    world.wait(60)
    keys.keep_up()
    keys.seek()
    assert keys.ring.signing == OLD
    assert world.reads == 2
    go_on.set()
    one.join(10)


def test_a_fork_while_a_thread_looks_does_not_leave_the_child_blind(world):
    keys = world.watch()
    assert keys._lock.acquire(blocking=False)
    world.wait(60)
    world.keys = [ManagedKey(NEW, signs_from=0)]
    pid = os.fork()
    if pid == 0:
        keys.keep_up()
        os._exit(0 if keys.ring.signing == NEW else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    gc.collect()


def test_after_a_fork_every_lock_is_a_new_one(world):
    keys = world.watch()
    assert keys._lock.acquire(blocking=False)
    keys.renew_lock()
    keys.keep_up()
    # A thread may have been between a key's going and telling so.
    assert (world.reads, world.losses) == (2, 1)
    assert keys._lock.acquire(blocking=False)
