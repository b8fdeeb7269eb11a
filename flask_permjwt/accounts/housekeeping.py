"""Housekeeping: what expired is removed a bite at a time, so that tables stay bounded without a cron job."""

import logging
import time
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.codes import Codes
from flask_permjwt.accounts.personal_tokens import PersonalTokens
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.tokens.clock import Clock

_BITE: Final = 500
_INTERVAL: Final = 10
_SOON: Final = 1

_log = logging.getLogger("flask_permjwt.accounts")


class Housekeeping:
    """Removes sessions and tokens past their end, rotations and codes past their use, and old audit rows.

    Args:
        sessions: the session rows.
        codes: the one-time codes.
        recorder: the audit rows.
        changes: the entries of the revocation feed.
        personal: the personal access tokens.
        audit_lifetime: how long those are kept, in seconds.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        sessions: Sessions,
        codes: Codes,
        recorder: Recorder,
        changes: ChangeLog,
        personal: PersonalTokens,
        *,
        audit_lifetime: int,
        clock: Clock = time.time,
    ) -> None:
        self._sessions: Final = sessions
        self._codes: Final = codes
        self._recorder: Final = recorder
        self._changes: Final = changes
        self._personal: Final = personal
        self._audit_lifetime: Final = audit_lifetime
        self._clock: Final = clock
        self._next = 0.0

    def prune(self, limit: int = _BITE) -> int:
        """Remove what expired, at most so many rows of each kind, and commit; return how many were removed."""
        now = self._clock()
        with self._sessions.transaction():
            return (
                self._sessions.prune(now=now, limit=limit)
                + self._codes.prune(now=now, limit=limit)
                + self._changes.prune(now=now, limit=limit)
                + self._personal.prune(now=now, limit=limit)
                + self._recorder.prune(now - self._audit_lifetime, limit=limit)
            )

    def tidy_up(self) -> None:
        """Take a bite; what fails is left for the next time.

        At most once in ten seconds per process; once a second while there is more than a bite, for tickets may be
        asked for faster than that.
        """
        now = self._clock()
        # Of two threads that meet here, both may take a bite: that does no harm.
        if now < self._next <= now + _INTERVAL:
            return
        self._next = now + _INTERVAL
        try:
            if self.prune() >= _BITE:
                self._next = now + _SOON
        except SQLAlchemyError as error:
            _log.warning("nothing was pruned: %s", type(error).__name__)
