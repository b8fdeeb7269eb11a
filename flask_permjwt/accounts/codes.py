"""One-time codes: sent to somebody, kept as a hash, good for one thing, once, and not for long."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import delete, insert, select

from flask_permjwt.accounts.bites import delete_some
from flask_permjwt.accounts.inserts import changed_rows, insert_if_absent
from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.moments import to_datetime
from flask_permjwt.accounts.savepoints import AnySession

_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for.

    Attributes:
        digest: its hash, by which it is used up.
        purpose: what it is good for.
        subject: the public id of the user.
        detail: what it is bound to.
    """

    digest: str
    purpose: str
    subject: str
    detail: str | None


class Codes:
    """The codes of one ``db``. Everything joins ``db.session``, or the session that is given.

    Args:
        db: the app's Flask-SQLAlchemy object.
        models: its models.
        session: where to work instead of ``db.session``.
    """

    def __init__(self, db: SQLAlchemy, models: Models, session: AnySession | None = None) -> None:
        self._db: Final = db
        self._models: Final = models
        self._session: Final[AnySession] = session or db.session
        self._model: Final = models.code
        self._bind: Final = {"mapper": models.code.__mapper__}  # type: ignore[attr-defined]  # by build_models

    def inside(self, session: AnySession) -> "Codes":
        """Return the same codes, reached through another SQLAlchemy session."""
        return Codes(self._db, self._models, session)

    def make(
        self, purpose: str, subject: str, *, now: int, lifetime: int, detail: str | None = None, prefix: str = ""
    ) -> str:
        """Make a code of 256 random bits. Of the row, nobody can make it again.

        Args:
            purpose: what it is good for.
            subject: the public id of the user; empty for a code that is good for nothing, made so that the same
                work is done.
            now: seconds since 1970-01-01 UTC.
            lifetime: in seconds.
            detail: what it is bound to.
            prefix: what the code begins with, by which people and scanners tell what it is.
        """
        code = prefix + secrets.token_urlsafe(_BYTES)
        row = {
            "digest": _digest(code),
            "purpose": purpose,
            "subject": subject,
            "detail": detail,
            "created_at": to_datetime(now),
            "expires_at": to_datetime(now + lifetime),
        }
        self._session.execute(insert(self._model).values(**row), bind_arguments=self._bind)
        return code

    def find(self, purpose: str, code: str, *, now: int) -> Code | None:
        """Return what a code stands for, without using it up; None when it is good for nothing."""
        model, digest = self._model, _digest(code)
        row = self._session.execute(
            select(model.digest, model.subject, model.detail).where(
                model.digest == digest, model.purpose == purpose, model.expires_at > to_datetime(now)
            ),
            bind_arguments=self._bind,
        ).first()
        if row is None or row.digest != digest or not row.subject:
            return None
        return Code(row.digest, purpose, row.subject, row.detail)

    def use_up(self, code: Code) -> bool:
        """Use a code up; of several who try at once, one is told True."""
        found = delete(self._model).where(self._model.digest == code.digest)
        return changed_rows(self._session.execute(found, bind_arguments=self._bind)) == 1

    def spend(self, purpose: str, text: str, *, now: int, lifetime: int) -> bool:
        """Note that a text which nobody wrote down was used; of several who try at once, one is told True.

        Args:
            purpose: what it is good for.
            text: 256 random bits.
            now: seconds since 1970-01-01 UTC.
            lifetime: for how many seconds it would be good for anything.
        """
        row = {
            "digest": _digest(f"{purpose} {text}"),
            "purpose": purpose,
            "subject": "",
            "detail": None,
            "created_at": to_datetime(now),
            "expires_at": to_datetime(now + lifetime),
        }
        return insert_if_absent(self._session, self._model, self._model.__table__, row)  # type: ignore[attr-defined]  # mapped by build_models

    def forget(self, purpose: str, subject: str) -> None:
        """Void all codes of a user for one purpose."""
        model = self._model
        digests = self._session.scalars(
            select(model.digest).where(model.subject == subject, model.purpose == purpose),
            bind_arguments=self._bind,
        ).all()
        if digests:
            self._session.execute(delete(model).where(model.digest.in_(digests)), bind_arguments=self._bind)

    def prune(self, *, now: float, limit: int) -> int:
        """Delete codes that have expired, at most so many; return how many."""
        model = self._model
        return delete_some(self._session, model, model.digest, model.expires_at <= to_datetime(now), limit)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
