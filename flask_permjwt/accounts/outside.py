"""Outside tokens: those of other issuers, and the user here that such a token may stand for."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from flask_permjwt.accounts.identities import Identities, link_of
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.settings import Settings
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import VerifiedToken
from flask_permjwt.tokens.issuers.config import Issuer, read_issuers
from flask_permjwt.tokens.issuers.http import HttpFetcher
from flask_permjwt.tokens.issuers.loaders import AddressLoader, DiscoveryLoader, FileLoader, FixedKeys
from flask_permjwt.tokens.issuers.protocol import Fetcher, Keys, Loader
from flask_permjwt.tokens.issuers.source import KeySource
from flask_permjwt.tokens.issuers.tenants import KeysOfTenant, is_shared
from flask_permjwt.tokens.issuers.verifier import Issuers, Trusted

_NEEDED: Final = ("cryptography", "urllib3")


class OutsideTokens:
    """Verifies tokens of other issuers, and finds whom they stand for.

    Args:
        settings: how long keys are kept, and whether users are found or created.
        issuers: whose tokens are taken.
        identities: finds users.
        fetcher: fetches keys.
        monotonic: returns seconds, by a clock that only goes forward.
    """

    def __init__(
        self,
        settings: Settings,
        issuers: tuple[Issuer, ...],
        identities: Identities,
        *,
        fetcher: Fetcher,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self.on_dropped: Callable[[], None] = lambda: None
        """Called when an issuer no longer publishes a key."""
        self._settings: Final = settings
        self._identities: Final = identities
        self._fetcher: Final = fetcher
        self._monotonic: Final = monotonic
        self._issuers: Final = Issuers(
            Trusted(one, KeysOfTenant(self._keys(one), one.name) if is_shared(one.name) else self._keys(one))
            for one in issuers
        )

    def verify(self, text: str, judge: Callable[[VerifiedToken], None]) -> tuple[VerifiedToken, float] | None:
        """Verify a token; return what it says, and for how many seconds that need not be asked again.

        None is returned for one that names none of the issuers.

        Args:
            text: the token.
            judge: judges its time, before keys or users are looked for; raises what is wrong with it.

        Raises:
            InvalidTokenError: something is wrong with it, or the user that it stands for is disabled or deleted.
            KeysUnavailableError, BusyError: 503, its key or its user cannot be looked up now.
        """
        outside = self._issuers.verify(text, judge)
        if outside is None:
            return None
        token, users = outside.token, self._settings.issuer_users
        if users is None:
            return token, outside.holds
        issuer = outside.issuer
        user = self._identities.user_of(issuer.name, outside.subject, create=users == "create")
        if user is not None:
            token = replace(
                token,
                subject=user.public_id,
                link=user.link,
                version=user.token_version,
                # A token that has no place for permissions leaves them to the user's own.
                rights_in_store=not issuer.permissions,
                principal=replace(token.principal, local_user=user.public_id),
            )
        else:
            token = replace(token, link=link_of(issuer.name, outside.subject, None))
        # For so long, it is remembered what was revoked.
        return token, min(outside.holds, self._settings.access_token_expires)

    def check_named(self, text: str) -> None:
        """Check who a token that nobody here accepted says that it is of.

        Raises:
            InvalidTokenError: it is of an issuer that is not taken.
        """
        self._issuers.check_named(text, ours=self._settings.issuer)

    def _dropped(self) -> None:
        self.on_dropped()

    def _keys(self, issuer: Issuer) -> Keys:
        where = issuer.jwks
        if isinstance(where, Mapping):
            return FixedKeys(issuer, where)
        loader: Loader
        if isinstance(where, Path):
            loader = FileLoader(issuer, where)
        elif where is None:
            loader = DiscoveryLoader(issuer, self._fetcher, monotonic=self._monotonic)
        else:
            loader = AddressLoader(issuer, where, self._fetcher)
        return KeySource(
            issuer.name,
            loader,
            stale=self._settings.jwks_stale,
            cooldown=self._settings.jwks_cooldown,
            on_dropped=self._dropped,
            monotonic=self._monotonic,
        )


def build_outside(
    settings: Settings,
    identities: Identities,
    *,
    fetcher: Fetcher | None = None,
    monotonic: Clock = time.monotonic,
) -> OutsideTokens:
    """Return what takes the tokens of PERMJWT_ISSUERS.

    Args:
        settings: name the issuers.
        identities: finds users.
        fetcher: fetches keys; by default over HTTP.
        monotonic: returns seconds, by a clock that only goes forward.

    Raises:
        ConfigurationError: the settings of an issuer are wrong, a package is missing, or users cannot be created.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"PERMJWT_ISSUERS needs {' and '.join(missing)}: pip install 'flask-permjwt[issuers]'"
        )
    if settings.issuer_users == "create" and not identities.creates:
        raise ConfigurationError(
            "PERMJWT_ISSUER_USERS = 'create' makes users in db, and they live in your user_store: use 'find', and "
            "link them with permjwt.identities.link"
        )
    issuers = read_issuers(settings.issuers, ours=settings.issuer)
    return OutsideTokens(settings, issuers, identities, fetcher=fetcher or HttpFetcher(), monotonic=monotonic)
