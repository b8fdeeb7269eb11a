"""What this API says of itself at fixed places: as an authorization server, and as a resource."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from flask import Blueprint, Response, current_app, jsonify, request, url_for
from werkzeug.routing import BuildError

from flask_permjwt.api.describe import describe
from flask_permjwt.api.oauth_client import METHODS
from flask_permjwt.api.oauth_schemas import ResourceMetadataSchema, ServerMetadataSchema
from flask_permjwt.api.oauth_token import grant_types
from flask_permjwt.errors import FeatureOffError
from flask_permjwt.tokens.jwk import public_jwk
from flask_permjwt.web.decorators import public
from flask_permjwt.web.metadata import (
    AUTHORIZATION_SERVER,
    PROTECTED_RESOURCE,
    issuer_path,
    origin_of,
    read_identifier,
    resource_path,
)
from flask_permjwt.web.responses import http_error
from flask_permjwt.web.state import AppState, app_state

AUTH_BLUEPRINT: Final = "permjwt_auth"
_KEPT: Final = 300
"""Seconds for which the answers may be kept."""


def _server_place(app: AppState) -> str | None:
    issuer = app.settings.issuer
    parts = None if issuer is None or not app.settings.headers else read_identifier(issuer)
    return None if parts is None else AUTHORIZATION_SERVER + issuer_path(parts)


def _resource_place(app: AppState) -> str | None:
    resource = app.resource_metadata.resource
    parts = None if resource is None else read_identifier(resource)
    return None if parts is None else PROTECTED_RESOURCE + resource_path(parts)


def add_metadata(blueprint: Blueprint) -> None:
    """Add both documents to the blueprint of what stands at fixed places."""
    for path, name, view in (
        (AUTHORIZATION_SERVER, "authorization_server", authorization_server),
        (PROTECTED_RESOURCE, "protected_resource", protected_resource),
    ):
        for rule in (path, f"{path}/<path:inserted>"):
            blueprint.add_url_rule(rule, view_func=view, endpoint=name, methods=["GET"])


@describe(
    "Find the endpoints of OAuth 2",
    answers={200: ("Metadata (RFC 8414).", ServerMetadataSchema)},
    errors=(FeatureOffError,),
    place=_server_place,
)
@public(reason="clients look here for the endpoints")
def authorization_server(**_: object) -> Response:
    """GET /.well-known/oauth-authorization-server (RFC 8414).

    It is there where PERMJWT_ISSUER is an address, behind the path of that address (section 3.1), and where the
    login blueprint is mounted.
    """
    app = app_state()
    _check_place(_server_place(app))
    issuer = str(app.settings.issuer)
    parts = urlsplit(issuer)
    endpoints = dict(_endpoints(origin_of(parts)))
    if not endpoints:
        raise http_error(FeatureOffError())
    told: dict[str, Any] = {
        "issuer": issuer,
        **endpoints,
        "response_types_supported": [],
        "grant_types_supported": grant_types(app.settings),
        "token_endpoint_auth_methods_supported": [*METHODS, "none"],
        "revocation_endpoint_auth_methods_supported": [*METHODS, "none"],
        "introspection_endpoint_auth_methods_supported": [*METHODS, "Bearer"],
    }
    if _has_public_keys(app):
        told["jwks_uri"] = _address(origin_of(parts), ".jwks")
    return _kept(told)


@describe(
    "Find who issues tokens for this API",
    answers={200: ("Metadata (RFC 9728).", ResourceMetadataSchema)},
    errors=(FeatureOffError,),
    place=_resource_place,
)
@public(reason="clients look here for issuers")
def protected_resource(**_: object) -> Response:
    """GET /.well-known/oauth-protected-resource (RFC 9728)."""
    app = app_state()
    _check_place(_resource_place(app))
    resource = str(app.resource_metadata.resource)
    told: dict[str, Any] = {"resource": resource, "bearer_methods_supported": ["header"]}
    issuer = app.settings.issuer
    servers = [issuer] if issuer is not None and read_identifier(issuer) is not None else []
    servers += [str(entry["issuer"]) for entry in app.settings.issuers if "issuer" in entry]
    if servers:
        told["authorization_servers"] = servers
    return _kept(told)


def _check_place(path: str | None) -> None:
    """Refuse to answer anywhere but behind the path that belongs to the identifier.

    Raises:
        HTTPException: 404, there is no such document, or that of another one is asked for.
    """
    if path is None or request.path != unquote(path):
        raise http_error(FeatureOffError())


def _endpoints(origin: str) -> Iterator[tuple[str, str]]:
    names = {"token": "token_endpoint", "revoke": "revocation_endpoint", "introspect": "introspection_endpoint"}
    for mounted, blueprint in current_app.blueprints.items():
        if blueprint.name != AUTH_BLUEPRINT:
            continue
        # Where a prefix or a host holds arguments, nobody says of what value.
        with suppress(BuildError):
            yield from [(name, _address(origin, f"{mounted}.{view}")) for view, name in names.items()]
            return


def _address(origin: str, endpoint: str) -> str:
    """Return where an endpoint is found: at the issuer, unless it is mounted on a host of its own."""
    found = urlsplit(url_for(endpoint))
    # This document stands at the root of the host, even of an app that is served below a path: a proxy that passes
    # its address on has no reason to name that path.
    root = "" if request.script_root else str(current_app.config["APPLICATION_ROOT"] or "").rstrip("/")
    host = f"{origin.partition(':')[0]}://{found.netloc}" if found.netloc else origin
    return host + root + found.path


def _has_public_keys(app: AppState) -> bool:
    return any(public_jwk(key) is not None for key in app.keys.ring.keys)


def _kept(told: dict[str, Any]) -> Response:
    response = jsonify(told)
    response.cache_control.public = True
    response.cache_control.max_age = _KEPT
    return response
