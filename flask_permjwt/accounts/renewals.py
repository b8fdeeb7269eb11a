"""Renewals: what an access token would say if it were issued now, for what lives longer than it."""

from dataclasses import replace
from typing import Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import SQLAlchemyError

from flask_permjwt.accounts.apart import apart
from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.errors import InvalidTokenError, OutdatedError
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenCodec, VerifiedToken


class Renewals:
    """Carries verified tokens on while their sessions live, without a signature that nobody would look at.

    The feed forgets what was revoked when the last token that it touched has expired. So whatever is carried on is
    held for no longer than an access token lives; then the session's row is asked again.

    Args:
        db: the app's Flask-SQLAlchemy object.
        models: its models.
        sessions: the session rows.
        codec: knows the keys.
        access_lifetime: of an access token, in seconds.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        models: Models,
        sessions: Sessions,
        codec: TokenCodec,
        *,
        access_lifetime: int,
        clock: Clock,
    ) -> None:
        self._db: Final = db
        self._models: Final = models
        self._sessions: Final = sessions
        self._codec: Final = codec
        self._access_lifetime: Final = access_lifetime
        self._clock: Final = clock

    def renew(self, token: VerifiedToken) -> VerifiedToken:
        """Return a token as its session would be given now; its permissions are to be read from the store.

        Whether its user is still active shows when those are read.

        Args:
            token: one of ours; it may have expired.

        Raises:
            InvalidTokenError: its session is over, its key is no longer in use, or it is meant for another app.
            OutdatedError: 503, the database cannot be asked now.
        """
        self._codec.check_recipient(token.claims)
        if not self._codec.knows(token.key_id):
            raise InvalidTokenError("The token was signed with a key that is no longer in use.")
        now = int(self._clock())
        try:
            with apart(self._db, self._models.session, writes=False) as session:
                own: AnySession = self._db.session if session is None else session
                with own.no_autoflush:
                    end = self._sessions.inside(own).end_of(token.session_id, token.subject, now=now)
        except SQLAlchemyError:
            raise OutdatedError from None
        if end is None:
            raise InvalidTokenError("The session has ended.")
        expires_at = min(now + self._access_lifetime, end)
        return replace(
            token,
            issued_at=now,
            not_before=None,
            expires_at=expires_at,
            rights_in_store=True,
            principal=replace(token.principal, expiry=expires_at),
            key_id=self._codec.signing_key_id,
        )
