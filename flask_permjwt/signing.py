"""The key that signs: the setting's own, or one derived from the app's SECRET_KEY."""

import logging
from typing import Final

from flask import Flask

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.settings import Settings
from flask_permjwt.tokens.keys import Key, derive_secret, hmac_key

_MAKE_ONE: Final = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(64))"'

_log = logging.getLogger("flask_permjwt")


def signing_key(app: Flask, settings: Settings) -> Key:
    """Return the key that signs: the setting's own, or one derived from the app's SECRET_KEY.

    Raises:
        ConfigurationError: there is none, or it is too short, weak or of the wrong kind.
    """
    if settings.secret_key is not None:
        if settings.secret_key == _as_bytes(app.secret_key):
            _log.warning("PERMJWT_SECRET_KEY equals SECRET_KEY: leave it out, and a key is derived")
        return _key(app, "PERMJWT_SECRET_KEY", settings.secret_key, settings.algorithm)
    if not app.secret_key:
        raise ConfigurationError(f"set PERMJWT_SECRET_KEY (or the app's SECRET_KEY); {_MAKE_ONE}")
    master = _key(app, "SECRET_KEY", _as_bytes(app.secret_key), "HS256")
    size = int(settings.algorithm.removeprefix("HS")) // 8
    purpose = b"flask_permjwt tokens " + settings.algorithm.encode()
    return hmac_key(derive_secret(master.secret, purpose, size), settings.algorithm)


def _key(app: Flask, setting: str, secret: bytes, algorithm: str) -> Key:
    try:
        return hmac_key(secret, algorithm, allow_weak=app.testing)
    except ConfigurationError as fault:
        raise ConfigurationError(f"{setting}: {fault}") from None


def _as_bytes(secret: str | bytes | None) -> bytes:
    if secret is None:
        return b""
    if not isinstance(secret, str | bytes):
        raise ConfigurationError("SECRET_KEY must be a string or bytes (in the environment, quote digits)")
    return secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
