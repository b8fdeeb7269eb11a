"""The compact serialization (RFC 7515 section 3.1): three segments, each in the one spelling of its value."""

import base64
import re
from typing import Final

from flask_permjwt.errors import InvalidTokenError

MAX_LENGTH: Final = 16 * 1024
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# What a base64url segment may end with, by its length modulo 4, when the bits that carry nothing are zero.
_LAST_CHARACTERS: Final = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    "",
    "AQgw",
    "AEIMQUYcgkosw048",
)


def split(token: str) -> tuple[str, str, str]:
    """Split a token into header, payload and signature.

    Raises:
        InvalidTokenError: it is longer than 16 KiB, or not three segments of base64url without padding.
    """
    if not isinstance(token, str) or len(token) > MAX_LENGTH or _COMPACT.fullmatch(token) is None:
        raise InvalidTokenError("The token is malformed.")
    header, payload, signature = token.split(".")
    if not all(one[-1] in _LAST_CHARACTERS[len(one) % 4] for one in (header, payload, signature)):
        raise InvalidTokenError("The token is malformed.")
    return header, payload, signature


def payload_of(segment: str) -> bytes:
    """Return the bytes that a segment stands for."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
