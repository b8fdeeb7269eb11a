"""Claims: the payload of a token, read strictly.

Everything here may only refuse: nothing is repaired, converted or guessed.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from flask_permjwt.errors import ConfigurationError, InvalidTokenError
from flask_permjwt.policy.frozen import MAX_DEPTH, freeze
from flask_permjwt.policy.permissions import Grants, read_scope

SCOPE: Final = "scope"
"""What a narrowed token may do at most (RFC 9068 section 2.2.3); only such tokens have it."""

RESERVED: Final = frozenset(
    {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "ver", "pv", "rights", "roles", "csrf", "auth_time"}
) | {SCOPE, "client_id"}
USER_VERSION: Final = "u"
"""The key of the user's own count in the claim ``pv``; the other keys are the public ids of roles."""

RIGHTS_IN_STORE: Final = "store"
"""The claim ``rights`` of a token that names no permissions: they are read from the user store."""

CLIENT: Final = "client_id"
"""The claim of tokens that clients got in their own name (RFC 9068 section 2.2), and of no others."""

_CLIENT_SUBJECT: Final = "client:"

LAST_SECOND: Final = 253402300799  # 9999-12-31T23:59:59Z, the end of the calendar of RFC 3339
_MAX_TEXT: Final = 255
_MAX_PATH: Final = 8
_MAX_COUNT: Final = 2**63 - 1  # what a database's integer can hold
# NUL above all: PostgreSQL refuses it in any text, and a look-up by it would fail instead of finding nothing.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# JSON can spell half of a surrogate pair; no database and no encoder takes it.
_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_object(data: bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object (RFC 8259), as strictly as RFC 7515 section 4 and RFC 7519 section 4 allow.

    Refused are also duplicate names at any depth, numbers that are not finite (``NaN``, ``1e999``), lone
    surrogates and what is nested deeper than 32 levels, whatever the parser would make of them.

    Args:
        data: the JSON text in UTF-8.
        what: its name, for the description of the error.

    Raises:
        InvalidTokenError: it is no such object.
    """
    try:
        parsed = _DECODER.decode(data.decode("utf-8"))
        if _SURROGATE_ESCAPE.search(data):
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")
        if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
            freeze(parsed)  # refuses what is nested too deep, also where the parser's own stack is large
    except (ValueError, RecursionError):
        raise InvalidTokenError(f"The token's {what} is no JSON.") from None
    if not isinstance(parsed, dict):
        raise InvalidTokenError(f"The token's {what} is no JSON object.")
    return parsed


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        raise InvalidTokenError("The token names a member twice.")
    return parsed


def _refuse_number(_: str) -> NoReturn:
    raise InvalidTokenError("The token holds a number that is not finite.")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if abs(number) != float("inf") else _refuse_number(digits)


# Made once: ``json.loads`` would make one for every call that says how to parse.
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_constant=_refuse_number, parse_float=_finite
)


def text(claims: Mapping[str, Any], name: str) -> str:
    """Return a required claim that is a string of 1 to 255 characters, none of them a control character.

    Raises:
        InvalidTokenError: it is missing or anything else.
    """
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT or _CONTROL.search(value):
        raise InvalidTokenError(f"The claim {name} is missing or not valid.")
    return value


def count(claims: Mapping[str, Any], name: str) -> int:
    """Return a required claim that is a whole number from zero up, as far as a database can count.

    Raises:
        InvalidTokenError: it is missing or anything else.
    """
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_COUNT:
        raise InvalidTokenError(f"The claim {name} is missing or not valid.")
    return value


def date(claims: Mapping[str, Any], name: str) -> float:
    """Return a required NumericDate (RFC 7519 section 2): seconds since 1970-01-01 UTC.

    Raises:
        InvalidTokenError: it is missing, no number, negative or beyond the year 9999.
    """
    value = claims.get(name)
    # Compared as it is: asking whether it is finite would overflow on an integer of 400 digits.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LAST_SECOND:
        raise InvalidTokenError(f"The claim {name} is missing or not valid.")
    return value


def names(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """Return the strings in a claim that is a list; of any other shape it names nothing."""
    value = claims.get(name)
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()


def counts(claims: Mapping[str, Any], name: str) -> dict[str, int]:
    """Return the whole numbers in a claim that is an object; whatever else is in it counts as zero."""
    value = claims.get(name)
    if not isinstance(value, Mapping):
        return {}
    return {key: one if type(one) is int and 0 <= one <= _MAX_COUNT else 0 for key, one in value.items()}


def limit(claims: Mapping[str, Any]) -> Grants | None:
    """Return what the claim ``scope`` limits a token to (RFC 9068 section 2.2.3); None where there is none.

    Words in it that are no grants limit it further, for they grant nothing.

    Raises:
        InvalidTokenError: it is no string. Taken for missing, it would set the token free.
    """
    if SCOPE not in claims:
        return None
    value = claims[SCOPE]
    if not isinstance(value, str):
        raise InvalidTokenError("The claim scope is not valid.")
    return read_scope(value)


def check_permissions_claim(path: str) -> tuple[str, ...]:
    """Split the dotted path of the permissions claim.

    Raises:
        ConfigurationError: a part is empty, there are more than eight, or it leads into a claim that has a meaning
            of its own.
    """
    parts = tuple(path.split("."))
    if not all(parts):
        raise ConfigurationError(f"PERMJWT_PERMISSIONS_CLAIM {path!r} has an empty part; write data.permissions")
    if len(parts) > _MAX_PATH or not path.isprintable():
        raise ConfigurationError(f"PERMJWT_PERMISSIONS_CLAIM {path!r} is too deep or cannot be written")
    if parts[0] in RESERVED:
        raise ConfigurationError(
            f"PERMJWT_PERMISSIONS_CLAIM {path!r} leads into the claim {parts[0]}, which has a meaning of its "
            "own; choose another name"
        )
    return parts


def read_path(claims: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return what stands at a path of nested objects; None when it leads nowhere."""
    value: Any = claims
    for part in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def write_path(claims: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return a copy of claims with a value at a path of nested objects; what was given stays untouched.

    Raises:
        TypeError: something that is no object stands on the way.
    """
    first, *rest = path
    if not rest:
        return {**claims, first: value}
    inner = claims.get(first, {})
    if not isinstance(inner, Mapping):
        raise TypeError(f"the claim {first} is no object, so nothing can be written into it")
    return {**claims, first: write_path(inner, tuple(rest), value)}


def client_subject(client_id: str) -> str:
    """Return the ``sub`` of a client's tokens, which is no user's public id."""
    return _CLIENT_SUBJECT + client_id


def client_of(subject: str) -> str | None:
    """Return the client whose tokens have this ``sub``; None where it is no client's."""
    return subject.removeprefix(_CLIENT_SUBJECT) if subject.startswith(_CLIENT_SUBJECT) else None


def client(claims: Mapping[str, Any], subject: str) -> str | None:
    """Return which client a token was issued to in its own name; None for a user's token.

    Args:
        claims: of the token.
        subject: its ``sub``.

    Raises:
        InvalidTokenError: ``sub`` and ``client_id`` do not say the same, so that one could pass for the other.
    """
    if CLIENT not in claims:
        if subject.startswith(_CLIENT_SUBJECT):
            raise InvalidTokenError("The claim client_id is missing or not valid.")
        return None
    client_id = text(claims, CLIENT)
    if subject != client_subject(client_id) or "sid" in claims:
        raise InvalidTokenError("The claim client_id is missing or not valid.")
    return client_id
