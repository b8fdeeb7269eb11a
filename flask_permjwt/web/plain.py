"""Plain functions: what this library made, or has looked at, is no coroutine function, and Flask need not look.

Before Flask calls a function of an app, it looks whether that is one, by half a dozen calls: for the hook and for
the wrapper of a guard that takes longer than what they do.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask

AnyCallable = Callable[..., Any]


def spare_the_look(app: Flask, plain: set[AnyCallable]) -> None:
    """Let Flask call some functions of an app without looking at them.

    An app with another ``ensure_sync`` than Flask's keeps that: it may do anything with what it is given.

    Args:
        app: calls them.
        plain: the functions; more may be added while it serves.
    """
    if "ensure_sync" in vars(app) or type(app).ensure_sync is not Flask.ensure_sync:
        return
    look = app.ensure_sync

    def ensure_sync(func: AnyCallable) -> AnyCallable:  # named as in Flask, whose callers may use the name
        try:
            if func in plain:
                return func
        except Exception:  # noqa: BLE001, S110  # a callable object that is no key, whatever it raises, and none of these
            pass
        return look(func)

    app.ensure_sync = ensure_sync  # type: ignore[method-assign]  # to be overridden, as its documentation has it
