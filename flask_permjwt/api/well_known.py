"""What stands at fixed places (RFC 8615): the public keys that our tokens can be checked with, and metadata."""

import hashlib
import json
from typing import Final

from flask import Blueprint, Response, request

from flask_permjwt.api.answers import JwkSetSchema
from flask_permjwt.api.describe import describe
from flask_permjwt.api.oauth_metadata import add_metadata
from flask_permjwt.settings import Settings
from flask_permjwt.tokens.jwk import public_jwk
from flask_permjwt.web.decorators import public
from flask_permjwt.web.state import app_state

_JWK_SET: Final = "application/jwk-set+json"
_LONGEST: Final = 300
"""Seconds for which our keys may be kept at most."""


def make_well_known_blueprint() -> Blueprint:
    """Make the blueprint; the app mounts it without a prefix."""
    blueprint = Blueprint("permjwt_well_known", __name__)
    blueprint.add_url_rule("/.well-known/jwks.json", view_func=jwks, endpoint="jwks", methods=["GET"])
    add_metadata(blueprint)
    return blueprint


@describe(
    "Get the public keys that tokens can be checked with", answers={200: ("A JWK Set.", JwkSetSchema, _JWK_SET)}
)
@public(reason="public keys are for everybody")
def jwks() -> Response:
    """GET /.well-known/jwks.json: the public keys, the next one included, as a JWK Set (RFC 7517 section 5)."""
    app = app_state()
    app.keys.keep_up()
    keys = [jwk for key in app.keys.ring.keys if (jwk := public_jwk(key)) is not None]
    keys.sort(key=lambda jwk: str(jwk["kid"]))
    body = json.dumps({"keys": keys}, sort_keys=True, separators=(",", ":"))
    response = Response(body, mimetype=_JWK_SET)
    response.set_etag(hashlib.sha256(body.encode()).hexdigest()[:32])
    response.cache_control.public = True
    response.cache_control.max_age = kept_for(app.settings)
    response.make_conditional(request)
    return response


def kept_for(settings: Settings) -> int:
    """Return for how many seconds our keys may be kept.

    So short that whoever keeps them has the next one before it signs: they may have asked a process that learns of
    it a refresh time later, and a cache before them may keep it as long again.
    """
    if settings.keys_dir is None:
        return _LONGEST
    return int(min(_LONGEST, (settings.keys_lead - settings.keys_refresh) / 2))
