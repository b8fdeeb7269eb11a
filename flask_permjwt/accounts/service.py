"""The use-cases of sessions: log in, refresh, confirm, renew, list, log out. Only ``transaction`` commits."""

import logging
import time
from contextlib import AbstractContextManager, suppress
from typing import Any, Final

from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.issuing import IssuedTokens, TokenIssuer, narrowed
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.accounts.proofs import PasswordProofs
from flask_permjwt.accounts.records import SessionMixin
from flask_permjwt.accounts.sessions import RefreshGrant, Replayed, Reused, Rotated, Sessions
from flask_permjwt.accounts.standing import hold, is_verified, joined, named, session_of
from flask_permjwt.accounts.store import Account, UserStore
from flask_permjwt.errors import BusyError, InvalidTokenError, UnknownSessionError
from flask_permjwt.policy.permissions import Grants
from flask_permjwt.policy.principal import Principal
from flask_permjwt.signals import (
    Confirmed,
    LoggedIn,
    LoggedOut,
    Refreshed,
    RefreshReused,
    SessionEnded,
    SessionsEnded,
    told_of,
)
from flask_permjwt.tokens.claims import limit as claimed_limit
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenType, VerifiedToken

_log = logging.getLogger("flask_permjwt.accounts")


class Accounts:
    """What people do with their sessions.

    The use-cases join ``db.session`` and leave the commit to the caller: run them inside ``transaction()``, which
    commits refusals too, for a refused refresh may have ended the session of a stolen token.

    Args:
        store: where users live.
        sessions: the session rows.
        issuer: mints the tokens.
        passwords: hashes anew what was hashed with weaker parameters.
        proofs: checks passwords.
        recorder: writes down what happens.
        session_lifetime: in seconds; no refresh extends it.
        refresh_grace: for so many seconds after a refresh, the old token is answered with the same successor.
        require_verified: refuse users whose e-mail address is not verified.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        store: UserStore[Any],
        sessions: Sessions,
        issuer: TokenIssuer,
        passwords: Passwords,
        proofs: PasswordProofs,
        recorder: Recorder,
        *,
        session_lifetime: int,
        refresh_grace: float = 10,
        require_verified: bool = False,
        clock: Clock = time.time,
    ) -> None:
        self._store: Final = store
        self._sessions: Final = sessions
        self._issuer: Final = issuer
        self._passwords: Final = passwords
        self._proofs: Final = proofs
        self._recorder: Final = recorder
        self._session_lifetime: Final = session_lifetime
        self._refresh_grace: Final = refresh_grace
        self._require_verified: Final = require_verified
        self._clock: Final = clock

    def transaction(self) -> AbstractContextManager[None]:
        """Commit ``db.session`` after the block, also when it refuses credentials.

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
        limit: Grants | None = None,
    ) -> IssuedTokens:
        """Log in with a password and open a session.

        Args:
            username: the user name or the e-mail address; where addresses must be verified, one that is not names
                nobody, for anybody may have registered with it.
            password: as typed.
            bind_csrf: bind CSRF values to the tokens, for cookies.
            user_agent: what the client calls itself.
            address: the client's address.
            limit: what the session may be used for at most, refreshes included; what the user may not do now is
                no part of it. None for no limit.

        Raises:
            InvalidCredentialsError, EmailNotVerifiedError, ThrottledError, BusyError: as ``PasswordProofs.prove``.
        """
        reads = self._sessions.reads()
        user = named(self._store, username, require_verified=self._require_verified)
        proof = self._proofs.prove(user, password, name=username, method="password", address=address, reads=reads)
        password_hash, renewed = proof.standing.password_hash, None
        if password_hash is not None and self._passwords.needs_rehash(password_hash):
            with suppress(BusyError):  # the next login may find the time
                renewed = self._passwords.hash(password)
        self._proofs.uphold(self._store, proof, reads, to_change=renewed is not None)
        if renewed is not None:
            self._store.save_password_hash(user, renewed)
        subject, version = proof.subject, proof.standing.token_version
        now = int(self._clock())
        if limit is not None:
            limit = narrowed(self._store.rights(user), limit)
        grant = self._sessions.open(
            subject,
            now=now,
            lifetime=self._session_lifetime,
            opened_by="password",
            user_agent=user_agent,
            address=address,
            limit=limit,
        )
        self._recorder.record(LoggedIn(subject=subject, session_id=grant.session_id, method="password"))
        return self._issue(user, subject, version, grant, now=now, bind_csrf=bind_csrf, refresh=True)

    def check_password(self, username: str, password: str, *, address: str | None) -> Any:
        """Return the user who logs in elsewhere with this password; no session is opened. Raises as ``log_in``."""
        reads = self._sessions.reads()
        user = named(self._store, username, require_verified=self._require_verified)
        proof = self._proofs.prove(user, password, name=username, method="password", address=address, reads=reads)
        self._proofs.uphold(self._store, proof, reads)
        return user

    def open_session(
        self,
        subject: str,
        *,
        opened_by: str,
        bind_csrf: bool,
        user_agent: str | None = None,
        address: str | None = None,
        ends_at: int | None = None,
        is_proved: bool = True,
        authenticated_at: int | None = None,
        limit: Grants | None = None,
        version: int | None = None,
    ) -> IssuedTokens:
        """Open a session for a user who was not asked for a password.

        Args:
            subject: the public id of the user.
            opened_by: what stands in for the password.
            bind_csrf: bind CSRF values to the tokens, for cookies.
            user_agent: what the client calls itself.
            address: the client's address.
            ends_at: its absolute end, if that is earlier than usual.
            is_proved: the user has proved who they are just now, which makes it fresh.
            authenticated_at: when that was, if it was before.
            limit: what the session may be used for at most, refreshes included; None for no limit.
            version: the count of the user's tokens that what stands in was good for; None for any.

        Raises:
            InvalidTokenError: the user is gone, disabled, of another count by now, or must verify an address.
        """
        standing = hold(self._store, subject)
        user = None if standing is None else self._store.get(subject)
        if standing is None or not self._may_go_on(user, standing.token_version, version):
            raise InvalidTokenError("The token's user is no longer active.")
        now, most = int(self._clock()), self._session_lifetime
        grant = self._sessions.open(
            subject,
            now=now,
            lifetime=most if ends_at is None else max(1, min(most, ends_at - now)),
            opened_by=opened_by,
            user_agent=user_agent,
            address=address,
            authenticated_at=authenticated_at if is_proved else 0,
            limit=limit,
        )
        self._recorder.record(LoggedIn(subject=subject, session_id=grant.session_id, method=opened_by))
        version = standing.token_version
        return self._issue(user, subject, version, grant, now=now, bind_csrf=bind_csrf, refresh=True)

    def resume_session(self, session_id: str, subject: str, *, bind_csrf: bool, version: int) -> IssuedTokens:
        """Give the tokens of a living session again, to whoever brings what was good for this count.

        Raises:
            InvalidTokenError: it has ended, or its user may not go on.
        """
        now = int(self._clock())
        standing = hold(self._store, subject)
        user = None if standing is None else self._store.get(subject)
        grant = self._sessions.renew(session_id, subject, now=now)
        if standing is None or grant is None or not self._may_go_on(user, standing.token_version, version):
            raise InvalidTokenError("The session has ended.")
        return self._issue(user, subject, version, grant, now=now, bind_csrf=bind_csrf, refresh=True)

    def end_if_living(self, session_id: str, subject: str, *, reused: bool = False) -> None:
        """End a session, also because a token of it was used again."""
        if self._sessions.end(session_id, subject, now=self._clock()):
            happened = RefreshReused if reused else SessionEnded
            self._recorder.record(happened(subject=subject, session_id=session_id))

    def refresh(self, token: VerifiedToken, *, bind_csrf: bool, limit: Grants | None = None) -> IssuedTokens:
        """Exchange a refresh token for its successor and a new access token. Rights are read again.

        What the session was limited to when it was opened limits the new tokens too.

        Args:
            token: the refresh token, verified and judged.
            bind_csrf: bind CSRF values to the new tokens, for cookies.
            limit: what the access token may be used for at most; the session keeps its own limit (RFC 6749
                section 6). None for no narrower one.

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
            self._recorder.record(RefreshReused(subject=token.subject, session_id=token.session_id))
        if not isinstance(rotation, Rotated | Replayed):
            raise InvalidTokenError("The session has ended.")
        user = self._store.get(token.subject)
        if not self._may_go_on(user, token.version):
            self._sessions.end(token.session_id, token.subject, now=now)
            _log.warning("refresh refused, session %s ended: its user is gone or voided it", token.session_id)
            self._recorder.record(SessionEnded(subject=token.subject, session_id=token.session_id))
            raise InvalidTokenError("The session has ended.")
        assert user is not None  # noqa: S101  # may go on
        if isinstance(rotation, Rotated):
            self._recorder.record(Refreshed(subject=token.subject, session_id=token.session_id))
        grant = rotation.successor
        return self._issue(
            user, token.subject, token.version, grant, now=now, bind_csrf=bind_csrf, refresh=True, limit=limit
        )

    def confirm(
        self, principal: Principal, user: Account, password: str, *, bind_csrf: bool, address: str | None = None
    ) -> IssuedTokens:
        """Prove again who one is, which makes the session fresh, and get a new access token.

        What limits the token that asks limits the new one too.

        Args:
            principal: who asks, by an access token.
            user: the same as a user.
            password: as typed.
            bind_csrf: bind a CSRF value to the new token, for a cookie.
            address: the client's address.

        Raises:
            InvalidCredentialsError, EmailNotVerifiedError, ThrottledError, BusyError: as ``PasswordProofs.prove``.
            InvalidTokenError: the session has ended.
        """
        reads = self._sessions.reads()
        session_id, subject, version = session_of(principal)
        proof = self._proofs.prove(
            user,
            password,
            name=user.username,
            method="confirm",
            address=address,
            reads=reads,
            session_id=session_id,
        )
        self._proofs.uphold(self._store, proof, reads)
        now = int(self._clock())
        grant = self._sessions.confirm(session_id, subject, now=now)
        if grant is None:
            raise InvalidTokenError("The session has ended.")
        self._recorder.record(Confirmed(subject=subject, session_id=session_id))
        limit = claimed_limit(principal.claims)
        return self._issue(user, subject, version, grant, now=now, bind_csrf=bind_csrf, refresh=False, limit=limit)

    def renew(self, principal: Principal) -> IssuedTokens | None:
        """Mint a new access token for a cookie that is past half its life; None when that cannot be.

        The session's row decides, and rights are read again, both apart from ``db.session``, in which the view may
        have left anything. That is committed before the token is given away: no end of the session came before it.
        Whatever is raised is logged.
        """
        session_id, subject, version = session_of(principal)
        now = int(self._clock())
        try:
            with self._sessions.apart() as session:
                if session is None:
                    return None
                grant = self._sessions.inside(session).renew(session_id, subject, now=now)
                store = getattr(self._store, "inside", lambda _: self._store)(session)
                user = store.get(subject)
                rights = store.rights(user) if self._may_go_on(user, version) else None
            if grant is None or rights is None:
                return None
            limit = claimed_limit(principal.claims)
            return self._issuer.issue(
                subject, version, rights, grant, now=now, bind_csrf=True, refresh=False, limit=limit
            )
        except Exception as error:  # noqa: BLE001  # the request was served: nothing may take its answer away
            _log.warning("a cookie was not renewed: %s", told_of(error))
            return None

    def log_out(self, token: VerifiedToken) -> None:
        """End the session of an access or refresh token; nothing happens when it has ended already."""
        if self._sessions.end(token.session_id, token.subject, now=self._clock()):
            self._recorder.record(LoggedOut(subject=token.subject, session_id=token.session_id))

    def sessions(self, subject: str) -> list[SessionMixin]:
        """Return the living sessions of a user, the last used first; at most a thousand."""
        return self._sessions.listed(subject, now=int(self._clock()))

    def end_session(self, session_id: str, *, owner: str | None) -> None:
        """End a session.

        Args:
            session_id: which.
            owner: whose it must be; None where anybody's may be ended.

        Raises:
            UnknownSessionError: there is none, or it is somebody else's.
        """
        subject = self._sessions.subject_of(session_id)
        if subject is None or (owner is not None and subject != owner):
            raise UnknownSessionError
        if self._sessions.end(session_id, subject, now=self._clock()):
            self._recorder.record(SessionEnded(subject=subject, session_id=session_id))

    def log_out_everywhere(self, subject: str, *, keep: str | None = None) -> int:
        """End all sessions of a user, and void all tokens unless one session is kept; return how many ended."""
        user = None if keep is not None else self._store.get(subject)
        void = None if user is None else getattr(self._store, "void_tokens", None)
        if void is not None:
            # Users before sessions, as everywhere: else this and a login could wait for each other.
            hold(self._store, subject, to_change=True)
        # A store of the app's own does not tell the feed of its users' tokens.
        tell = void is None or joined(self._store) is None
        count = self._sessions.end_all(subject, now=self._clock(), except_id=keep, void=tell)
        if void is not None:
            void(user)
        self._recorder.record(SessionsEnded(subject=subject, count=count, kept=keep))
        return count

    def is_living(self, principal: Principal) -> bool:
        """Tell whether the session that a principal came by is not over, whatever the token says."""
        session_id, subject, _ = session_of(principal)
        return self._sessions.is_living(session_id, subject, now=int(self._clock()))

    def derived(self, purpose: str) -> str:
        """Return a value that is derived from the app's secret and tells nothing about it."""
        return self._issuer.derived(purpose)

    def _may_go_on(self, user: Account | None, version: int, judged: int | None = None) -> bool:
        return (
            user is not None
            and judged in {None, version}
            and user.active
            and user.token_version == version
            and (is_verified(user) or not self._require_verified)
        )

    def _issue(
        self,
        user: Any,
        subject: str,
        version: int,
        grant: RefreshGrant,
        *,
        now: int,
        bind_csrf: bool,
        refresh: bool,
        limit: Grants | None = None,
    ) -> IssuedTokens:
        rights = self._store.rights(user)
        return self._issuer.issue(
            subject, version, rights, grant, now=now, bind_csrf=bind_csrf, refresh=refresh, limit=limit
        )
