"""POST /revoke: a token is no longer needed (RFC 7009)."""

from contextlib import suppress
from typing import Final

from flask import Response, request

from flask_permjwt.accounts.records import ClientMixin
from flask_permjwt.api.describe import FORM, Takes, describe
from flask_permjwt.api.oauth_client import calling_client
from flask_permjwt.api.oauth_endpoint import REFUSED_TO_CLIENTS, oauth_endpoint
from flask_permjwt.api.oauth_form import read_form
from flask_permjwt.api.oauth_schemas import PresentedTokenFormSchema
from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.oauth_errors import InvalidClientError, InvalidGrantError
from flask_permjwt.tokens.personal import PREFIX
from flask_permjwt.web.decorators import public
from flask_permjwt.web.state import AppState, app_state

_NOT_YOURS: Final = "The token was not issued to this client."


@describe(
    "Revoke a token",
    details="An unknown token is none to revoke, and no error (RFC 7009 section 2.2).",
    body=PresentedTokenFormSchema,
    media_type=FORM,
    answers={200: "It opens nothing, now or as before."},
    errors=(*REFUSED_TO_CLIENTS, InvalidGrantError),
    takes=(Takes.CLIENT, Takes.BODY),
    available=lambda app: app.settings.headers,
)
@public(reason="the token is the credential")
@oauth_endpoint
def revoke() -> Response:
    """POST /revoke.

    The answer is 200 for a token that is unknown, has expired or was revoked before (section 2.2). What
    ``token_type_hint`` says is not needed: tokens tell what they are.
    """
    app, form = app_state(), read_form(request, strict=False)
    with app.accounts.transaction():
        _revoke(app, form.need("token"), calling_client(app, request, form))
    return Response(status=200)


def _revoke(app: AppState, text: str, client: ClientMixin | None) -> None:
    """Revoke a token for whoever may: its own client, or, of a user's, who holds it and is no other client.

    Raises:
        InvalidClientError: it is a client's, which must prove who it is (section 2.1).
        InvalidGrantError: it was issued to somebody else.
    """
    if text.startswith(PREFIX):
        with suppress(InvalidTokenError):
            app.personal.with_text(text)
            if client is not None:
                raise InvalidGrantError(_NOT_YOURS)
            app.personal.revoke_text(text)
        return
    token = app.lookup.unrevoked(text)
    if token is None:
        return
    issued_to = token.principal.client_id
    if client is None and issued_to is not None:
        raise InvalidClientError("The token of a client is revoked by that client, with its secret.")
    if client is not None and issued_to != client.client_id:
        raise InvalidGrantError(_NOT_YOURS)
    app.revocations.revoke(token)
