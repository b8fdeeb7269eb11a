"""Prepared: what the codec needs of a key ring, made once for each ring."""

import json
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from flask_permjwt.errors import InvalidTokenError, NoSigningKeyError
from flask_permjwt.tokens.algorithms import is_served
from flask_permjwt.tokens.claims import parse_object
from flask_permjwt.tokens.compact import payload_of
from flask_permjwt.tokens.keys import Key, KeyRing, base64url
from flask_permjwt.tokens.signatures import Signer

_NEXT_LOOK: Final = 60
"""Seconds after which it may be worth while to ask again."""

TypeT = TypeVar("TypeT", bound=str)


class Prepared(Generic[TypeT]):
    """A key ring with the signers of its keys, and the headers that we write with the one that signs.

    Args:
        ring: the keys.
        types: every ``typ`` that is written.
        before: the one that it takes the place of: the signers of keys that stay are used on.
    """

    __slots__ = ("headers", "own_headers", "ring", "signers", "signing")

    def __init__(self, ring: KeyRing, types: tuple[TypeT, ...], before: "Prepared[TypeT] | None" = None) -> None:
        known = {} if before is None else {signer.key: signer for signer in before.signers.values()}
        self.ring: Final = ring
        self.signers: Final[dict[str, Signer]] = {key.kid: known.get(key) or Signer(key) for key in ring.keys}
        signing = ring.signing
        self.signing: Final = None if signing is None else self.signers[signing.kid]
        self.headers: Final = {} if signing is None else {one: _header_segment(signing, one) for one in types}
        # Headers that we wrote ourselves are known by their text and need no parsing.
        self.own_headers: Final = {
            _header_segment(signer.key, one): (signer, one) for signer in self.signers.values() for one in types
        }

    def sign(self, token_type: TypeT, payload: str) -> str:
        """Return a token of this type with this payload, which is a segment already.

        Raises:
            NoSigningKeyError: 503, no key signs; the log says how to make one.
        """
        if self.signing is None:
            raise NoSigningKeyError(_NEXT_LOOK)
        signed = f"{self.headers[token_type]}.{payload}"
        return f"{signed}.{self.signing.sign(signed.encode('ascii'))}"

    def choose(self, header: Mapping[str, Any]) -> Signer:
        """Return the signer of the key that a header names; without a name, of the one that signs.

        It chooses among our keys and nothing else: ``jku``, ``jwk``, ``x5u`` and ``x5c`` are never looked at (RFC
        8725 section 3.10). They are ignored and not refused, as RFC 7515 section 4 asks for what is not
        understood: refusing protects nobody, since a signature of our own key still has to cover them.

        Raises:
            UnknownKeyError: there is no such key.
            InvalidTokenError: the key serves another algorithm than the header names.
        """
        key = self.ring.find(header["kid"]) if "kid" in header else self.ring.signing
        if key is None:
            raise UnknownKeyError(_STRANGER)
        if not is_served(header.get("alg"), key.algorithm):
            raise InvalidTokenError(_STRANGER)
        return self.signers[key.kid]


def read_header(segment: str) -> dict[str, Any]:
    """Read a header that we did not write to the letter.

    ``crit`` is refused, for no extension is understood (RFC 7515 section 4.1.11), and so is ``b64``, which changes
    what the signature covers (RFC 7797).

    Raises:
        InvalidTokenError: it is no JSON object, or needs an extension.
    """
    header = parse_object(payload_of(segment), "header")
    if "crit" in header or "b64" in header:
        raise InvalidTokenError("The token needs an extension that is not understood.")
    return header


class UnknownKeyError(InvalidTokenError):
    """A token that names a key which is not known here; it may be so new that it is not known yet."""


_STRANGER: Final = "The token was not signed with a key of this API."


def _header_segment(key: Key, token_type: str) -> str:
    header = {"alg": key.algorithm, "kid": key.kid, "typ": token_type}
    return base64url(json.dumps(header, separators=(",", ":")).encode())
