"""Passwords: argon2id (RFC 9106), with the same work whether or not there is anybody to log in."""

import base64
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION, Type
from argon2.profiles import RFC_9106_LOW_MEMORY

from flask_permjwt.errors import BusyError, ConfigurationError, InvalidPasswordError

MAX_PASSWORD: Final = 1024

LONGEST_WAIT: Final = 2.0
_WAITING: Final = 4
"""Seconds that a hash waits for its turn before it is refused."""

_DEFAULT_CONCURRENCY: Final = 4


class PasswordHash(str):
    """A hash that does not show itself where the parameters of a statement are logged or told in an error."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<password hash>"


class Passwords:
    """Hashes and verifies passwords.

    A password is the bytes of its UTF-8 text: nothing is cut off, trimmed or folded. The defaults are the
    second recommended option of RFC 9106 section 4.

    A flood of logins cannot take the memory of the machine: each process works on a few hashes at once (of
    64 MiB each, with the defaults), lets four times as many wait for two seconds, and refuses the rest at once, so
    that its other threads stay free for other requests.

    Args:
        hasher: makes argon2id hashes with other parameters.
        concurrency: how many hashes are worked on at once, in each process; by default one for each
            processor, and 4 at most.

    Raises:
        ConfigurationError: the hasher makes hashes of another kind, which only withstand some of the
            attacks, or ``concurrency`` is less than 1.
    """

    def __init__(self, hasher: PasswordHasher | None = None, *, concurrency: int | None = None) -> None:
        if concurrency is not None and concurrency < 1:
            raise ConfigurationError("at least one password hash must be allowed at a time")
        self._hasher: Final = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        if self._hasher.type is not Type.ID:
            raise ConfigurationError("passwords are hashed with argon2id (RFC 9106): make the hasher of that type")
        self._dummy: Final = _hash_of_nothing(self._hasher)
        self._concurrency: Final = concurrency or min(_DEFAULT_CONCURRENCY, os.cpu_count() or 1)
        self._gates: Final[dict[int, _Gate]] = {}

    def hash(self, password: str) -> PasswordHash:
        """Hash a password with a fresh salt.

        Raises:
            InvalidPasswordError: it is empty, longer than 1,024 characters, or no valid Unicode text.
            BusyError: too many hashes are being worked on.
        """
        if not isinstance(password, str) or not password:
            raise InvalidPasswordError("A password must not be empty.")
        if len(password) > MAX_PASSWORD:
            raise InvalidPasswordError(f"A password has at most {MAX_PASSWORD} characters.")
        try:
            encoded = password.encode()
        except UnicodeEncodeError:
            raise InvalidPasswordError("A password must be valid Unicode text.") from None
        with self._turn():
            return PasswordHash(self._hasher.hash(encoded))

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether a password belongs to a hash.

        Where the answer is known beforehand (there is no hash, or none that can be read; the password could
        never have been set), the same work is done with a hash that nothing fits. Only a password of more
        than 1,024 characters is refused without work: callers refuse it before they look for the user.

        Raises:
            BusyError: too many hashes are being worked on; whoever the hash belongs to, if to anybody.
        """
        if len(password) > MAX_PASSWORD:
            return False
        encoded = password.encode("utf-8", "surrogatepass")
        possible = bool(password) and encoded.decode("utf-8", "ignore") == password
        with self._turn():
            return self._verify(password_hash if possible else None, encoded)

    def _verify(self, password_hash: str | None, encoded: bytes) -> bool:
        if password_hash is not None:
            try:
                return self._hasher.verify(password_hash, encoded)
            except VerifyMismatchError:
                return False
            except (VerificationError, ValueError):
                # Not a hash of argon2: InvalidHashError and a hash that is no ASCII are ValueErrors.
                pass
        try:
            self._hasher.verify(self._dummy, encoded)
        except VerifyMismatchError:
            return False
        raise AssertionError("a hash that nothing fits was fitted")  # pragma: no cover

    def _turn(self) -> AbstractContextManager[None]:
        # By process: what another thread held when this one was forked would never be released here. Of two
        # threads that come first together, setdefault gives both the same.
        process = os.getpid()
        gate = self._gates.get(process) or self._gates.setdefault(process, _Gate(self._concurrency))
        return gate.turn()

    def needs_rehash(self, password_hash: str) -> bool:
        """Tell whether a hash is weaker than what is made now. A stronger one is left alone."""
        try:
            has = extract_parameters(password_hash)
        except InvalidHashError:
            return True
        hasher = self._hasher
        return has.type is not hasher.type or any(
            (
                has.version < ARGON2_VERSION,
                has.time_cost < hasher.time_cost,
                has.memory_cost < hasher.memory_cost,
                has.hash_len < hasher.hash_len,
                has.salt_len < hasher.salt_len,
            )
        )


class _Gate:
    """Lets so many work at once in this process, and four times as many wait.

    Args:
        width: how many.
    """

    def __init__(self, width: int) -> None:
        self._inside: Final = threading.BoundedSemaphore((1 + _WAITING) * width)
        self._at_work: Final = threading.BoundedSemaphore(width)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and keep it during the block.

        Raises:
            BusyError: too many wait already, or it did not come within two seconds.
        """
        if not self._inside.acquire(blocking=False):
            raise BusyError
        try:
            if not self._at_work.acquire(timeout=LONGEST_WAIT):
                raise BusyError
            try:
                yield
            finally:
                self._at_work.release()
        finally:
            self._inside.release()


def _hash_of_nothing(hasher: PasswordHasher) -> str:
    """Write a hash with these parameters that no known password fits, without the work of making one."""

    def random(size: int) -> str:
        return base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()

    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${random(hasher.salt_len)}${random(hasher.hash_len)}"
