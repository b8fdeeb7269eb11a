"""Identities: which user here a subject of another issuer is. Never found by an e-mail address."""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from flask_permjwt.accounts.apart import apart
from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.inserts import changed_rows, insert_if_absent
from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.moments import to_datetime
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.accounts.store import UserStore
from flask_permjwt.errors import AccountError, BusyError, IdentityTakenError, InvalidTokenError
from flask_permjwt.signals import Event, UserCreated
from flask_permjwt.tokens.clock import Clock

_log = logging.getLogger("flask_permjwt.issuers")


Made = tuple[Any, tuple[Event, ...]]
"""A user who was created, and what that event is to be told with."""


@dataclass(frozen=True, slots=True)
class Linked:
    """An identity of a user.

    Attributes:
        id: of its row.
        issuer: ``iss``.
        subject: ``sub`` there.
        created_at: when it was linked; naive UTC.
    """

    id: int
    issuer: str
    subject: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LocalUser:
    """A user here.

    Attributes:
        public_id: the ``sub`` of our own tokens.
        token_version: what our own tokens of the user must count.
    """

    public_id: str
    token_version: int


class Identities:
    """Links subjects of other issuers to users here.

    Args:
        db: the app's Flask-SQLAlchemy object.
        models: what ``build_models`` gave for it.
        store: where users live.
        create_in: returns the same store, working in another session and writing nothing down; None where users
            cannot be created so.
        recorder: writes down who was created.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        models: Models,
        store: UserStore[Any],
        *,
        create_in: Callable[[AnySession], Any] | None = None,
        recorder: Recorder | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._db: Final = db
        self._model: Final[Any] = models.identity
        self._store: Final = store
        self._create_in: Final = create_in
        self._recorder: Final = recorder
        self._clock: Final = clock

    def link(self, user: Any, issuer: str, subject: str) -> bool:
        """Note that a subject of an issuer is a user here. It joins ``db.session``; the commit is the caller's.

        Returns:
            Whether that was not so before.

        Raises:
            IdentityTakenError: it is another user already. One who was deleted is none.
        """
        session, model = self._db.session, self._model
        if self._insert(session, user.public_id, issuer, subject):
            return True
        owner = self._owner(session, issuer, subject)
        if owner == user.public_id:
            return False
        if owner is None or self._store.get(owner) is not None:
            raise IdentityTakenError
        session.execute(
            update(model)
            .where(model.issuer == issuer, model.subject == subject, model.owner == owner)
            .values(owner=user.public_id),
            execution_options={"synchronize_session": False},
        )
        return True

    def of(self, owner: str, *, to_change: bool = False) -> list[Linked]:
        """Return the identities of a user, by public id.

        Args:
            owner: the public id.
            to_change: keep them as they are until the transaction ends.
        """
        model = self._model
        wanted = select(model.id, model.owner, model.issuer, model.subject, model.created_at).where(
            model.owner == owner
        )
        wanted = wanted.order_by(model.id)
        rows = self._db.session.execute(wanted.with_for_update() if to_change else wanted).all()
        return [Linked(row.id, row.issuer, row.subject, row.created_at) for row in rows if row.owner == owner]

    def unlink(self, user: Any, issuer: str, subject: str) -> bool:
        """Take that back, and tell whether it was so.

        Tokens that were seen lately act for the user until PERMJWT_ACCESS_TOKEN_EXPIRES has passed; disable the
        user when that is too long.
        """
        model = self._model
        gone = delete(model).where(model.issuer == issuer, model.subject == subject, model.owner == user.public_id)
        result = self._db.session.execute(gone, execution_options={"synchronize_session": False})
        return changed_rows(result) > 0

    @property
    def creates(self) -> bool:
        """Whether users can be created here."""
        return self._create_in is not None

    def user_of(
        self, issuer: str, subject: str, *, create: bool = False, make: Callable[[Any], Made] | None = None
    ) -> LocalUser | None:
        """Return the user that a subject of an issuer is; None when it is none, and none is to be created.

        Work is done on a connection of its own: what the request has begun is left alone.

        Args:
            issuer: ``iss``.
            subject: ``sub`` there.
            create: create one when there is none.
            make: creates one in a store that works on that connection; by default with a made-up name and no more.
                What it raises, undoes its work and is raised.

        Raises:
            InvalidTokenError: the user is disabled or was deleted.
            BusyError: 503, the database cannot be asked now.
        """
        try:
            found = self._find(issuer, subject)
            if found is None and create and self._create_in is not None:
                try:
                    self._create(
                        issuer, subject, self._create_in, make or (lambda store: (_nobody(store, issuer), ()))
                    )
                except AccountError:
                    # What is taken may be taken by the same person, whom another request has just created.
                    found = self._find(issuer, subject)
                    if found is None:
                        raise
                else:
                    found = self._find(issuer, subject)
        except SQLAlchemyError as error:
            _log.warning("identities cannot be read: %s", type(error).__name__)
            raise BusyError from None
        return found

    def _find(self, issuer: str, subject: str) -> LocalUser | None:
        with apart(self._db, self._model, writes=False) as session:
            # In memory, there is no second connection.
            own: Any = self._db.session if session is None else session
            with own.no_autoflush:
                owner = self._owner(own, issuer, subject)
                if owner is None:
                    return None
                inside = getattr(self._store, "inside", None)
                user = (self._store if inside is None else inside(own)).get(owner)
                if user is None or not user.active:
                    raise InvalidTokenError("The token's user is no longer active.")
                return LocalUser(user.public_id, user.token_version)

    def _create(
        self,
        issuer: str,
        subject: str,
        create_in: Callable[[AnySession], Any],
        make: Callable[[Any], Made],
    ) -> None:
        with apart(self._db, self._model) as session:
            if session is None:
                raise BusyError
            # In the same transaction: of two requests, one creates a user, and the other leaves none behind.
            user, events = make(create_in(session))
            if not self._insert(session, user.public_id, issuer, subject):
                session.rollback()  # another request was first
            elif self._recorder is not None:
                for event in (UserCreated(subject=user.public_id, username=user.username), *events):
                    self._recorder.record(event, session)

    def _owner(self, session: AnySession, issuer: str, subject: str) -> str | None:
        model = self._model
        wanted = select(model.owner, model.issuer, model.subject).where(
            model.issuer == issuer, model.subject == subject
        )
        row = session.execute(wanted).one_or_none()
        # Some databases compare more loosely than Python, whatever the columns were declared as.
        return None if row is None or (row.issuer, row.subject) != (issuer, subject) else str(row.owner)

    def _insert(self, session: AnySession | Session, owner: str, issuer: str, subject: str) -> bool:
        row = {
            "owner": owner,
            "issuer": issuer,
            "subject": subject,
            "created_at": to_datetime(self._clock()),
        }
        return insert_if_absent(session, self._model, self._model.__table__, row)


def _nobody(store: Any, issuer: str) -> Any:
    return store.create(new_name(issuer))


def new_name(issuer: str) -> str:
    """Make up a user name that nobody chose: what an issuer calls people may be the name of somebody else here."""
    host = urlsplit(issuer).hostname or "issuer"
    return f"{host[:64]}-{secrets.token_hex(8)}"
