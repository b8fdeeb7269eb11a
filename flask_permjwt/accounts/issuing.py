"""Issuing: from a user and a session to signed tokens."""

import base64
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from flask_permjwt.accounts.sessions import RefreshGrant
from flask_permjwt.accounts.store import Rights
from flask_permjwt.errors import TokenTooLargeError
from flask_permjwt.oauth_errors import InvalidScopeError
from flask_permjwt.policy.permissions import Grants, valid_grants
from flask_permjwt.tokens.claims import CLIENT, client_subject
from flask_permjwt.tokens.codec import TokenCodec, TokenType

TOO_LONG: Final = "What is left of this scope does not fit into a token."

_LONGEST_LIMIT: Final = 12 * 1024
"""Characters; as base64url, they fill a token of 16 KiB."""


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """What a login or a refresh gives. Times are whole seconds since 1970-01-01 UTC.

    Attributes:
        access_token: for requests.
        access_expires_at: ``exp`` of the access token.
        now: when they were issued.
        session_id: ``sid`` of both; empty for a client's.
        refresh_token: for the next refresh, once; None where only the access token is renewed.
        refresh_expires_at: ``exp`` of the refresh token: the absolute end of the session.
        access_csrf: what is bound to the access token, when it goes into a cookie.
        refresh_csrf: what is bound to the refresh token, likewise.
        rights: what its user or client may do now.
        limit: what the access token may be used for at most, if that is limited.
    """

    access_token: str = field(repr=False)
    access_expires_at: int
    now: int
    session_id: str
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_at: int = 0
    access_csrf: str | None = field(default=None, repr=False)
    refresh_csrf: str | None = field(default=None, repr=False)
    rights: Rights = field(default_factory=Rights, repr=False)
    limit: Grants | None = field(default=None, repr=False)

    @property
    def expires_in(self) -> int:
        """Seconds until the access token expires (RFC 6749 section 5.1)."""
        return self.access_expires_at - self.now

    @property
    def granted(self) -> Grants:
        """What the access token may be used for now."""
        if self.limit is not None:
            return within(self.rights, self.limit)
        return Grants.of_valid(valid_grants(self.rights.permissions))


