"""Metadata: what an OpenID provider says of itself (OpenID Connect Discovery 1.0 section 3)."""

import logging
import time
from dataclasses import dataclass
from typing import Any, Final

from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.providers.config import Provider
from flask_permjwt.tokens.claims import parse_object
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.issuers import addresses
from flask_permjwt.tokens.issuers.config import Issuer
from flask_permjwt.tokens.issuers.jwks import KeysError
from flask_permjwt.tokens.issuers.loaders import AddressLoader
from flask_permjwt.tokens.issuers.protocol import Fetcher, Loaded

LIFETIME: Final = 24 * 3600
COOLDOWN: Final = 10
"""Seconds for which metadata is kept, and after a failure until it is asked for again."""

_log = logging.getLogger("flask_permjwt.providers")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is used of it. Nothing else that a provider says reaches anything.

    Attributes:
        authorize_url: where people are sent.
        token_url: where a code becomes tokens.
        jwks_url: where its keys are; None for a provider without OpenID Connect.
        token_auth: how our secret is sent.
        names_itself: it says who it is when people come back (RFC 9207 section 3).
    """

    authorize_url: str
    token_url: str
    jwks_url: str | None
    token_auth: str
    names_itself: bool = False


class MetadataSource:
    """The metadata of one provider, as one process knows it.

    Args:
        provider: whose.
        fetcher: fetches documents.
        monotonic: returns seconds, by a clock that only goes forward.
    """

    def __init__(self, provider: Provider, fetcher: Fetcher, *, monotonic: Clock = time.monotonic) -> None:
        self._provider: Final = provider
        self._fetcher: Final = fetcher
        self._monotonic: Final = monotonic
        self._known: Metadata | None = _of_settings(provider)
        self._next = float("inf") if self._known is not None else float("-inf")
        self._fault = ""

    def get(self) -> Metadata:
        """Return it, fetched anew once a day. While that fails, what is known goes on.

        Raises:
            KeysError: nothing is known, and it cannot be had now.
        """
        now = self._monotonic()
        if now >= self._next:
            if self._known is not None:
                # Who comes meanwhile goes on with what is known, and does not wait for a slow provider too.
                self._next = now + COOLDOWN
            # Of two threads that meet here, both may fetch: that does no harm.
            try:
                self._known = self._fetch()
                self._next = now + LIFETIME
            except KeysError as fault:
                self._next, self._fault = now + COOLDOWN, str(fault)
                _log.warning("the metadata of %s cannot be had: %s", self._provider.name, fault)
        if self._known is None:
            raise KeysError(self._fault)
        return self._known

    def _fetch(self) -> Metadata:
        provider = self._provider
        url = provider.metadata_url or ""
        try:
            document = parse_object(self._fetcher.fetch(url).body, "metadata")
        except InvalidTokenError:
            raise KeysError("the metadata is no JSON object") from None
        if document.get("issuer") != provider.issuer:
            # What stands there instead is not repeated: it came over the wire.
            raise KeysError("the metadata names another issuer; write 'issuer' exactly as there")
        local = addresses.is_local(url)
        return Metadata(
            authorize_url=provider.authorize_url or _address(document, "authorization_endpoint", local),
            token_url=provider.token_url or _address(document, "token_endpoint", local),
            jwks_url=_address(document, "jwks_uri", local),
            token_auth=provider.token_auth or _token_auth(document),
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        )


class PublishedKeysLoader:
    """Fetches the keys of a provider from where its metadata says that they are.

    Args:
        issuer: whose.
        metadata: says where.
        fetcher: fetches them.
    """

    def __init__(self, issuer: Issuer, metadata: MetadataSource, fetcher: Fetcher) -> None:
        self._issuer: Final = issuer
        self._metadata: Final = metadata
        self._fetcher: Final = fetcher

    def load(self) -> Loaded:
        """Fetch the keys.

        Raises:
            KeysError: they cannot be had.
        """
        url = self._metadata.get().jwks_url
        assert url is not None  # noqa: S101  # only providers with ID tokens have keys to load
        return AddressLoader(self._issuer, url, self._fetcher).load()


def _of_settings(provider: Provider) -> Metadata | None:
    if provider.metadata_url is not None or provider.authorize_url is None or provider.token_url is None:
        return None
    return Metadata(provider.authorize_url, provider.token_url, None, provider.token_auth or _USUAL_AUTH)


def _address(document: dict[str, Any], name: str, local: bool) -> str:  # noqa: FBT001  # one of three words
    url = document.get(name)
    fault = addresses.fault(url, loopback=local)
    if fault is not None or not isinstance(url, str):
        raise KeysError(f"the {name} of the metadata {fault}")
    return url


_USUAL_AUTH: Final = "client_secret_basic"


def _token_auth(document: dict[str, Any]) -> str:
    """Return how a secret is sent (OpenID Connect Core section 9): in the header, unless only the body will do."""
    known = document.get("token_endpoint_auth_methods_supported", [_USUAL_AUTH])
    post = "client_secret_post"
    return post if isinstance(known, list) and _USUAL_AUTH not in known and post in known else _USUAL_AUTH
