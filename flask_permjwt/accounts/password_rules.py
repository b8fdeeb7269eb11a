"""Which new passwords are refused: those that are guessed first (NIST SP 800-63B-4 section 3.1.1.2).

No composition rules: neither digits nor signs are asked for. Whatever is folded or cut up here is so for
comparison alone; the password that is hashed is the one that was typed.
"""

import gzip
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Final

from flask_permjwt.accounts.names import without_ignorable
from flask_permjwt.accounts.passwords import MAX_PASSWORD
from flask_permjwt.errors import (
    AuthError,
    BusyError,
    ConfigurationError,
    InvalidPasswordError,
    WeakPasswordError,
)
from flask_permjwt.signals import told_of

_log = logging.getLogger("flask_permjwt.accounts")

LEAST_LENGTH: Final = 8
"""Characters below which no setting may go: the shortest that SP 800-63B-4 allows beside a second factor."""

LEAST_MAX_LENGTH: Final = 64
"""Characters that must be allowed (SP 800-63B-4 section 3.1.1.2)."""

_OWN: Final = 4
"""A name of fewer characters turns up in other words by chance."""

_AVERAGE_RUN: Final = 3

# Rows and columns of keyboards: QWERTY, QWERTZ, AZERTY, the Cyrillic one; digits with their shifted signs.
# Runs of the alphabet need no row, for they follow each other in Unicode.
_ROWS: Final = (
    *("01234567890123456789", "`1234567890-=", "~!@#$%^&*()_+"),
    *("qwertyuiop[]\\", "asdfghjkl;'", "zxcvbnm,./", "qwertyuiopasdfghjklzxcvbnm"),
    *("qwertzuiopü+", "asdfghjklöä#", "yxcvbnm,.-", "azertyuiop^$", "qsdfghjklmù", "wxcvbn,;:!"),
    *("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"),
    *("1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik,", "9ol.", "0p;/"),
    *("!qaz", "@wsx", "#edc", "$rfv", "%tgb", "^yhn", "&ujm", "*ik,", "(ol.", ")p;/"),
)
# No password holds what separates them: it is a lone surrogate.
_TRACKS: Final = "\ud800".join((*_ROWS, *(row[::-1] for row in _ROWS)))

_UNSEEN: Final = f"Fewer than {LEAST_LENGTH} characters of this password can be seen."
_COMMON: Final = "This password is among the most used ones."
_REPEATED: Final = "This password repeats a short piece."
_RUN: Final = "This password is made of neighbouring characters, such as abcd, 4321 or qwerty."
_NAMED: Final = (
    f"Without the user name and the e-mail address, too little of this password is left: "
    f"{LEAST_LENGTH} other characters are needed, and none of the first that people try."
)

ExtraRule = Callable[..., str | None]
"""A rule of the app: ``rule(password, username=..., email=...)`` returns why not, or None."""


class PasswordRules:
    """Says no to a password that would be guessed early. Made for new passwords, never for a login.

    Args:
        min_length: characters (Unicode code points) that a password has at least.
        max_length: characters that it has at most.
        extra: one more rule, a service that knows leaked passwords, say; called last, as
            ``extra(password, username=..., email=...)``, with None for what is not known. It returns the
            sentence that the user reads, or None. When it raises, the password is not taken: that is logged,
            without its words, and answered as ``BusyError``. A rule that shall be forgone while its service is
            down catches that itself and returns None.

    Raises:
        ConfigurationError: a length that is below what NIST asks for, or above what is hashed.
    """

    def __init__(
        self, *, min_length: int = 12, max_length: int = MAX_PASSWORD, extra: ExtraRule | None = None
    ) -> None:
        if min_length < LEAST_LENGTH:
            raise ConfigurationError(
                f"passwords of fewer than {LEAST_LENGTH} characters are never safe: allow none"
            )
        if not LEAST_MAX_LENGTH <= max_length <= MAX_PASSWORD:
            raise ConfigurationError(
                f"the longest password has {LEAST_MAX_LENGTH} to {MAX_PASSWORD} characters, not {max_length}"
            )
        if min_length > max_length:
            raise ConfigurationError(f"no password has {min_length} or more and {max_length} or fewer characters")
        self.min_length: Final = min_length
        self.max_length: Final = max_length
        self._extra: Final = extra

    def check(self, password: str, *, username: str | None = None, email: str | None = None) -> None:
        """Let a new password pass, or say why not, in a sentence that never repeats it.

        Args:
            password: as typed.
            username: of the user who will have it, where it is known.
            email: of the same.

        Raises:
            WeakPasswordError: it is too short or too easy to guess.
            InvalidPasswordError: it is too long.
            BusyError: the extra rule failed.
            TypeError: the extra rule returned neither a sentence nor None.
        """
        if len(password) < self.min_length:
            raise WeakPasswordError(f"A password has at least {self.min_length} characters.")
        if len(password) > self.max_length:
            raise InvalidPasswordError(f"A password has at most {self.max_length} characters.")
        text = _folded(password)
        weakness = _UNSEEN if len(without_ignorable(password)) < LEAST_LENGTH else _weakness(text)
        if weakness is None:
            rest = _without(_own_words(username, email), text)
            if rest != text and (len(rest) < LEAST_LENGTH or _weakness(rest)):
                weakness = _NAMED
        if weakness is not None:
            raise WeakPasswordError(weakness)
        if self._extra is not None:
            self._ask(self._extra, password, username, email)

    @staticmethod
    def _ask(extra: ExtraRule, password: str, username: str | None, email: str | None) -> None:
        try:
            reason = extra(password, username=username, email=email)
        except AuthError:
            raise  # as the app means it
        except Exception as error:  # noqa: BLE001  # the app's rule may raise whatever
            _log.warning("the password_check failed, and the password was not taken: %s", told_of(error))
            raise BusyError from None
        if reason is None:
            return
        if not isinstance(reason, str):
            raise TypeError(f"the extra password rule returns a sentence or None, not {type(reason).__name__}")
        raise WeakPasswordError(None if password in reason else reason)


