"""Cases: a request to a protected route, and the bare request that it is measured against."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from flask import Flask
from werkzeug.test import EnvironBuilder

Environ = dict[str, Any]

_SENT_ALWAYS = {"User-Agent": "benchmark/1.0", "Accept": "application/json"}


class LeftOut(Exception):  # noqa: N818  # what it says is why, and it ends nothing
    """A contestant cannot be measured here; the message says why."""


@dataclass(slots=True)
class Place:
    """Where the apps are built.

    Attributes:
        folder: for their databases and keys.
        closing: what must be closed at the end.
        many: how many users "many users" are.
        revocations: how many "many revocations" are.
    """

    folder: Path
    closing: ExitStack
    many: int = 1_000
    revocations: int = 1_000

    def sqlite(self, name: str) -> str:
        """Return the address of a database of its own."""
        return f"sqlite:///{self.folder / name}.db"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that is made again and again, through the WSGI callable.

    Attributes:
        app: is called.
        environs: the requests, made in turn; most cases have one.
        status: what must come back.
    """

    app: Flask
    environs: Sequence[Environ]
    status: int = 200
    _turn: Iterator[Environ] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_turn", itertools.cycle(self.environs))

    @classmethod
    def to(
        cls,
        app: Flask,
        path: str,
        *headers: dict[str, str],
        method: str = "GET",
        status: int = 200,
    ) -> Self:
        """Build one request for each set of headers; without any, one request with none of its own."""
        return cls(app, [_environ(path, method, one) for one in headers or ({},)], status)

    def check(self) -> None:
        """Make each request once.

        Raises:
            RuntimeError: the answer is not the one that was to be measured.
        """
        for environ in self.environs:
            seen: list[str] = []
            body = self.app(dict(environ), lambda status, *_, seen=seen: seen.append(status))
            text = b"".join(body)
            body.close()
            if not seen[0].startswith(str(self.status)):
                raise RuntimeError(f"{environ['PATH_INFO']} answered {seen[0]}, not {self.status}: {text[:200]!r}")

    def spend(self, clock: Callable[[], int] = time.thread_time_ns) -> float:
        """Make the next one and return the microseconds that it took."""
        app, environ = self.app, dict(next(self._turn))  # a copy: Flask writes into it
        begun = clock()
        body = app(environ, _start_response)
        for _ in body:
            pass
        body.close()
        return (clock() - begun) / 1000


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table.

    Attributes:
        key: its name, unique: ``library/what``.
        label: what the table says.
        protected: the request that is measured.
        bare: what it is measured against.
    """

    key: str
    label: str
    protected: Exchange
    bare: Exchange

    @property
    def library(self) -> str:
        """Whose it is."""
        return self.key.partition("/")[0]


def _environ(path: str, method: str, headers: dict[str, str]) -> Environ:
    builder = EnvironBuilder(path, method=method, base_url="http://localhost", headers=_SENT_ALWAYS | headers)
    return builder.get_environ()


def _start_response(_status: str, _headers: object, _fault: object = None) -> Callable[[bytes], None]:
    return _write


def _write(_: bytes) -> None:
    """Flask never calls it."""
