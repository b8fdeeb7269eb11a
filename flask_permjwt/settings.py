"""The settings: every ``PERMJWT_*`` key of ``app.config``, read once into a frozen value.

Whatever is wrong with them is refused at start-up: an unknown key (with the nearest known one), a value of
the wrong type, settings that contradict each other. Values may come from the environment through
``app.config.from_prefixed_env()``, which reads them as JSON: ``FLASK_PERMJWT_COOKIE_SECURE=false``.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Final

from flask_permjwt.errors import ConfigurationError

PREFIX: Final = "PERMJWT_"
LOCATIONS: Final = ("headers", "cookies")
ALGORITHMS: Final = ("HS256", "HS384", "HS512")
SAME_SITE: Final = ("Lax", "Strict", "None")

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = re.compile(rf"(?=.{{1,253}}\Z)\.?{_LABEL}(?:\.{_LABEL})*")
_LONGEST: Final = 100 * 366 * 24 * 3600


class _WrongValueError(Exception):
    """A value that a reader cannot take; the message says what it takes."""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _WrongValueError("a string that is not empty")
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _secret(value: object) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return value
    raise _WrongValueError("a string or bytes (in the environment, quote a key made of digits)")


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongValueError("True or False (true or false in the environment)")
    return value


def _seconds(value: object) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise _WrongValueError("a number of seconds or a timedelta")
    if not 0 <= seconds <= _LONGEST:  # which NaN is not either
        raise _WrongValueError("zero or more seconds, and at most a hundred years")
    return seconds


def _lifetime(value: object) -> int:
    seconds = _seconds(value)
    if seconds < 1:
        raise _WrongValueError("at least one second: a lifetime of zero does not mean for ever")
    return int(seconds)


def _one_of(choices: tuple[str, ...]) -> Callable[[object], str]:
    by_folded = {choice.casefold(): choice for choice in choices}

    def read(value: object) -> str:
        if not isinstance(value, str) or value.casefold() not in by_folded:
            raise _WrongValueError("one of " + ", ".join(map(repr, choices)))
        return by_folded[value.casefold()]

    return read


def _locations(value: object) -> tuple[str, ...]:
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not given or not all(one in LOCATIONS for one in given):
        raise _WrongValueError("one or both of 'headers' and 'cookies', as a list")
    return tuple(location for location in LOCATIONS if location in given)


def _name(value: object) -> str:
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise _WrongValueError("a name of letters, digits and - _ (RFC 9110 section 5.6.2)")
    return value


def _scheme(value: object) -> str:
    return "" if value == "" else _name(value)


def _audience(value: object) -> tuple[str, ...]:
    if value is None or value == ():
        return ()
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not given or not all(isinstance(one, str) and one for one in given):
        raise _WrongValueError("a string or a list of strings")
    return tuple(given)


def _domain(value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and _DOMAIN.fullmatch(value)):
        raise _WrongValueError("a host name such as 'example.com', without scheme, port or path")
    return value


def _setting(default: object, read: Callable[[Any], Any], doc: str) -> Any:
    return field(default=default, metadata={"read": read, "doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, checked: ``access_token_expires`` is ``PERMJWT_ACCESS_TOKEN_EXPIRES``, and so on."""

    secret_key: bytes | None = field(
        default=None,
        repr=False,
        metadata={
            "read": _secret,
            "doc": "Signs the tokens. At least 32 random bytes (48 for HS384, 64 for HS512; RFC 7518 section "
            "3.2). Without it, a key is derived from the app's SECRET_KEY by HKDF (RFC 5869).",
        },
    )
    algorithm: str = _setting(
        "HS256", _one_of(ALGORITHMS), "Signature algorithm of the tokens (RFC 7518 section 3)."
    )
    token_locations: tuple[str, ...] = _setting(
        LOCATIONS,
        _locations,
        "Where access tokens are looked for: 'headers', 'cookies' or both. The header wins.",
    )
    header_name: str = _setting("Authorization", _name, "The header that carries a token.")
    header_type: str = _setting(
        "Bearer", _scheme, "The scheme before the token (RFC 6750); empty: the header is the token itself."
    )
    access_token_expires: int = _setting(
        15 * 60, _lifetime, "Lifetime of an access token, in seconds or as a timedelta."
    )
    refresh_token_expires: int = _setting(
        30 * 24 * 3600,
        _lifetime,
        "Lifetime of a session, in seconds or as a timedelta: rotating the refresh token never extends it.",
    )
    refresh_grace: float = _setting(
        10,
        _seconds,
        "For so many seconds after a rotation, the rotated refresh token is answered with the same successor "
        "again (two tabs, a lost answer). 0 turns it off.",
    )
    access_cookie_name: str = _setting("access_token", _name, "The cookie that carries the access token.")
    refresh_cookie_name: str = _setting("refresh_token", _name, "The cookie that carries the refresh token.")
    cookie_secure: bool = _setting(
        True, _boolean, "Send cookies over https only. Switch it off only for plain http on your own machine."
    )
    cookie_samesite: str = _setting(
        "Lax", _one_of(SAME_SITE), "The SameSite attribute: 'Lax', 'Strict' or 'None' (which needs Secure)."
    )
    cookie_domain: str | None = _setting(
        None, _domain, "The Domain attribute; None keeps the cookies on the very host that set them."
    )
    cookie_partitioned: bool = _setting(
        False, _boolean, "The Partitioned attribute, for a site that is embedded in others (needs Secure)."
    )
    csrf_protect: bool = _setting(
        True, _boolean, "Ask for the CSRF header on unsafe methods when the token came in a cookie."
    )
    csrf_header_name: str = _setting("X-CSRF-TOKEN", _name, "The header that repeats the CSRF value.")
    access_csrf_cookie_name: str = _setting(
        "csrf_access_token", _name, "The readable cookie with the access token's CSRF value."
    )
    refresh_csrf_cookie_name: str = _setting(
        "csrf_refresh_token", _name, "The readable cookie with the refresh token's CSRF value."
    )
    issuer: str | None = _setting(
        None, _optional_text, "The iss claim (RFC 7519 section 4.1.1); when set, it is required."
    )
    audience: tuple[str, ...] = _setting(
        (),
        _audience,
        "The aud claim (RFC 7519 section 4.1.3), a string or a list; when set, one of them is required.",
    )
    leeway: float = _setting(
        0,
        _seconds,
        "Seconds by which clocks may differ when exp and nbf are judged (RFC 7519 section 4.1.4).",
    )
    default_deny: bool = _setting(False, _boolean, "Close every view that is neither guarded nor marked @public.")
    permissions_claim: str = _setting(
        "permissions", _text, "The claim that holds the permissions; dots lead into nested objects."
    )

    def __post_init__(self) -> None:
        _refuse_contradictions(self)

    @property
    def cookie_names(self) -> tuple[str, ...]:
        """The names of all cookies that are set."""
        return (
            self.access_cookie_name,
            self.refresh_cookie_name,
            self.access_csrf_cookie_name,
            self.refresh_csrf_cookie_name,
        )

    @property
    def cookies(self) -> bool:
        """Whether tokens are taken from cookies."""
        return "cookies" in self.token_locations

    @property
    def headers(self) -> bool:
        """Whether tokens are taken from the header."""
        return "headers" in self.token_locations


