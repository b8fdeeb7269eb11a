"""What signs tokens, and what they say whatever they are for."""

from dataclasses import dataclass, field
from typing import Final

from flask_permjwt.settings import kinds
from flask_permjwt.settings.field import setting

ALGORITHMS: Final = (
    *("HS256", "HS384", "HS512"),
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
    *("EdDSA", "Ed25519"),
)
SYNONYMS: Final = {"ESP256": "ES256", "ESP384": "ES384", "ESP512": "ES512"}
"""What RFC 9864 section 2.1 calls in COSE what JSON Web Tokens call by a name that says as much already.

Settings take either; in tokens and in JSON Web Keys, where they are not registered, there is only the other.
"""


@dataclass(frozen=True, kw_only=True)
class SigningSettings:
    """What signs tokens, and what they say whatever they are for."""

    secret_key: bytes | None = field(
        default=None,
        repr=False,
        metadata={
            "read": kinds.secret,
            "doc": "Signs the tokens. At least 32 random bytes (48 for HS384, 64 for HS512; RFC 7518 section "
            "3.2). Without it, a key is derived from the app's SECRET_KEY by HKDF (RFC 5869). Where a key pair or "
            "PERMJWT_KEYS_DIR signs, only the CSRF values are made from it.",
        },
    )
    algorithm: str = setting(
        "HS256",
        kinds.one_of(ALGORITHMS, SYNONYMS),
        "Signature algorithm of the tokens (RFC 7518 section 3, RFC 8037, RFC 9864): HS256, RS256, PS256, ES256, "
        "each also with 384 and 512, EdDSA or Ed25519. With PERMJWT_KEYS_DIR, that of new keys.",
    )
    private_key: object = field(
        default=None,
        repr=False,
        metadata={
            "read": kinds.key,
            "doc": "Signs the tokens where the algorithm takes a key pair: a private key in PEM or a JWK, as text "
            "or as an object. Needs the extra keys.",
        },
    )
    key_file: str | None = setting(
        None,
        kinds.path,
        "The file of the key that signs, in place of the key itself: PEM, a JWK or, for HMAC, the bytes of the "
        "secret. Others must not be able to read it (mode 0600).",
    )
    verification_keys: tuple[object, ...] = field(
        default=(),
        repr=False,
        metadata={
            "read": kinds.keys,
            "doc": "Further keys that verify and do not sign, such as the one before: a list of PEM, JWKs and "
            "(for HMAC) secrets, or a JWK Set.",
        },
    )
    keys_dir: str | None = setting(
        None,
        kinds.path,
        "The directory of the keys that `flask permjwt keys` makes, rotates and retires, in place of one key.",
    )
    keys_refresh: float = setting(
        60,
        kinds.seconds,
        "How long it takes at most, in seconds, until a process notices what changed in PERMJWT_KEYS_DIR.",
    )
    keys_lead: float = setting(
        60 * 60,
        kinds.seconds,
        "How long a new key is published before it signs, in seconds or as a timedelta: twice "
        "PERMJWT_KEYS_REFRESH at least, and as long as others keep our JWKS.",
    )
    issuer: str | None = setting(
        None, kinds.optional_text, "The iss claim (RFC 7519 section 4.1.1); when set, it is required."
    )
    audience: tuple[str, ...] = setting(
        (),
        kinds.audience,
        "The aud claim (RFC 7519 section 4.1.3), a string or a list; when set, one of them is required.",
    )
    leeway: float = setting(
        0,
        kinds.seconds,
        "Seconds by which clocks may differ when exp and nbf are judged (RFC 7519 section 4.1.4).",
    )
    permissions_claim: str = setting(
        "permissions", kinds.text, "The claim that holds the permissions; dots lead into nested objects."
    )
