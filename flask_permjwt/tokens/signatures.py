"""Signatures: made and accepted by PyJWT's algorithms, refused by a look of our own first.

A forged token is what anybody can make us check. Our own look costs less than PyJWT's, and it may only refuse;
what it lets pass is for PyJWT to accept.
"""

import base64
import hmac
import json
from functools import cache
from typing import Any, Final

from flask_permjwt.errors import ConfigurationError, InvalidTokenError
from flask_permjwt.tokens.algorithms import Algorithm, algorithm
from flask_permjwt.tokens.keys import Key

PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi"})
"""What a JWK's private half is made of (RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2)."""

_FORGED: Final = "The token's signature is not valid."
_HASHES: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


class Signer:
    """Makes and checks the signatures of one key, which PyJWT prepared once.

    Args:
        key: the key, with the one algorithm that it serves.

    Raises:
        ConfigurationError: it is no key for its algorithm, or the package that the algorithm needs is missing.
    """

    __slots__ = ("_algorithm", "_begun", "_private", "_public", "key")

    def __init__(self, key: Key) -> None:
        self.key: Final = key
        kind = algorithm(key.algorithm)
        self._algorithm: Final = pyjwt_of(kind)
        self._begun: hmac.HMAC | None = None
        if key.algorithm in _HASHES:
            # Copied for each token: beginning anew takes longer than what follows.
            self._begun = hmac.new(key.secret, digestmod=_HASHES[key.algorithm])
            self._public: Any = self._algorithm.prepare_key(key.secret)
            self._private: Any = self._public
            return
        members = json.loads(key.pair)
        public = {name: value for name, value in members.items() if name not in PRIVATE_MEMBERS}
        try:
            self._public = self._algorithm.from_jwk(public)
            self._private = self._algorithm.from_jwk(members) if key.signs else None
        except Exception:  # noqa: BLE001  # whatever stops it from being read, it is no key; it must not be shown
            raise ConfigurationError(f"the key is no {kind.kty} key for {kind.name}, or it is damaged") from None

    def sign(self, signed: bytes) -> str:
        """Return the signature of header and payload, as it stands in a token."""
        return base64.urlsafe_b64encode(self._algorithm.sign(signed, self._private)).rstrip(b"=").decode()

    def check(self, signed: bytes, signature: str) -> None:
        """Check a signature.

        Args:
            signed: header and payload as they came, with the dot (RFC 7515 section 5.1).
            signature: base64url without padding, in the one spelling of its value.

        Raises:
            InvalidTokenError: it is not the signature of this key.
        """
        if self._begun is not None:
            right = self._begun.copy()
            right.update(signed)
            written = base64.urlsafe_b64encode(right.digest()).rstrip(b"=")
            if not hmac.compare_digest(written, signature.encode("ascii")):
                raise InvalidTokenError(_FORGED)
        if not is_right(self._algorithm, self._public, signed, signature):
            raise InvalidTokenError(_FORGED)


def is_right(method: Any, public: Any, signed: bytes, signature: str) -> bool:
    """Tell whether PyJWT accepts a signature.

    Args:
        method: PyJWT's algorithm.
        public: a key that it prepared.
        signed: as for ``Signer.check``.
        signature: likewise.
    """
    try:
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        accepted: object = method.verify(signed, public, raw)
    except Exception:  # noqa: BLE001  # whatever stops PyJWT from accepting, the answer is no, and never a 500
        return False
    return accepted is True


def members_of(kind: Algorithm, pair: Any) -> dict[str, Any]:
    """Return the JWK members of a key of ``cryptography``, with the private half where it has one."""
    members: dict[str, Any] = pyjwt_of(kind).to_jwk(pair, as_dict=True)
    members.pop("key_ops", None)
    return members


@cache
def pyjwt_of(kind: Algorithm) -> Any:
    """Return PyJWT's own object for an algorithm.

    Raises:
        ConfigurationError: the package that it needs is missing.
    """
    # Loaded for those who sign or verify: it brings all of cryptography along where that is installed.
    from jwt.algorithms import get_default_algorithms  # noqa: PLC0415

    found = get_default_algorithms().get(kind.pyjwt)
    if found is None:
        raise ConfigurationError(f"{kind.name} needs cryptography: pip install 'flask-permjwt[keys]'")
    return found
