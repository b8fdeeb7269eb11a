"""PermJWT: builds everything in ``init_app`` and registers it. The one module that knows all others."""

import logging
import time
from functools import cached_property
from typing import Any, Final, cast

from flask import Blueprint, Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt.accounts.models import Models, build_models
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.accounts.service import Accounts
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.accounts.sql_store import SQLUserStore
from flask_permjwt.accounts.store import UserStore
from flask_permjwt.api.blueprint import make_auth_blueprint
from flask_permjwt.cli import permjwt_cli
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.settings import Settings, load_settings
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenCodec
from flask_permjwt.tokens.keys import Key, KeyRing, derive_secret, hmac_key
from flask_permjwt.web.hook import register_hook
from flask_permjwt.web.responses import register_account_errors
from flask_permjwt.web.state import EXTENSION, AppState
from flask_permjwt.web.table import PolicyTable
from flask_permjwt.web.transports import Transport

_MAKE_ONE: Final = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(64))"'

_log = logging.getLogger("flask_permjwt")


class PermJWT:
    """The extension: permissions on views, tokens, and the user store. One object may serve several apps.

    Args:
        app: calls ``init_app`` at once when given.
        db: the app's Flask-SQLAlchemy object.
        user_model: the app's own user class, made with ``UserMixin``; by default one is supplied.
        user_store: where users live when they do not live in ``db``.
        clock: returns the time in seconds since 1970-01-01 UTC; for tests.

    Raises:
        ConfigurationError: ``user_model`` and ``user_store`` are both given, or the app cannot be set up.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        db: SQLAlchemy,
        user_model: type[Any] | None = None,
        user_store: UserStore[Any] | None = None,
        clock: Clock = time.time,
    ) -> None:
        if user_model is not None and user_store is not None:
            raise ConfigurationError("give PermJWT a user_model (users in db) or a user_store, not both")
        self._db: Final = db
        self._clock: Final = clock
        self._passwords: Final = Passwords()
        self.models: Final[Models] = build_models(db, user_model, users=user_store is None)
        self._store: Final[UserStore[Any]] = user_store or SQLUserStore(
            db, self.models, self._passwords, clock=clock
        )
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Read the settings, build everything for this app and register the hook and the commands.

        Raises:
            ConfigurationError: a setting is wrong, there is no good key, or it was called twice for this app.
        """
        if EXTENSION in app.extensions:
            raise ConfigurationError(
                f"PermJWT is set up on {app.name!r} already: pass app to PermJWT or call init_app, once"
            )
        settings = load_settings(app.config)
        key = _signing_key(app, settings)
        codec = TokenCodec(
            KeyRing(key),
            issuer=settings.issuer,
            audience=settings.audience,
            leeway=settings.leeway,
            permissions_claim=settings.permissions_claim,
        )
        accounts = Accounts(
            self._store,
            Sessions(self._db, self.models.session),
            codec,
            self._passwords,
            access_lifetime=settings.access_token_expires,
            refresh_lifetime=settings.refresh_token_expires,
            refresh_grace=settings.refresh_grace,
            csrf_secret=derive_secret(key.secret, b"flask_permjwt csrf", 32),
            clock=self._clock,
        )
        app.extensions[EXTENSION] = AppState(
            settings=settings,
            clock=self._clock,
            codec=codec,
            store=self._store,
            accounts=accounts,
            transport=Transport(settings),
            table=PolicyTable(app, default_deny=settings.default_deny),
        )
        register_hook(app)
        register_account_errors(app)
        app.cli.add_command(permjwt_cli)

    @property
    def users(self) -> SQLUserStore[Any]:
        """The store's Python face; with a ``user_store`` of your own, that very object."""
        return cast("SQLUserStore[Any]", self._store)

    @cached_property
    def auth_blueprint(self) -> Blueprint:
        """The login blueprint; mount it under a prefix: ``register_blueprint(..., url_prefix="/auth")``."""
        return make_auth_blueprint()

    def check(self, app: Flask) -> None:
        """Compile the policy of the app's routes now; call it at the end of the app factory.

        Without it, the same faults are found when the first request comes, and no request is served.

        Raises:
            ConfigurationError: the declarations contradict each other, or a guard guards nothing.
        """
        _table(app).compile()


def _table(app: Flask) -> PolicyTable:
    state = app.extensions[EXTENSION]
    assert isinstance(state, AppState)  # noqa: S101  # only init_app writes there
    return state.table


def _signing_key(app: Flask, settings: Settings) -> Key:
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
