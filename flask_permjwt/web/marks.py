"""Marks: how a decorator leaves on a function what it needs, so that the order of decorators never matters.

A guard marks the function that it decorates *and every function that this one wraps* (``__wrapped__``). So
the requirement is found from whichever of them was registered as the view, above the guard or below it.
"""

import functools
import os
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import RLock
from typing import Any, Final
from weakref import ref

from werkzeug.local import LocalProxy

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.policy.decision import Rule
from flask_permjwt.policy.requirements import Requirement
from flask_permjwt.web.living import Living

_MARKS: Final = "__permjwt_marks__"

AnyCallable = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Guard:
    """One declaration. Stacked decorators add up; an equal one twice, as from an app factory, counts once.

    Attributes:
        need: what is asked for.
        methods: the request methods that it is limited to; None for all. GET stands for HEAD too.
        max_age: how many seconds ago the user may have proved who they are; None for any.
    """

    need: Requirement | Rule
    methods: frozenset[str] | None = None
    max_age: int | None = None

    def applies_to(self, method: str) -> bool:
        """Tell whether the guard speaks about this request method."""
        return self.methods is None or ("GET" if method == "HEAD" else method) in self.methods

    @property
    def fields(self) -> frozenset[str]:
        """The names that its templates are filled from."""
        return frozenset() if isinstance(self.need, Rule) else self.need.fields


@dataclass(frozen=True, slots=True, eq=False)
class Public:
    """A declaration that a view is open on purpose.

    Attributes:
        reason: why; shown in the census.
        override: it opens the route that registers its wrapper although something inside is guarded.
    """

    reason: str
    override: bool = False


