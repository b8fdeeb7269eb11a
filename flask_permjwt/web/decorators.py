"""The decorators: what a developer writes above or below a route.

They mark what they decorate and return a thin wrapper that enforces the requirement itself whenever the
before-request hook has not already done so for this very call.
"""

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from types import MethodType
from typing import Any, Final, TypeVar, overload
from weakref import ref

from flask import Blueprint, has_request_context

from flask_permjwt.errors import ConfigurationError, PermissionSyntaxError
from flask_permjwt.policy.decision import Rule
from flask_permjwt.policy.requirements import all_of
from flask_permjwt.web.calls import enforce_call, is_decided
from flask_permjwt.web.marks import (
    AnyCallable,
    Guard,
    Note,
    Public,
    add_marks,
    chain,
    describe,
    guards_in_chain,
    held_by,
    marks_of,
    note_passing,
    remember_wrapper,
)
from flask_permjwt.web.state import CONTEXT, REQUEST_KEY
from flask_permjwt.web.table import is_passing

T = TypeVar("T")


class GuardDecorator:
    """What ``requires_permissions(...)`` returns; it decorates functions, methods and view classes.

    Attributes:
        guard: the declaration. The policy table reads it where a framework keeps a list of decorators.
    """

    def __init__(self, guard: Guard) -> None:
        self.guard: Final = guard

    def __call__(self, view: T) -> T:
        """Guard a function, a method, an async function, a static or class method, or a view class.

        Raises:
            ConfigurationError: it is declared public as well, or is nothing that can be guarded.
        """
        guarded: Any
        if isinstance(view, staticmethod | classmethod):
            guarded = type(view)(self(view.__func__))
        elif isinstance(view, type):
            guarded = _guard_class(self.guard, view)
        elif callable(view):
            guarded = _guard_function(self.guard, view)
        else:
            hint = "" if view is not None else "; above @sock.route, use the Sock of flask_permjwt.live.sock"
            raise ConfigurationError(f"{view!r} cannot be guarded: it is no function and no view class{hint}")
        return guarded  # type: ignore[no-any-return]


def _guard_class(guard: Guard, cls: type) -> type:
    dispatch = getattr(cls, "dispatch_request", None)
    if dispatch is None:
        raise ConfigurationError(
            f"{describe(cls)} cannot be guarded: only view classes (flask.views.View) can; guard its methods"
        )
    _refuse_public(cls)
    if guard in marks_of(cls).guards:
        return cls
    add_marks(cls, guard=guard)
    # The class guards itself too, for whoever dispatches to it without the hook.
    wrapper = wrap(guard, dispatch)
    remember_wrapper(wrapper)
    setattr(cls, "dispatch_request", wrapper)  # noqa: B010  # mypy knows no such attribute
    return cls


def _guard_function(guard: Guard, function: AnyCallable) -> AnyCallable:
    if has_request_context() and is_passing([*chain(function), *held_by(function)]):
        # Frameworks and views that decorate at each request: the wrapper enforces, and no guard may be left behind
        # on what outlives the request.
        note_passing(function, guard)
        return wrap(guard, function)
    for link in _links(function):
        _refuse_public(link)
        add_marks(link, guard=guard)
    wrapper = wrap(guard, function)
    remember_wrapper(wrapper)
    _leave_notes(wrapper, function)
    return wrapper


def _leave_notes(wrapper: AnyCallable, function: AnyCallable) -> None:
    """Tell everything that a decorator hides from the guard that there is a guard above it."""
    reached = {id(link) for link in chain(function)}
    note = Note(describe(function), ref(wrapper))
    add_marks(wrapper, note=note)
    for held in held_by(function):
        for link in chain(held):
            if id(link) not in reached:
                reached.add(id(link))
                with suppress(ConfigurationError):  # what takes no marks is no function that was routed
                    add_marks(link, hidden=note)


