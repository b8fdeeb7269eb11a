"""POST /introspect: what a token is worth now (RFC 7662)."""

from typing import Any, Final

from flask import Response, jsonify, request

from flask_permjwt.accounts.token_lookup import LivingToken
from flask_permjwt.api.describe import FORM, Takes, describe
from flask_permjwt.api.oauth_client import calling_client, tries_basic
from flask_permjwt.api.oauth_endpoint import REFUSED_TO_CLIENTS, oauth_endpoint
from flask_permjwt.api.oauth_form import Form, read_form
from flask_permjwt.api.oauth_schemas import IntrospectionSchema, PresentedTokenFormSchema
from flask_permjwt.errors import CsrfError, InsufficientScopeError, InvalidTokenError, OutdatedError
from flask_permjwt.oauth_errors import ClientChallengedError, ClientNotAcceptedError, InvalidClientError
from flask_permjwt.policy.requirements import all_of
from flask_permjwt.web.decorators import public
from flask_permjwt.web.identity import check_permissions
from flask_permjwt.web.state import AppState, app_state

INTROSPECT: Final = "permjwt:introspect"
"""The permission to ask about tokens."""

_NOT_APPLICABLE: Final = "N_A"
"""The type of what is no access token and must not be taken for one (RFC 8693 section 2.2.1)."""

_REFUSED: Final = tuple(kind for kind in REFUSED_TO_CLIENTS if kind is not ClientNotAcceptedError)


@describe(
    "Ask what a token is worth now",
    details=f"For tokens and clients with `{INTROSPECT}` (RFC 7662).",
    body=PresentedTokenFormSchema,
    media_type=FORM,
    answers={200: ("What it is worth.", IntrospectionSchema)},
    errors=(*_REFUSED, InvalidTokenError, CsrfError, InsufficientScopeError, OutdatedError),
    takes=(Takes.ACCESS, Takes.CLIENT, Takes.BODY),
    available=lambda app: app.settings.headers,
)
@public(reason="checks who asks itself")
@oauth_endpoint
def introspect() -> Response:
    """POST /introspect.

    Whatever is wrong with the token, the answer is 200 with ``{"active": false}`` and nothing else (section 2.2).
    """
    app, form = app_state(), read_form(request, strict=False)
    try:
        _check_caller(app, form)
    except InvalidClientError as error:
        # 401 in whatever way it tried (section 2.3), where RFC 6749 lets the other endpoints choose.
        raise ClientChallengedError(error.description) from None
    found = app.lookup.living(form.need("token"))
    return jsonify({"active": False} if found is None else _told(app, found))


def _check_caller(app: AppState, form: Form) -> None:
    """Let those pass who may ask about tokens (section 2.1).

    Raises:
        InvalidClientError: a client did not prove who it is.
        InsufficientScopeError: 403, it may not ask.
        HTTPException: 401 or 403, as ``check_permissions``.
    """
    if not tries_basic(request) and "client_secret" not in form:
        check_permissions(INTROSPECT)
        return
    with app.accounts.transaction():
        client = calling_client(app, request, form)
        if client is None:
            raise InvalidClientError("A secret is needed.")
        may = all_of(INTROSPECT).met_by(app.client_access.rights(client))
    if not may:
        raise InsufficientScopeError((INTROSPECT,))


def _told(app: AppState, found: LivingToken) -> dict[str, Any]:
    token, claims = found.token, found.token.claims
    audience = claims.get("aud")
    told = {
        "active": True,
        "scope": None if found.granted is None else found.granted.as_scope() or None,
        "client_id": token.principal.client_id,
        "username": found.username,
        "token_type": _NOT_APPLICABLE if found.granted is None else app.settings.header_type or "Bearer",
        "exp": int(token.expires_at),
        "iat": int(token.issued_at),
        "nbf": None if token.not_before is None else int(token.not_before),
        "sub": token.subject,
        "aud": audience if audience is None or isinstance(audience, str) else list(audience),
        "iss": claims.get("iss"),
        "jti": token.token_id,
    }
    return {name: value for name, value in told.items() if value is not None}
