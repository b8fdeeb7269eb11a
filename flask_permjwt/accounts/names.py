"""Names: which texts can name a user, a role or a mailbox, and when two of them are the same name.

Names are kept as typed for display. Compared is a key: NFKC (UAX #15) and case-folded, so that ``Straße``
and ``STRASSE``, or a ligature and its letters, cannot be two people.
"""

import re
import unicodedata
from typing import Final

from flask_permjwt.errors import InvalidNameError

MAX_NAME: Final = 255
MAX_TYPED: Final = 1024
"""Characters that are looked at where a name or an address is asked for: no longer one could be anybody's."""

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
# Default_Ignorable_Code_Point (DerivedCoreProperties of Unicode 16), as a class of a regular expression.
_IGNORABLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)

_PUBLIC_ID: Final = re.compile(r"[0-9a-f]{32}")

_NO_ADDRESS_CHARACTER: Final = r"\s\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
# Without the specials of RFC 5322 section 3.2.3: with them, one text could be read as two addresses, or as
# a name and another address.
_PART: Final = rf'[^{_NO_ADDRESS_CHARACTER}()<>\[\]:;@\\,"]+'
_ADDRESS: Final = re.compile(f"{_PART}@{_PART}")


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


def without_ignorable(text: str) -> str:
    """Return a text without what is drawn as nothing (Unicode's Default_Ignorable_Code_Point)."""
    return _IGNORABLE.sub("", text)


def check_username(name: str) -> str:
    """Return the key of a user name.

    Raises:
        InvalidNameError: it is no possible name, or could be another user's e-mail address (it holds an ``@``) or
            public id (it is 32 hexadecimal digits).
    """
    key = _key(name, "user name")
    if "@" in key:
        raise InvalidNameError("A user name holds no @; an e-mail address has a field of its own.")
    if _PUBLIC_ID.fullmatch(key):
        raise InvalidNameError("A user name is not 32 hexadecimal digits: those are the id of a user.")
    return key


def is_plain_address(text: str) -> bool:
    """Tell whether a text is one e-mail address, ``name@domain``, and no mailer can read it as anything else."""
    # =? begins an encoded word (RFC 2047), which Python's e-mail parser decodes in an address: the mail
    # would go somewhere else than it seems (Heyes, "Splitting the email atom", 2024).
    return _ADDRESS.fullmatch(text) is not None and "=?" not in text


def check_email(email: str) -> str:
    """Return the key of an e-mail address.

    Only its shape is looked at: whether it is somebody's mailbox, a mail alone can tell.

    Raises:
        InvalidNameError: it is no address that a mail could be sent to, it is longer than 254 characters, or NFKC
            changes it: then the mail would go to another mailbox than the one that is compared.
    """
    key = _key(email, "e-mail address")
    if not (is_plain_address(email) and is_plain_address(key)):
        raise InvalidNameError("An e-mail address is written name@domain, without spaces, quotes and brackets.")
    if unicodedata.normalize("NFKC", email) != email:
        raise InvalidNameError("An e-mail address is written in plain letters (NFKC).")
    if max(len(key), len(email)) > MAX_EMAIL:
        raise InvalidNameError(f"An e-mail address has at most {MAX_EMAIL} characters.")
    return key


def check_role_name(name: str) -> str:
    """Return the key of a role name.

    Raises:
        InvalidNameError: it is no possible name.
    """
    return _key(name, "role name")


def check_client_name(name: str) -> str:
    """Return the key of a client's name.

    Raises:
        InvalidNameError: it is no possible name, or could be another client's id (it is 32 hexadecimal digits).
    """
    key = _key(name, "client name")
    if _PUBLIC_ID.fullmatch(key):
        raise InvalidNameError("A client name is not 32 hexadecimal digits: those are the id of a client.")
    return key


def _key(name: object, what: str) -> str:
    key = compare_key(name) if isinstance(name, str) else None
    if key is None:
        raise InvalidNameError(
            f"This is no {what}: 1 to {MAX_NAME} visible characters are, without space at either end."
        )
    return key
