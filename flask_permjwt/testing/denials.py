"""The proof that guarded routes deny: real requests for every guarded route and method of an app."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from flask import Flask
from werkzeug.routing import Rule as Route

from flask_permjwt.policy.decision import Rule
from flask_permjwt.policy.permissions import Grants, is_segment
from flask_permjwt.policy.requirements import Needs, Requirement
from flask_permjwt.testing.client import make_client
from flask_permjwt.testing.stand_in import HEARD, StandIn, take_stand_ins
from flask_permjwt.web.addresses import Address, address_of
from flask_permjwt.web.marks import describe
from flask_permjwt.web.table import Entry, methods_of

_UNRELATED: Final = "permjwt-testing:unrelated"
_OTHER: Final = "permjwt-testing-other"
_NAME: Final = "tester"


@dataclass(frozen=True, slots=True)
class _Case:
    """One request that must be denied: in whose name, what is expected, and how that is said."""

    stand_in: StandIn | None
    expected: Collection[int]
    said: str


def assert_every_route_denies(
    app: Flask,
    *,
    values: Mapping[str, object] | None = None,
    skip: Collection[str] = (),
    unauthenticated: Collection[int] = (401,),
    forbidden: Collection[int] = (403,),
) -> tuple[str, ...]:
    """Prove that every guarded route and method denies whom it must; return them, as ``"GET /reports"``.

    By real requests, each is asked without credentials; with wrong permissions: none of those that it needs, then
    all but one, wherever that is not enough; and with the right ones, but proved too long ago, where it asks for
    ``fresh``. A guard that denies lets no view run; one that does not lets it run, in your test's database. Where
    something else answers with such a status, the view itself for one, nothing was denied.
    No database is needed for the denials themselves.

    Args:
        app: any app with PermJWT.
        values: for the variables of routes, by name, where the ones that are made up would not do.
        skip: endpoints that are left out.
        unauthenticated: what counts as a denial without credentials, such as ``(302,)`` where your error handler
            leads to a login page.
        forbidden: what counts as one for lack of permissions.

    Raises:
        AssertionError: some route does not deny, cannot be reached, or there is no guarded one; all are named.
        ConfigurationError: the declarations contradict each other, or a guard guards nothing.
    """
    table = take_stand_ins(app).table
    entries = table.compile()
    unknown = sorted(set(skip) - set(app.view_functions))
    assert not unknown, f"skip names {unknown[0]!r}, which is no endpoint of the app"  # noqa: S101  # it is one
    proven, faults = [], []
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        if rule.endpoint in skip or not _leads_to_a_view(rule):
            continue
        for method in methods_of(rule):
            entry = entries.get((rule.endpoint, method))
            automatic = method == "OPTIONS" and getattr(rule, "provide_automatic_options", False)
            if entry is None or entry.need is None or automatic:
                continue
            proven.append(f"{method} {rule.rule}")
            address = address_of(app, rule, method, values or {})
            if address is None:
                faults.append(
                    f"{proven[-1]} ({_name(entry)}): no address was found that leads to it: {_hint(rule)}"
                )
                continue
            faults.extend(
                f"{proven[-1]} ({_name(entry)}): {fault}"
                for case in _cases(entry, address, unauthenticated, forbidden)
                if (fault := _ask(app, address, method, case)) is not None
            )
    if faults:
        raise AssertionError(
            "\n  ".join([f"{len(faults)} of the denials that were asked for did not come:", *faults])
        )
    if not proven:
        raise AssertionError("the app has no guarded route: nothing was proven")
    return tuple(proven)


def _leads_to_a_view(rule: Route) -> bool:
    return not (rule.build_only or rule.websocket or rule.alias or rule.redirect_to is not None)


def _cases(
    entry: Entry, address: Address, unauthenticated: Collection[int], forbidden: Collection[int]
) -> Iterator[_Case]:
    need = entry.need
    yield _Case(None, unauthenticated, "without credentials")
    if need is Rule.CLOSED:
        yield _Case(_holding({"*"}), forbidden, "with every permission, for it declares nothing")
        return
    right: frozenset[str] = frozenset()
    if need is not None and not isinstance(need, Rule):
        right = _filled(need.scopes, address.values)
        if not need.met_by(Grants(right), address.values):
            right = frozenset({"*"})  # a value that no grant can name, such as a path with slashes
        for wrong in _wrong(need, address.values):
            said = " and ".join(sorted(wrong - {_UNRELATED})) or "no permission that it needs"
            yield _Case(_holding(wrong), forbidden, f"with {said}")
    if entry.max_age is not None:
        yield _Case(
            _holding(right, proved=entry.max_age + 60.0),
            unauthenticated,
            f"with the right permissions, proved longer than {entry.max_age} s ago",
        )
        yield _Case(_holding(right, proved=None), unauthenticated, "with the right permissions, never proved")


def _holding(permissions: Collection[str], *, proved: float | None = 0) -> StandIn:
    return StandIn.named(_NAME, permissions, proved=proved)


def _wrong(need: Requirement, values: Mapping[str, object]) -> Iterator[frozenset[str]]:
    """Yield sets of grants that are not enough: none that is needed, and all but one."""
    seen: set[frozenset[str]] = set()
    every = _filled(need.scopes, values)
    for left_out in (need.scopes, *((scope,) for scope in need.scopes)):
        kept = every - _filled(left_out, values)
        # What is granted for another object must not open this one.
        others = _filled([scope for scope in left_out if "{" in scope], dict.fromkeys(need.fields, _OTHER))
        wrong = frozenset({_UNRELATED}) | kept | others
        if wrong not in seen and not need.met_by(Grants(wrong), values):
            seen.add(wrong)
            yield wrong


def _filled(scopes: Collection[str], values: Mapping[str, object]) -> frozenset[str]:
    """Write permissions as grants, with the values of their templates; what no grant can name is left out."""
    filled = (":".join(map(str, _segments(Needs.parse(scope), values))) for scope in scopes)
    return frozenset(text for text in filled if all(map(is_segment, text.split(":"))))


def _segments(need: Needs, values: Mapping[str, object]) -> Iterator[object]:
    for segment, name in zip(need.segments, need.names, strict=True):
        value = segment if name is None else values.get(name)
        yield "" if value is None else getattr(value, "value", value)


def _ask(app: Flask, address: Address, method: str, case: _Case) -> str | None:
    """Send the request; return what is wrong with the answer."""
    client = make_client(app)
    if case.stand_in is not None:
        client.standing_in(case.stand_in)
    heard: list[str] = []
    client.environ_base = {**client.environ_base, HEARD: cast("str", heard)}
    options: dict[str, Any] = {} if address.base_url is None else {"base_url": address.base_url}
    expected = " or ".join(map(str, sorted(case.expected)))
    try:
        response = client.open(address.path, method=method, **options)
    except Exception as error:  # noqa: BLE001  # a view that ran may raise anything
        return f"{type(error).__name__} was raised in place of {expected}, {case.said}"
    response.close()
    if response.status_code not in case.expected:
        return f"{response.status_code} {case.said}, not {expected}"
    return (
        None if heard else f"{response.status_code} {case.said}, which no guard has said: something else answered"
    )


def _name(entry: Entry) -> str:
    view: Callable[..., Any] = entry.view
    return describe(getattr(view, "view_class", view))


def _hint(rule: Route) -> str:
    if not rule.arguments:
        return "another route takes its place; take one away, or name its endpoint in skip"
    names = ", ".join(f"{name!r}: ..." for name in sorted(rule.arguments))
    return f"give values={{{names}}}, or name its endpoint in skip"