def _links(function: AnyCallable) -> Iterator[AnyCallable]:
    """Go down the chain; where it comes to a method of an object, the function of the class is left out."""
    for link in chain(function):
        yield link
        if isinstance(link, MethodType):
            return


def _refuse_public(target: object) -> None:
    marks = marks_of(target)
    if marks.public or marks.override:
        raise ConfigurationError(
            f"{describe(target)} is guarded and declared public: take one away, or open a single route with "
            "public(reason=..., override=True) above the guard"
        )


def wrap(guard: Guard, function: AnyCallable) -> AnyCallable:
    """Return a function that enforces a guard, unless the hook has, and calls another; nothing else is marked."""
    wrapper: AnyCallable
    fills, context_of_request = bool(guard.fields), CONTEXT.get
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def guarded_async(*args: Any, **kwargs: Any) -> Any:
            if fills or not is_decided(wrapper):
                enforce_call(wrapper, guard, function, args, kwargs)
            return await function(*args, **kwargs)

        wrapper = guarded_async
    else:

        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            # What is_decided tells, without a call: every request to a guarded view comes by here.
            context = context_of_request(None)
            state = None if context is None else context.request.__dict__.get(REQUEST_KEY)
            if fills or state is None or wrapper not in state.decided:
                enforce_call(wrapper, guard, function, args, kwargs)
            else:
                state.decided -= itself
            return function(*args, **kwargs)

        wrapper, itself = guarded, frozenset({guarded})
    add_marks(wrapper, guard=guard, enforces=guard)
    return wrapper


def _methods(methods: Iterable[str] | None) -> frozenset[str] | None:
    if methods is None:
        return None
    if isinstance(methods, str):
        raise ConfigurationError(f"methods must be a list, such as methods=[{methods!r}]")
    names = frozenset(name.upper() for name in methods)
    if not names:
        raise ConfigurationError("methods=[] guards no method at all: name one, or leave the argument out")
    return frozenset("GET" if name == "HEAD" else name for name in names)


def _max_age(fresh: timedelta | float | None) -> int | None:
    if fresh is None:
        return None
    seconds = fresh.total_seconds() if isinstance(fresh, timedelta) else fresh
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds < math.inf:
        raise ConfigurationError("fresh is a timedelta or a number of seconds, one or more")
    return int(seconds)


def requires_permissions(
    *permissions: object, methods: Iterable[str] | None = None, fresh: timedelta | float | None = None
) -> GuardDecorator:
    """Guard a view (or any function called in a request) with permissions.

    Stands above or below ``@app.route`` and other decorators alike. Stacked decorators add up.

    Args:
        permissions: all of them are needed. Strings, string enum members, ``any_of`` or ``all_of`` groups; a
            segment such as ``{project_id}`` is filled with the view's argument of that name.
        methods: limits the requirement to these request methods; GET stands for HEAD too.
        fresh: how long ago, as a timedelta or in seconds, the user may have logged in or confirmed the password
            (RFC 9470); None for any time.

    Raises:
        PermissionSyntaxError: there is no permission, or one is not written as the grammar asks.
        ConfigurationError: ``methods`` is empty or a string, or ``fresh`` is no positive duration.
    """
    for permission in permissions:
        if inspect.isroutine(permission) or isinstance(permission, type):
            raise PermissionSyntaxError(
                "requires_permissions needs permissions: write @requires_permissions('reports:read'), or "
                "@requires_login for any valid token"
            )
    return GuardDecorator(Guard(all_of(*permissions), _methods(methods), _max_age(fresh)))


