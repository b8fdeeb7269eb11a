"""JSON Web Key Sets (RFC 7517): which of an issuer's keys we use, and for which tokens."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from flask_permjwt.tokens.algorithms import ONE_AND_THE_SAME
from flask_permjwt.tokens.issuers.algorithms import FAMILIES, families_of
from flask_permjwt.tokens.issuers.signatures import UnusableKeyError, public_key
from flask_permjwt.tokens.keys import thumbprint

MOST_KEYS: Final = 100
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MEMBERS: Final = {"RSA": ("e", "n"), "EC": ("x", "y"), "OKP": ("x",)}
_CURVED: Final = frozenset({"EC", "OKP"})
_MAX_KID: Final = 255


class KeysError(Exception):
    """Keys that cannot be had or read; the message says why, for the log."""


@dataclass(frozen=True, slots=True, eq=False)
class PublicKey:
    """A key of an issuer.

    Attributes:
        kid: its name there; None for none.
        algorithms: those of its one family that are allowed.
        thumbprint: its own name, whatever it is called (RFC 7638).
        key: the key itself.
        issuer: for whose tokens it is; None where its set does not say. Not of RFC 7517: Microsoft writes it
            into keys that several issuers share, and there alone it is looked at.
    """

    kid: str | None
    algorithms: frozenset[str]
    thumbprint: str
    key: Any = field(repr=False)
    issuer: str | None = None


class PublishedKeys:
    """The keys of an issuer at one moment.

    Args:
        keys: the usable ones.
        ignored: for the log, why others are not.
    """

    __slots__ = ("_keys", "ignored", "thumbprints")

    def __init__(self, keys: Iterable[PublicKey], ignored: Iterable[str] = ()) -> None:
        self._keys: Final = tuple(keys)
        self.ignored: Final = tuple(ignored)
        self.thumbprints: Final = frozenset(key.thumbprint for key in self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """Return the one key that a token may mean; None when there is none, or there are several.

        Args:
            kid: the token's ``kid``; None when it names none, which will do while one key alone fits.
            algorithm: the token's ``alg``.
        """
        fitting = [key for key in self._keys if kid in {None, key.kid} and algorithm in key.algorithms]
        return fitting[0] if len(fitting) == 1 else None


def read_keys(document: dict[str, Any], algorithms: tuple[str, ...]) -> PublishedKeys:
    """Read a JWK Set (RFC 7517 section 5). What we do not know or trust in it is ignored, as section 5 asks.

    A key that says no ``alg`` serves the first family among the allowed algorithms that fits its type.

    Args:
        document: the parsed set.
        algorithms: those that are allowed, in order of preference.

    Raises:
        KeysError: it is no JWK Set, or it has more than 100 keys.
    """
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise KeysError("this is no JWK Set: it has no list of keys")
    if len(listed) > MOST_KEYS:
        raise KeysError(f"the JWK Set has {len(listed)} keys, and more than {MOST_KEYS} are not looked at")
    keys: dict[tuple[str | None, str], PublicKey] = {}
    ignored = []
    for number, jwk in enumerate(listed):
        try:
            key = _read_key(jwk, algorithms)
        except UnusableKeyError as fault:
            ignored.append(f"key {number} {fault}")
        else:
            keys[key.kid, key.thumbprint] = key
    return PublishedKeys(*_without_namesakes(keys.values(), ignored))


def _without_namesakes(
    keys: Iterable[PublicKey], ignored: list[str]
) -> tuple[tuple[PublicKey, ...], tuple[str, ...]]:
    """Leave out different keys of one name that could be meant by the same token: nobody knows which one is."""
    kept: list[PublicKey] = []
    for key in keys:
        namesakes = [
            one for one in keys if one is not key and one.kid == key.kid and one.algorithms & key.algorithms
        ]
        if namesakes and key.kid is not None:
            ignored.append("a key has the name of another one")
        else:
            kept.append(key)
    return tuple(kept), tuple(ignored)


def _read_key(jwk: object, algorithms: tuple[str, ...]) -> PublicKey:
    if not isinstance(jwk, dict):
        raise UnusableKeyError("is no JSON object")
    families = families_of(jwk.get("kty"), jwk.get("crv"))
    if not families:
        raise UnusableKeyError("is of a type that is not known here")
    if _PRIVATE & jwk.keys():
        raise UnusableKeyError("is published with its private half, so anybody may sign with it")
    if jwk.get("use", "sig") != "sig":
        raise UnusableKeyError("is not for signatures (use)")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKeyError("is not for verifying (key_ops)")
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= _MAX_KID):
        raise UnusableKeyError("has a name that is no text")
    members = _members(jwk)
    issuer = jwk.get("issuer")
    return PublicKey(
        kid,
        _serves(jwk, families, algorithms),
        thumbprint(members),
        public_key(members),
        issuer if isinstance(issuer, str) else None,
    )


def _serves(jwk: dict[str, Any], families: tuple[str, ...], algorithms: tuple[str, ...]) -> frozenset[str]:
    """Return the algorithms that a key serves: the one that it names, or those of one family."""
    fitting = [one for one in algorithms if FAMILIES[one] in families]
    if "alg" in jwk:
        # EdDSA is the older name of what RFC 9864 calls Ed25519.
        named = ONE_AND_THE_SAME if jwk["alg"] in ONE_AND_THE_SAME else (jwk["alg"],)
        fitting = [one for one in fitting if one in named]
    if not fitting:
        raise UnusableKeyError("is for an algorithm that is not allowed")
    return frozenset(one for one in fitting if FAMILIES[one] == FAMILIES[fitting[0]])


def _members(jwk: dict[str, Any]) -> dict[str, str]:
    kty = jwk["kty"]
    members: dict[str, str] = {"kty": kty}
    if kty in _CURVED:
        members["crv"] = jwk["crv"]
    for name in _MEMBERS[kty]:
        value = jwk.get(name)
        if not isinstance(value, str) or _BASE64URL.fullmatch(value) is None:
            raise UnusableKeyError("is malformed")
        members[name] = value
    return members
