"""Former tokens in use: whose they are here, the one session that a refresh token opens, and their end.

An access token is looked up in the database at every request, and never remembered: what was disabled or changed a
moment ago counts. What was used up or logged out is written down as the hash of its ``jti`` until it would expire.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from flask_permjwt.accounts.apart import apart
from flask_permjwt.accounts.former_config import FormerConfig
from flask_permjwt.accounts.former_keys import check_key, find_by_key
from flask_permjwt.accounts.inserts import insert_if_absent
from flask_permjwt.accounts.issuing import IssuedTokens
from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.moments import to_datetime, to_seconds
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.accounts.service import Accounts
from flask_permjwt.accounts.store import UserStore
from flask_permjwt.errors import InvalidTokenError, OutdatedError
from flask_permjwt.policy.permissions import Grants, valid_grants
from flask_permjwt.policy.principal import Principal
from flask_permjwt.settings import Settings
from flask_permjwt.tokens.claims import LAST_SECOND
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenType, VerifiedToken
from flask_permjwt.tokens.former import FormerToken, FormerType

_PURPOSE: Final = "former-token"
_OPENED_BY: Final = "flask-jwt-extended"
_FIRST_VERSION: Final = 1
"""What a user's tokens count before anything voided them: the tokens from before have no other count."""

_KEPT_LONGER: Final = 24 * 3600
"""Seconds beyond its time for which it is remembered that a token was used: clocks differ."""

_GONE: Final = "The token's user is no longer active."
_USED: Final = "The token was used or revoked."


