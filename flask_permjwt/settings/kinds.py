"""Setting types: how a value of ``app.config`` is read. Each reader returns the value or refuses it."""

import os
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

LOCATIONS: Final = ("headers", "cookies")

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = re.compile(rf"(?=.{{1,253}}\Z)\.?{_LABEL}(?:\.{_LABEL})*")
_URL: Final = re.compile(r"https?://[^\s\x00-\x1f\x7f]+")
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_LIMIT: Final = re.compile(
    r"[1-9][0-9]*\s*(?:per|/)\s*(?:[1-9][0-9]*\s*)?(?:second|minute|hour|day|month|year)s?", re.IGNORECASE
)
_STORAGE: Final = re.compile(r"[a-z][a-z0-9+.-]*://\S*")
_FUNCTION: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_REDIS: Final = re.compile(r"(?:rediss?|valkeys?|unix)://\S+")
_LONGEST: Final = 100 * 366 * 24 * 3600
_SHORTEST: Final = 8
_MOST: Final = 10**7
_LONGEST_MINIMUM: Final = 64
_LONGEST_PATH: Final = 1024
# What is a key in PEM or JSON rather than the place of one; and no part of a path is longer than 255 bytes.
_NO_PATH: Final = re.compile(r"[\x00-\x1f\x7f]|-----BEGIN |^\s*[{\[]|[^/]{256}")


class WrongValueError(Exception):
    """A value that a reader cannot take; the message says what it takes."""


def text(value: object) -> str:
    """Read text that is not empty."""
    if not isinstance(value, str) or not value:
        raise WrongValueError("a string that is not empty")
    return value


def epoch_file(value: object) -> str:
    """Read the path of a file in a folder that is there, ``auto`` or ``off``."""
    if isinstance(value, str):
        if value.casefold() in {"auto", "off"}:
            return value.casefold()
        path = Path(value)
        if path.is_absolute() and path.parent.is_dir() and not path.is_dir():
            return value
    raise WrongValueError("'auto', 'off', or the full path of a file in a folder that is there")


def optional_text(value: object) -> str | None:
    """Read text that is not empty, or None."""
    return None if value is None else text(value)


def last_moment(value: object) -> bool | float | None:
    """Read a moment as seconds since 1970-01-01 UTC; True for any time, None or False for never."""
    if value is None or isinstance(value, bool):
        return value or None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value if "T" in value else f"{value}T00:00:00Z")
        except ValueError:
            value = None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.timestamp()
    raise WrongValueError("True, or a moment such as 2026-11-30 or, with its time zone, 2026-11-30T12:00:00Z")


def former_user(value: object) -> Any:
    """Read how users are found by an identity of Flask-JWT-Extended."""
    if isinstance(value, str) and value in {"username", "email", "id", "public_id"}:
        return value
    if value is None:
        raise WrongValueError("'username', 'email', 'id', 'public_id' or a function")
    try:
        return optional_function(value)
    except WrongValueError as wrong:
        raise WrongValueError(f"'username', 'email', 'id', 'public_id', or {wrong}") from None


def optional_function(value: object) -> Any:
    """Read a function, which may be named as in ``"package.module:function"``, or None."""
    if value is None or callable(value) or (isinstance(value, str) and _FUNCTION.fullmatch(value)):
        return value
    raise WrongValueError("a function, its name such as 'package.module:function', or None")


def secret(value: object) -> bytes | None:
    """Read a secret as bytes, or None."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return value
    raise WrongValueError("a string or bytes (in the environment, quote a key made of digits)")


def path(value: object) -> str | None:
    """Read the path of a file or directory, or None. It is made absolute: servers change where they are."""
    if value is None:
        return None
    given = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(given, str) or not given or len(given) > _LONGEST_PATH or _NO_PATH.search(given):
        raise WrongValueError("a path, or None (a key itself belongs in PERMJWT_PRIVATE_KEY)")
    return str(Path(given).absolute())


def key(value: object) -> object:
    """Read a key pair as text, bytes or an object, or None."""
    if value is None or (isinstance(value, str | bytes | Mapping) and value):
        return value
    raise WrongValueError("a private key in PEM, or a JWK as text or as an object")


def keys(value: object) -> tuple[object, ...]:
    """Read keys, each as text, bytes or an object."""
    given = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(one, str | bytes | Mapping) and one for one in given):
        raise WrongValueError("a list of keys, each in PEM, as a JWK or as a secret, or a JWK Set")
    return given


def url(value: object) -> str | None:
    """Read the address of a page that takes a ``{token}``, or None."""
    if value is not None and not (isinstance(value, str) and _URL.fullmatch(value) and "{token}" in value):
        raise WrongValueError("an address with {token} in it: 'https://app.example.com/reset?token={token}'")
    return value


def length(value: object) -> int:
    """Read how many characters a password must have at least."""
    if isinstance(value, bool) or not isinstance(value, int) or not _SHORTEST <= value <= _LONGEST_MINIMUM:
        raise WrongValueError(f"a number of characters from {_SHORTEST} to {_LONGEST_MINIMUM}")
    return value


def count(value: object) -> int:
    """Read a whole number, zero or more."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise WrongValueError(f"a whole number from 0 to {_MOST}")
    return value


