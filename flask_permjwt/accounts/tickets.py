"""Tickets: what stands for a session in one GET of one path, once, for who cannot send a header.

A ticket is a one-time code: its row holds its hash, whose it is, and what it is bound to.
"""

import hashlib
import json
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import SQLAlchemyError

from flask_permjwt.accounts.apart import apart
from flask_permjwt.accounts.codes import Code, Codes
from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.renewals import Renewals
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.errors import InvalidTokenError, NoTicketError, OutdatedError
from flask_permjwt.policy.principal import Principal
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenType, VerifiedToken

PREFIX: Final = "pjwtt_"
"""What every ticket begins with: the ``ticket`` of an app's own query strings is none of ours."""

LIFETIME: Final = 30
"""Seconds."""

_PURPOSE: Final = "ticket"
_LONGEST: Final = 128
_WRONG: Final = "The ticket is wrong, used up or too old: ask for a new one."


class Tickets:
    """Gives tickets, and takes each of them once, whichever process it comes to.

    Args:
        db: the app's Flask-SQLAlchemy object.
        models: its models.
        codes: the one-time codes.
        renewals: ask whether the session of a ticket lives.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(self, db: SQLAlchemy, models: Models, codes: Codes, renewals: Renewals, *, clock: Clock) -> None:
        self._db: Final = db
        self._models: Final = models
        self._codes: Final = codes
        self._renewals: Final = renewals
        self._clock: Final = clock

    def give(self, token: VerifiedToken, path: bytes) -> str:
        """Make a ticket; it joins ``db.session``.

        Args:
            token: who asks: an access token of a session, verified and judged.
            path: where it is to be used, as it is when percent-encoding is undone.

        Raises:
            NoTicketError: 403, the token is of no session here, or was narrowed.
        """
        # What narrows a token would be lost: the ticket stands for all that its user may do.
        if not token.session_id or token.principal.issuer is not None or token.limit is not None:
            raise NoTicketError
        bound = {
            "path": _digest(path),
            "sid": token.session_id,
            "ver": token.version,
            "jti": token.token_id,
            "kid": token.key_id,
            "auth_time": token.principal.authenticated_at,
            # Apps that share a database and a key need not take each other's tokens.
            "for": {name: token.claims[name] for name in ("iss", "aud") if name in token.claims},
        }
        return self._codes.make(
            _PURPOSE,
            token.subject,
            now=int(self._clock()),
            lifetime=LIFETIME,
            detail=json.dumps(bound),
            prefix=PREFIX,
        )

    def take(self, text: str, path: bytes) -> VerifiedToken:
        """Use a ticket up, and return what its session would be given now: of several who try, one is.

        It is committed before it is answered, on a connection of its own: a view that fails gives no ticket
        back. One that came to the wrong path stays good for the right one.

        Args:
            text: the ticket.
            path: where it came to, as for ``give``.

        Raises:
            InvalidTokenError: it is wrong, used up, too old, for another path or of another app, or its session is
                over.
            OutdatedError: 503, the database cannot be asked now.
        """
        if len(text) > _LONGEST:
            raise InvalidTokenError(_WRONG)
        try:
            code, bound = self._find(text)
            if bound["path"] != _digest(path):
                raise InvalidTokenError("The ticket is for another path.")
            # Apart from the reading: SQLite lets nobody write who has read before others wrote.
            with apart(self._db, self._models.code) as session:
                if session is None:
                    raise OutdatedError
                if not self._codes.inside(session).use_up(code):
                    raise InvalidTokenError(_WRONG)
        except SQLAlchemyError:
            raise OutdatedError from None
        return self._renewals.renew(_token_of(code, bound))

    def _find(self, text: str) -> tuple[Code, dict[str, Any]]:
        with apart(self._db, self._models.code, writes=False) as session:
            own: AnySession = self._db.session if session is None else session
            with own.no_autoflush:
                code = self._codes.inside(own).find(_PURPOSE, text, now=int(self._clock()))
        if code is None or code.detail is None:
            raise InvalidTokenError(_WRONG)
        bound: dict[str, Any] = json.loads(code.detail)
        return code, bound


def _token_of(code: Code, bound: dict[str, Any]) -> VerifiedToken:
    claims = {"sub": code.subject} | {name: bound[name] for name in ("sid", "ver", "jti")} | bound["for"]
    principal = Principal(
        subject=code.subject,
        claims=claims,
        token_id=bound["jti"],
        session_id=bound["sid"],
        authenticated_at=bound["auth_time"],
    )
    return VerifiedToken(
        type=TokenType.ACCESS,
        subject=code.subject,
        token_id=bound["jti"],
        session_id=bound["sid"],
        version=bound["ver"],
        issued_at=0,
        not_before=None,
        expires_at=0,
        csrf=None,
        rights_versions={},
        rights_in_store=True,
        claims=principal.claims,
        principal=principal,
        key_id=bound["kid"],
    )


def _digest(path: bytes) -> str:
    return hashlib.sha256(path).hexdigest()
