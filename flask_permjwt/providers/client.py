"""The client: one provider, spoken to through Authlib's Flask client.

Authlib builds the request and redeems the code. What it would keep in Flask's session is in our own cookie
(``attempts.py``); ID tokens are verified by what verifies the tokens of other issuers.
"""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
from authlib.integrations.requests_client import OAuth2Session
from requests import RequestException

from flask_permjwt.accounts.provider_logins import Person
from flask_permjwt.errors import (
    AuthError,
    InvalidAttemptError,
    InvalidCodeError,
    InvalidRequestError,
    InvalidTokenError,
    KeysUnavailableError,
    ProviderDeniedError,
    ProviderError,
)
from flask_permjwt.providers import person
from flask_permjwt.providers.config import Provider
from flask_permjwt.providers.metadata import Metadata, MetadataSource, PublishedKeysLoader
from flask_permjwt.providers.transport import BoundedAdapter
from flask_permjwt.tokens.claims import parse_object
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import VerifiedToken
from flask_permjwt.tokens.compact import payload_of, split
from flask_permjwt.tokens.issuers.algorithms import SAFE
from flask_permjwt.tokens.issuers.config import Issuer
from flask_permjwt.tokens.issuers.http import HttpFetcher
from flask_permjwt.tokens.issuers.jwks import KeysError
from flask_permjwt.tokens.issuers.protocol import Keys
from flask_permjwt.tokens.issuers.source import KeySource
from flask_permjwt.tokens.issuers.tenants import TENANT, KeysOfTenant
from flask_permjwt.tokens.issuers.verifier import Issuers, Trusted

_OK: Final = 200
_HIDDEN: Final = frozenset({403, 404})
"""What GitHub answers about addresses that an app was not permitted to see."""

_MAX_CODE: Final = 4096
# RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core section 3.1.2.6, and what GitHub says in their place.
_DENIED: Final = frozenset(
    ["access_denied", "interaction_required", "login_required", "account_selection_required", "consent_required"]
)
_WRONG_CODE: Final = frozenset({"invalid_grant", "bad_verification_code"})
_KNOWN: Final = frozenset(
    {
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "invalid_client",
        "unsupported_grant_type",
        "request_not_supported",
        "incorrect_client_credentials",
        "redirect_uri_mismatch",
        "application_suspended",
    }
)
# What Authlib and json raise for answers that make no sense.
_NONSENSE: Final = (
    AuthlibBaseError,
    RequestException,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)

_log = logging.getLogger("flask_permjwt.providers")


