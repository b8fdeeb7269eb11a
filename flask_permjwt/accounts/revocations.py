"""Revocations: the Python face of what voids tokens, for apps and for user stores of their own."""

from collections.abc import Callable
from typing import Final

from flask_sqlalchemy import SQLAlchemy

from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.personal_tokens import PersonalTokens
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.errors import UnknownSessionError
from flask_permjwt.signals import SessionEnded, TokenRevoked
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenType, VerifiedToken
from flask_permjwt.tokens.personal import PREFIX

_MAX_TEXT: Final = 255
_MAX_TOKEN: Final = 2**20
_MAX_COUNT: Final = 2**63 - 1


class Revocations:
    """Revokes tokens and sessions, and takes notice of what a user store of your own changed.

    Everything joins ``db.session`` and takes effect when the caller commits: in this process at once, in the
    others of this machine with their next request, elsewhere within ``PERMJWT_REVOCATION_INTERVAL``. A value of
    the wrong type raises TypeError, and one that no token can hold ValueError.

    Args:
        db: the app's Flask-SQLAlchemy object.
        changes: where it is written down.
        sessions: the session rows.
        recorder: writes down what happens.
        personal: the personal access tokens.
        verify: reads a token of the current app.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        changes: ChangeLog,
        sessions: Sessions,
        recorder: Recorder,
        personal: PersonalTokens,
        *,
        verify: Callable[[str], VerifiedToken],
        clock: Clock,
    ) -> None:
        self._db: Final = db
        self._changes: Final = changes
        self._sessions: Final = sessions
        self._recorder: Final = recorder
        self._personal: Final = personal
        self._verify: Final = verify
        self._clock: Final = clock

    def revoke_token(self, token: str) -> None:
        """Void one access token; with a refresh token, its session ends. One that has expired may be given too.

        A personal access token is revoked for good.

        Raises:
            InvalidTokenError: it is no token of this app.
        """
        if _text("token", token, _MAX_TOKEN).startswith(PREFIX):
            self._personal.revoke_text(token)
            return
        self.revoke(self._verify(token))

    def revoke(self, verified: VerifiedToken) -> None:
        """Void a token that was verified, as ``revoke_token`` does."""
        if verified.type is TokenType.REFRESH:
            if self._sessions.end(verified.session_id, verified.subject, now=self._clock()):
                self._recorder.record(SessionEnded(subject=verified.subject, session_id=verified.session_id))
            return
        self._changes.token(self._db.session, verified.token_id, expires_at=verified.expires_at)
        self._recorder.record(
            TokenRevoked(subject=verified.subject, session_id=verified.session_id or None, jti=verified.token_id)
        )

    def revoke_session(self, session_id: str) -> None:
        """End a session: no refresh, and its access tokens are void. Nothing happens when it has ended already.

        Raises:
            UnknownSessionError: there is none with this id.
        """
        subject = self._sessions.subject_of(_text("session_id", session_id))
        if subject is None:
            raise UnknownSessionError
        if self._sessions.end(session_id, subject, now=self._clock()):
            self._recorder.record(SessionEnded(subject=subject, session_id=session_id))

    def user_voided(self, subject: str, token_version: int) -> None:
        """Take notice that a store of your own raised a user's ``token_version``: older tokens are void.

        Args:
            subject: the public id of the user.
            token_version: what it is now.
        """
        self._changes.user(self._db.session, _text("subject", subject), _count("token_version", token_version))

    def rights_changed(self, subject: str, version: int) -> None:
        """Take notice that a store of your own changed what a user may do: it will be read again.

        Args:
            subject: the public id of the user.
            version: what ``Rights.versions["u"]`` is now.
        """
        self._changes.rights(self._db.session, _text("subject", subject), _count("version", version))

    def role_changed(self, role_id: str, version: int) -> None:
        """Take notice that a store of your own changed what a role may do: its users' rights will be read again.

        Args:
            role_id: the role's key in ``Rights.versions``.
            version: what it is there now.
        """
        self._changes.role(self._db.session, _text("role_id", role_id), _count("version", version))


def _text(name: str, value: object, limit: int = _MAX_TEXT) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if not 0 < len(value) <= limit:
        raise ValueError(f"{name} must have 1 to {limit} characters")
    return value


def _count(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if not 0 <= value <= _MAX_COUNT:
        raise ValueError(f"{name} must be from 0 to 2**63 - 1")
    return value
