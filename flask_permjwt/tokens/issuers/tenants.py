"""Tenants: Microsoft signs for many issuers with keys that it publishes together, and says which is for whom."""

import re
from typing import Final
from urllib.parse import urlsplit

from flask_permjwt.tokens.issuers.jwks import PublicKey
from flask_permjwt.tokens.issuers.protocol import Keys

TENANT: Final = "{tenantid}"
"""What stands in the place of a tenant where all are meant."""

TENANT_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HOST: Final = "login.microsoftonline."


def is_shared(issuer: str) -> bool:
    """Tell whether an issuer is a tenant of Microsoft's, whose keys are published with those of others."""
    return TENANT in issuer or (urlsplit(issuer).hostname or "").startswith(_HOST)


class KeysOfTenant:
    """The keys of one tenant among all.

    A key names the issuer that it signs for, most of them in a template: the one for personal accounts signs for
    no company (Microsoft identity platform, "validate the signing key issuer"). One that says nothing is for any.

    Args:
        keys: all of them.
        issuer: the tenant's.
    """

    def __init__(self, keys: Keys, issuer: str) -> None:
        self._keys: Final = keys
        self._issuer: Final = issuer
        found = TENANT_ID.search(issuer)
        self._tenant: Final = "" if found is None else found[0]

    def find(self, kid: str | None, algorithm: str) -> tuple[PublicKey | None, float]:
        """Return the key that a token means, unless it is for those of others."""
        key, holds = self._keys.find(kid, algorithm)
        if key is None or key.issuer is None:
            return key, holds
        return (key if key.issuer.replace(TENANT, self._tenant) == self._issuer else None), holds
