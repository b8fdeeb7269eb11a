"""Signatures: made and accepted by PyJWT's algorithms, refused by a look of our own first.

A forged token is what anybody can make us check. Our own look costs less than PyJWT's, and it may only refuse;
what it lets pass is for PyJWT to accept.
"""

import base64
import hmac
from typing import Any, Final

from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.tokens.keys import Key

_FORGED: Final = "The token's signature is not valid."
_HASHES: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


class Signer:
    """Makes and checks the signatures of one key, which PyJWT prepared once.

    Args:
        key: the key, with the one algorithm that it serves.
    """

    __slots__ = ("_algorithm", "_hash", "_key", "_secret")

    def __init__(self, key: Key) -> None:
        # Loaded for those who sign or verify: it brings all of cryptography along where that is installed.
        from jwt.algorithms import get_default_algorithms  # noqa: PLC0415

        self._algorithm: Final = get_default_algorithms()[key.algorithm]
        self._key: Final[Any] = self._algorithm.prepare_key(key.secret)
        self._secret: Final = key.secret
        self._hash: Final = _HASHES[key.algorithm]

    def sign(self, signed: bytes) -> str:
        """Return the signature of header and payload, as it stands in a token."""
        return base64.urlsafe_b64encode(self._algorithm.sign(signed, self._key)).rstrip(b"=").decode()

    def check(self, signed: bytes, signature: str) -> None:
        """Check a signature.

        Args:
            signed: header and payload as they came, with the dot (RFC 7515 section 5.1).
            signature: base64url without padding, in the one spelling of its value.

        Raises:
            InvalidTokenError: it is not the signature of this key.
        """
        right = hmac.digest(self._secret, signed, self._hash)
        if not hmac.compare_digest(base64.urlsafe_b64encode(right).rstrip(b"="), signature.encode("ascii")):
            raise InvalidTokenError(_FORGED)
        try:
            raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
            is_right = self._algorithm.verify(signed, self._key, raw)
        except Exception:  # noqa: BLE001  # whatever stops PyJWT from accepting, the answer is no, and never a 500
            is_right = False
        if is_right is not True:
            raise InvalidTokenError(_FORGED)
