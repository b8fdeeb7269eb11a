"""What the endpoints for logins at a provider read from their requests, besides bodies."""

import re
from typing import Any, Final

from flask import request

from flask_permjwt.errors import InvalidAttemptError, InvalidRequestError
from flask_permjwt.web.state import AppState
from flask_permjwt.web.targets import check_own, is_listed

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_STATE: Final = 256
_RETURNED: Final = ("state", "code", "iss", "error")


def wishes(app: AppState) -> dict[str, Any]:
    """Read how the tokens are to be delivered, and where to go on.

    Raises:
        InvalidRequestError: 400, a parameter makes no sense.
        InvalidTargetError: 400, ``next`` leads out of the app, or nowhere.
    """
    delivery = _one("delivery", "cookie" if app.settings.cookies else "code")
    challenge, target = _one("code_challenge"), _one("next")
    fresh = _one("fresh", "false")
    if delivery not in {"cookie", "code"} or fresh not in {"true", "false"}:
        raise InvalidRequestError("delivery is 'cookie' or 'code', and fresh 'true' or 'false'.")
    cookie = delivery == "cookie"
    if not (app.settings.cookies if cookie else app.settings.headers):
        raise InvalidRequestError("This API does not take tokens that way.")
    if cookie == (challenge is not None):
        raise InvalidRequestError("A code needs a code_challenge, and nothing else does.")
    if challenge is not None and _CHALLENGE.fullmatch(challenge) is None:
        raise InvalidRequestError("code_challenge must be made by S256 (RFC 7636 section 4.2).")
    if target is not None and (cookie or not is_listed(target, app.settings.provider_targets)):
        target = check_own(target, request)
    return {"cookie": cookie, "target": target, "challenge": challenge, "fresh": fresh == "true"}


def _one(name: str, default: str | None = None) -> str | None:
    values = request.args.getlist(name)
    if len(values) > 1:
        raise InvalidRequestError(f"{name} comes more than once.")
    return values[0] if values else default


def asks_for_json() -> bool:
    """Tell whether JSON is named, and no page as gladly: a browser that goes to an address names text/html."""
    named: dict[str, float] = {}
    for kind, quality in request.accept_mimetypes:
        named[kind.lower()] = max(float(quality), named.get(kind.lower(), 0))
    return named.get("application/json", 0) > named.get("text/html", 0)


def returned() -> dict[str, str]:
    """Read what the provider sent back; nothing may come twice (RFC 6749 section 3.1).

    Raises:
        InvalidAttemptError: something does, or there is no state.
    """
    given = {name: request.args.getlist(name) for name in _RETURNED if name in request.args}
    if any(len(values) != 1 for values in given.values()) or len(given.get("state", [""])[0]) > _MAX_STATE:
        raise InvalidAttemptError
    if "state" not in given:
        raise InvalidAttemptError
    return {name: values[0] for name, values in given.items()}
