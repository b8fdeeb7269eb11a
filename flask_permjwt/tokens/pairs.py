"""Keys in PEM (RFC 7468), and new keys. What needs ``cryptography`` is here, and loaded when it is asked for."""

import secrets
from typing import Any, Final

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.algorithms import algorithm, fitting
from flask_permjwt.tokens.jwk import MIN_RSA_BITS, parse, read_jwk, read_set
from flask_permjwt.tokens.keys import Key, hmac_key
from flask_permjwt.tokens.signatures import members_of

_EXPONENT: Final = 65537
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def is_pem(data: bytes) -> bool:
    """Tell whether this is PEM, perhaps after white space."""
    return data.lstrip().startswith(b"-----BEGIN ")


def read_pem(data: bytes, *, default: str | None = None) -> Key:
    """Read a public key, or a private one that is not encrypted.

    Args:
        data: the PEM.
        default: the algorithm that it serves, where its type leaves a choice.

    Raises:
        ConfigurationError: it cannot be read, is too weak, or is of a type that signs nothing here.
    """
    serialization = _primitives("a key pair").serialization
    bare = data.strip()
    try:
        pair: Any
        if b"PRIVATE KEY-----" in bare:
            pair = serialization.load_pem_private_key(bare, password=None)
        else:
            pair = serialization.load_pem_public_key(bare)
    except Exception:  # noqa: BLE001  # whatever stops it from being read; what the key says must not be shown
        raise ConfigurationError(
            "the PEM cannot be read: give a public key, or a private key (PKCS #8) that is not encrypted"
        ) from None
    return _of(pair, default)


def read_key(given: object, *, default: str | None = None, allow_weak: bool = False) -> Key:
    """Read a key in PEM or a JWK, which may come as text.

    Args:
        given: the key, as text, bytes or an object.
        default: the algorithm that it serves, where its type leaves a choice.
        allow_weak: let a secret of few different bytes pass; for tests.

    Raises:
        ConfigurationError: it cannot be read, or it is too weak.
    """
    data = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
    if isinstance(data, bytes) and is_pem(data):
        return read_pem(data, default=default)
    return read_jwk(data, default=default, allow_weak=allow_weak)


def read_keys(given: object, *, default: str, allow_weak: bool = False) -> tuple[Key, ...]:
    """Read a key in PEM, a JWK, a JWK Set, or a secret for HMAC.

    Args:
        given: as for ``read_key``.
        default: as for ``read_key``; a secret that is no JWK serves it, or HS256.
        allow_weak: as for ``read_key``.

    Raises:
        ConfigurationError: as for ``read_key``.
    """
    data = given.encode("utf-8", "surrogatepass") if isinstance(given, str) else given
    if isinstance(data, bytes) and not is_pair(data):
        name = default if algorithm(default).secret_size else "HS256"
        return (hmac_key(data, name, allow_weak=allow_weak),)
    if isinstance(data, bytes) and is_pem(data):
        return (read_pem(data, default=default),)
    parsed = parse(data)
    if "keys" in parsed:
        return read_set(parsed, default=default, allow_weak=allow_weak)
    return (read_jwk(parsed, default=default, allow_weak=allow_weak),)


def is_pair(data: bytes) -> bool:
    """Tell whether this is PEM, a JWK or a JWK Set, and no secret."""
    if is_pem(data):
        return True
    if not data.lstrip().startswith(b"{"):
        return False
    try:
        parsed = parse(data)
    except ConfigurationError:
        return False
    return "kty" in parsed or "keys" in parsed


def _of(pair: Any, default: str | None) -> Key:
    asymmetric = _primitives("a key pair").asymmetric
    ec, ed25519, rsa = asymmetric.ec, asymmetric.ed25519, asymmetric.rsa
    if isinstance(pair, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        name = "RS256"
    elif isinstance(pair, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        name = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}.get(_CURVES.get(pair.curve.name, ""), "")
    else:
        name = "EdDSA" if isinstance(pair, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey) else ""
    if not name:
        raise ConfigurationError("the key signs nothing here: use RSA, P-256, P-384, P-521 or Ed25519")
    members = members_of(algorithm(name), pair)
    fits = default in fitting(members["kty"], members.get("crv"))
    return read_jwk(members, default=default if fits else name)


def generate(name: str) -> Key:
    """Make a new key.

    Args:
        name: the algorithm that it serves. An RSA key has 2,048 bits, a secret twice the bytes of its hash.

    Raises:
        ConfigurationError: there is no such algorithm, or the package that it needs is missing.
    """
    kind = algorithm(name)
    if kind.kty == "oct":
        return hmac_key(secrets.token_bytes(2 * kind.secret_size), name)
    asymmetric = _primitives(name).asymmetric
    if kind.kty == "RSA":
        pair: Any = asymmetric.rsa.generate_private_key(_EXPONENT, MIN_RSA_BITS)
    elif kind.kty == "EC":
        curves = {crv: curve for curve, crv in _CURVES.items()}
        pair = asymmetric.ec.generate_private_key(getattr(asymmetric.ec, curves[kind.curve].upper())())
    else:
        pair = asymmetric.ed25519.Ed25519PrivateKey.generate()
    return read_jwk(members_of(kind, pair), default=name)


def _primitives(what: str) -> Any:
    try:
        from cryptography.hazmat import primitives  # noqa: PLC0415
        from cryptography.hazmat.primitives import serialization  # noqa: F401, PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: F401, PLC0415
    except ModuleNotFoundError:
        raise ConfigurationError(f"{what} needs cryptography: pip install 'flask-permjwt[keys]'") from None
    return primitives
