"""The policy table: endpoint and method to what is needed, compiled from the app's routes.

It is compiled when the first request comes, for then the routes are final. It knows view functions by the
object: one that is put into ``app.view_functions`` later is compiled before it runs.
"""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from types import FunctionType
from typing import Final

from flask import Flask
from werkzeug.routing import Rule as Route

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.policy.decision import Rule
from flask_permjwt.policy.requirements import AllOf, Requirement
from flask_permjwt.tokens.forks import after_fork
from flask_permjwt.web.events import refuse_unheard_guards
from flask_permjwt.web.living import Living
from flask_permjwt.web.marks import (
    DECLARED,
    AnyCallable,
    Guard,
    Public,
    chain,
    describe,
    guards_in_chain,
    known_wrappers,
    marks_of,
)
from flask_permjwt.web.parts import Parts
from flask_permjwt.web.state import CONTEXT, EXTENSION

Need = Requirement | Rule | None
"""None: nothing is needed."""

_STATIC: Final = Public("static files")
# RFC 9110 section 9 and RFC 5789. A rule may be open for every method; a client may invent more of them.
METHODS: Final = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What the table says about one endpoint and method.

    Attributes:
        view: the function that was compiled.
        need: what the hook enforces; None lets everybody in.
        public: why it is open, when that was declared.
        wrappers: the guards' wrappers that a call of the view goes through, and those of functions before it: the
            hook has decided for them.
        holds: guarded functions that the view holds without wrapping them; they guard themselves.
        guards: the declarations behind ``need``.
        max_age: how many seconds ago the user may have proved who they are; None for any.
        fills: some guard, the view's own or one that it holds, is filled with the view's arguments.
        exact: permissions, holding which is enough, where that can be said: the look-up of most requests.
        is_live: it is that of a WebSocket, which lives on when the hook has decided.
        is_open: there is nothing about it that the hook must do.
    """

    view: AnyCallable
    need: Need
    public: Public | None = None
    wrappers: frozenset[AnyCallable] = frozenset()
    holds: tuple[AnyCallable, ...] = ()
    guards: tuple[Guard, ...] = ()
    max_age: int | None = None
    fills: bool = False
    exact: frozenset[str] | None = None
    is_live: bool = False
    is_open: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_open", self.need is None and not self.wrappers and not self.fills)

    @property
    def declared(self) -> bool:
        """Whether somebody said what the view needs, or that it is public."""
        return self.public is not None or bool(self.guards)


class PolicyTable:
    """The compiled policy of one app.

    Args:
        app: whose routes are compiled.
        default_deny: close views that declare nothing.
    """

    def __init__(self, app: Flask, *, default_deny: bool) -> None:
        self._app: Final = app
        self._default_deny: Final = default_deny
        self.entries: dict[tuple[str, str], Entry] = {}
        """What is compiled, by endpoint and method: good while ``compiled_at`` is the count of declarations."""
        self.plain: Final[set[AnyCallable]] = set()
        """Functions that are no coroutine functions: the views among them that a decorator of ours has marked."""
        self._plain_views: set[AnyCallable] = set()
        self.compiled_at = -1
        self.is_compiled = False
        """Whether the app has served a request."""
        self._fault: ConfigurationError | None = None
        self._renew_lock()
        after_fork(self._renew_lock)
        _tables.add(self)

    def _renew_lock(self) -> None:
        """Forget who holds the lock: after a fork, the thread that was compiling is not here."""
        self._lock = Lock()

    @property
    def values_may_change(self) -> bool:
        """Whether the app has functions that may change a view's arguments before the hook sees them."""
        return bool(self._app.url_value_preprocessors)

    def entry(self, endpoint: str, method: str) -> Entry:
        """Return what is needed for a request; compiled now, unless ``entries`` hold it.

        Raises:
            ConfigurationError: the declarations contradict each other, or a guard guards nothing.
        """
        with self._lock:
            now = DECLARED[0]
            if self.compiled_at != now:
                self._fault = None
                try:
                    self.entries = self.compile()
                    self._note_plain()
                    self.is_compiled = True
                except ConfigurationError as fault:
                    self.entries, self._fault = {}, fault
                self.compiled_at = now
            if self._fault is not None:
                raise ConfigurationError(str(self._fault))
            found = self.entries.get((endpoint, method))
            if found is None or found.view is not self._app.view_functions[endpoint]:
                found = self._compile_entry(endpoint, method)
                # A method that a client invented is not kept: it could invent any number.
                if method in METHODS or (endpoint, method) in self.entries:
                    self.entries[endpoint, method] = found
            return found

    def _note_plain(self) -> None:
        views = {entry.view for entry in self.entries.values() if _is_plain(entry.view)}
        # Those whose place another took are not kept alive.
        self.plain.difference_update(self._plain_views - views)
        self.plain.update(views)
        self._plain_views = views

    def compile(self) -> dict[tuple[str, str], Entry]:
        """Compile every route of the app, as it is now.

        Raises:
            ConfigurationError: the declarations contradict each other, or a guard guards nothing.
        """
        entries = {}
        for rule in self._app.url_map.iter_rules():
            if rule.endpoint not in self._app.view_functions:
                continue
            for method in methods_of(rule):
                key = (rule.endpoint, method)
                if key not in entries:
                    entries[key] = self._compile_entry(*key)
        self._note_own_wrappers(entries)
        self._refuse_unknown_methods(entries)
        self._refuse_misplaced_guards(entries)
        refuse_unheard_guards(self._app)
        return entries

    def _compile_entry(self, endpoint: str, method: str) -> Entry:
        view = self._app.view_functions[endpoint]
        parts = Parts(view, method)
        scopes = self._scopes(endpoint, restx=parts.is_restx)
        gates = [one for scope in scopes for one in self._app.before_request_funcs.get(scope, ())]
        links = [*parts.all, *(link for one in gates for link in chain(one))]
        wrappers = frozenset(link for link in links if marks_of(link).enforces is not None)
        override = parts.override()
        if override is not None:
            return Entry(view=view, need=None, public=override, wrappers=wrappers)
        raw, holds = parts.held_guards()
        # Of blueprints, those of ``protect`` and those of functions that run before all of their requests.
        owners = [self._app.blueprints[scope] for scope in scopes if scope is not None]
        around = [guard for one in owners for guard in marks_of(one).guards]
        before = [guard for one in gates for guard in guards_in_chain(one)]
        guards = dict.fromkeys([*parts.guards(), *raw, *around, *before])
        public = parts.public()
        if public is not None and guards:
            raise ConfigurationError(
                f"{describe(view)} (endpoint {endpoint!r}) is public and guarded, by itself, its class, "
                "its blueprint or a function before its requests: take one away, or write "
                "public(reason=..., override=True) above the guard"
            )
        if public is None and not guards and self._is_static(endpoint, view):
            public = _STATIC
        applying = tuple(guard for guard in guards if guard.applies_to(method))
        need: Need = _combine(applying)
        if need is None and public is None and self._default_deny:
            need = Rule.CLOSED
        ages = [guard.max_age for guard in applying if guard.max_age is not None]
        fills = any(guard.fields for guard in applying)
        is_live = any(rule.websocket for rule in self._app.url_map.iter_rules(endpoint))
        return Entry(
            view=view,
            need=need,
            public=public,
            wrappers=wrappers,
            holds=holds,
            guards=applying,
            max_age=min(ages, default=None),
            fills=fills,
            exact=None if fills or ages or is_live else _exact(need),
            is_live=is_live,
        )

    def _scopes(self, endpoint: str, *, restx: bool) -> dict[str | None, None]:
        scopes: dict[str | None, None] = {None: None}
        name = endpoint
        while "." in name:
            name = name.rpartition(".")[0]
            scopes.update(dict.fromkeys(self._registered_as(name, restx=restx)))
        return scopes

    def _registered_as(self, name: str, *, restx: bool) -> list[str]:
        """Return the names under which a blueprint of an endpoint is registered, and those around it.

        Flask-RESTX builds its endpoints of the blueprint's own name, wherever it is nested and however it was
        renamed: each blueprint of that name may be meant.
        """
        blueprints = self._app.blueprints
        if not restx:
            return [name] if name in blueprints else []
        found = [one for one, blueprint in blueprints.items() if blueprint.name == name]
        around = [".".join(one.split(".")[:depth]) for one in found for depth in range(1, one.count(".") + 1)]
        return [*found, *(one for one in around if one in blueprints)]

    def _is_static(self, endpoint: str, view: AnyCallable) -> bool:
        name, _, last = endpoint.rpartition(".")
        owner = self._app.blueprints.get(name) if name else self._app
        own = (getattr(view, "__module__", None) or "").startswith("flask.")
        return own and last == "static" and owner is not None and owner.has_static_folder

    def _note_own_wrappers(self, entries: dict[tuple[str, str], Entry]) -> None:
        for entry in entries.values():
            for wrapper in entry.wrappers:
                note = marks_of(wrapper).note
                if note is not None:
                    note.reached = True

    def _refuse_unknown_methods(self, entries: dict[tuple[str, str], Entry]) -> None:
        """Refuse a guard that is limited to a method nobody knows: a slip that would leave the view open."""
        known = {method for _, method in entries} | set(METHODS)
        for (endpoint, method), entry in entries.items():
            for guard in Parts(entry.view, method).guards():
                unknown = sorted((guard.methods or frozenset()) - known)
                if unknown:
                    raise ConfigurationError(
                        f"a guard on {describe(entry.view)} (endpoint {endpoint!r}) is limited to {unknown[0]}, "
                        "which is the method of no route"
                    )

    def _refuse_misplaced_guards(self, entries: dict[tuple[str, str], Entry]) -> None:
        """Refuse to serve when a guard sits above a decorator that hides the view from it."""
        gates = [one for functions in self._app.before_request_funcs.values() for one in functions]
        if not self.is_compiled:
            for function in [*(entry.view for entry in entries.values()), *gates]:
                _refuse_lost_guard(function)
        exposed = [entry.view for entry in entries.values() if not entry.declared]
        strays = [
            (note, link)
            for function in [*exposed, *gates]
            for link in chain(function)
            for note in marks_of(link).hidden
            if not note.reached
        ]
        if strays:
            _note_what_is_reached()
        for note, link in strays:
            if not note.reached:
                raise ConfigurationError(
                    f"the guard on {note.name} does not reach the view {describe(link)}: a "
                    "decorator between them hides it. Use functools.wraps in it, or move the guard next to the "
                    "route; or, where a helper merely uses the view, mark it @public"
                )

    def reached(self) -> dict[int, AnyCallable]:
        """Return all functions that requests to the app run through, by their ids."""
        views = list(self._app.view_functions.values())
        parts = (part for view in views for method in METHODS for part in Parts(view, method).all)
        return {id(part): part for part in parts}

    def guards_on_no_view(self) -> list[AnyCallable]:
        """Return the guarded functions of this process that are no view's, such as guarded helpers.

        Those of this package and of other apps' views are left out.
        """
        reached = _reached_anywhere()
        return sorted(
            (
                wrapper
                for wrapper in known_wrappers()
                if not describe(wrapper).startswith("flask_permjwt.")
                and not any(id(link) in reached for link in chain(wrapper))
            ),
            key=describe,
        )


