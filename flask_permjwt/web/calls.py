"""Calls of guarded functions: each enforces its guard, unless the hook has decided for this very call."""

import inspect
from typing import Any, Final

from flask import request

from flask_permjwt.web.identity import enforce, routed_values
from flask_permjwt.web.marks import AnyCallable, Guard
from flask_permjwt.web.state import CONTEXT, REQUEST_KEY, RequestState, request_state

_UNCHANGEABLE: Final = (str, int)
_current_request: Final = request._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug


def is_decided(wrapper: AnyCallable) -> bool:
    """Tell whether the hook has decided for this very call; its decision is used up by the first."""
    context = CONTEXT.get(None)
    incoming = _current_request() if context is None else context.request  # where there is none, Flask says so
    state: RequestState | None = incoming.__dict__.get(REQUEST_KEY)
    return state is not None and state.uses_up(wrapper)


def enforce_call(
    wrapper: AnyCallable, guard: Guard, function: AnyCallable, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Enforce a guard at the call of its wrapper, where the hook has not, or where it is filled with arguments.

    Templates are filled again even for the call that the hook decided for, with what routing matched for the
    arguments that Flask passes on and with what a decorator in between passes in their place.

    Raises:
        HTTPException: as ``enforce``.
    """
    decided = bool(guard.fields) and is_decided(wrapper)
    state = request_state()
    if decided and state.entry is not None and state.entry.public is not None:
        return
    incoming = _current_request()
    if decided and not args and _are_passed_on(guard.fields, kwargs, incoming.view_args or {}):
        return
    if not guard.applies_to(incoming.method):
        return
    values = _arguments(function, guard.fields, args, kwargs, defaults=not decided)
    if decided:
        passed_on = incoming.view_args or {}
        changed = {name: one for name, one in values.items() if one is not passed_on.get(name)}
        values = {**routed_values(state), **changed}
    enforce(state, guard.need, values, max_age=guard.max_age)


def _are_passed_on(names: frozenset[str], kwargs: dict[str, Any], passed_on: dict[str, Any]) -> bool:
    """Tell whether templates would be filled with what the hook has filled them with already."""
    for name in names:
        value = kwargs.get(name)
        # An object of another kind may have been changed on the way.
        if value is not passed_on.get(name) or type(value) not in _UNCHANGEABLE:
            return False
    return True


def _arguments(
    function: AnyCallable,
    names: frozenset[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    defaults: bool,
) -> dict[str, object]:
    """Return the arguments that templates name; what cannot be told apart is left out, and denies."""
    if not names:
        return {}
    try:
        # Not of what it wraps: a decorator in between may pass on other arguments than it takes.
        signature = inspect.signature(function, follow_wrapped=False)
        bound = signature.bind_partial(*args).arguments if args else {}
    except (TypeError, ValueError):
        return {name: kwargs[name] for name in names & kwargs.keys()}
    values = {**bound, **kwargs}
    if defaults:
        for name, parameter in signature.parameters.items():
            if parameter.default is not inspect.Parameter.empty:
                values.setdefault(name, parameter.default)
    return {name: values[name] for name in names & values.keys()}
