"""The use-cases: log in, refresh, log out. No request and no response; only ``transaction`` commits."""

import base64
import hmac
import logging
import secrets
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.accounts.sessions import RefreshGrant, Replayed, Reused, Rotated, Sessions
from flask_permjwt.accounts.store import Account, UserStore
from flask_permjwt.errors import InvalidCredentialsError, InvalidTokenError
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenCodec, TokenType, VerifiedToken

_LOGGED_LENGTH: Final = 100

_log = logging.getLogger("flask_permjwt.accounts")


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """What a login or a refresh gives. Times are whole seconds since 1970-01-01 UTC.

    Attributes:
        access_token: for requests.
        refresh_token: for the next refresh, once.
        access_expires_at: ``exp`` of the access token.
        refresh_expires_at: ``exp`` of the refresh token: the absolute end of the session.
        now: when they were issued.
        session_id: ``sid`` of both.
        access_csrf: what is bound to the access token, when it goes into a cookie.
        refresh_csrf: what is bound to the refresh token, likewise.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_expires_at: int
    refresh_expires_at: int
    now: int
    session_id: str
    access_csrf: str | None = field(default=None, repr=False)
    refresh_csrf: str | None = field(default=None, repr=False)

    @property
    def expires_in(self) -> int:
        """Seconds until the access token expires (RFC 6749 section 5.1)."""
        return self.access_expires_at - self.now


class Accounts:
    """What people do with their accounts.

    The use-cases join ``db.session`` and leave the commit to the caller: run them inside ``transaction()``, which
    commits refusals too, for a refused refresh may have ended the session of a stolen token.

    Args:
        store: where users live.
        sessions: the session rows.
        codec: signs the tokens.
        passwords: verifies and hashes.
        access_lifetime: of an access token, in seconds.
        refresh_lifetime: of a session, in seconds; no refresh extends it.
        refresh_grace: for so many seconds after a refresh, the old token is answered with the same successor.
        csrf_secret: makes the CSRF values of cookie tokens.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        store: UserStore[Any],
        sessions: Sessions,
        codec: TokenCodec,
        passwords: Passwords,
        *,
        access_lifetime: int,
        refresh_lifetime: int,
        refresh_grace: float = 10,
        csrf_secret: bytes,
        clock: Clock = time.time,
    ) -> None:
        self._store: Final = store
        self._sessions: Final = sessions
        self._codec: Final = codec
        self._passwords: Final = passwords
        self._access_lifetime: Final = access_lifetime
        self._refresh_lifetime: Final = refresh_lifetime
        self._refresh_grace: Final = refresh_grace
        self._csrf_secret: Final = csrf_secret
        self._clock: Final = clock

    def transaction(self) -> AbstractContextManager[None]:
        """Commit ``db.session`` after the block, also when it refuses credentials (every 401).

        Whatever else is raised rolls back.
        """
        return self._sessions.transaction()

    def log_in(
        self,
        username: str,
        password: str,
        *,
        bind_csrf: bool,
        user_agent: str | None = None,
        address: str | None = None,
    ) -> IssuedTokens:
        """Log in with a password and open a session.

        Args:
            username: the user name or the e-mail address.
            password: as typed.
            bind_csrf: bind CSRF values to the tokens, for cookies.
            user_agent: what the client calls itself.
            address: the client's address.

        Raises:
            InvalidCredentialsError: the user is unknown or disabled, has no password, or it is another one:
                in the same words, after the same work.
        """
        user = self._store.find(username)
        matches = self._passwords.verify(None if user is None else user.password_hash, password)
        if user is None or not matches or not user.active:
            _log_failure(user, username, address)
            raise InvalidCredentialsError
        # Read before the rehash, after which the row is read anew: these belong to what was verified.
        subject, version, password_hash = user.public_id, user.token_version, user.password_hash
        if self._passwords.needs_rehash(password_hash):
            self._store.save_password_hash(user, self._passwords.hash(password))
        now = int(self._clock())
        grant = self._sessions.open(
            subject,
            now=now,
            lifetime=self._refresh_lifetime,
            opened_by="password",
            user_agent=user_agent,
            address=address,
        )
        return self._issue(user, subject, version, grant, now=now, bind_csrf=bind_csrf)

    def refresh(self, token: VerifiedToken, *, bind_csrf: bool) -> IssuedTokens:
        """Exchange a refresh token for its successor and a new access token. Rights are read again.

        Args:
            token: the refresh token, verified and judged.
            bind_csrf: bind CSRF values to the new tokens, for cookies.

        Raises:
            InvalidTokenError: it is no refresh token of a living session, or was used before (then the
                session is ended, which must be committed), or its user is gone, disabled, or has voided it.
        """
        if token.type is not TokenType.REFRESH:
            raise InvalidTokenError
        now = int(self._clock())
        # Before the user is read: the row lock orders everybody who brings this token, and snapshots of the
        # database begin after it.
        rotation = self._sessions.rotate(
            token.session_id,
            token.subject,
            token.token_id,
            now=now,
            grace=self._refresh_grace,
        )
        if isinstance(rotation, Reused):
            _log.warning("refresh token used again, session %s ended", token.session_id)
        if not isinstance(rotation, Rotated | Replayed):
            raise InvalidTokenError("The session has ended.")
        user = self._store.get(token.subject)
        if user is None or not user.active or user.token_version != token.version:
            self._sessions.end(token.session_id, token.subject, now=now)
            _log.warning("refresh refused, session %s ended: its user is gone or voided it", token.session_id)
            raise InvalidTokenError("The session has ended.")
        return self._issue(user, token.subject, token.version, rotation.successor, now=now, bind_csrf=bind_csrf)

    def log_out(self, token: VerifiedToken) -> None:
        """End the session of an access or refresh token; nothing happens when it has ended already."""
        self._sessions.end(token.session_id, token.subject, now=self._clock())

    def _issue(
        self, user: Account, subject: str, version: int, grant: RefreshGrant, *, now: int, bind_csrf: bool
    ) -> IssuedTokens:
        access_id = secrets.token_hex(16)
        access_expires_at = min(now + self._access_lifetime, grant.expires_at)
        access_csrf = self._csrf(access_id) if bind_csrf else None
        refresh_csrf = self._csrf(grant.token_id) if bind_csrf else None
        rights = self._store.rights(user)
        shared = {"sub": subject, "sid": grant.session_id, "ver": version}
        access = {
            **shared,
            "iat": now,
            "exp": access_expires_at,
            "jti": access_id,
            "pv": dict(rights.versions),
            "roles": list(rights.roles),
            **_present(csrf=access_csrf),
        }
        # Everything in it comes from the session's row: the same successor is the same token.
        refresh = {
            **shared,
            "iat": grant.issued_at,
            "exp": grant.expires_at,
            "jti": grant.token_id,
            **_present(csrf=refresh_csrf),
        }
        return IssuedTokens(
            access_token=self._codec.encode(TokenType.ACCESS, access, rights.permissions),
            refresh_token=self._codec.encode(TokenType.REFRESH, refresh),
            access_expires_at=access_expires_at,
            refresh_expires_at=grant.expires_at,
            now=now,
            session_id=grant.session_id,
            access_csrf=access_csrf,
            refresh_csrf=refresh_csrf,
        )

    def _csrf(self, token_id: str) -> str:
        """Derive the CSRF value of a token: the same token has the same one, and nobody else can make it."""
        value = hmac.digest(self._csrf_secret, token_id.encode(), "sha256")
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _present(**claims: object) -> dict[str, object]:
    return {name: value for name, value in claims.items() if value is not None}


def _log_failure(user: Account | None, username: str, address: str | None) -> None:
    """Log why a login failed. What a stranger typed is escaped and shortened: it may forge no line."""
    if user is None:
        reason = "unknown user"
    elif not user.active:
        reason = "disabled"
    elif user.password_hash is None:
        reason = "no password"
    else:
        reason = "wrong password"
    _log.warning(
        "login failed: %s, name %s, address %s", reason, _escaped(username), _escaped(address or "unknown")
    )


def _escaped(text: str) -> str:
    return ascii(text[:_LOGGED_LENGTH])
