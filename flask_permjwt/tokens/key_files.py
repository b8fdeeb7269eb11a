"""Key files: a directory with one JSON Web Key a file, and its times beside it.

Files are written whole or not at all, with mode 0600, and refused when others can read them.
"""

import fcntl
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.jwk import parse, read_jwk, whole_jwk
from flask_permjwt.tokens.keys import thumbprint
from flask_permjwt.tokens.lifecycle import ManagedKey

_MEMBER: Final = "permjwt"
_TIMES: Final = ("created_at", "signs_from", "retired_at", "void_at", "tokens_last")
_ENDING: Final = ".json"
_LOCK: Final = ".lock"
_MODE: Final = 0o600
_LARGEST: Final = 64 * 1024
_LATEST: Final = 253_402_300_799
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")


class KeyDirectory:
    """The key files in a directory: every ``*.json`` in it.

    Args:
        path: of the directory.
        allow_weak: let secrets of few different bytes pass; for tests.
    """

    def __init__(self, path: Path, *, allow_weak: bool = False) -> None:
        self.path: Final = path
        self._allow_weak: Final = allow_weak
        self._known: dict[str, tuple[bytes, float, ManagedKey]] = {}

    def read(
        self, report: Callable[[ConfigurationError], None] | None = None, *, of_owner: bool = False
    ) -> tuple[ManagedKey, ...]:
        """Read all keys.

        Args:
            report: called with what is wrong with a file; the others are read nevertheless, and of such a file
                what was known before. Without it, the first fault is raised.
            of_owner: refuse files that belong to somebody else than the directory does, who might not be able to
                read them.

        Raises:
            ConfigurationError: the directory or a file cannot be read or trusted, or two files hold keys of one
                name; the message names them.
        """
        try:
            about = self.path.stat()
            names = sorted(one.name for one in self.path.iterdir() if _is_key_file(one.name))
            return self._read_all(about, names, report or _raise, of_owner=of_owner)
        except OSError as error:
            remedy = ": flask permjwt keys generate makes it" if isinstance(error, FileNotFoundError) else ""
            raise ConfigurationError(f"PERMJWT_KEYS_DIR {self.path}: {_reason(error)}{remedy}") from None

    def _read_all(
        self,
        about: os.stat_result,
        names: list[str],
        report: Callable[[ConfigurationError], None],
        *,
        of_owner: bool,
    ) -> tuple[ManagedKey, ...]:
        if about.st_uid not in _trusted(about):
            raise ConfigurationError(f"PERMJWT_KEYS_DIR {self.path} belongs to somebody else: chown it")
        if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ConfigurationError(f"PERMJWT_KEYS_DIR {self.path} can be written by others: chmod go-w")
        known = {}
        trusted = frozenset({about.st_uid}) if of_owner else _trusted(about)
        for name in names:
            try:
                found = read_private_file(self.path / name, trusted=trusted)
                if found is not None:
                    known[name] = self._read(name, *found)
            except ConfigurationError as fault:
                report(fault)
                if name in self._known:
                    known[name] = self._known[name]
        keys = self._one_of_each_name((key for _, _, key in known.values()), report)
        self._known = known
        return keys

    def _one_of_each_name(
        self, keys: Iterable[ManagedKey], report: Callable[[ConfigurationError], None]
    ) -> tuple[ManagedKey, ...]:
        """Make one of several files of one name: what one of them says is over is over."""
        by_kid: dict[str, ManagedKey] = {}
        # First what was there before.
        for one in sorted(keys, key=lambda one: (one.name not in self._known, one.name)):
            first = by_kid.setdefault(one.key.kid, one)
            if first is not one:
                report(
                    ConfigurationError(
                        f"the key files {self.path / first.name} and {self.path / one.name} hold keys of one name "
                        f"(kid) {one.key.kid!r}: delete one of them"
                    )
                )
                by_kid[one.key.kid] = replace(
                    first,
                    retired_at=_earlier(first.retired_at, one.retired_at),
                    void_at=_earlier(first.void_at, one.void_at),
                )
        return tuple(by_kid.values())

    def _read(self, name: str, data: bytes, written_at: float) -> tuple[bytes, float, ManagedKey]:
        before = self._known.get(name)
        if before is not None and before[:2] == (data, written_at):
            return before
        try:
            members = parse(data)
            times = _times(members.pop(_MEMBER, {"created_at": written_at, "signs_from": written_at}))
            key = read_jwk(members, allow_weak=self._allow_weak)
        except ConfigurationError as fault:
            raise ConfigurationError(f"the key file {self.path / name}: {fault}") from None
        return data, written_at, ManagedKey(key, name=name, **times)

    def write(self, one: ManagedKey) -> None:
        """Write a key, in place of the file that it came from.

        Raises:
            OSError: it cannot be written.
        """
        kid = one.key.kid
        jwk = whole_jwk(one.key)
        name = one.name or f"{kid if _PLAIN_NAME.fullmatch(kid) else thumbprint(jwk)}{_ENDING}"
        times = {field: value for field in _TIMES if (value := getattr(one, field)) is not None}
        write_private_file(self.path / name, json.dumps({**jwk, _MEMBER: times}, indent=2).encode() + b"\n")

    def remove(self, one: ManagedKey) -> None:
        """Delete the file of a key.

        Raises:
            OSError: it cannot be deleted.
        """
        with suppress(FileNotFoundError):
            (self.path / one.name).unlink()
        _sync(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others out who would change the keys; those who only read them are not kept waiting.

        Raises:
            OSError: the lock file cannot be opened.
        """
        file = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
        try:
            if os.geteuid() == 0:
                owner = self.path.stat()
                os.fchown(file, owner.st_uid, owner.st_gid)
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)


def read_private_file(path: Path, *, trusted: frozenset[int] | None = None) -> tuple[bytes, float] | None:
    """Read a file that nobody else can read.

    Args:
        path: of the file.
        trusted: the user ids that it may belong to; by default our own and root's.

    Returns:
        What is in it, and when it was written; None when there is none.

    Raises:
        ConfigurationError: it cannot be read, or others can read it, or it is theirs.
    """
    try:
        # A pipe with nobody at the other end must not keep us waiting.
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"the key file {path}: {_reason(error)}") from None
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode):
        # Of a directory, Python opens no file.
        os.close(file)
        raise ConfigurationError(f"the key file {path} is no regular file")
    with os.fdopen(file, "rb") as opened:
        if about.st_uid not in (trusted or _trusted()):
            owner = f"{min(trusted)} (the directory's owner)" if trusted and len(trusted) == 1 else "it"
            raise ConfigurationError(f"the key file {path} belongs to somebody else: chown {owner}")
        if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigurationError(f"the key file {path} is open to others: chmod 600, and make another key")
        if about.st_size > _LARGEST:
            raise ConfigurationError(f"the key file {path} is larger than {_LARGEST // 1024} KiB")
        return opened.read(), about.st_mtime


def write_private_file(path: Path, data: bytes) -> None:
    """Write a file that nobody else can read: whole, or not at all.

    Written by root, it belongs to whom the directory belongs to: the workers that are to read it.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    try:
        with os.fdopen(file, "wb") as opened:
            if os.geteuid() == 0:
                owner = path.parent.stat()
                os.fchown(file, owner.st_uid, owner.st_gid)
            os.fchmod(file, _MODE)
            opened.write(data)
            opened.flush()
            os.fsync(file)
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make a renaming last through a power cut."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _trusted(folder: os.stat_result | None = None) -> frozenset[int]:
    own = os.geteuid()
    return frozenset({0, own} if own or folder is None else {0, folder.st_uid})


def _is_key_file(name: str) -> bool:
    return name.endswith(_ENDING) and not name.startswith(".")


def _times(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not given.keys() <= set(_TIMES) or "signs_from" not in given:
        raise ConfigurationError(f"the member {_MEMBER} must hold signs_from, and of {', '.join(_TIMES)} only")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigurationError(f"{_MEMBER}.{name} must be a number of seconds")
        if not 0 <= value <= _LATEST:  # which NaN is not either
            raise ConfigurationError(f"{_MEMBER}.{name} must be seconds since 1970, up to the year 9999")
    return dict(given)


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)


def _raise(fault: ConfigurationError) -> None:
    raise fault


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
