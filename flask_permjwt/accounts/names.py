"""Names: which texts can name a user, a role or a mailbox, and when two of them are the same name.

Names are kept as typed for display. Compared is a key: NFKC (UAX #15) and case-folded, so that ``Straße``
and ``STRASSE``, or a ligature and its letters, cannot be two people.
"""

import unicodedata
from typing import Final

from flask_permjwt.errors import InvalidNameError

MAX_NAME: Final = 255
MAX_EMAIL: Final = 254
"""Characters in an address (RFC 5321 section 4.5.3.1.3, less the angle brackets)."""

_LINES: Final = frozenset({"Zl", "Zp"})
# What is drawn as nothing although its category is not C (DerivedCoreProperties, Default_Ignorable): with
# these, two different names would look the same.
_INVISIBLE: Final = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)


def compare_key(name: str) -> str | None:
    """Return what is compared in place of a name; None when the text can be nobody's name.

    The key of a key is the key itself. Nobody's names are: the empty text, more than 255 characters (the key
    included), white space at an end, and anything with controls, invisible characters, surrogates, line
    separators or characters that Unicode has not assigned yet (their folding may still change).
    """
    if not _is_possible(name):
        return None
    key = str.__str__(name)
    while (folded := unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", key).casefold())) != key:
        key = folded
    return key if _is_possible(key) else None


def _is_possible(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME and text == text.strip() and all(map(_is_visible, text))


def _is_visible(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] != "C" and category not in _LINES and character not in _INVISIBLE


def check_username(name: str) -> str:
    """Return the key of a user name.

    Raises:
        InvalidNameError: it is no possible name, or holds an ``@``: no name may be another's e-mail address.
    """
    key = _key(name, "user name")
    if "@" in key:
        raise InvalidNameError("A user name holds no @; an e-mail address has a field of its own.")
    return key


def check_email(email: str) -> str:
    """Return the key of an e-mail address.

    Only its shape is looked at: whether it is somebody's mailbox, a mail alone can tell.

    Raises:
        InvalidNameError: it is no address, or longer than 254 characters.
    """
    key = _key(email, "e-mail address")
    local, at, domain = key.partition("@")
    if not (local and at and domain) or "@" in domain or any(map(str.isspace, key)):
        raise InvalidNameError("An e-mail address is written name@domain, without spaces.")
    if max(len(key), len(email)) > MAX_EMAIL:
        raise InvalidNameError(f"An e-mail address has at most {MAX_EMAIL} characters.")
    return key


def check_role_name(name: str) -> str:
    """Return the key of a role name.

    Raises:
        InvalidNameError: it is no possible name.
    """
    return _key(name, "role name")


def _key(name: object, what: str) -> str:
    key = compare_key(name) if isinstance(name, str) else None
    if key is None:
        raise InvalidNameError(
            f"This is no {what}: 1 to {MAX_NAME} visible characters are, without space at either end."
        )
    return key
