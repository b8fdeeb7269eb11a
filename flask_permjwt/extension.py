"""PermJWT: builds everything in ``init_app`` and registers it. The one module that knows all others."""

import time
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Blueprint, Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt.accounts.apart import check_pool
from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.codes import Codes
from flask_permjwt.accounts.current_rights import CurrentRights
from flask_permjwt.accounts.feeds.freshness import Freshness
from flask_permjwt.accounts.feeds.host import HostEpoch, default_path
from flask_permjwt.accounts.feeds.protocol import Feed
from flask_permjwt.accounts.feeds.redis import RedisFeed
from flask_permjwt.accounts.feeds.sql import SQLFeed
from flask_permjwt.accounts.former import FormerTokens
from flask_permjwt.accounts.former_config import read_former
from flask_permjwt.accounts.housekeeping import Housekeeping
from flask_permjwt.accounts.identities import Identities
from flask_permjwt.accounts.issuing import TokenIssuer
from flask_permjwt.accounts.models import Models, build_models
from flask_permjwt.accounts.password_rules import ExtraRule, PasswordRules
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.accounts.proofs import Limits, PasswordProofs
from flask_permjwt.accounts.revocations import Revocations
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.accounts.self_service import Lifetimes, SelfService
from flask_permjwt.accounts.service import Accounts
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.accounts.sql_store import SQLUserStore
from flask_permjwt.accounts.store import UserStore, as_managed
from flask_permjwt.accounts.throttle import OnFailure, Throttle, check_limit
from flask_permjwt.cli import permjwt_cli
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.mail.checks import check_mail
from flask_permjwt.mail.letters import Letters, register_templates
from flask_permjwt.mail.message import Mailer
from flask_permjwt.mail.outbox import Outbox
from flask_permjwt.settings import Settings, load_settings
from flask_permjwt.signing import app_keys, settings_key
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenCodec, TokenType, VerifiedToken
from flask_permjwt.tokens.keys import derive_secret
from flask_permjwt.web.finish import Finisher
from flask_permjwt.web.former import WithFormerTokens
from flask_permjwt.web.hook import register_hook
from flask_permjwt.web.origin import at_end_of_context, current_freshness, current_origin
from flask_permjwt.web.presented import AccessTokens
from flask_permjwt.web.refusals import Refusals
from flask_permjwt.web.responses import register_account_errors
from flask_permjwt.web.state import EXTENSION, AppState, app_state
from flask_permjwt.web.table import PolicyTable
from flask_permjwt.web.transports import Transport, cookie_room

if TYPE_CHECKING:
    from flask_permjwt.accounts.outside import OutsideTokens
    from flask_permjwt.providers.directory import Directory

_RECONCILE: Final = 5
"""Seconds after which the database is asked even where Redis carries revocations."""

_MIN_HELD: Final = 256
"""Users whose rights are remembered at least, also where no token is."""