def _weakness(text: str) -> str | None:
    """Say what is wrong with a folded text whoever's it is."""
    if _is_common(text):
        return _COMMON
    period = _period(text)
    if 2 * period <= len(text) and (period < LEAST_LENGTH or _is_common(text[:period])):
        return _REPEATED
    if _AVERAGE_RUN * _runs(text) <= len(text):
        return _RUN
    return None


def _is_common(text: str) -> bool:
    return "\n" not in text and f"\n{text}\n".encode("utf-8", "surrogatepass") in _common_passwords()


@cache
def _common_passwords() -> bytes:
    """Read the commonest passwords: folded, sorted, one a line, each between two line feeds.

    They are all entries of 8 characters or more of two lists of what leaked most often: that of zxcvbn 4.5.0
    for Python (30,000 entries, MIT licence, (c) 2012-2016 Dan Wheeler and Dropbox, Inc., (c) 2016 Daniel
    Wolf), and that of Django 5.2 (20,000 entries after Royce Williams, BSD licence, (c) Django Software
    Foundation). They are kept as one text: searching it takes microseconds, and a set of them would take
    ten times the memory.
    """
    packed = files("flask_permjwt.accounts").joinpath("common_passwords.txt.gz").read_bytes()
    return b"\n" + gzip.decompress(packed)


def _period(text: str) -> int:
    """Return how long the shortest piece is that repeats to make this text; the last one may be cut off."""
    # The failure function of Knuth, Morris and Pratt: linear, whatever was typed.
    borders = [0] * len(text)
    border = 0
    for end in range(1, len(text)):
        while border and text[end] != text[border]:
            border = borders[border - 1]
        border += text[end] == text[border]
        borders[end] = border
    return len(text) - borders[-1] if text else 0


def _runs(text: str) -> int:
    """Count the runs of which a text is made: characters that are equal or follow each other somewhere."""
    count = start = 0
    while start < len(text):
        end = max(_end_in_unicode(text, start), _end_on_keyboard(text, start))
        count, start = count + 1, end
    return count


def _end_in_unicode(text: str, start: int) -> int:
    end = start + 1
    step = ord(text[end]) - ord(text[start]) if end < len(text) else 0
    if step in {-1, 0, 1}:
        while end < len(text) and ord(text[end]) - ord(text[end - 1]) == step:
            end += 1
    return end


def _end_on_keyboard(text: str, start: int) -> int:
    end = start + 1
    while end < len(text) and text[start : end + 1] in _TRACKS:
        end += 1
    return end


def _own_words(username: str | None, email: str | None) -> set[str]:
    """Return what an attacker knows of the user, folded: the names, and the words of which they are made."""
    local, _, domain = _folded(email or "").rpartition("@")
    # What stands after the last dot names no one.
    site = domain.rpartition(".")[0]
    names = {_folded(username or ""), f"{local}@{domain}", local, domain, site}
    words = {word for name in names for word in re.split(r"[\W_]+", name)}
    return {word for word in names | words if len(word) >= _OWN}


def _without(words: Iterable[str], text: str) -> str:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.sub("|".join(map(re.escape, longest_first)), "", text) if longest_first else text


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", without_ignorable(text)).casefold())
    # Some of them are only made by that.
    return without_ignorable(folded)
