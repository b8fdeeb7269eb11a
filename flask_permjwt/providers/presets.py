"""Presets: providers that many people have an account with. Where each is from is told in docs/providers.md."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "google": {
            "metadata_url": "https://accounts.google.com/.well-known/openid-configuration",
            "scopes": ("openid", "email"),
        },
        # The address holds the tenant, which the entry names.
        "microsoft": {
            "metadata_url": "https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration",
            "scopes": ("openid", "email"),
        },
        # No OpenID Connect: who somebody is, is asked of its API. The number stays when the name changes.
        "github": {
            "issuer": "https://github.com",
            "authorize_url": "https://github.com/login/oauth/authorize",
            "token_url": "https://github.com/login/oauth/access_token",
            "userinfo_url": "https://api.github.com/user",
            "emails_url": "https://api.github.com/user/emails",
            "subject": "id",
            "scopes": ("read:user", "user:email"),
            "token_auth": "client_secret_post",
        },
    }
)

CONSUMERS: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of Microsoft's personal accounts, whatever it is called in an address."""
