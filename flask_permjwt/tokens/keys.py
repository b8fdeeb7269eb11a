"""Keys: what signs and verifies. One key serves one algorithm, whatever a token's header says."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.algorithms import ALGORITHMS
from flask_permjwt.tokens.wrong_keys import other_kind

_SIZES: Final = {one.name: one.secret_size for one in ALGORITHMS.values() if one.secret_size}
# RFC 7638 section 3.2, RFC 8037 section 2.
_REQUIRED: Final = {
    "oct": ("k", "kty"),
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
}
_MIN_DISTINCT_BYTES: Final = 8
_REMEDY: Final = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(64))"'
_HKDF_HASH_SIZE: Final = 32
_HKDF_MAX_LENGTH: Final = 255 * _HKDF_HASH_SIZE


@dataclass(frozen=True, slots=True)
class Key:
    """A key with the one algorithm that it serves.

    Attributes:
        kid: its name in token headers (RFC 7515 section 4.1.4): the thumbprint of RFC 7638 unless it came with
            another.
        algorithm: the name of RFC 7518 section 3.1, RFC 8037 or RFC 9864.
        secret: the key itself, where it is a secret; empty where it is a key pair.
        pair: the members of a key pair's JWK (RFC 7517), as JSON; empty where it is a secret.
        signs: the private half is there.
    """

    kid: str
    algorithm: str
    secret: bytes = field(default=b"", repr=False)
    pair: str = field(default="", repr=False)
    signs: bool = True


class KeyRing:
    """The keys of one app at one moment. It never changes: another one takes its place.

    Args:
        signing: the key that signs, and that verifies tokens without a ``kid``; None where nothing signs.
        others: those that verify too.

    Raises:
        ConfigurationError: two different keys have the same name.
    """

    def __init__(self, signing: Key | None, others: Iterable[Key] = ()) -> None:
        self.signing: Final = signing
        by_kid: dict[str, Key] = {} if signing is None else {signing.kid: signing}
        for key in others:
            first = by_kid.setdefault(key.kid, key)
            # A pair and its public half are one key, and the first one is kept.
            if first != key and (first.algorithm != key.algorithm or material(first) != material(key)):
                raise ConfigurationError(f"two different keys have the name (kid) {key.kid!r}: rename one")
        self._by_kid: Final = by_kid

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeyRing):
            return NotImplemented
        return self.signing == other.signing and self._by_kid == other._by_kid

    def __hash__(self) -> int:
        return hash((self.signing, frozenset(self._by_kid)))

    @property
    def keys(self) -> tuple[Key, ...]:
        """All of them, the one that signs first."""
        return tuple(self._by_kid.values())

    def find(self, kid: object) -> Key | None:
        """Return the key with this name, compared exactly; None when there is none or it is no string."""
        return self._by_kid.get(kid) if isinstance(kid, str) else None


def derive_secret(master: bytes, purpose: bytes, length: int, *, salt: bytes = b"") -> bytes:
    """Derive a secret of its own for one purpose, by HKDF with SHA-256 (RFC 5869).

    Args:
        master: the secret to derive from; the strength of what is derived is never more than its own.
        purpose: what it is for (``info`` in the RFC); different purposes give unrelated secrets.
        length: bytes wanted, from 1 to 8,160.
        salt: need not be secret; without one, zeros are used (RFC 5869 section 2.2).

    Raises:
        ValueError: ``length`` is out of bounds.
    """
    if not 1 <= length <= _HKDF_MAX_LENGTH:
        raise ValueError(f"HKDF-SHA256 gives 1 to {_HKDF_MAX_LENGTH} bytes, not {length}")
    pseudorandom = hmac.digest(salt or bytes(_HKDF_HASH_SIZE), master, "sha256")
    block, derived, counter = b"", b"", 1
    while len(derived) < length:
        block = hmac.digest(pseudorandom, block + purpose + bytes([counter]), "sha256")
        derived += block
        counter += 1
    return derived[:length]


def hmac_key(secret: bytes | str, algorithm: str, *, allow_weak: bool = False) -> Key:
    """Make a key for HS256, HS384 or HS512.

    Args:
        secret: at least as many bytes as the hash gives: 32, 48 or 64 (RFC 7518 section 3.2).
        algorithm: the one that it serves.
        allow_weak: let a secret of few different bytes pass; for tests.

    Raises:
        ConfigurationError: it is too short, weak, or a key of another kind, or no HMAC algorithm was named;
            the message names the remedy and never holds the secret.
    """
    size = _SIZES.get(algorithm)
    if size is None:
        raise ConfigurationError(f"{algorithm!r} is no algorithm for a secret; use one of {', '.join(_SIZES)}")
    raw = secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
    if not raw:
        raise ConfigurationError(f"the secret of {algorithm} is empty; {_REMEDY}")
    kind = other_kind(raw)
    if kind is not None:
        raise ConfigurationError(f"the secret of {algorithm} must be random bytes, not {kind}; {_REMEDY}")
    if len(raw) < size:
        raise ConfigurationError(f"the secret of {algorithm} must have at least {size} bytes; {_REMEDY}")
    if not allow_weak and len(set(raw)) < _MIN_DISTINCT_BYTES:
        raise ConfigurationError(f"the secret of {algorithm} repeats too few characters; {_REMEDY}")
    return Key(thumbprint({"kty": "oct", "k": base64url(raw)}), algorithm, raw)


def thumbprint(members: Mapping[str, Any]) -> str:
    """Name a key by the thumbprint of its JWK: SHA-256 over the required members (RFC 7638 section 3).

    Args:
        members: of the JWK, more than the required ones perhaps.
    """
    required = {name: members[name] for name in _REQUIRED[members["kty"]]}
    text = json.dumps(required, separators=(",", ":"), sort_keys=True)
    return base64url(hashlib.sha256(text.encode()).digest())


def material(key: Key) -> str:
    """Return what tells keys apart whatever they are named: the thumbprint of a public half or a secret."""
    return thumbprint(json.loads(key.pair) if key.pair else {"kty": "oct", "k": base64url(key.secret)})


def base64url(data: bytes) -> str:
    """Encode bytes without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
