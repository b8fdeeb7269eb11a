"""Which client calls: by HTTP Basic, by parameters, or none that has a secret (RFC 6749 section 2.3)."""

import base64
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from flask import Request

from flask_permjwt.accounts.records import ClientMixin
from flask_permjwt.api.oauth_form import Form
from flask_permjwt.oauth_errors import InvalidClientError, InvalidFormError
from flask_permjwt.web.state import AppState

METHODS: Final = ("client_secret_basic", "client_secret_post")
"""How clients with a secret prove who they are (RFC 7591 section 2)."""


@dataclass(frozen=True, slots=True)
class _Named:
    client_id: str
    secret: str = field(repr=False)


def tries_basic(request: Request) -> bool:
    """Tell whether a request brings credentials by HTTP Basic (RFC 7617)."""
    return request.headers.get("Authorization", "").partition(" ")[0].casefold() == "basic"


def calling_client(app: AppState, request: Request, form: Form) -> ClientMixin | None:
    """Return the client that a request proves to come from; None where it comes from a program without a secret.

    Such a program may say a name of PERMJWT_PUBLIC_CLIENTS, or none. Nothing is granted to it by that name.

    Args:
        app: the app's state.
        request: the current request.
        form: what it brings. Bearer tokens and cookies are not looked at: they do not speak for clients.

    Raises:
        InvalidClientError: the client is unknown or disabled, its secret is wrong, or it has none to show.
        InvalidFormError: it proves who it is in two ways, or says two names.
        ThrottledError, BusyError: as ``ClientAccess.authenticate``.
    """
    named = _named(request, form)
    if named is None:
        return None
    if not named.secret and named.client_id in app.settings.public_clients:
        return None
    return app.client_access.authenticate(named.client_id, named.secret, address=request.remote_addr)


def _named(request: Request, form: Form) -> _Named | None:
    if "client_assertion" in form or "client_assertion_type" in form:
        raise InvalidClientError("This way to prove who a client is is not supported.")
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if secret and not client_id:
        raise InvalidFormError("The parameter client_id is missing.")
    in_header = _in_header(request) if tries_basic(request) else None
    if in_header is None:
        return _Named(client_id, secret) if client_id else None
    if secret:
        raise InvalidFormError("A client proves who it is in the header or in the body, not in both.")
    if client_id not in ("", in_header.client_id):
        raise InvalidFormError("The client_id in the body is another one than in the header.")
    return in_header


def _in_header(request: Request) -> _Named | None:
    """Read what HTTP Basic says, each part percent-encoded (RFC 6749 section 2.3.1); None when it is empty."""
    try:
        text = base64.b64decode(request.headers["Authorization"][len("basic") :].strip(" "), validate=True)
        client_id, colon, secret = (
            unquote_to_bytes(part.replace(b"+", b" ")).decode() for part in text.partition(b":")
        )
    except ValueError:
        raise InvalidClientError("The Authorization header is malformed.") from None
    if not colon or (secret and not client_id):
        raise InvalidClientError("The Authorization header is malformed.")
    # What tools send that were given neither.
    return _Named(client_id, secret) if client_id else None