def _known() -> dict[str, Any]:
    return {PREFIX + one.name.upper(): one for one in fields(Settings)}


def load_settings(config: Mapping[str, object]) -> Settings:
    """Read all ``PERMJWT_*`` keys of an app's configuration.

    Raises:
        ConfigurationError: a key is unknown, a value is of the wrong type, or two values contradict.
    """
    known = _known()
    for key in config:
        if key == "PERMJWT":
            raise ConfigurationError(
                "PERMJWT is no setting: in the environment, write FLASK_PERMJWT_NAME with one underscore each"
            )
        if key.startswith(PREFIX) and key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0)
            raise ConfigurationError(f"{key} is no setting of flask_permjwt; did you mean {nearest[0]}?")
    values = {}
    for key, one in known.items():
        value = config.get(key, one.default)
        try:
            values[one.name] = one.metadata["read"](value)
        except _WrongValueError as wrong:
            # Without the value: it may be a secret that was put under the wrong key.
            raise ConfigurationError(f"{key} must be {wrong}; a {type(value).__name__} was given") from None
    settings = Settings(**values)
    _refuse_clash(settings, str(config.get("SESSION_COOKIE_NAME", "session")))
    return settings


def _refuse_contradictions(settings: Settings) -> None:
    def refuse(when: bool, message: str) -> None:  # noqa: FBT001  # reads as "refuse when ..."
        if when:
            raise ConfigurationError(message)

    refuse(
        settings.access_token_expires > settings.refresh_token_expires,
        "PERMJWT_ACCESS_TOKEN_EXPIRES is longer than PERMJWT_REFRESH_TOKEN_EXPIRES, which ends the session: "
        "make it shorter",
    )
    refuse(
        settings.header_name.casefold() in {"cookie", "host", settings.csrf_header_name.casefold()},
        "PERMJWT_HEADER_NAME is the name of a header with another meaning: use Authorization or one of your own",
    )
    if not settings.cookies:
        return
    refuse(
        settings.cookie_samesite == "None" and not settings.cookie_secure,
        "PERMJWT_COOKIE_SAMESITE = 'None' needs PERMJWT_COOKIE_SECURE = True: browsers drop such cookies",
    )
    refuse(
        settings.cookie_partitioned and not settings.cookie_secure,
        "PERMJWT_COOKIE_PARTITIONED needs PERMJWT_COOKIE_SECURE = True: browsers drop such cookies otherwise",
    )
    names = settings.cookie_names
    refuse(
        len(set(names)) < len(names),
        "the four cookie names (PERMJWT_ACCESS_COOKIE_NAME, PERMJWT_REFRESH_COOKIE_NAME, "
        "PERMJWT_ACCESS_CSRF_COOKIE_NAME, PERMJWT_REFRESH_CSRF_COOKIE_NAME) must differ from each other",
    )
    refuse(
        any(name.casefold().startswith(("__secure-", "__host-")) for name in names) and not settings.cookie_secure,
        "a cookie name with __Secure- or __Host- needs PERMJWT_COOKIE_SECURE = True",
    )
    refuse(
        any(name.casefold().startswith("__host-") for name in names) and settings.cookie_domain is not None,
        "a cookie name with __Host- needs PERMJWT_COOKIE_DOMAIN = None",
    )
    refuse(
        settings.refresh_cookie_name.casefold().startswith("__host-"),
        "PERMJWT_REFRESH_COOKIE_NAME cannot start with __Host-, which needs Path=/: its Path is the auth "
        "blueprint's; use __Secure-",
    )


def _refuse_clash(settings: Settings, session_cookie: str) -> None:
    if settings.cookies and session_cookie in settings.cookie_names:
        raise ConfigurationError(
            f"the cookie {session_cookie!r} is the app's own (SESSION_COOKIE_NAME): give ours another name"
        )