class FormerTokens:
    """Takes tokens that Flask-JWT-Extended issued.

    Args:
        config: how it was set up.
        settings: our own.
        db: the app's Flask-SQLAlchemy object.
        models: its models.
        store: where users live.
        accounts: opens sessions.
        clock: returns the time in seconds since 1970-01-01 UTC.

    Raises:
        ConfigurationError: users are to be found by a key, and are kept elsewhere.
    """

    def __init__(
        self,
        config: FormerConfig,
        settings: Settings,
        db: SQLAlchemy,
        models: Models,
        store: UserStore[Any],
        accounts: Accounts,
        *,
        clock: Clock,
    ) -> None:
        self.config: Final = config
        self.is_former: Final = config.codec.is_former
        self._db: Final = db
        self._models: Final = models
        self._store: Final = store
        self._accounts: Final = accounts
        self._grace: Final = settings.refresh_grace
        self._user_by: Final = _function(settings.flask_jwt_extended_user)
        if self._user_by == "id":
            check_key(models.user)
        self._is_blocked: Final = _function(settings.flask_jwt_extended_blocklist)
        self._clock: Final = clock

    def access(self, text: str) -> VerifiedToken:
        """Return what an access token stands for now, with the permissions that its user has in the store.

        Raises:
            InvalidTokenError: it is not acceptable, was logged out, or its user is nobody here, was disabled, got
                another password, or was logged out everywhere.
            OutdatedError: 503, the database cannot be asked now.
        """
        token = self._decode(text, FormerType.ACCESS)
        try:
            with apart(self._db, self._models.code, writes=False) as session:
                own: AnySession = self._db.session if session is None else session
                with own.no_autoflush:
                    if self._row(own, token) is not None:
                        raise InvalidTokenError(_USED)
                    store = self._store_in(own)
                    user = self._user(own, store, token)
                    rights = store.rights(user)
                    subject = user.public_id
        except SQLAlchemyError:
            raise OutdatedError from None
        claims = {**token.claims, "ver": _FIRST_VERSION}
        principal = Principal(
            subject=subject,
            grants=Grants(valid_grants(rights.permissions)),
            roles=frozenset(rights.roles),
            claims=claims,
            token_id=token.token_id,
            expiry=token.expires_at,
            authenticated_at=token.issued_at if token.fresh else None,
        )
        return VerifiedToken(
            type=TokenType.ACCESS,
            subject=subject,
            token_id=token.token_id,
            session_id="",
            version=_FIRST_VERSION,
            issued_at=token.issued_at,
            not_before=None,
            expires_at=token.expires_at,
            csrf=token.csrf,
            rights_versions={},
            rights_in_store=True,
            claims=principal.claims,
            principal=principal,
            key_id="",
        )

    def refresh(
        self,
        text: str,
        *,
        bind_csrf: bool,
        check: Callable[[str | None], None],
        user_agent: str | None = None,
        address: str | None = None,
    ) -> IssuedTokens:
        """Exchange a refresh token for an ordinary session, once.

        The session ends when the token would have. Nobody has proved anything: it is not fresh. Within the grace
        of a refresh, the token is answered with the tokens of that session again; later, the session is ended.

        Args:
            text: the token.
            bind_csrf: bind CSRF values to the new tokens, for cookies.
            check: is told the token's CSRF value, and raises what is wrong with the request.
            user_agent: what the client calls itself.
            address: the client's address.

        Raises:
            InvalidTokenError: as ``access``; or it was used before.
        """
        token = self._decode(text, FormerType.REFRESH)
        check(token.csrf)
        session, now = self._db.session, int(self._clock())
        subject: str = self._user(session, self._store, token).public_id
        if not self._use_up(token, subject, now):
            return self._again(token, subject, now, bind_csrf=bind_csrf)
        issued = self._accounts.open_session(
            subject,
            opened_by=_OPENED_BY,
            bind_csrf=bind_csrf,
            user_agent=user_agent,
            address=address,
            ends_at=int(token.expires_at),
            is_proved=False,
            version=_FIRST_VERSION,
        )
        model = self._models.code
        found = update(model).where(model.digest == _digest(token)).values(detail=issued.session_id)
        session.execute(found, execution_options={"synchronize_session": False})
        return issued

    def log_out(self, text: str, *, check: Callable[[str | None], None]) -> None:
        """Let a token be good for nothing; nothing happens when it is so already.

        Args:
            text: the token, of either type.
            check: as for ``refresh``.

        Raises:
            InvalidTokenError: it is not acceptable.
        """
        try:
            token = self._decode(text, FormerType.ACCESS)
        except InvalidTokenError:
            token = self._decode(text, FormerType.REFRESH)
        check(token.csrf)
        subject = self._user(self._db.session, self._store, token).public_id
        now = int(self._clock())
        if not self._use_up(token, subject, now):
            row = self._row(self._db.session, token, lock=True)
            if row is not None and row.detail:
                self._accounts.end_if_living(row.detail, subject)

    def _decode(self, text: str, kind: FormerType) -> FormerToken:
        token = self.config.codec.decode(text, kind, now=self._clock())
        if self._is_blocked is not None and self._is_blocked(dict(token.header), dict(token.claims)):
            raise InvalidTokenError(_USED)
        return token

    def _store_in(self, session: AnySession) -> Any:
        inside = getattr(self._store, "inside", None)
        return self._store if inside is None else inside(session)

    def _user(self, session: AnySession, store: Any, token: FormerToken) -> Any:
        """Return the user of a token, as long as nothing has voided what was issued before.

        Whoever was created after the last such token was issued is somebody else of the same name.
        """
        user = self._find(session, store, token)
        until = self.config.issued_until
        if (
            user is None
            or not user.active
            or user.token_version != _FIRST_VERSION
            or (until is not None and _created(user) > until)
        ):
            raise InvalidTokenError(_GONE)
        return user

    def _find(self, session: AnySession, store: Any, token: FormerToken) -> Any:
        by, subject = self._user_by, token.subject
        if not isinstance(by, str):
            found = by(dict(token.header), dict(token.claims))
            return None if found is None else store.get(found.public_id)
        if subject is None:
            return None
        if by == "public_id":
            return store.get(subject)
        if by == "id":
            return find_by_key(session, self._models.user, subject)
        found = store.find(subject)
        # Compared exactly: that one finds names in any case, and addresses too.
        return found if found is not None and getattr(found, by) == subject else None

    def _row(self, session: AnySession, token: FormerToken, *, lock: bool = False) -> Any:
        model = self._models.code
        found = select(model).where(model.digest == _digest(token), model.purpose == _PURPOSE)
        if lock:
            # A locking read, as a snapshot may be older than what whoever came first wrote.
            found = found.with_for_update(read=True).execution_options(populate_existing=True)
        return session.scalar(found)

    def _use_up(self, token: FormerToken, subject: str, now: int) -> bool:
        """Use a token up; of several who try at once, one is told True."""
        model: Any = self._models.code
        row = {
            "digest": _digest(token),
            "purpose": _PURPOSE,
            "subject": subject,
            "detail": None,
            "created_at": to_datetime(now),
            "expires_at": to_datetime(min(int(token.expires_at) + _KEPT_LONGER, LAST_SECOND)),
        }
        return insert_if_absent(self._db.session, model, model.__table__, row)

    def _again(self, token: FormerToken, subject: str, now: int, *, bind_csrf: bool) -> IssuedTokens:
        row = self._row(self._db.session, token, lock=True)
        if row is None or not row.detail:
            raise InvalidTokenError(_USED)
        if self._grace > 0 and abs(now - to_seconds(row.created_at)) <= self._grace:
            return self._accounts.resume_session(row.detail, subject, bind_csrf=bind_csrf, version=_FIRST_VERSION)
        self._accounts.end_if_living(row.detail, subject, reused=True)
        raise InvalidTokenError(_USED)


def _created(user: Any) -> float:
    """Return when a user was created, in seconds since 1970-01-01 UTC; 0 where the store does not say."""
    given = getattr(user, "created_at", None)
    if isinstance(given, datetime):
        return to_seconds(given if given.tzinfo is None else given.astimezone(UTC))
    return float(given) if isinstance(given, int | float) else 0


def _function(given: Any) -> Any:
    """Return a function that was given by its name, to be imported when it is first called."""
    if not isinstance(given, str) or ":" not in given:
        return given
    module, _, name = given.partition(":")

    def call(*arguments: Any) -> Any:
        return getattr(import_module(module), name)(*arguments)

    return call


def _digest(token: FormerToken) -> str:
    return hashlib.sha256(f"{_PURPOSE} {token.type} {token.token_id}".encode("utf-8", "surrogatepass")).hexdigest()
