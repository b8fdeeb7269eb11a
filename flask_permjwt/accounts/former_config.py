"""What is kept of the settings of Flask-JWT-Extended while its tokens are taken: its own ``JWT_*`` keys."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.settings import Settings
from flask_permjwt.tokens.algorithms import algorithm
from flask_permjwt.tokens.former import FormerCodec
from flask_permjwt.tokens.keys import Key, hmac_key

SETTING: Final = "PERMJWT_ACCEPT_FLASK_JWT_EXTENDED"


@dataclass(frozen=True, slots=True)
class FormerConfig:
    """What Flask-JWT-Extended was told, as far as it matters for what it left with clients.

    Attributes:
        codec: reads its tokens.
        issued_until: when it issued the last one, in seconds since 1970-01-01 UTC, if that was said.
        access_cookie: the name of its cookie with the access token.
        refresh_cookie: and of that with the refresh token.
        csrf_headers: the headers that repeat the CSRF value of each.
        cookies: name and path of every cookie that it may have set.
        domain: of these cookies.
    """

    codec: FormerCodec
    issued_until: float | None
    access_cookie: str
    refresh_cookie: str
    csrf_headers: tuple[str, str]
    cookies: tuple[tuple[str, str], ...]
    domain: str | None


def read_former(config: Mapping[str, Any], settings: Settings, *, allow_weak: bool = False) -> FormerConfig:
    """Read the ``JWT_*`` keys of an app's configuration.

    Args:
        config: the configuration; what is not in it has the default of Flask-JWT-Extended.
        settings: our own.
        allow_weak: let a secret of few different bytes pass; for tests.

    Raises:
        ConfigurationError: there is no good key, the algorithms are of several kinds, or a value is of no use.
    """
    given = settings.accept_flask_jwt_extended
    until = None if isinstance(given, bool) or given is None else given
    # Without JWT_DECODE_AUDIENCE it took any audience, or none. Here it may be the one that it wrote itself.
    needs_audience = config.get("JWT_DECODE_AUDIENCE") is not None
    audience = "JWT_DECODE_AUDIENCE" if needs_audience else "JWT_ENCODE_AUDIENCE"
    by = settings.flask_jwt_extended_user
    codec = FormerCodec(
        _keys(config, allow_weak=allow_weak),
        identity=_text(config, "JWT_IDENTITY_CLAIM", "sub"),
        any_identity=not isinstance(by, str) or ":" in by,
        issuer=_texts(config, "JWT_DECODE_ISSUER"),
        audience=_texts(config, audience),
        needs_audience=needs_audience,
        leeway=_leeway(config),
        issued_until=until,
        ends_at=None if until is None else until + settings.refresh_token_expires,
    )
    access, refresh = (
        _text(config, "JWT_ACCESS_COOKIE_NAME", "access_token_cookie"),
        _text(config, "JWT_REFRESH_COOKIE_NAME", "refresh_token_cookie"),
    )
    return FormerConfig(
        codec=codec,
        issued_until=until,
        access_cookie=access,
        refresh_cookie=refresh,
        csrf_headers=(
            _text(config, "JWT_ACCESS_CSRF_HEADER_NAME", "X-CSRF-TOKEN"),
            _text(config, "JWT_REFRESH_CSRF_HEADER_NAME", "X-CSRF-TOKEN"),
        ),
        cookies=(
            (access, _text(config, "JWT_ACCESS_COOKIE_PATH", "/")),
            (refresh, _text(config, "JWT_REFRESH_COOKIE_PATH", "/")),
            (
                _text(config, "JWT_ACCESS_CSRF_COOKIE_NAME", "csrf_access_token"),
                _text(config, "JWT_ACCESS_CSRF_COOKIE_PATH", "/"),
            ),
            (
                _text(config, "JWT_REFRESH_CSRF_COOKIE_NAME", "csrf_refresh_token"),
                _text(config, "JWT_REFRESH_CSRF_COOKIE_PATH", "/"),
            ),
        ),
        domain=config.get("JWT_COOKIE_DOMAIN"),
    )


def _text(config: Mapping[str, Any], name: str, default: str) -> str:
    given = config.get(name) or default
    if not isinstance(given, str):
        raise ConfigurationError(f"{name} must be text, as Flask-JWT-Extended had it, not {type(given).__name__}")
    return given


def _texts(config: Mapping[str, Any], name: str) -> tuple[str, ...]:
    given = config.get(name) or ()
    found = (given,) if isinstance(given, str) else given
    if not isinstance(found, Iterable) or not all(isinstance(one, str) for one in found):
        raise ConfigurationError(f"{name} must be text or a list of texts, as Flask-JWT-Extended had it")
    return tuple(found)


def _leeway(config: Mapping[str, Any]) -> float:
    given = config.get("JWT_DECODE_LEEWAY") or 0
    try:
        seconds = given.total_seconds() if isinstance(given, timedelta) else float(given)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ConfigurationError("JWT_DECODE_LEEWAY must be a timedelta or a number of seconds, zero or more")
    return seconds


def _keys(config: Mapping[str, Any], *, allow_weak: bool) -> list[Key]:
    """Return the key for each algorithm; as there, one key is for all of them, so they must be of one kind."""
    signing = config.get("JWT_ALGORITHM", "HS256")
    names = {signing, *_texts(config, "JWT_DECODE_ALGORITHMS")}
    kinds = {bool(algorithm(name).secret_size) for name in names}
    if len(kinds) > 1:
        raise ConfigurationError(
            "JWT_DECODE_ALGORITHMS names algorithms for a secret and for a key pair: leave out those of one kind, "
            "for whoever knows a public key could sign with it"
        )
    if algorithm(signing).secret_size:
        secret = config.get("JWT_SECRET_KEY") or config.get("SECRET_KEY")
        if not secret or not isinstance(secret, str | bytes):
            raise ConfigurationError(f"{SETTING} needs the JWT_SECRET_KEY that the tokens were signed with")
        return [
            _named("JWT_SECRET_KEY", lambda name=name: hmac_key(secret, name, allow_weak=allow_weak))
            for name in names
        ]
    from flask_permjwt.tokens.jwk import public_half  # noqa: PLC0415  # only where there are key pairs
    from flask_permjwt.tokens.pairs import read_key  # noqa: PLC0415  # as above

    public = config.get("JWT_PUBLIC_KEY")
    if not public:
        raise ConfigurationError(f"{SETTING} needs the JWT_PUBLIC_KEY that the tokens are verified with")
    return [
        _named("JWT_PUBLIC_KEY", lambda name=name: public_half(read_key(public, default=name))) for name in names
    ]


def _named(setting: str, make: Any) -> Key:
    try:
        key: Key = make()
    except ConfigurationError as fault:
        raise ConfigurationError(
            f"{setting}: {fault}; tokens that were signed with a key such as this cannot be taken: leave "
            f"{SETTING} out, and users log in once more"
        ) from None
    return key
