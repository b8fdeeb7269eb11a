"""The use-cases of clients: prove who they are, and get a token in their own name (RFC 6749 section 4.4)."""

import logging
import time
from typing import Final

from flask_permjwt.accounts.addresses import address_key
from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.clients import Clients
from flask_permjwt.accounts.issuing import IssuedTokens, TokenIssuer
from flask_permjwt.accounts.records import ClientMixin
from flask_permjwt.accounts.throttle import Check, Throttle
from flask_permjwt.errors import RetryLaterError
from flask_permjwt.oauth_errors import InvalidClientError
from flask_permjwt.policy.permissions import Grants, valid_grants
from flask_permjwt.signals import LoggedIn, LoginFailed, Throttled
from flask_permjwt.tokens.clock import Clock

_log = logging.getLogger("flask_permjwt.accounts")


class ClientAccess:
    """What clients do. It joins ``db.session``; the commit is the caller's.

    Args:
        clients: where they live.
        issuer: mints their tokens.
        throttle: counts wrong secrets.
        recorder: writes down what happens.
        limit: how many wrong secrets one address may try, in the notation of ``limits``.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        clients: Clients,
        issuer: TokenIssuer,
        throttle: Throttle,
        recorder: Recorder,
        *,
        limit: str,
        clock: Clock = time.time,
    ) -> None:
        self._clients: Final = clients
        self._issuer: Final = issuer
        self._throttle: Final = throttle
        self._recorder: Final = recorder
        self._limit: Final = limit
        self._clock: Final = clock

    def authenticate(self, client_id: str, secret: str, *, address: str | None = None) -> ClientMixin:
        """Return the client that proves who it is by its secret.

        The same work is done whether or not there is such a client. A secret holds 256 random bits: counting wrong
        ones is for the log and against floods, and the right one is never refused for them.

        Args:
            client_id: as presented.
            secret: likewise.
            address: the client's address.

        Raises:
            InvalidClientError: there is no such client, it is disabled, or the secret is another one, in the same
                words.
            ThrottledError: likewise, and there were too many attempts from this address.
            BusyError: the store of the counts does not answer, and is not done without.
        """
        client = self._clients.with_id(client_id)
        matches = self._clients.has_secret(client, secret)
        if client is not None and matches and client.active:
            return client
        self._count_refusal(client, address)
        subject, reason = None, "unknown client"
        if client is not None:
            subject, reason = client.public_id, "disabled" if matches else "wrong secret"
        _log.warning("client refused: %s, client %s, address %s", reason, subject, ascii(address))
        self._recorder.record(LoginFailed(subject=subject, reason=reason, method="client"))
        raise InvalidClientError

    def rights(self, client: ClientMixin) -> Grants:
        """Return what a client may do now."""
        return Grants.of_valid(valid_grants(self._clients.rights(client).permissions))

    def issue(self, client: ClientMixin, *, limit: Grants | None = None) -> IssuedTokens:
        """Mint an access token for a client that proved who it is; there is no refresh token (section 4.4.3).

        Args:
            client: whose it is.
            limit: what it may be used for at most; None for all that the client may do.

        Raises:
            TokenTooLargeError: its rights do not fit into a token.
        """
        now, rights = int(self._clock()), self._clients.rights(client)
        self._recorder.record(LoggedIn(subject=client.public_id, method="client_credentials"))
        return self._issuer.issue_to_client(client.client_id, client.token_version, rights, now=now, limit=limit)

    def _count_refusal(self, client: ClientMixin | None, address: str | None) -> None:
        try:
            self._throttle.attempt([Check("client", address_key(address), self._limit)])
        except RetryLaterError:
            _log.warning("client throttled: address %s", ascii(address))
            subject = None if client is None else client.public_id
            self._recorder.announce(Throttled(subject=subject, method="client", address=address))
            raise