@overload
def requires_login(view: T, /) -> T: ...
@overload
def requires_login(
    *, methods: Iterable[str] | None = None, fresh: timedelta | float | None = None
) -> GuardDecorator: ...
def requires_login(
    view: Any = None, /, *, methods: Iterable[str] | None = None, fresh: timedelta | float | None = None
) -> Any:
    """Guard a view with any valid token, whatever its permissions.

    Written ``@requires_login`` or, limited to some request methods, ``@requires_login(methods=["POST"])``; where
    the user must have proved lately who they are, ``@requires_login(fresh=timedelta(minutes=5))``.

    Args:
        view: what is decorated, where it is written without brackets.
        methods: limits the requirement to these request methods; GET stands for HEAD too.
        fresh: as for ``requires_permissions``.

    Raises:
        ConfigurationError: ``methods`` is empty or a string, or ``fresh`` is no positive duration.
    """
    decorator = GuardDecorator(Guard(Rule.LOGIN, _methods(methods), _max_age(fresh)))
    return decorator if view is None else decorator(view)


# For frameworks that keep a list of decorators, in which it may stand without brackets.
requires_login.guard = Guard(Rule.LOGIN)  # type: ignore[attr-defined]


def public(reason: str, *, override: bool = False) -> Callable[[T], T]:
    """Declare a view open on purpose.

    Args:
        reason: why; the census shows it.
        override: open just the route that registers the result, although what is decorated is guarded, and
            suspend that guard for the call.

    Raises:
        ConfigurationError: the reason is missing, or the view is guarded and ``override`` is not set.
    """
    if not isinstance(reason, str) or not reason.strip():
        raise ConfigurationError('public needs a reason: write @public(reason="the landing page")')
    declared = Public(reason, override)

    def declare(view: T) -> T:
        target: Any = view
        if isinstance(view, staticmethod | classmethod):
            opened: Any = type(view)(declare(view.__func__))
            return opened  # type: ignore[no-any-return]
        if not callable(view):
            raise ConfigurationError(f"{view!r} cannot be public: it is no function and no view class")
        if override:
            return _open_route(declared, target)  # type: ignore[return-value]
        if guards_in_chain(target):
            raise ConfigurationError(
                f"{describe(target)} is guarded and declared public: take one away, or open a single "
                "route with public(reason=..., override=True) above the guard"
            )
        # On this very function and not on what it wraps, which may be another route's view. A method of an object
        # shares its function with all others, and is wrapped.
        if isinstance(target, MethodType):
            target = _pass_on(target)
        add_marks(target, public=declared)
        return target  # type: ignore[no-any-return]

    return declare


def _open_route(declared: Public, function: AnyCallable) -> AnyCallable:
    if isinstance(function, type):
        raise ConfigurationError(
            f"{describe(function)}: override opens a route, not a class; decorate the result of as_view() "
            "or one method"
        )
    opened = _pass_on(function)
    add_marks(opened, override=declared)
    return opened


def _pass_on(function: AnyCallable) -> AnyCallable:
    """Wrap a function in one of its own identity that does nothing else."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def passed_on_async(*args: Any, **kwargs: Any) -> Any:
            return await function(*args, **kwargs)

        return passed_on_async

    @functools.wraps(function)
    def passed_on(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return passed_on


def protect(
    blueprint: Blueprint,
    *permissions: object,
    methods: Iterable[str] | None = None,
    login: bool = False,
) -> None:
    """Guard every view of a blueprint, of the blueprints nested in it, and its static files.

    It may be called before or after the blueprint is registered and its views are defined.

    Args:
        blueprint: what to guard.
        permissions: as for ``requires_permissions``.
        methods: as for ``requires_permissions``.
        login: any valid token is enough; instead of permissions.

    Raises:
        PermissionSyntaxError: there is no permission, or one is not written as the grammar asks.
        ConfigurationError: both permissions and ``login`` are given, or it is no blueprint.
    """
    if not isinstance(blueprint, Blueprint):
        raise ConfigurationError(f"protect guards a flask.Blueprint, not {type(blueprint).__name__}")
    if login and permissions:
        raise ConfigurationError("protect takes permissions or login=True, not both")
    need = Rule.LOGIN if login else all_of(*permissions)
    add_marks(blueprint, guard=Guard(need, _methods(methods)))
