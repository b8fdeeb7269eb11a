"""What ``init_app`` builds for one app from its settings."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Flask

from flask_permjwt.accounts.apart import check_pool
from flask_permjwt.accounts.client_access import ClientAccess
from flask_permjwt.accounts.codes import Codes
from flask_permjwt.accounts.current_rights import CurrentRights
from flask_permjwt.accounts.feeds.freshness import Freshness
from flask_permjwt.accounts.feeds.host import HostEpoch, default_path
from flask_permjwt.accounts.feeds.protocol import Feed
from flask_permjwt.accounts.feeds.sql import SQLFeed
from flask_permjwt.accounts.housekeeping import Housekeeping
from flask_permjwt.accounts.issuing import TokenIssuer
from flask_permjwt.accounts.password_rules import PasswordRules
from flask_permjwt.accounts.proofs import Limits, PasswordProofs
from flask_permjwt.accounts.renewals import Renewals
from flask_permjwt.accounts.self_service import Lifetimes, SelfService
from flask_permjwt.accounts.service import Accounts
from flask_permjwt.accounts.store import ManagedUserStore, as_managed
from flask_permjwt.accounts.throttle import OnFailure, Throttle, check_limit
from flask_permjwt.accounts.token_lookup import TokenLookup
from flask_permjwt.cli import permjwt_cli
from flask_permjwt.mail.checks import check_mail
from flask_permjwt.mail.letters import Letters, register_templates
from flask_permjwt.settings import Settings, load_settings
from flask_permjwt.shared import Shared
from flask_permjwt.signing import app_keys, settings_key
from flask_permjwt.tokens.codec import TokenCodec
from flask_permjwt.tokens.keys import derive_secret
from flask_permjwt.web.denials import note_denial
from flask_permjwt.web.finish import register_finish
from flask_permjwt.web.hook import register_hook
from flask_permjwt.web.metadata import ResourceMetadata
from flask_permjwt.web.presented import AccessTokens
from flask_permjwt.web.responses import register_account_errors
from flask_permjwt.web.state import EXTENSION, AppState
from flask_permjwt.web.table import PolicyTable
from flask_permjwt.web.transports import Transport, cookie_room

if TYPE_CHECKING:
    from flask_permjwt.accounts.former import FormerTokens
    from flask_permjwt.accounts.outside import OutsideTokens
    from flask_permjwt.accounts.personal_use import PersonalUse
    from flask_permjwt.providers.directory import Directory
    from flask_permjwt.web.tickets import PresentedTickets

_RECONCILE: Final = 5
"""Seconds after which the database is asked even where Redis carries revocations."""

_MIN_HELD: Final = 256
"""Users whose rights are remembered at least, also where no token is."""


def assemble(app: Flask, shared: Shared) -> None:
    """Read the settings, build everything for this app and register the hook and the commands.

    Raises:
        ConfigurationError: a setting is wrong, or there is no good key.
    """
    settings = load_settings(app.config)
    managed = as_managed(shared.store, settings)
    check_mail(app, settings, shared.mailer)
    keys = app_keys(
        app,
        settings,
        clock=shared.clock,
        monotonic=shared.monotonic,
        # Whoever is judged anew is asked for the key of their token.
        lost=lambda: freshness.state.doubt(),  # noqa: PLW0108  # it is made below
    )
    freshness, rights = _freshness(app, shared, settings, keys.root)
    codec = TokenCodec(
        keys.source,
        issuer=settings.issuer,
        audience=settings.audience,
        leeway=settings.leeway,
        access_lifetime=settings.access_token_expires,
        permissions_claim=settings.permissions_claim,
    )
    codes = Codes(shared.db, shared.models)
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
        shared.sessions,
        shared.passwords,
        throttle,
        shared.recorder,
        limits=limits,
        require_verified=settings.require_verified,
    )
    issuer = TokenIssuer(
        codec,
        access_lifetime=settings.access_token_expires,
        csrf_secret=derive_secret(keys.root, b"flask_permjwt csrf", 32),
        rights_in_token=settings.permissions_in_token,
        cookie_room=cookie_room(settings),
    )
    accounts = Accounts(
        shared.store,
        shared.sessions,
        issuer,
        shared.passwords,
        proofs,
        shared.recorder,
        session_lifetime=settings.refresh_token_expires,
        refresh_grace=settings.refresh_grace,
        require_verified=settings.require_verified,
        clock=shared.clock,
    )
    transport = Transport(settings)
    renewals = Renewals(
        shared.db,
        shared.models,
        shared.sessions,
        codec,
        access_lifetime=settings.access_token_expires,
        clock=shared.clock,
    )
    tickets = _tickets(shared, settings, codes, renewals)
    tokens = AccessTokens(
        settings,
        transport,
        codec,
        freshness,
        rights,
        _outside(shared, settings),
        _personal(shared, settings, rights, throttle),
        tickets,
        clock=shared.clock,
        monotonic=shared.monotonic,
    )
    former = _former(app, shared, settings, accounts)
    if former is not None:
        from flask_permjwt.web.former import WithFormerTokens  # noqa: PLC0415  # for those who have such tokens

        finder: WithFormerTokens | AccessTokens = WithFormerTokens(tokens, former, settings, transport)
    else:
        finder = tokens
    app.extensions[EXTENSION] = state = AppState(
        settings=settings,
        clock=shared.clock,
        codec=codec,
        keys=keys.source,
        key_directory=keys.directory,
        settings_key=partial(settings_key, app, settings),
        store=shared.store,
        accounts=accounts,
        self_service=(
            None if managed is None else _self_service(shared, settings, managed, codes, proofs, throttle, limits)
        ),
        providers=_providers(shared, settings, accounts, codes, throttle, keys.root),
        clients=shared.clients,
        client_access=ClientAccess(
            shared.clients, issuer, throttle, shared.recorder, limit=limits.by_address, clock=shared.clock
        ),
        lookup=TokenLookup(
            codec,
            freshness,
            shared.store,
            shared.clients,
            shared.sessions,
            shared.personal if settings.takes_personal_tokens else None,
            require_verified=settings.require_verified,
            clock=shared.clock,
        ),
        revocations=shared.revocations,
        recorder=shared.recorder,
        note_denial=note_denial,
        freshness=freshness,
        housekeeping=Housekeeping(
            shared.sessions,
            codes,
            shared.recorder,
            shared.changes,
            shared.personal,
            audit_lifetime=settings.audit_expires,
            clock=shared.clock,
        ),
        transport=transport,
        tokens=finder,
        table=PolicyTable(app, default_deny=settings.default_deny),
        resource_metadata=ResourceMetadata(app, settings),
        renewals=renewals,
        tickets=tickets,
        former=former,
        personal=shared.personal,
    )
    if "sqlalchemy" in app.extensions:
        with app.app_context():
            check_pool(shared.db, shared.models.change)
    register_hook(app, state)
    if finder.vary or settings.cookies or tickets is not None:
        register_finish(app, state)
    register_account_errors(app)
    register_templates(app)
    app.cli.add_command(permjwt_cli)


def _self_service(
    shared: Shared,
    settings: Settings,
    managed: ManagedUserStore[Any],
    codes: Codes,
    proofs: PasswordProofs,
    throttle: Throttle,
    limits: Limits,
) -> SelfService:
    pages = {"reset": settings.reset_url, "verify": settings.verify_url}
    urls = {kind: url for kind, url in pages.items() if url is not None}
    return SelfService(
        shared.db,
        managed,
        shared.sessions,
        codes,
        proofs,
        PasswordRules(min_length=settings.password_min_length, extra=shared.password_check),
        throttle,
        shared.recorder,
        None if shared.outbox is None else Letters(shared.outbox, urls=urls),
        shared.identities,
        limits=limits,
        lifetimes=Lifetimes(settings.reset_token_expires, settings.verify_token_expires),
        require_verified=settings.require_verified,
        reset=settings.password_reset,
        clock=shared.clock,
    )


def _outside(shared: Shared, settings: Settings) -> "OutsideTokens | None":
    if not settings.issuers:
        return None
    # Loaded for those who name issuers, and all that fetches over HTTP with it.
    from flask_permjwt.accounts.outside import build_outside  # noqa: PLC0415

    return build_outside(settings, shared.identities, monotonic=shared.monotonic)


def _personal(
    shared: Shared, settings: Settings, rights: CurrentRights, throttle: Throttle
) -> "PersonalUse | None":
    if not settings.takes_personal_tokens:
        return None
    from flask_permjwt.accounts.personal_use import PersonalUse  # noqa: PLC0415  # as above

    return PersonalUse(
        shared.db,
        shared.models,
        shared.store,
        rights,
        throttle,
        limit=settings.ratelimit_login_address,
        remembered=settings.access_token_expires,
        require_verified=settings.require_verified,
        clock=shared.clock,
        monotonic=shared.monotonic,
    )


def _tickets(shared: Shared, settings: Settings, codes: Codes, renewals: Renewals) -> "PresentedTickets | None":
    if not settings.tickets:
        return None
    from flask_permjwt.accounts.tickets import Tickets  # noqa: PLC0415  # as above
    from flask_permjwt.web.tickets import PresentedTickets  # noqa: PLC0415

    return PresentedTickets(
        Tickets(shared.db, shared.models, codes, renewals, clock=shared.clock), settings.tickets
    )


def _former(app: Flask, shared: Shared, settings: Settings, accounts: Accounts) -> "FormerTokens | None":
    if settings.accept_flask_jwt_extended is None:
        return None
    from flask_permjwt.accounts.former import FormerTokens  # noqa: PLC0415  # as above
    from flask_permjwt.accounts.former_config import read_former  # noqa: PLC0415

    config = read_former(app.config, settings, allow_weak=app.testing)
    return FormerTokens(config, settings, shared.db, shared.models, shared.store, accounts, clock=shared.clock)


def _providers(
    shared: Shared, settings: Settings, accounts: Accounts, codes: Codes, throttle: Throttle, root: bytes
) -> "Directory | None":
    if not settings.providers:
        return None
    from flask_permjwt.providers.directory import build_directory  # noqa: PLC0415  # as above

    return build_directory(
        settings,
        accounts,
        shared.store,
        shared.identities,
        shared.sessions,
        codes,
        throttle,
        shared.recorder,
        secret=derive_secret(root, b"flask_permjwt providers", 32),
        clock=shared.clock,
        monotonic=shared.monotonic,
    )


def _freshness(app: Flask, shared: Shared, settings: Settings, root: bytes) -> tuple[Freshness, CurrentRights]:
    # Until then, some token may live that was issued before a change which nobody has heard of.
    lasts = settings.access_token_expires + settings.leeway + settings.revocation_max_staleness
    freshness = Freshness(
        _feed(shared, settings, root),
        HostEpoch(epoch_path(app, settings, root)),
        interval=settings.revocation_interval,
        max_staleness=settings.revocation_max_staleness,
        lasts=lasts,
        clock=shared.clock,
        monotonic=shared.monotonic,
    )
    rights = CurrentRights(
        shared.db,
        shared.models.change,
        shared.store,
        shared.clients,
        is_current=freshness.state.is_current,
        lasts=lasts,
        size=max(settings.token_cache_size, _MIN_HELD),
        monotonic=shared.monotonic,
    )
    return freshness, rights


def _feed(shared: Shared, settings: Settings, root: bytes) -> Feed:
    truth = SQLFeed(shared.db, shared.models.change, clock=shared.clock, monotonic=shared.monotonic)
    if settings.revocation_url is None:
        return truth
    from flask_permjwt.accounts.feeds.redis import RedisFeed  # noqa: PLC0415  # as above

    return RedisFeed(
        settings.revocation_url,
        _name_on_servers(root),
        truth,
        reconcile=max(settings.revocation_interval, min(_RECONCILE, settings.revocation_max_staleness / 4)),
        monotonic=shared.monotonic,
    )


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
