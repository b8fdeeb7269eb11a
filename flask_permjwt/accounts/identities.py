"""Identities: which user here a subject of another issuer is. Never found by an e-mail address."""

import hashlib
import json
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
from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.inserts import changed_rows, insert_if_absent
from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.moments import to_datetime
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.accounts.store import UserStore
from flask_permjwt.errors import AccountError, BusyError, IdentityTakenError, InvalidTokenError
from flask_permjwt.signals import Event, IdentityLinked, IdentityUnlinked, UserCreated
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
        link: which entry of the revocation feed tells that the user was unlinked.
    """

    public_id: str
    token_version: int
    link: str


class Identities:
    """Links subjects of other issuers to users here.

    Args:
        db: the app's Flask-SQLAlchemy object.
        models: what ``build_models`` gave for it.
        store: where users live.
        create_in: returns the same store, working in another session and writing nothing down; None where users
            cannot be created so.
        recorder: writes down who was created, linked and unlinked.
        changes: tells all processes, where tokens stand for users.
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
        changes: ChangeLog | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._db: Final = db
        self._model: Final[Any] = models.identity
        self._store: Final = store
        self._create_in: Final = create_in
        self._recorder: Final = recorder
        self._changes: Final = changes
        self._clock: Final = clock

    def link(
        self,
        user: Any,
        issuer: str,
        subject: str,
        *,
        provider: str | None = None,
        actor: str | None = None,
        session_id: str | None = None,
    ) -> bool:
        """Note that a subject of an issuer is a user here. It joins ``db.session``; the commit is the caller's.

        Args:
            user: the user.
            issuer: ``iss``.
            subject: ``sub`` there.
            provider: by whose login that was found out, for the event.
            actor: the public id of who does it; by default, of the principal.
            session_id: in which session.

        Returns:
            Whether that was not so before.

        Raises:
            IdentityTakenError: it is another user already. One who was deleted is none.
        """
        session, model = self._db.session, self._model
        event = IdentityLinked(
            subject=user.public_id, actor=actor, session_id=session_id, issuer=issuer, provider=provider
        )
        if self._insert(session, user.public_id, issuer, subject):
            self._tell(event, issuer, subject, None)
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
        self._tell(event, issuer, subject, None)
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

    def unlink(
        self,
        user: Any,
        issuer: str,
        subject: str,
        *,
        provider: str | None = None,
        session_id: str | None = None,
    ) -> bool:
        """Take that back, and tell whether it was so; takes what ``link`` takes.

        Tokens of the issuer act for the user no more from the commit on, as fast as any revocation.
        """
        mine = self.of(user.public_id, to_change=True)
        gone = [one for one in mine if (one.issuer, one.subject) == (issuer, subject)]
        return self._drop(user, gone, provider, session_id) > 0

    def unlink_all(self, user: Any) -> int:
        """Take back whatever a user is elsewhere; return how much that was."""
        return self._drop(user, self.of(user.public_id, to_change=True))

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
                row = self._row(own, issuer, subject)
                if row is None:
                    return None
                inside = getattr(self._store, "inside", None)
                user = (self._store if inside is None else inside(own)).get(str(row.owner))
                if user is None or not user.active:
                    raise InvalidTokenError("The token's user is no longer active.")
                return LocalUser(user.public_id, user.token_version, link_of(issuer, subject, row.id))

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

    def _drop(
        self, user: Any, gone: list[Linked], provider: str | None = None, session_id: str | None = None
    ) -> int:
        """Delete rows, and return how many nobody else had deleted."""
        dropped = 0
        for one in gone:
            row = delete(self._model).where(self._model.id == one.id)
            result = self._db.session.execute(row, execution_options={"synchronize_session": False})
            if changed_rows(result) == 0:
                continue
            dropped += 1
            event = IdentityUnlinked(
                subject=user.public_id, session_id=session_id, issuer=one.issuer, provider=provider
            )
            self._tell(event, one.issuer, one.subject, one.id)
        return dropped

    def _tell(self, event: Event, issuer: str, subject: str, row: int | None) -> None:
        if self._recorder is not None:
            self._recorder.record(event)
        if self._changes is not None:
            self._changes.sessions(self._db.session, [link_of(issuer, subject, row)])

    def _owner(self, session: AnySession, issuer: str, subject: str) -> str | None:
        row = self._row(session, issuer, subject)
        return None if row is None else str(row.owner)

    def _row(self, session: AnySession, issuer: str, subject: str) -> Any:
        model = self._model
        wanted = select(model.id, model.owner, model.issuer, model.subject).where(
            model.issuer == issuer, model.subject == subject
        )
        row = session.execute(wanted).one_or_none()
        # Some databases compare more loosely than Python, whatever the columns were declared as.
        return None if row is None or (row.issuer, row.subject) != (issuer, subject) else row

    def _insert(self, session: AnySession | Session, owner: str, issuer: str, subject: str) -> bool:
        row = {
            "owner": owner,
            "issuer": issuer,
            "subject": subject,
            "created_at": to_datetime(self._clock()),
        }
        return insert_if_absent(session, self._model, self._model.__table__, row)


def link_of(issuer: str, subject: str, row: int | None) -> str:
    """Return what the revocation feed calls a link, or, without a row, that there is none."""
    text = json.dumps([issuer, subject, row])
    return f"link {hashlib.sha256(text.encode()).hexdigest()}"


def _nobody(store: Any, issuer: str) -> Any:
    return store.create(new_name(issuer))


def new_name(issuer: str) -> str:
    """Make up a user name that nobody chose: what an issuer calls people may be the name of somebody else here."""
    host = urlsplit(issuer).hostname or "issuer"
    return f"{host[:64]}-{secrets.token_hex(8)}"
