"""The census: every route and method of an app with what it needs, for people and for CI."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from flask import Flask

from flask_permjwt.policy.decision import Rule
from flask_permjwt.web.marks import describe
from flask_permjwt.web.state import app_state
from flask_permjwt.web.table import Entry, methods_of


class Kind(StrEnum):
    """What a route and method is, in one word or two."""

    OPEN = "open"
    PUBLIC = "public"
    LOGIN = "login"
    PERMISSIONS = "permissions"
    PARTLY = "partly guarded"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Row:
    """One route and method.

    Attributes:
        rule: the route, as written.
        method: the request method.
        endpoint: Flask's name of the view.
        view: module and name of the view function.
        kind: what it is; ``partly guarded`` is open for this method although other methods of the same view,
            or a function that the view holds, are guarded; ``closed`` is closed by PERMJWT_DEFAULT_DENY.
        needs: the permissions, or the reason of a public view; may be empty.
        scopes: every permission named in it.
        declared: somebody said what it needs, or that it is public.
        max_age: how many seconds ago the user may have proved who they are; None for any.
    """

    rule: str
    method: str
    endpoint: str
    view: str
    kind: Kind
    needs: str
    scopes: tuple[str, ...]
    declared: bool
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class Census:
    """All rows, and the guarded functions that are no view's (helpers, or guards that went astray)."""

    rows: tuple[Row, ...]
    helpers: tuple[str, ...]

    @property
    def undeclared(self) -> tuple[Row, ...]:
        """The rows about which nobody said anything."""
        return tuple(row for row in self.rows if not row.declared)


def take_census(app: Flask) -> Census:
    """Compile the app's routes as they are now, and list them.

    Raises:
        ConfigurationError: the declarations contradict each other, or a guard guards nothing.
    """
    table = app_state(app).table
    entries = table.compile()
    guarded = {endpoint for (endpoint, _), entry in entries.items() if entry.guards}
    rows = tuple(_rows(app, entries, guarded))
    helpers = tuple(dict.fromkeys(describe(function) for function in table.guards_on_no_view()))
    return Census(rows, helpers)


def _rows(app: Flask, entries: dict[tuple[str, str], Entry], guarded: set[str]) -> Iterator[Row]:
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        for method in methods_of(rule):
            if (rule.endpoint, method) not in entries:
                continue
            if method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
                continue
            if method == "HEAD" and "GET" in methods_of(rule):
                continue
            entry = entries[rule.endpoint, method]
            kind, needs = _kind(entry, partly=rule.endpoint in guarded or bool(entry.holds))
            scopes = entry.need.scopes if entry.need and not isinstance(entry.need, Rule) else ()
            yield Row(
                rule.rule,
                method,
                rule.endpoint,
                describe(getattr(entry.view, "view_class", entry.view)),
                kind,
                needs,
                scopes,
                entry.declared,
                entry.max_age,
            )


def _kind(entry: Entry, *, partly: bool) -> tuple[Kind, str]:
    if entry.public is not None:
        return Kind.PUBLIC, entry.public.reason
    if entry.need is Rule.LOGIN:
        return Kind.LOGIN, _fresh(entry)
    if entry.need is Rule.CLOSED:
        return Kind.CLOSED, "declares nothing"
    if entry.need is None:
        return (Kind.PARTLY if partly else Kind.OPEN), ""
    return Kind.PERMISSIONS, f"{entry.need} {_fresh(entry)}".rstrip()


def _fresh(entry: Entry) -> str:
    return "" if entry.max_age is None else f"[fresh: {entry.max_age} s]"
