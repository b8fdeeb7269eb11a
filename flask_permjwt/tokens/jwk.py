"""JSON Web Keys (RFC 7517): read strictly, with the one algorithm that each serves, and written."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from flask_permjwt.errors import ConfigurationError, InvalidTokenError
from flask_permjwt.tokens.algorithms import Algorithm, algorithm, fitting
from flask_permjwt.tokens.keys import Key, base64url, hmac_key, thumbprint
from flask_permjwt.tokens.signatures import PRIVATE_MEMBERS, Signer

MIN_RSA_BITS: Final = 2048
"""RFC 7518 section 3.3."""

_MAX_RSA_BITS: Final = 16384
_MOST_KEYS: Final = 100
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
_KID: Final = re.compile(r"[\x20-\x7e]{1,255}")
_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
_OPERATIONS: Final = frozenset(
    {"sign", "verify", "encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits"}
)
# Public RSA keys whose primes come from a broken generator (CVE-2017-15361): by these primes, what remains of the
# modulus is a power of 65537.
_ROCA_PRIMES: Final = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)


def read_jwk(given: object, *, default: str | None = None, allow_weak: bool = False) -> Key:
    """Read a key, public or private.

    Args:
        given: the JWK, as an object or as JSON.
        default: the algorithm of a key that names none; without it, the only one that fits.
        allow_weak: let a secret of few different bytes pass; for tests.

    Raises:
        ConfigurationError: it is no key for signatures, or too weak a one, or it does not say which algorithm it
            serves; the message holds nothing of the key.
    """
    jwk = parse(given)
    kind = _serves(jwk, default)
    _refuse_other_uses(jwk)
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and _KID.fullmatch(kid)):
        raise ConfigurationError("the kid of a JWK must be 1 to 255 characters of ASCII")
    if kind.kty == "oct":
        key = hmac_key(_bytes(jwk, "k") if jwk.get("k") else b"", kind.name, allow_weak=allow_weak)
    else:
        key = _pair(jwk, kind)
    return key if kid is None else replace(key, kid=kid)


def read_set(given: object, *, default: str | None = None, allow_weak: bool = False) -> tuple[Key, ...]:
    """Read a JWK Set (RFC 7517 section 5) of our own: what is wrong in it is refused and not passed over.

    Args:
        given: the set, as an object or as JSON.
        default: as for ``read_jwk``.
        allow_weak: as for ``read_jwk``.

    Raises:
        ConfigurationError: a key in it cannot be read, two have the same name, or secrets stand beside public
            keys, which are for everybody.
    """
    listed = parse(given).get("keys")
    if not isinstance(listed, list) or not 0 < len(listed) <= _MOST_KEYS:
        raise ConfigurationError(f"a JWK Set has a list of 1 to {_MOST_KEYS} keys")
    keys = tuple(read_jwk(one, default=default, allow_weak=allow_weak) for one in listed)
    if len({key.kid for key in keys}) < len(keys):
        raise ConfigurationError("two keys of a JWK Set have the same kid: nobody knows which one is meant")
    if len({bool(key.secret) for key in keys}) > 1:
        raise ConfigurationError("a JWK Set has secrets beside public keys: keep them apart")
    return keys


def parse(given: object) -> dict[str, Any]:
    """Parse a JWK or a JWK Set that may come as JSON.

    Raises:
        ConfigurationError: it is no JSON object.
    """
    from flask_permjwt.tokens.claims import parse_object  # noqa: PLC0415  # only where there are such keys

    if isinstance(given, Mapping):
        return dict(given)
    try:
        return parse_object(given.encode() if isinstance(given, str) else bytes(given), "key")  # type: ignore[call-overload]
    except (InvalidTokenError, TypeError, UnicodeError):
        raise ConfigurationError("a JSON Web Key is a JSON object, each member once") from None


def public_jwk(key: Key) -> dict[str, Any] | None:
    """Return what everybody may know of a key: its public half; None of a secret, which has none."""
    if not key.pair:
        return None
    members = {name: value for name, value in json.loads(key.pair).items() if name not in PRIVATE_MEMBERS}
    return {**members, "alg": key.algorithm, "kid": key.kid, "use": "sig"}


def whole_jwk(key: Key) -> dict[str, Any]:
    """Return all of a key, to be kept where nobody else can read it."""
    members = json.loads(key.pair) if key.pair else {"kty": "oct", "k": base64url(key.secret)}
    return {**members, "alg": key.algorithm, "kid": key.kid, "use": "sig"}


def public_half(key: Key) -> Key:
    """Return the key without its private half; a secret stays what it is."""
    if not key.pair:
        return key
    members = {name: value for name, value in json.loads(key.pair).items() if name not in PRIVATE_MEMBERS}
    return replace(key, pair=_dump(members), signs=False)


def _serves(jwk: dict[str, Any], default: str | None) -> Algorithm:
    candidates = fitting(jwk.get("kty"), jwk.get("crv"))
    if not candidates:
        raise ConfigurationError("the JWK is of a type (kty, crv) that signs nothing here")
    if "alg" in jwk:
        named = algorithm(jwk["alg"])
        if named.name not in candidates:
            raise ConfigurationError(f"the JWK names {named.name} and is no key for it")
        return named
    if default in candidates:
        return algorithm(default)
    if len({algorithm(one).pyjwt for one in candidates}) > 1:
        raise ConfigurationError(f"the JWK must name its algorithm in alg: one of {', '.join(candidates)}")
    return algorithm(candidates[0])


def _refuse_other_uses(jwk: dict[str, Any]) -> None:
    """Refuse a key that is not for signatures (RFC 7517 sections 4.2 and 4.3)."""
    if jwk.get("use", "sig") != "sig":
        raise ConfigurationError("the JWK is not for signatures (use)")
    operations = jwk.get("key_ops", [])
    if not isinstance(operations, list):
        raise ConfigurationError("the key_ops of a JWK must be a list")
    # What is not in the registry says nothing.
    known = {one for one in operations if isinstance(one, str)} & _OPERATIONS
    if known and not known & {"sign", "verify"}:
        raise ConfigurationError("the JWK is not for signatures (key_ops)")


def _pair(jwk: dict[str, Any], kind: Algorithm) -> Key:
    members: dict[str, str] = {"kty": kind.kty}
    if kind.curve:
        members["crv"] = kind.curve
    for name in _MEMBERS[kind.kty]:
        members[name] = base64url(_bytes(jwk, name))
    if "oth" in jwk:
        raise ConfigurationError("an RSA key of more than two primes is not taken")
    for name in sorted(PRIVATE_MEMBERS & jwk.keys()):
        members[name] = base64url(_bytes(jwk, name))
    if kind.kty == "RSA":
        # Written without zeros in front, so that a key has one name (RFC 7518 section 6.3.1).
        for name in ("n", "e"):
            members[name] = base64url(_bytes(jwk, name).lstrip(b"\0"))
        check_rsa(*(int.from_bytes(_bytes(jwk, name), "big") for name in ("n", "e")))
    key = Key(thumbprint(members), kind.name, pair=_dump(members), signs="d" in members)
    signer = Signer(key)
    if key.signs:
        try:
            signer.check(b"flask_permjwt", signer.sign(b"flask_permjwt"))
        except InvalidTokenError:
            raise ConfigurationError("the private and the public half of a JWK do not belong together") from None
    return key


def check_rsa(modulus: int, exponent: int) -> None:
    """Check the numbers of a public RSA key.

    Raises:
        ConfigurationError: it is below 2,048 bits (RFC 7518 section 3.3), larger than anybody needs, or weak.
    """
    bits = modulus.bit_length()
    if not MIN_RSA_BITS <= bits <= _MAX_RSA_BITS:
        raise ConfigurationError(f"the RSA key has {bits} bits; {MIN_RSA_BITS} to {_MAX_RSA_BITS} are taken")
    if exponent < 3 or exponent % 2 == 0:  # noqa: PLR2004  # RFC 8017 section 3.1
        raise ConfigurationError("the RSA key's exponent is not odd and at least 3")
    if all(_is_power(modulus % prime, prime) for prime in _ROCA_PRIMES):
        raise ConfigurationError("the RSA key is of a generator whose keys can be factored (ROCA): make another")


def _is_power(remainder: int, prime: int) -> bool:
    return any(pow(65537, exponent, prime) == remainder for exponent in range(prime - 1))


def _bytes(jwk: Mapping[str, Any], name: str) -> bytes:
    """Return a member that is base64url without padding, in the one spelling of its value."""
    value = jwk.get(name)
    if isinstance(value, str) and _BASE64URL.fullmatch(value) and len(value) % 4 != 1:
        raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        if base64url(raw) == value:
            return raw
    raise ConfigurationError(f"the member {name} of a JWK must be base64url without padding")


def _dump(members: Mapping[str, str]) -> str:
    return json.dumps(members, sort_keys=True, separators=(",", ":"))
