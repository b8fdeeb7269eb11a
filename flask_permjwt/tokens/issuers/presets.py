"""Presets: the shapes of the tokens that people meet. Where each is from is told in docs/issuers.md."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        # RBAC with "Add Permissions in the Access Token"; without it, scope says what the client asked for.
        "auth0": {"permissions": "permissions"},
        # scp holds what a user delegated to the client, roles what was assigned to the user, or to the client.
        # azp (version 2.0) or appid (1.0) says which client a token was issued to: ID tokens, whose audience may
        # be the same and which have the roles too, do not say it.
        "entra": {"permissions": ("scp", "roles"), "needs": ("azp", "appid")},
        # typ tells access tokens (Bearer) from ID tokens, which name the client as their audience; before version
        # 24, both had the nonce.
        "keycloak": {
            "permissions": ("realm_access.roles", "resource_access.<client>.roles"),
            "claims": {"typ": "Bearer"},
            "may_have": ("nonce",),
        },
        # Access tokens have client_id, and aud only where a resource was asked for; ID tokens have aud.
        "cognito": {
            "permissions": ("cognito:groups", "scope"),
            "audience_claim": ("aud", "client_id"),
            "claims": {"token_use": "access"},
        },
        "okta": {"permissions": "scp"},
        # Google's access tokens are no JWTs: what an API gets is an ID token, for its own client id.
        "google": {"issuer": "https://accounts.google.com", "permissions": (), "id_tokens": True},
    }
)
