"""Loaders: where the keys of an issuer come from - discovery, an address, a file, or the settings themselves."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from flask_permjwt.errors import ConfigurationError, InvalidTokenError
from flask_permjwt.tokens.claims import parse_object
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.issuers import addresses
from flask_permjwt.tokens.issuers.config import Issuer
from flask_permjwt.tokens.issuers.jwks import KeysError, PublicKey, PublishedKeys, read_keys
from flask_permjwt.tokens.issuers.protocol import Fetched, Fetcher, Loaded

MAX_SIZE: Final = 512 * 1024
"""Bytes of a document; Entra's keys, with all their certificates, take some 20 KiB."""

SHORTEST: Final = 5 * 60
LONGEST: Final = 24 * 3600
USUAL: Final = 3600
"""Seconds for which keys are kept: at least, at most, and where their server says nothing."""

_FILE_LIFETIME: Final = 60
_DISCOVERY_LIFETIME: Final = 24 * 3600
_WELL_KNOWN: Final = "/.well-known/openid-configuration"


class FixedKeys:
    """Keys that stand in the settings.

    Raises:
        ConfigurationError: none of them can be used.
    """

    def __init__(self, issuer: Issuer, document: Mapping[str, Any]) -> None:
        try:
            self._keys: Final = read_keys(dict(document), issuer.algorithms)
        except KeysError as fault:
            raise ConfigurationError(f"the 'jwks' of {issuer.name!r} in PERMJWT_ISSUERS: {fault}") from None
        if not self._keys:
            reasons = "; ".join(self._keys.ignored) or "it is empty"
            raise ConfigurationError(
                f"the 'jwks' of {issuer.name!r} in PERMJWT_ISSUERS has no usable key: {reasons}"
            )

    def find(self, kid: str | None, algorithm: str) -> tuple[PublicKey | None, float]:
        """Return the key that a token means, for ever."""
        return self._keys.find(kid, algorithm), float("inf")


class FileLoader:
    """Reads a file, and again every minute: replace it as a whole, and never write into it.

    Raises:
        ConfigurationError: at the start, it cannot be read or is no JWK Set. Keys may come into it later.
    """

    def __init__(self, issuer: Issuer, path: Path) -> None:
        self._issuer: Final = issuer
        self._path: Final = path
        try:
            self.load()
        except KeysError as fault:
            raise ConfigurationError(f"the 'jwks' of {issuer.name!r} in PERMJWT_ISSUERS: {fault}") from None

    def load(self) -> Loaded:
        """Read the file.

        Raises:
            KeysError: it cannot be read, or is no JWK Set.
        """
        try:
            with self._path.open("rb") as file:
                body = file.read(MAX_SIZE + 1)
        except OSError as fault:
            raise KeysError(f"the file cannot be read: {fault.strerror}") from None
        return Loaded(_keys(body, self._issuer), _FILE_LIFETIME)


class AddressLoader:
    """Fetches a JWK Set from a fixed address."""

    def __init__(self, issuer: Issuer, url: str, fetcher: Fetcher) -> None:
        self._issuer: Final = issuer
        self._url: Final = url
        self._fetcher: Final = fetcher

    def load(self) -> Loaded:
        """Fetch it.

        Raises:
            KeysError: it cannot be fetched, or is no JWK Set.
        """
        return _loaded(self._fetcher.fetch(self._url), self._issuer)


class DiscoveryLoader:
    """Asks the issuer where its keys are, and fetches them (OpenID Connect Discovery 1.0 section 4).

    The address is asked for again once a day, and when nothing could be fetched from it.
    """

    def __init__(self, issuer: Issuer, fetcher: Fetcher, *, monotonic: Clock = time.monotonic) -> None:
        self._issuer: Final = issuer
        self._fetcher: Final = fetcher
        self._monotonic: Final = monotonic
        self._url: str | None = None
        self._asked_at = 0.0

    def load(self) -> Loaded:
        """Fetch the keys.

        Raises:
            KeysError: they cannot be fetched, or the issuer names itself otherwise.
        """
        url = self._url
        if url is None or self._monotonic() - self._asked_at >= _DISCOVERY_LIFETIME:
            url = self._discover()
        try:
            loaded = _loaded(self._fetcher.fetch(url), self._issuer)
        except KeysError:
            self._url = None
            raise
        self._url = url
        return loaded

    def _discover(self) -> str:
        name = self._issuer.name
        body = self._fetcher.fetch(name.removesuffix("/") + _WELL_KNOWN).body
        document = _parsed(body)
        if document.get("issuer") != name:
            # What stands there instead is not repeated: it came over the wire.
            raise KeysError("discovery names another issuer; 'issuer' must be written exactly as there")
        url = document.get("jwks_uri")
        fault = addresses.fault(url, loopback=addresses.is_local(name))
        if fault is not None or not isinstance(url, str):
            raise KeysError(f"the jwks_uri of discovery {fault}")
        self._asked_at = self._monotonic()
        return url


def _loaded(fetched: Fetched, issuer: Issuer) -> Loaded:
    lifetime = USUAL if fetched.lifetime is None else fetched.lifetime
    return Loaded(_keys(fetched.body, issuer), min(max(lifetime, SHORTEST), LONGEST))


def _keys(body: bytes, issuer: Issuer) -> PublishedKeys:
    return read_keys(_parsed(body), issuer.algorithms)


def _parsed(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_SIZE:
        raise KeysError(f"the document is larger than {MAX_SIZE // 1024} KiB")
    try:
        return parse_object(body, "document")
    except InvalidTokenError:
        raise KeysError("the document is no JSON object") from None
