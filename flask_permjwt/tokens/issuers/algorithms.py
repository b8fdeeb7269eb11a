"""Algorithms: which signatures of others are taken, and which kind of key belongs to each."""

from typing import Final

SAFE: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""What is taken unless the settings say otherwise (RFC 7518 section 3.1, RFC 8037, RFC 9864).

No secret of ours is shared with an issuer, so no HMAC; and never ``none``.
"""

FAMILIES: Final = {
    "RS256": "RSASSA-PKCS1-v1_5",
    "RS384": "RSASSA-PKCS1-v1_5",
    "RS512": "RSASSA-PKCS1-v1_5",
    "PS256": "RSASSA-PSS",
    "PS384": "RSASSA-PSS",
    "PS512": "RSASSA-PSS",
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}
"""One key serves one of these and no other (RFC 8725 section 3.1)."""


def families_of(kty: object, crv: object) -> tuple[str, ...]:
    """Return the families that a key of a type may serve; none for what we do not know."""
    if kty == "RSA":
        return ("RSASSA-PKCS1-v1_5", "RSASSA-PSS")
    if kty == "EC" and crv in ("P-256", "P-384", "P-521"):
        return (str(crv),)
    if kty == "OKP" and crv == "Ed25519":
        return ("Ed25519",)
    return ()
