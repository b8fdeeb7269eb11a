"""Forks: a process that was forked goes on with one thread, and finds every lock as another one had left it."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from weakref import WeakMethod

_methods: Final[set[WeakMethod[Callable[[], None]]]] = set()


def after_fork(method: Callable[[], None]) -> None:
    """Have a method called in each process that is forked from this one, as long as its object lives.

    Args:
        method: a bound method, such as one that renews locks.
    """
    _methods.add(WeakMethod(method, _methods.discard))


def _call_all() -> None:
    for one in list(_methods):
        method = one()
        if method is not None:
            method()


with suppress(AttributeError):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_call_all)
