"""Signatures of others: their public keys, and whether a signature is right."""

from typing import Any, Final

from flask_permjwt.tokens import signatures
from flask_permjwt.tokens.algorithms import algorithm

_MIN_RSA_BITS: Final = 2048
_MAX_RSA_BITS: Final = 8192


class UnusableKeyError(Exception):
    """A key that is none; the message says why."""


def public_key(jwk: dict[str, str]) -> Any:
    """Make a public key of the members of a JWK (RFC 7518 section 6, RFC 8037 section 2).

    Args:
        jwk: ``kty`` and the public members that belong to it, all of them strings.

    Raises:
        UnusableKeyError: it is no key, or an RSA key below 2,048 bits (RFC 7518 section 3.3) or so large that
            looking at signatures would cost too much.
    """
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm  # noqa: PLC0415  # not without an issuer

    kinds: dict[str, Any] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}
    try:
        key: Any = kinds[jwk["kty"]].from_jwk(jwk)
    except Exception:  # noqa: BLE001  # whatever stops it from being read, it is no key
        raise UnusableKeyError("is malformed") from None
    if jwk["kty"] == "RSA" and not _MIN_RSA_BITS <= key.key_size <= _MAX_RSA_BITS:
        raise UnusableKeyError(f"has {key.key_size} bits, and 2,048 to 8,192 will do")
    return key


def is_right(signature: str, signed: bytes, key: Any, name: str) -> bool:
    """Tell whether PyJWT accepts a signature.

    Args:
        signature: base64url without padding, in the one spelling of its value.
        signed: header and payload as they came, with the dot (RFC 7515 section 5.1).
        key: what ``public_key`` gave.
        name: of the algorithm that it was chosen for.
    """
    return signatures.is_right(signatures.pyjwt_of(algorithm(name)), key, signed, signature)
