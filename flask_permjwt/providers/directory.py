"""The directory: all providers of one app, and what their logins need."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.codes import Codes
from flask_permjwt.accounts.identities import Identities
from flask_permjwt.accounts.provider_logins import ProviderLogins
from flask_permjwt.accounts.service import Accounts
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.accounts.store import UserStore
from flask_permjwt.accounts.throttle import Throttle, check_limit
from flask_permjwt.errors import ConfigurationError, UnknownProviderError
from flask_permjwt.providers.attempts import Seal
from flask_permjwt.providers.config import check_targets, read_providers
from flask_permjwt.settings import Settings
from flask_permjwt.tokens.clock import Clock

if TYPE_CHECKING:
    from flask_permjwt.providers.client import ProviderClient

_NEEDED: Final = {
    "authlib": "Authlib",
    "cryptography": "cryptography",
    "requests": "requests",
    "urllib3": "urllib3",
}


@dataclass(frozen=True, slots=True, eq=False)
class Directory:
    """The providers of one app.

    Attributes:
        clients: by name.
        seal: seals what is remembered of a login.
        logins: the use-cases.
    """

    clients: Mapping[str, "ProviderClient"]
    seal: Seal
    logins: ProviderLogins

    def find(self, name: str) -> "ProviderClient":
        """Return a provider.

        Raises:
            UnknownProviderError: 404, there is none of this name.
        """
        client = self.clients.get(name)
        if client is None:
            raise UnknownProviderError
        return client


def build_directory(  # noqa: PLR0913  # what it brings together
    settings: Settings,
    accounts: Accounts,
    store: UserStore[Any],
    identities: Identities,
    sessions: Sessions,
    codes: Codes,
    throttle: Throttle,
    recorder: Recorder,
    *,
    secret: bytes,
    clock: Clock = time.time,
    monotonic: Clock = time.monotonic,
) -> Directory:
    """Return the providers of PERMJWT_PROVIDERS. Nothing is fetched yet.

    Args:
        settings: name the providers.
        accounts: opens sessions.
        store: where users live.
        identities: finds and creates users.
        sessions: the session rows.
        codes: the one-time codes.
        throttle: counts what is begun, and what fails.
        recorder: writes down what happens.
        secret: seals cookies; used for nothing else.
        clock: returns the time in seconds since 1970-01-01 UTC.
        monotonic: returns seconds, by a clock that only goes forward.

    Raises:
        ConfigurationError: an entry is wrong, a package is missing, or users cannot be created.
    """
    missing = [name for module, name in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise ConfigurationError(
            f"PERMJWT_PROVIDERS needs {' and '.join(missing)}: pip install 'flask-permjwt[oauth]'"
        )
    providers = read_providers(settings.providers)
    check_targets(settings.provider_targets)
    creating = [one.name for one in providers.values() if one.create]
    if creating and not identities.creates:
        raise ConfigurationError(
            f"PERMJWT_PROVIDERS: {', '.join(creating)} would create users in db, and they live in your "
            "user_store: say 'create': False, and link them with permjwt.identities.link or POST /providers/<name>"
        )
    # Loaded for those who name providers, and Authlib with it.
    from flask_permjwt.providers.client import ProviderClient  # noqa: PLC0415
    from flask_permjwt.tokens.issuers.http import HttpFetcher  # noqa: PLC0415

    clients = {
        one.name: ProviderClient(
            one,
            fetcher=HttpFetcher(),
            jwks_stale=settings.jwks_stale,
            jwks_cooldown=settings.jwks_cooldown,
            clock=clock,
            monotonic=monotonic,
        )
        for one in providers.values()
    }
    logins = ProviderLogins(
        accounts,
        store,
        identities,
        sessions,
        codes,
        throttle,
        recorder,
        limit=check_limit(settings.ratelimit_provider),
        require_verified=settings.require_verified,
        clock=clock,
    )
    return Directory(clients, Seal(secret), logins)