def _refuse_lost_guard(function: AnyCallable) -> None:
    """Refuse a view whose guard stands above its route, and was put there while another app served a request."""
    links = list(chain(function))
    lost = {guard for link in links for guard in marks_of(link).passing} - set(guards_in_chain(function))
    if lost and not any(marks_of(link).public for link in links):
        raise ConfigurationError(
            f"a guard was put on {describe(function)} while a request was served, and its route does not know of "
            "it: write it below the route, or make the app before requests come; or, where only a call of the "
            "view was guarded, mark the view @public"
        )


_tables: Final[Living[PolicyTable]] = Living()


def _reached_anywhere() -> dict[int, AnyCallable]:
    return {key: part for table in _tables.all() for key, part in table.reached().items()}


def _note_what_is_reached() -> None:
    """Remember of every guard on the way of some app's requests that it is no stray."""
    for part in _reached_anywhere().values():
        note = marks_of(part).note
        if note is not None:
            note.reached = True


def is_passing(functions: Iterable[object]) -> bool:
    """Tell whether what is decorated now is decorated for this request alone: one is served, and no app is made.

    A context that was pushed while an app is made, as by ``app.test_request_context()``, serves nothing. An app
    may be made inside a request of another: then one of the functions is a view of an app that has not served yet.
    """
    context = CONTEXT.get(None)
    serving = None if context is None else context.app.extensions.get(EXTENSION)
    if serving is None or not serving.table.is_compiled:
        return False
    ids = {id(function) for function in functions}
    return all(ids.isdisjoint(table.reached()) for table in _tables.all() if not table.is_compiled)


def methods_of(rule: Route) -> list[str]:
    """Return the methods of a route; a rule without any takes them all."""
    return sorted(METHODS if rule.methods is None else rule.methods)


def _is_plain(view: AnyCallable) -> bool:
    is_marked = isinstance(view, FunctionType) and marks_of(view).owner != 0
    return is_marked and not inspect.iscoroutinefunction(view)


def _combine(guards: tuple[Guard, ...]) -> Need:
    """Make one need of several guards: their requirements add up; any of them implies a valid token."""
    requirements = [guard.need for guard in guards if not isinstance(guard.need, Rule)]
    if len(requirements) == 1:
        return requirements[0]
    if requirements:
        return AllOf(
            part
            for requirement in requirements
            for part in (requirement.parts if isinstance(requirement, AllOf) else (requirement,))
        )
    return Rule.LOGIN if guards else None


def _exact(need: Need) -> frozenset[str] | None:
    """Return the permissions, holding which is enough for a need; None where it takes more to tell."""
    if need is Rule.LOGIN:
        return frozenset()
    return need.exact if isinstance(need, AllOf) else None