@dataclass(slots=True, eq=False)
class Note:
    """A guard above a decorator that hides what it decorates; left on everything that the decorator holds.

    Attributes:
        name: of the guarded function.
        wrapper: the function that enforces the guard; gone when nobody kept it, least of all as a view.
        reached: it was found on the way of some app's requests, and so it is no stray; for good.
    """

    name: str
    wrapper: ref[AnyCallable]
    reached: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing can follow from it any more."""
        return self.reached and self.wrapper() is None


@dataclass(frozen=True, slots=True)
class Marks:
    """What is declared on one function.

    Attributes:
        owner: the id of the function. ``functools.wraps`` copies attributes, and so a copy is told apart.
        guards: every guard that speaks about the function.
        enforces: the guard that the function itself enforces when called: it is the wrapper of it.
        public: the function is declared open.
        override: the function is the wrapper of a ``public(override=True)``.
        bound: guards on the function as a method of one object, with that object.
        hidden: notes of guards that do not reach the function: a decorator in between hides it.
        note: the note that the function, a wrapper, has left on others.
        passing: guards that were put on the function while a request was served: they hold for calls of what came
            of that, and for no route. A few at most.
    """

    owner: int = 0
    guards: tuple[Guard, ...] = ()
    enforces: Guard | None = None
    public: Public | None = None
    override: Public | None = None
    bound: tuple[tuple[Callable[[], object], Guard], ...] = ()
    hidden: tuple[Note, ...] = ()
    note: Note | None = None
    passing: tuple[Guard, ...] = ()


_NONE: Final = Marks()
_LONGEST_CHAIN: Final = 100
_MOST_PASSING: Final = 4

_lock: Final = RLock()
if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    # Held for a moment at a time: so nobody holds it while a process is forked.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
_wrappers: Final[Living[AnyCallable]] = Living()
DECLARED: Final = [0]
"""A count, at index 0, that rises with every declaration in this process: read on every request."""


def remember_wrapper(wrapper: AnyCallable) -> None:
    """Keep a function that enforces a guard in mind, for the census."""
    _wrappers.add(wrapper)


def known_wrappers() -> list[AnyCallable]:
    """Return every living function that enforces a guard."""
    return _wrappers.all()


def marks_of(function: object) -> Marks:
    """Return what is declared on this very function, method or class (not on what it wraps).

    Guards survive a copy of the attributes, for closed is the safe side; all else must be the function's own.
    """
    if isinstance(function, type):
        found = function.__dict__.get(_MARKS, _NONE)
        return found if isinstance(found, Marks) else _NONE
    found = getattr(function, _MARKS, _NONE)
    if not isinstance(found, Marks):
        return _NONE
    if isinstance(function, types.MethodType):
        mine = tuple(guard for owner, guard in found.bound if owner() is function.__self__)
        found = replace(found, guards=(*found.guards, *mine))
        function = function.__func__
    return found if found.owner == id(function) else Marks(guards=found.guards)


def chain(function: object) -> Iterator[Any]:
    """Go from a function down through everything that it wraps."""
    seen: set[int] = set()
    # An object may invent a __wrapped__ whenever it is asked: not for ever.
    while function is not None and id(function) not in seen and len(seen) < _LONGEST_CHAIN:
        seen.add(id(function))
        yield function
        if isinstance(function, types.MethodType):
            function = function.__func__
        else:
            function = getattr(function, "__wrapped__", None)


def add_marks(
    function: Any,
    *,
    guard: Guard | None = None,
    enforces: Guard | None = None,
    public: Public | None = None,
    override: Public | None = None,
    hidden: Note | None = None,
    note: Note | None = None,
) -> None:
    """Declare something on one function or class.

    Raises:
        ConfigurationError: the object cannot carry a mark.
    """
    owner: Any = None
    if isinstance(function, types.MethodType):
        # The function is shared by every object of the class: the mark is on this object's method only.
        owner, function = function.__self__, function.__func__
    with _lock:
        marks = marks_of(function)
        try:
            if guard is not None and owner is not None:
                living = tuple(one for one in marks.bound if one[0]() is not None)
                if not any(one[0]() is owner and one[1] == guard for one in living):
                    marks = replace(marks, bound=(*living, (_reference(owner), guard)))
            elif guard is not None and guard not in marks.guards:
                marks = replace(marks, guards=(*marks.guards, guard))
            if hidden is not None:
                marks = replace(marks, hidden=(*(one for one in marks.hidden if not one.is_over), hidden))
            marks = replace(
                marks,
                owner=id(function),
                enforces=enforces or marks.enforces,
                public=public or marks.public,
                override=override or marks.override,
                note=note or marks.note,
            )
            setattr(function, _MARKS, marks)
        except Exception:  # noqa: BLE001  # whatever an object raises that will not be written to
            raise ConfigurationError(
                f"{describe(function)} cannot be guarded: it takes no attributes. Wrap it in a function first"
            ) from None
        # A wrapper is new and in no table yet.
        if enforces is None and hidden is None and note is None:
            DECLARED[0] += 1


def note_passing(function: AnyCallable, guard: Guard) -> None:
    """Note on a function, and on what it wraps, that a guard was put on it while a request was served.

    A method of an object is left out: frameworks decorate those at each request.
    """
    for link in chain(function):
        if isinstance(link, types.MethodType):
            return
        with _lock, suppress(Exception):  # what takes no attributes
            marks = marks_of(link)
            if guard not in marks.passing and len(marks.passing) < _MOST_PASSING:
                setattr(link, _MARKS, replace(marks, owner=id(link), passing=(*marks.passing, guard)))


def _reference(owner: object) -> Callable[[], object]:
    try:
        return ref(owner)
    except TypeError:  # an object with slots, which must then be kept
        return lambda: owner


def guards_in_chain(function: object) -> tuple[Guard, ...]:
    """Return every guard declared on a function or on anything that it wraps, once each."""
    return tuple(dict.fromkeys(guard for link in chain(function) for guard in marks_of(link).guards))


def held_by(function: object) -> Iterator[Any]:
    """Yield the functions that a function holds without saying so by ``__wrapped__``.

    These are what a decorator without ``functools.wraps`` leaves behind: functions in the closure, in a
    partial or in the attributes of a callable object; and theirs in turn. What stands behind a wrapper that
    enforces its own guard is out of reach and is left out.
    """
    seen: set[int] = set()
    pending = [function]
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if current is not function:
            yield current
            if marks_of(current).enforces is not None:
                continue
        pending.extend(_directly_held(current))


def _directly_held(function: Any) -> Iterator[Any]:
    held: list[object] = []
    if isinstance(function, types.MethodType):
        held += [function.__func__, *_attributes(function.__self__)]
    elif isinstance(function, types.FunctionType):
        for cell in function.__closure__ or ():
            held += _unpacked(_content(cell))
        held += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    elif isinstance(function, functools.partial):
        held += [function.func, *function.args, *function.keywords.values()]
    elif not isinstance(function, type):
        held += [one for one in _attributes(function) if _is_function(one)]
    held.append(getattr(function, "__wrapped__", None))
    yield from (one for one in held if _is_function(one) or _is_decorating_object(one))


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # a name of the enclosing function that has no value yet
        return None


def _unpacked(value: object) -> list[object]:
    # A container of several is a register or a menu, and not what a decorator keeps of the one that it decorates.
    if isinstance(value, tuple | list | set | frozenset | dict):
        held = value.values() if isinstance(value, dict) else value
        return list(held) if len(value) == 1 else []
    return [value]


def _attributes(value: object) -> list[object]:
    if isinstance(value, type):
        return []
    slots: list[str] = []
    for base in type(value).__mro__:
        named = base.__dict__.get("__slots__", ())
        slots += [named] if isinstance(named, str) else named
    return [
        *getattr(value, "__dict__", {}).values(),
        *(getattr(value, name, None) for name in slots if not name.startswith("__")),
    ]


def _is_function(value: object) -> bool:
    # By type(), for isinstance asks a LocalProxy such as current_user for the class of what it stands for.
    return issubclass(type(value), types.FunctionType | types.MethodType | functools.partial)


def _is_decorating_object(value: object) -> bool:
    # An object with a call of its own that keeps a function: a decorator written as a class. Apps, databases
    # and the like are callable too, but they keep their functions in dictionaries.
    kind = type(value)
    return (
        not issubclass(kind, type | LocalProxy)
        and callable(value)
        and any(_is_function(one) for one in _attributes(value))
    )


def describe(function: Any) -> str:
    """Name a function as a developer finds it: module and qualified name."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{getattr(function, '__module__', '?')}.{name}"
