"""Operations: what a view does, from its description, or else from its docstring."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final

from flask import Flask

from flask_permjwt.api.answers import ErrorSchema, FieldErrorsSchema, StaleErrorSchema
from flask_permjwt.api.describe import JSON, Answer, Description, description_of, errors_of
from flask_permjwt.errors import (
    AuthError,
    BodyTooLargeError,
    InsufficientScopeError,
    InvalidBodyError,
    InvalidRequestError,
    RetryLaterError,
    StaleAuthenticationError,
    UnauthenticatedError,
    UnsupportedMediaTypeError,
)
from flask_permjwt.oauth_errors import ClientChallengedError
from flask_permjwt.openapi.entries import annotate, refusals
from flask_permjwt.openapi.routes import Route, parameters
from flask_permjwt.openapi.schemes import Schemes
from flask_permjwt.policy.decision import Rule
from flask_permjwt.web.refusals import handles_errors

_READING: Final = (InvalidRequestError, BodyTooLargeError, UnsupportedMediaTypeError, InvalidBodyError)
_SCHEMAS: Final[dict[type[AuthError], type[ErrorSchema]]] = {
    InvalidBodyError: FieldErrorsSchema,
    StaleAuthenticationError: StaleErrorSchema,
}
_CHALLENGED: Final = (UnauthenticatedError, InsufficientScopeError, InvalidRequestError, ClientChallengedError)


def described(route: Route) -> Description | None:
    """Return the description of a route's view, of its class or of the method; None where nobody wrote one."""
    view = route.entry.view
    view_class = getattr(view, "view_class", None)
    handler = getattr(view_class, route.method.lower(), None)
    return description_of(handler, view, view_class)


def operation_of(route: Route, app: Flask, schemes: Schemes) -> dict[str, Any]:
    """Return the operation of a route and method; schemas stand in it as classes, for apispec.

    Args:
        route: the route and method.
        app: whose route it is.
        schemes: its security schemes.
    """
    description = described(route)
    group = route.rule.endpoint.rpartition(".")[0]
    if description is None:
        summary, details = _docstring(route)
        description = Description(summary, details)
    texts = {"summary": description.summary, "description": description.details}
    operation: dict[str, Any] = {
        **({"tags": [group.replace("permjwt_", "")]} if group else {}),
        **{name: text for name, text in texts.items() if text},
    }
    found = parameters(route)
    if description.query is not None:
        found.append({"in": "query", "schema": description.query})
    if found:
        operation["parameters"] = found
    if description.body is not None:
        operation["requestBody"] = {
            "required": not description.optional,
            "content": {description.media_type: {"schema": description.body}},
        }
    operation["responses"] = _responses(route, description, app)
    annotate(operation, route, schemes)
    # What nobody said anything about is open.
    operation.setdefault("security", [])
    return operation


def _responses(route: Route, description: Description, app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, answer in description.answers.items():
        found[str(status)] = _answer(answer)
    reads = _READING if description.body is not None and description.media_type == JSON else ()
    told = (*errors_of(route.entry.view), *description.errors)
    errors = dict.fromkeys([*refusals(route.entry, app), *told, *reads])
    by_status: dict[int, list[type[AuthError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    with_body = not handles_errors(app)
    for status in sorted(by_status):
        found[str(status)] = _refusal(by_status[status], with_body=with_body)
    if not description.answers and route.entry.need is not Rule.CLOSED:
        found["default"] = {"description": "What the view answers."}
    return found


def _answer(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, str):
        return {"description": answer}
    text, schema, *others = answer
    return {"description": text, "content": {others[0] if others else JSON: {"schema": schema}}}


def _refusal(errors: Iterable[type[AuthError]], *, with_body: bool) -> dict[str, Any]:
    kinds = list(errors)
    lines = dict.fromkeys(f"`{kind.error}`: {kind.default_description}" for kind in kinds)
    response: dict[str, Any] = {"description": "\n\n".join(lines)}
    headers = {}
    if any(issubclass(kind, _CHALLENGED) for kind in kinds):
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}}
    if any(issubclass(kind, RetryLaterError) for kind in kinds):
        headers["Retry-After"] = {"schema": {"type": "integer"}}
    if headers:
        response["headers"] = headers
    if with_body:
        schema = next((_SCHEMAS[kind] for kind in kinds if kind in _SCHEMAS), ErrorSchema)
        response["content"] = {JSON: {"schema": schema}}
    return response


def _docstring(route: Route) -> tuple[str, str]:
    """Return the first line of a view's docstring, and the rest of it."""
    view: Callable[..., Any] = route.entry.view
    view_class = getattr(view, "view_class", None)
    source = view if view_class is None else getattr(view_class, route.method.lower(), view_class)
    # What stands below three dashes is for other tools.
    text = (inspect.getdoc(source) or "").partition("\n---")[0]
    first, _, rest = text.partition("\n")
    return first.strip().rstrip("."), rest.strip()
