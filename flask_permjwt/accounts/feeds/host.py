"""The host's epoch: a counter by which the processes of one machine see at once that one of them made a change.

It is eight bytes of a file that is mapped into memory. Reading it costs no system call; raising it takes the lock
of the file, as increments of several processes at once would get lost. It says nothing but that the feed is worth
asking: where it cannot be shared, the interval holds.
"""

import logging
import mmap
import os
import stat
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

with suppress(ImportError):  # Windows has none
    import fcntl

_SIZE: Final = 8
_MODE: Final = 0o600
_HAS_LOCKS: Final = find_spec("fcntl") is not None

_log = logging.getLogger("flask_permjwt.revocation")


class HostEpoch:
    """The counter in one file.

    Args:
        path: of the file, which is made when it is missing; None shares nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path: Final = path
        self._mapped: tuple[object, int] = (None, 0)
        self._has_warned = False
        self.counter: memoryview | list[int] = [0]
        """The counter at index 0: read on every request; mapped when it is first looked at."""

    @property
    def is_mapped(self) -> bool:
        """Whether the file is in use."""
        return self._mapped[1] != 0

    def look(self) -> None:
        """Map the file unless that very file is mapped: something may have tidied it away."""
        if self.path is None or not _HAS_LOCKS:
            return
        try:
            mapped, inode = self._mapped
            # Of two threads that mapped two files at once, each may have had one of the last words.
            if mapped is self.counter and self.path.lstat().st_ino == inode:
                return
        except FileNotFoundError:
            pass
        except OSError as error:
            self._warn(type(error).__name__)
            return
        self._map(self.path)

    def rise(self) -> int:
        """Raise the counter by one, whoever else does so at the same time, and return what it shows now."""
        self.look()
        counter = self.counter  # once: another thread may be mapping another file
        if self.path is None or not self.is_mapped:
            return counter[0]
        try:
            # Opened anew: of threads and forked processes that share an open file, a lock excludes none.
            file = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            self._warn(type(error).__name__)
            return counter[0]
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            risen = (counter[0] + 1) % 2**64
            counter[0] = risen
            return risen
        finally:
            os.close(file)

    def _map(self, path: Path) -> None:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
        except OSError as error:
            self._warn(type(error).__name__)
            return
        try:
            about = os.fstat(file)
            fault = _fault(about)
            if fault is not None:
                self._warn(fault)
                return
            if about.st_size < _SIZE:
                # Not only made longer: where the disk is full, a hole would end the process when it is looked at.
                _lengthen(file)
            self.counter = counter = memoryview(mmap.mmap(file, _SIZE)).cast("Q")
            self._mapped = counter, about.st_ino
        except (OSError, ValueError) as error:
            self._warn(type(error).__name__)
        finally:
            os.close(file)

    def _warn(self, why: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            _log.warning("%s is not used, others learn of changes within the interval: %s", self.path, why)


def _lengthen(file: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, _SIZE)
    else:
        os.pwrite(file, bytes(_SIZE), 0)


def _fault(about: os.stat_result) -> str | None:
    """Return why a file cannot be trusted: it lies where others may write too."""
    if not stat.S_ISREG(about.st_mode):
        return "it is no regular file"
    if about.st_uid != os.geteuid():
        return "it belongs to somebody else"
    if stat.S_IMODE(about.st_mode) != _MODE:
        return "its mode is not 0600"
    if about.st_nlink > 1:
        return "it has a second name"
    return None


def default_path(name: str) -> Path | None:
    """Return where the file of an app lies by default; None where there are no such files.

    Args:
        name: tells apps from each other.
    """
    if not _HAS_LOCKS:
        return None
    try:
        folder = tempfile.gettempdir()
    except OSError:
        return None
    return Path(folder) / f"flask_permjwt-{os.geteuid()}-{name}.epoch"
