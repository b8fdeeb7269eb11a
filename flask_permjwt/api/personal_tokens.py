"""One's own personal access tokens: make, list, revoke."""

from typing import Any, Final

from flask import Response, jsonify, request

from flask_permjwt.accounts.standing import session_of
from flask_permjwt.api.answers import NewTokenAnswerSchema, PersonalTokensSchema
from flask_permjwt.api.body import load_body
from flask_permjwt.api.describe import describe
from flask_permjwt.api.endpoints import FRESH, committed, endpoint, in_full_session
from flask_permjwt.api.schemas import NewTokenSchema, PersonalTokenSchema
from flask_permjwt.errors import (
    FeatureOffError,
    InvalidBodyError,
    InvalidTokenError,
    TooManyTokensError,
    UnknownTokenError,
)
from flask_permjwt.web.decorators import requires_login
from flask_permjwt.web.identity import current_principal
from flask_permjwt.web.state import AppState, app_state

_LIFETIME: Final = 30 * 24 * 3600
"""Seconds that a token lives for which no lifetime was asked, if it may live so long."""


def _are_in_use(app: AppState) -> bool:
    return app.settings.takes_personal_tokens


@describe(
    "Make a personal access token",
    body=NewTokenSchema,
    answers={201: ("The token, which is shown this once.", NewTokenAnswerSchema)},
    errors=(TooManyTokensError,),
    available=_are_in_use,
)
@requires_login(fresh=FRESH)
@endpoint
@in_full_session
def create_token() -> Response:
    """POST /tokens."""
    response = _create_token()
    app_state().housekeeping.tidy_up()
    return response


@committed
def _create_token() -> Response:
    app, subject, version = _in_use()
    body = load_body(request, NewTokenSchema())
    longest = app.settings.personal_token_expires
    lifetime = body.get("expires_in", min(_LIFETIME, longest))
    if lifetime > longest:
        raise InvalidBodyError({"expires_in": [f"Must be at most {longest}."]})
    made = app.personal.create(
        subject,
        version,
        body["name"],
        body["permissions"],
        within=current_principal.grants,
        lifetime=lifetime,
        at_most=app.settings.personal_tokens_per_user,
    )
    shown: dict[str, Any] = PersonalTokenSchema().dump(made.row)
    response = jsonify({**shown, "token": made.text})
    response.status_code = 201
    return response


@describe(
    "List one's personal access tokens",
    answers={200: ("The tokens, by what they are called.", PersonalTokensSchema)},
    available=_are_in_use,
)
@requires_login
@endpoint
@in_full_session
@committed
def list_tokens() -> Response:
    """GET /tokens."""
    app, subject, version = _in_use()
    found = app.personal.listed(subject, version)
    return jsonify({"tokens": PersonalTokenSchema(many=True).dump(found)})


@describe(
    "Revoke a personal access token",
    answers={204: "It opens nothing any more."},
    errors=(UnknownTokenError,),
    available=_are_in_use,
)
@requires_login
@endpoint
@in_full_session
@committed
def revoke_token() -> Response:
    """DELETE /tokens/<token_id>."""
    app, subject, _ = _in_use()
    app.personal.revoke((request.view_args or {})["token_id"], subject)
    return Response(status=204)


def _in_use() -> tuple[AppState, str, int]:
    app = app_state()
    if not app.settings.takes_personal_tokens:
        raise FeatureOffError
    _, subject, version = session_of(current_principal)
    if not app.accounts.is_living(current_principal):
        raise InvalidTokenError("The session has ended.")
    return app, subject, version