class TokenIssuer:
    """Mints the tokens of sessions.

    Args:
        codec: signs them.
        access_lifetime: of an access token, in seconds.
        csrf_secret: makes the CSRF values of cookie tokens.
        rights_in_token: whether access tokens name the permissions; ``"auto"`` unless they would be too long.
        cookie_room: how long a token in a cookie may be, in characters.
        header_room: how long one in a header may be.
    """

    def __init__(
        self,
        codec: TokenCodec,
        *,
        access_lifetime: int,
        csrf_secret: bytes,
        rights_in_token: bool | str = True,
        cookie_room: int = 3800,
        header_room: int = 8000,
    ) -> None:
        self._codec: Final = codec
        self._rights_in_token: Final = rights_in_token
        self._cookie_room: Final = cookie_room
        self._header_room: Final = header_room
        self._access_lifetime: Final = access_lifetime
        self._csrf_secret: Final = csrf_secret

    def issue(
        self,
        subject: str,
        version: int,
        rights: Rights,
        grant: RefreshGrant,
        *,
        now: int,
        bind_csrf: bool,
        refresh: bool,
        limit: Grants | None = None,
    ) -> IssuedTokens:
        """Mint an access token, with the refresh token if asked for.

        Args:
            subject: ``sub``.
            version: ``ver``.
            rights: what the user may do now.
            grant: what the session stands for.
            now: whole seconds since 1970-01-01 UTC.
            bind_csrf: bind CSRF values to the tokens, for cookies.
            refresh: mint the refresh token too.
            limit: what the access token may be used for at most, within the limit of its session (RFC 6749
                section 6); None for no narrower limit.

        Raises:
            TokenTooLargeError: the rights do not fit into a token.
        """
        shared = {"sub": subject, "sid": grant.session_id, "ver": version}
        access_csrf = self._csrf("access", grant.session_id) if bind_csrf else None
        refresh_csrf = self._csrf("refresh", grant.session_id) if bind_csrf and refresh else None
        expires_at = min(now + self._access_lifetime, grant.expires_at)
        access: dict[str, Any] = {
            **shared,
            "iat": now,
            "exp": expires_at,
            "jti": secrets.token_hex(16),
            "auth_time": grant.authenticated_at,
            **_present(csrf=access_csrf),
        }
        refresh_token = None
        if refresh:
            # Everything in it comes from the session's row: the same successor is the same token.
            claims = {
                **shared,
                "iat": grant.issued_at,
                "exp": grant.expires_at,
                "jti": grant.token_id,
                **_present(csrf=refresh_csrf),
            }
            refresh_token = self._codec.encode(TokenType.REFRESH, claims)
        room = self._cookie_room if bind_csrf else self._header_room
        narrowed = _narrower(grant.limit, None if limit is None else within(rights, limit))
        return IssuedTokens(
            access_token=self._access_token(access, rights, narrowed, room),
            access_expires_at=expires_at,
            now=now,
            session_id=grant.session_id,
            refresh_token=refresh_token,
            refresh_expires_at=grant.expires_at,
            access_csrf=access_csrf,
            refresh_csrf=refresh_csrf,
            rights=rights,
            limit=narrowed,
        )

    def issue_to_client(
        self, client_id: str, version: int, rights: Rights, *, now: int, limit: Grants | None = None
    ) -> IssuedTokens:
        """Mint an access token for a client in its own name (RFC 9068 section 2.2).

        Args:
            client_id: which.
            version: ``ver``.
            rights: what the client may do now.
            now: whole seconds since 1970-01-01 UTC.
            limit: what it may be used for at most; None for no limit.

        Raises:
            TokenTooLargeError: the rights do not fit into a token.
        """
        expires_at = now + self._access_lifetime
        claims: dict[str, Any] = {
            "sub": client_subject(client_id),
            CLIENT: client_id,
            "ver": version,
            "iat": now,
            "exp": expires_at,
            "jti": secrets.token_hex(16),
        }
        limit = None if limit is None else narrowed(rights, limit)
        return IssuedTokens(
            access_token=self._access_token(claims, rights, limit, self._header_room),
            access_expires_at=expires_at,
            now=now,
            session_id="",
            rights=rights,
            limit=limit,
        )

    def derived(self, purpose: str) -> str:
        """Return a value that is derived from the app's secret and tells nothing about it."""
        return self._csrf(purpose, "")

    def _access_token(self, claims: dict[str, Any], rights: Rights, limit: Grants | None, room: int) -> str:
        if self._rights_in_token:
            try:
                return self._telling_token(claims, rights, limit, room)
            except TokenTooLargeError:
                if self._rights_in_token is True:
                    raise
        return self._codec.encode(TokenType.ACCESS, claims, None, limit=limit)

    def _telling_token(self, claims: dict[str, Any], rights: Rights, limit: Grants | None, room: int) -> str:
        told = {**claims, "pv": dict(rights.versions), "roles": list(rights.roles)}
        token = self._codec.encode(TokenType.ACCESS, told, rights.permissions, limit=limit)
        if len(token) > room:
            raise TokenTooLargeError
        return token

    def _csrf(self, kind: str, session_id: str) -> str:
        """Derive the CSRF value of a session's tokens of one kind.

        It stays the same when they are renewed: a page that read it a moment ago is not refused because another
        of its requests came back with a new cookie in between.
        """
        value = hmac.digest(self._csrf_secret, f"{kind} {session_id}".encode(), "sha256")
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def within(rights: Rights, limit: Grants) -> Grants:
    """Return what a limit leaves of rights: what is granted later is no part of it (RFC 6749 section 3.3)."""
    return Grants.of_valid(valid_grants(rights.permissions)).limited_to(limit)


def narrowed(rights: Rights, limit: Grants) -> Grants:
    """Return what a limit that somebody asked for leaves of rights.

    Raises:
        InvalidScopeError: of wildcards on both sides, more is left than any token could hold.
    """
    left = within(rights, limit)
    if sum(map(len, left.all)) > _LONGEST_LIMIT:
        raise InvalidScopeError(TOO_LONG)
    return left


def _narrower(one: Grants | None, other: Grants | None) -> Grants | None:
    if one is None or other is None:
        return other if one is None else one
    return one.limited_to(other)


def _present(**claims: object) -> dict[str, object]:
    return {name: value for name, value in claims.items() if value is not None}