class ProviderClient:
    """Sends people to a provider, and finds out who came back.

    Args:
        provider: which.
        fetcher: reaches it.
        jwks_stale: for how many seconds its keys are used beyond their lifetime while it cannot be reached.
        jwks_cooldown: seconds between fetches for keys that are unknown.
        clock: returns the time in seconds since 1970-01-01 UTC.
        monotonic: returns seconds, by a clock that only goes forward.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        fetcher: HttpFetcher,
        jwks_stale: float,
        jwks_cooldown: int,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self.provider: Final = provider
        self._fetcher: Final = fetcher
        self._clock: Final = clock
        self._metadata: Final = MetadataSource(provider, fetcher, monotonic=monotonic)
        self._issuer: Final = Issuer(
            name=provider.issuer,
            audience=frozenset({provider.client_id}),
            audience_claims=("aud",),
            permissions=(),
            translate=None,
            jwks=None,
            algorithms=SAFE,
            claims={},
            refused=frozenset(),
            needs=(),
        )
        self._keys: Final = KeySource(
            provider.issuer,
            PublishedKeysLoader(self._issuer, self._metadata, fetcher),
            stale=jwks_stale,
            cooldown=jwks_cooldown,
            on_dropped=lambda: None,
            monotonic=monotonic,
        )

    def url(self, *, redirect_uri: str, state: str, nonce: str, challenge: str, fresh: bool) -> str:
        """Return where to send somebody who wants to log in.

        Args:
            redirect_uri: where they come back to.
            state: what they bring back.
            nonce: what the ID token repeats.
            challenge: of PKCE.
            fresh: the provider shall ask who they are, even if it knows.

        Raises:
            ProviderError: 502, the provider cannot be reached.
            InvalidRequestError: it cannot tell when it asked.
        """
        extra = dict(self.provider.authorize_params)
        if self.provider.metadata_url is not None:
            extra["nonce"] = nonce
        if fresh:
            if self.provider.metadata_url is None:
                raise InvalidRequestError("This provider cannot tell whether it asked who somebody is.")
            extra.update(prompt="login", max_age="0")
        app = self._app(self._known())
        # The challenge and not the verifier, which Authlib would write into the log.
        made = app.create_authorization_url(
            redirect_uri, state=state, code_challenge=challenge, code_challenge_method="S256", **extra
        )
        return str(made["url"])

    def check_return(self, given: Mapping[str, str]) -> str:
        """Return the code that somebody came back with.

        Raises:
            InvalidAttemptError: it is an answer of somebody else (RFC 9207 section 2.4), or none.
            ProviderDeniedError: 403, the provider, or they, did not want to.
            ProviderError: 502, something is wrong at the provider.
        """
        issuer = given.get("iss")
        # What one without metadata calls itself, its settings do not know.
        speaks = self.provider.metadata_url is not None
        if speaks and not self.provider.is_issuer(issuer or "") and (issuer or self._known().names_itself):
            _log.warning("an answer for %s names another issuer, or none", self.provider.name)
            raise InvalidAttemptError("The answer is of another provider: begin again.")
        if "error" in given:
            raise self._refusal(given["error"])
        code = given.get("code", "")
        if not 0 < len(code) <= _MAX_CODE:
            raise InvalidAttemptError
        return code

    def redeem(self, code: str, *, redirect_uri: str, verifier: str, nonce: str, asked_at: float | None) -> Person:
        """Exchange a code for what the provider knows of who brought it.

        Args:
            code: what they came back with.
            redirect_uri: where to.
            verifier: of PKCE.
            nonce: what the ID token must repeat.
            asked_at: since when they must have logged in at the provider; None where that does not matter.

        Raises:
            InvalidCodeError: the provider does not take the code.
            IdentityRefusedError: 403, they are not let in.
            ProviderError: 502, the provider cannot be reached, or its answer makes no sense.
        """
        try:
            app = self._app(self._metadata.get())
            token = app.fetch_access_token(
                redirect_uri, code=code, code_verifier=verifier, grant_type="authorization_code"
            )
            if self.provider.metadata_url is None:
                return self._ask(app, token)
            return self._read(token.get("id_token"), nonce, asked_at)
        except AuthError:
            raise
        except KeysError as fault:
            raise self._failure(str(fault)) from None
        except _NONSENSE as fault:
            error = getattr(fault, "error", None)
            if isinstance(fault, AuthlibBaseError) and isinstance(error, str):
                raise self._refusal(error) from None
            raise self._failure(f"its answer makes no sense ({type(fault).__name__})") from None

    def _known(self) -> Metadata:
        try:
            return self._metadata.get()
        except KeysError as fault:
            raise self._failure(str(fault)) from None

    def _app(self, metadata: Metadata) -> Any:
        return _App(
            FlaskIntegration(self.provider.name),
            name=self.provider.name,
            client_id=self.provider.client_id,
            client_secret=self.provider.client_secret,
            authorize_url=metadata.authorize_url,
            access_token_url=metadata.token_url,
            user_agent="flask-permjwt",
            client_kwargs={
                "scope": " ".join(self.provider.scopes),
                "token_endpoint_auth_method": metadata.token_auth,
                "sender": self._fetcher,
            },
        )

    def _read(self, id_token: object, nonce: str, asked_at: float | None) -> Person:
        try:
            if not isinstance(id_token, str):
                raise KeysError("there is no ID token")
            named = self._issuer
            if TENANT in named.name:
                said = parse_object(payload_of(split(id_token)[1]), "payload").get("iss")
                if not isinstance(said, str) or not self.provider.is_issuer(said):
                    raise KeysError("the ID token is of another issuer")
                named = replace(named, name=said)
            keys: Keys = KeysOfTenant(self._keys, named.name) if self.provider.is_microsoft else self._keys
            verified = Issuers([Trusted(named, keys)]).verify(id_token, self._judge)
        except (InvalidTokenError, KeysUnavailableError) as refusal:
            raise KeysError(f"the ID token: {refusal.description}") from None
        if verified is None:
            raise KeysError("the ID token is of another issuer")
        claims = verified.token.claims
        return person.of_id_token(self.provider, claims, nonce=nonce, now=self._clock(), asked_at=asked_at)

    def _judge(self, token: VerifiedToken) -> None:
        now = self._clock()
        if not now < token.expires_at + person.LEEWAY or not (token.not_before or 0) <= now + person.LEEWAY:
            raise InvalidTokenError("it is over, or yet to come")

    def _ask(self, app: Any, token: Any) -> Person:
        provider, emails = self.provider, None
        said = self._document(app, token, provider.userinfo_url)
        if not isinstance(said, dict):
            raise KeysError("it does not say who it is")
        if provider.emails_url is not None:
            emails = self._document(app, token, provider.emails_url, may_be_hidden=True)
        return person.of_userinfo(provider, said, emails, now=self._clock())

    def _document(self, app: Any, token: Any, url: str | None, *, may_be_hidden: bool = False) -> object:
        response = app.get(url, token=token, headers={"Accept": "application/json"})
        if may_be_hidden and response.status_code in _HIDDEN:
            return None
        if response.status_code != _OK:
            raise KeysError(f"it answered {int(response.status_code)} to who it is")
        return json.loads(response.content)

    def _refusal(self, code: str) -> AuthError:
        """Return the error for a code of the provider's; its own words are not repeated."""
        if code in _DENIED:
            return ProviderDeniedError()
        if code in _WRONG_CODE:
            return InvalidCodeError()
        return self._failure(f"it refused: {code if code in _KNOWN else 'an error of its own'}")

    def _failure(self, why: str) -> ProviderError:
        _log.warning("a login by %s failed: %s", self.provider.name, why)
        return ProviderError()


class _Session(OAuth2Session):  # type: ignore[misc]  # Authlib has no types
    """Authlib's session, with our transport in place of that of ``requests``."""

    def __init__(self, *args: Any, sender: HttpFetcher, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Neither passwords of ~/.netrc nor anything else from outside is put into these requests.
        self.trust_env = False
        adapter = BoundedAdapter(sender)
        self.mount("https://", adapter)
        self.mount("http://", adapter)


class _App(FlaskOAuth2App):  # type: ignore[misc]  # Authlib has no types
    client_cls = _Session
