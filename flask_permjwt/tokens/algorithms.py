"""Algorithms: which ones sign our tokens, and what kind of key each of them takes.

The names are those of RFC 7518 section 3.1 and RFC 8037, and the fully specified ones of RFC 9864.
"""

from dataclasses import dataclass
from typing import Final

from flask_permjwt.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A signature algorithm.

    Attributes:
        name: as it stands in headers and in the ``alg`` of keys.
        kty: the type of its keys (RFC 7518 section 6.1).
        curve: the one curve of its keys; empty where there is none.
        secret_size: bytes that a secret must have at least: those of the hash (RFC 7518 section 3.2); 0 for key
            pairs.
        pyjwt: what PyJWT calls it.
    """

    name: str
    kty: str
    curve: str = ""
    secret_size: int = 0
    pyjwt: str = ""


ALGORITHMS: Final = {
    one.name: one
    for one in (
        Algorithm("HS256", "oct", secret_size=32, pyjwt="HS256"),
        Algorithm("HS384", "oct", secret_size=48, pyjwt="HS384"),
        Algorithm("HS512", "oct", secret_size=64, pyjwt="HS512"),
        Algorithm("RS256", "RSA", pyjwt="RS256"),
        Algorithm("RS384", "RSA", pyjwt="RS384"),
        Algorithm("RS512", "RSA", pyjwt="RS512"),
        Algorithm("PS256", "RSA", pyjwt="PS256"),
        Algorithm("PS384", "RSA", pyjwt="PS384"),
        Algorithm("PS512", "RSA", pyjwt="PS512"),
        Algorithm("ES256", "EC", curve="P-256", pyjwt="ES256"),
        Algorithm("ES384", "EC", curve="P-384", pyjwt="ES384"),
        Algorithm("ES512", "EC", curve="P-521", pyjwt="ES512"),
        Algorithm("EdDSA", "OKP", curve="Ed25519", pyjwt="EdDSA"),
        Algorithm("Ed25519", "OKP", curve="Ed25519", pyjwt="EdDSA"),
    )
}
ONE_AND_THE_SAME: Final = ("EdDSA", "Ed25519")


def algorithm(name: object) -> Algorithm:
    """Return the algorithm of this name.

    Raises:
        ConfigurationError: there is none.
    """
    found = ALGORITHMS.get(name) if isinstance(name, str) else None
    if found is None:
        raise ConfigurationError(f"{name!r} is no algorithm for signatures; use one of {', '.join(ALGORITHMS)}")
    return found


def is_served(named: object, own: str) -> bool:
    """Tell whether a header names the one algorithm of a key.

    Names are compared to the letter. ``Ed25519`` is what RFC 9864 section 2.2 calls ``EdDSA`` with a key on that
    curve, and the only one that is done here under either name.

    Args:
        named: the header's ``alg``.
        own: the key's algorithm.
    """
    return named == own or (own in ONE_AND_THE_SAME and isinstance(named, str) and named in ONE_AND_THE_SAME)


def fitting(kty: object, curve: object) -> tuple[str, ...]:
    """Return the algorithms that a key of this type and curve could serve."""
    return tuple(
        one.name for one in ALGORITHMS.values() if one.kty == kty and (not one.curve or one.curve == curve)
    )
