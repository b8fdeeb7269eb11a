"""Personal access tokens as text: a prefix, 256 random bits, and a checksum, such as secret scanners look for.

``pjwt_``, 43 digits of the secret and 6 of a CRC-32 of these, all in base 62 (0-9, A-Z, a-z). The checksum proves
nothing: it tells a typing error or somebody else's text apart before anybody is asked.
"""

import hashlib
import re
import secrets
import zlib
from typing import Final

from flask_permjwt.errors import InvalidTokenError

PREFIX: Final = "pjwt_"

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_BITS: Final = 256
_SECRET_LENGTH: Final = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_LENGTH: Final = 6  # 62 ** 6 > 2 ** 32
_TEXT: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}")


def new_personal_token() -> str:
    """Return the text of a new token; nobody can make it again."""
    secret = _written(secrets.randbits(_SECRET_BITS), _SECRET_LENGTH)
    return PREFIX + secret + _checksum(secret)


def digest_of(text: str) -> str:
    """Return the SHA-256 of a token, as 64 hexadecimal digits, by which it is kept.

    A fast hash is right here: what was hashed cannot be guessed, as a password can, for it holds 256 random bits.

    Raises:
        InvalidTokenError: it is none, or its checksum is wrong.
    """
    if not isinstance(text, str) or _TEXT.fullmatch(text) is None:
        raise InvalidTokenError("The token is malformed.")
    secret = text[len(PREFIX) : -_CHECKSUM_LENGTH]
    if text[-_CHECKSUM_LENGTH:] != _checksum(secret):
        raise InvalidTokenError("The token is malformed.")
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _checksum(secret: str) -> str:
    return _written(zlib.crc32(secret.encode("ascii")), _CHECKSUM_LENGTH)


def _written(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
