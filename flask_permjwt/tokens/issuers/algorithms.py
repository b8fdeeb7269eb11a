"""Algorithms: which signatures of others are taken, and which kind of key belongs to each."""

from typing import Final

from flask_permjwt.tokens.algorithms import ALGORITHMS, fitting

SAFE: Final = tuple(name for name, one in ALGORITHMS.items() if not one.secret_size)
"""What is taken unless the settings say otherwise (RFC 7518 section 3.1, RFC 8037, RFC 9864).

No secret of ours is shared with an issuer, so no HMAC; and never ``none``.
"""

FAMILIES: Final = {name: ALGORITHMS[name].curve or name[:2] for name in SAFE}
"""One key serves one of these and no other (RFC 8725 section 3.1): a curve, or RS or PS of the RSA schemes."""


def families_of(kty: object, crv: object) -> tuple[str, ...]:
    """Return the families that a key of a type may serve; none for what we do not know."""
    return tuple(dict.fromkeys(FAMILIES[name] for name in fitting(kty, crv) if name in FAMILIES))