def limit(value: object) -> str:
    """Read a limit in the notation of ``limits``."""
    if not isinstance(value, str) or not _LIMIT.fullmatch(value):
        raise WrongValueError("a limit such as '10 per 15 minutes'")
    return value


def storage(value: object) -> str:
    """Read the address of a store of ``limits``."""
    if not isinstance(value, str) or not _STORAGE.fullmatch(value):
        raise WrongValueError(
            "'memory://' or the address of a store that limits knows, such as 'redis://host:6379'"
        )
    return value


def redis_url(value: object) -> str | None:
    """Read the address of a Redis server, or None."""
    if value is not None and not (isinstance(value, str) and _REDIS.fullmatch(value)):
        raise WrongValueError("the address of a Redis or Valkey server, such as 'redis://host:6379/0', or None")
    return value


def in_token(value: object) -> bool | str:
    """Read True, False or 'auto'."""
    if value != "auto" and not isinstance(value, bool):
        raise WrongValueError("True, False or 'auto'")
    return value


def boolean(value: object) -> bool:
    """Read True or False."""
    if not isinstance(value, bool):
        raise WrongValueError("True or False (true or false in the environment)")
    return value


def seconds(value: object) -> float:
    """Read a duration in seconds, zero or more."""
    given = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise WrongValueError("a number of seconds or a timedelta")
    if not 0 <= given <= _LONGEST:  # which NaN is not either
        raise WrongValueError("zero or more seconds, and at most a hundred years")
    return given


def optional_boolean(value: object) -> bool | None:
    """Read True, False or None."""
    return None if value is None else boolean(value)


def lifetime(value: object) -> int:
    """Read a duration in whole seconds, one or more."""
    given = seconds(value)
    if given < 1:
        raise WrongValueError("at least one second: a lifetime of zero does not mean for ever")
    return int(given)


def ticket_paths(value: object) -> bool | tuple[str, ...]:
    """Read where tickets may be used: everywhere, nowhere, or at some paths."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, list | tuple) or not all(
        isinstance(one, str) and one.startswith("/") for one in value
    ):
        raise WrongValueError("True, False, or a list of paths that begin with /")
    if any("*" in one[:-1] or "?" in one for one in value):
        raise WrongValueError("a list of paths in which * stands at the end alone, and no query string")
    return tuple(value)


def origins(value: object) -> tuple[str, ...]:
    """Read origins, as browsers write them (RFC 6454 section 6.2)."""
    if not isinstance(value, list | tuple) or not all(
        isinstance(one, str) and _ORIGIN.fullmatch(one) for one in value
    ):
        raise WrongValueError(
            "a list of origins such as 'https://app.example.com', in lower case and without a path"
        )
    return tuple(value)


def one_of(choices: tuple[str, ...], synonyms: Mapping[str, str] | None = None) -> Callable[[object], str]:
    """Return a reader of one of these words, or of another word for one of them, in any case."""
    words = {**(synonyms or {}), **{choice: choice for choice in choices}}
    by_folded = {word.casefold(): choice for word, choice in words.items()}

    def read(value: object) -> str:
        if not isinstance(value, str) or value.casefold() not in by_folded:
            raise WrongValueError("one of " + ", ".join(map(repr, choices)))
        return by_folded[value.casefold()]

    return read


def optional_one_of(choices: tuple[str, ...]) -> Callable[[object], str | None]:
    """Return a reader of one of these words, in any case, or None."""
    read = one_of(choices)

    def read_optional(value: object) -> str | None:
        return None if value is None else read(value)

    return read_optional


def mappings(value: object) -> tuple[Mapping[str, Any], ...]:
    """Read a list of dicts; what is in them is read elsewhere."""
    if not isinstance(value, list | tuple) or not all(isinstance(one, Mapping) for one in value):
        raise WrongValueError("a list of dicts")
    return tuple(value)


def named_mappings(value: object) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """Read a dict of dicts; what is in them is read elsewhere."""
    if value == ():
        return ()
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and isinstance(one, Mapping) for name, one in value.items()
    ):
        raise WrongValueError("a dict of dicts: {'google': {'client_id': '...', 'client_secret': '...'}}")
    return tuple(value.items())


def locations(value: object) -> tuple[str, ...]:
    """Read where tokens are looked for, in one order."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not given or not all(one in LOCATIONS for one in given):
        raise WrongValueError("one or both of 'headers' and 'cookies', as a list")
    return tuple(location for location in LOCATIONS if location in given)


def name(value: object) -> str:
    """Read the name of a header or a cookie."""
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise WrongValueError("a name of letters, digits and - _ (RFC 9110 section 5.6.2)")
    return value


def scheme(value: object) -> str:
    """Read the scheme of a header; it may be empty."""
    return "" if value == "" else name(value)


def audience(value: object) -> tuple[str, ...]:
    """Read audiences: one, several or none."""
    if value is None or value == ():
        return ()
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not given or not all(isinstance(one, str) and one for one in given):
        raise WrongValueError("a string or a list of strings")
    return tuple(given)


def domain(value: object) -> str | None:
    """Read the domain of a cookie, or None."""
    if value is not None and not (isinstance(value, str) and _DOMAIN.fullmatch(value)):
        raise WrongValueError("a host name such as 'example.com', without scheme, port or path")
    return value