class PermJWT:
    """The extension: permissions on views, tokens, and the user store. One object may serve several apps.

    Args:
        app: calls ``init_app`` at once when given.
        db: the app's Flask-SQLAlchemy object.
        user_model: the app's own user class, made with ``UserMixin``; by default one is supplied.
        user_store: where users live when they do not live in ``db``.
        mailer: sends mails, such as ``MailmanMailer()``; without one, nothing that needs mail is offered.
        password_check: judges new passwords too, beyond the rules of ``PasswordRules``: called with the password
            and the keywords ``username`` and ``email``, it returns why it is refused, or None.
        clock: returns the time in seconds since 1970-01-01 UTC; for tests.
        monotonic: returns seconds, by a clock that only goes forward; for tests.

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
        mailer: Mailer | None = None,
        password_check: ExtraRule | None = None,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        if user_model is not None and user_store is not None:
            raise ConfigurationError("give PermJWT a user_model (users in db) or a user_store, not both")
        self._db: Final = db
        self._clock: Final = clock
        self._monotonic: Final = monotonic
        self._passwords: Final = Passwords()
        self._outbox: Final = None if mailer is None else Outbox(mailer)
        self._mailer: Final = mailer
        self._password_check: Final = password_check
        self.models: Final[Models] = build_models(db, user_model, users=user_store is None)
        self._recorder: Final = Recorder(
            db, self.models.audit, clock=clock, origin=current_origin, at_end=at_end_of_context
        )
        self._changes: Final = ChangeLog(
            db, self.models.change, listener=current_freshness, clock=clock, monotonic=monotonic
        )
        self._sessions: Final = Sessions(db, self.models, changes=self._changes)
        self._store: Final[UserStore[Any]] = user_store or SQLUserStore(
            db, self.models, self._passwords, clock=clock, recorder=self._recorder, changes=self._changes
        )
        self.revocations: Final = Revocations(
            db, self._changes, self._sessions, self._recorder, verify=_verify_any, clock=clock
        )
        self.identities: Final = Identities(
            db,
            self.models,
            self._store,
            create_in=self._quiet_store_in if user_store is None else None,
            recorder=self._recorder,
            clock=clock,
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
        managed = as_managed(self._store, settings)
        check_mail(app, settings, self._mailer)
        keys = app_keys(
            app,
            settings,
            clock=self._clock,
            monotonic=self._monotonic,
            # Whoever is judged anew is asked for the key of their token.
            lost=lambda: freshness.state.doubt(),  # noqa: PLW0108  # it is made below
        )
        freshness, rights = self._build_freshness(app, settings, keys.root)
        codec = TokenCodec(
            keys.source,
            issuer=settings.issuer,
            audience=settings.audience,
            leeway=settings.leeway,
            access_lifetime=settings.access_token_expires,
            permissions_claim=settings.permissions_claim,
        )
        sessions = self._sessions
        codes = Codes(self._db, self.models)
        throttle = Throttle(
            storage_uri=settings.ratelimit_storage_uri,
            on_failure=cast("OnFailure", settings.ratelimit_storage_failure),
            enabled=settings.ratelimit_enabled,
        )
        limits = Limits(
            by_name=check_limit(settings.ratelimit_login),
            by_address=check_limit(settings.ratelimit_login_address),
            register=check_limit(settings.ratelimit_register),
            mail=check_limit(settings.ratelimit_mail),
        )
        proofs = PasswordProofs(
            sessions,
            self._passwords,
            throttle,
            self._recorder,
            limits=limits,
            require_verified=settings.require_verified,
        )
        accounts = Accounts(
            self._store,
            sessions,
            TokenIssuer(
                codec,
                access_lifetime=settings.access_token_expires,
                csrf_secret=derive_secret(keys.root, b"flask_permjwt csrf", 32),
                rights_in_token=settings.permissions_in_token,
                cookie_room=cookie_room(settings),
            ),
            self._passwords,
            proofs,
            self._recorder,
            session_lifetime=settings.refresh_token_expires,
            refresh_grace=settings.refresh_grace,
            require_verified=settings.require_verified,
            clock=self._clock,
        )
        pages = {"reset": settings.reset_url, "verify": settings.verify_url}
        urls = {kind: url for kind, url in pages.items() if url is not None}
        self_service = (
            None
            if managed is None
            else SelfService(
                self._db,
                managed,
                sessions,
                codes,
                proofs,
                PasswordRules(min_length=settings.password_min_length, extra=self._password_check),
                throttle,
                self._recorder,
                None if self._outbox is None else Letters(self._outbox, urls=urls),
                limits=limits,
                lifetimes=Lifetimes(settings.reset_token_expires, settings.verify_token_expires),
                require_verified=settings.require_verified,
                reset=settings.password_reset,
                clock=self._clock,
            )
        )
        transport = Transport(settings)
        tokens = AccessTokens(
            settings,
            transport,
            codec,
            freshness,
            rights,
            self._build_outside(settings),
            clock=self._clock,
            monotonic=self._monotonic,
        )
        former = self._build_former(app, settings, accounts)
        app.extensions[EXTENSION] = AppState(
            settings=settings,
            clock=self._clock,
            codec=codec,
            keys=keys.source,
            key_directory=keys.directory,
            settings_key=partial(settings_key, app, settings),
            store=self._store,
            accounts=accounts,
            self_service=self_service,
            providers=self._build_providers(settings, accounts, codes, throttle, keys.root),
            recorder=self._recorder,
            freshness=freshness,
            housekeeping=Housekeeping(
                sessions,
                codes,
                self._recorder,
                self._changes,
                audit_lifetime=settings.audit_expires,
                clock=self._clock,
            ),
            transport=transport,
            tokens=tokens if former is None else WithFormerTokens(tokens, former, settings, transport),
            table=PolicyTable(app, default_deny=settings.default_deny),
            finisher=Finisher(app),
            refusals=Refusals(app),
            former=former,
        )
        if "sqlalchemy" in app.extensions:
            with app.app_context():
                check_pool(self._db, self.models.change)
        register_hook(app)
        register_account_errors(app)
        register_templates(app)
        app.cli.add_command(permjwt_cli)

    def _build_outside(self, settings: Settings) -> "OutsideTokens | None":
        if not settings.issuers:
            return None
        # Loaded for those who name issuers, and all that fetches over HTTP with it.
        from flask_permjwt.accounts.outside import build_outside  # noqa: PLC0415

        return build_outside(settings, self.identities, monotonic=self._monotonic)

    def _build_former(self, app: Flask, settings: Settings, accounts: Accounts) -> FormerTokens | None:
        if settings.accept_flask_jwt_extended is None:
            return None
        config = read_former(app.config, settings, allow_weak=app.testing)
        return FormerTokens(config, settings, self._db, self.models, self._store, accounts, clock=self._clock)

    def _build_providers(
        self, settings: Settings, accounts: Accounts, codes: Codes, throttle: Throttle, root: bytes
    ) -> "Directory | None":
        if not settings.providers:
            return None
        from flask_permjwt.providers.directory import build_directory  # noqa: PLC0415  # as above

        return build_directory(
            settings,
            accounts,
            self._store,
            self.identities,
            self._sessions,
            codes,
            throttle,
            self._recorder,
            secret=derive_secret(root, b"flask_permjwt providers", 32),
            clock=self._clock,
            monotonic=self._monotonic,
        )

    def _quiet_store_in(self, session: AnySession) -> SQLUserStore[Any]:
        return SQLUserStore(self._db, self.models, self._passwords, clock=self._clock, session=session)

    def _build_freshness(self, app: Flask, settings: Settings, root: bytes) -> tuple[Freshness, CurrentRights]:
        # Until then, some token may live that was issued before a change which nobody has heard of.
        lasts = settings.access_token_expires + settings.leeway + settings.revocation_max_staleness
        freshness = Freshness(
            self._build_feed(settings, root),
            HostEpoch(epoch_path(app, settings, root)),
            interval=settings.revocation_interval,
            max_staleness=settings.revocation_max_staleness,
            lasts=lasts,
            clock=self._clock,
            monotonic=self._monotonic,
        )
        rights = CurrentRights(
            self._db,
            self.models.change,
            self._store,
            is_current=freshness.state.is_current,
            lasts=lasts,
            size=max(settings.token_cache_size, _MIN_HELD),
            monotonic=self._monotonic,
        )
        return freshness, rights

    def _build_feed(self, settings: Settings, root: bytes) -> Feed:
        truth = SQLFeed(self._db, self.models.change, clock=self._clock, monotonic=self._monotonic)
        if settings.revocation_url is None:
            return truth
        return RedisFeed(
            settings.revocation_url,
            _name_on_servers(root),
            truth,
            reconcile=max(settings.revocation_interval, min(_RECONCILE, settings.revocation_max_staleness / 4)),
            monotonic=self._monotonic,
        )

    @property
    def users(self) -> SQLUserStore[Any]:
        """The store's Python face; with a ``user_store`` of your own, that very object."""
        return cast("SQLUserStore[Any]", self._store)

    @cached_property
    def auth_blueprint(self) -> Blueprint:
        """The login blueprint; mount it under a prefix: ``register_blueprint(..., url_prefix="/auth")``."""
        # Loaded for those who mount it, and marshmallow with it.
        from flask_permjwt.api.blueprint import make_auth_blueprint  # noqa: PLC0415

        return make_auth_blueprint()

    @cached_property
    def well_known_blueprint(self) -> Blueprint:
        """What stands at fixed places (RFC 8615): our public keys; mount it without a prefix."""
        # Loaded for those who mount it.
        from flask_permjwt.api.well_known import make_well_known_blueprint  # noqa: PLC0415

        return make_well_known_blueprint()

    def check(self, app: Flask) -> None:
        """Compile the policy of the app's routes now; call it at the end of the app factory.

        Without it, the same faults are found when the first request comes, and no request is served.

        Raises:
            ConfigurationError: the declarations contradict each other, or a guard guards nothing.
        """
        _table(app).compile()


def _verify_any(text: str) -> VerifiedToken:
    return app_state().codec.verify(text, *TokenType)


def epoch_path(app: Flask, settings: Settings, root: bytes) -> Path | None:
    """Return the file by which the processes of an app on this machine tell each other of changes."""
    if settings.revocation_epoch_file == "off" or (settings.revocation_epoch_file == "auto" and app.testing):
        return None
    if settings.revocation_epoch_file != "auto":
        return Path(settings.revocation_epoch_file)
    return default_path(_name_on_servers(root))


def _name_on_servers(root: bytes) -> str:
    """Return what tells this app from others on the same machine or server, and nobody anything else."""
    return derive_secret(root, b"flask_permjwt revocations", 16).hex()


def _table(app: Flask) -> PolicyTable:
    state = app.extensions[EXTENSION]
    assert isinstance(state, AppState)  # noqa: S101  # only init_app writes there
    return state.table
