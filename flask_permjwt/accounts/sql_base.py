"""What the parts of the SQL user store share: where they work, and how they change and count."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ColumnElement, Table, delete
from sqlalchemy import inspect as inspect_mapped
from sqlalchemy.exc import IntegrityError

from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.inserts import changed_rows
from flask_permjwt.accounts.models import Models, UserMixin
from flask_permjwt.accounts.owners import Owner, Owners
from flask_permjwt.accounts.passwords import PasswordHash, Passwords
from flask_permjwt.accounts.savepoints import AnySession, broken_unique_column, savepoint
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.errors import AccountError, EmailTakenError, RoleTakenError, UsernameTakenError
from flask_permjwt.policy.permissions import parse_grant
from flask_permjwt.signals import Event
from flask_permjwt.tokens.clock import Clock

_TAKEN: Final[dict[str, type[AccountError]]] = {
    "username_key": UsernameTakenError,
    "email_key": EmailTakenError,
    "name_key": RoleTakenError,
}

UserT = TypeVar("UserT", bound=UserMixin)


class SQLStoreBase(Generic[UserT]):
    """Where the store works. Everything joins the session and is flushed; the commit is the caller's.

    Args:
        db: the app's Flask-SQLAlchemy object.
        models: what ``build_models`` gave for it.
        passwords: hashes new passwords.
        clock: returns the time in seconds since 1970-01-01 UTC.
        recorder: writes down what happens; None for nobody.
        changes: where it is written down that tokens are void or their permissions stale; None for nowhere.
        session: where to work instead of ``db.session``.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        models: Models,
        passwords: Passwords,
        *,
        clock: Clock,
        recorder: Recorder | None,
        changes: ChangeLog | None,
        session: AnySession | None,
    ) -> None:
        self._db: Final = db
        self._session: Final[AnySession] = session or db.session
        self._models: Final = models
        self._passwords: Final = passwords
        self._clock: Final = clock
        self._recorder: Final = recorder
        self._changes: Final = changes
        self._sessions: Final = Sessions(db, models, session, changes)
        self._owners: Final = Owners(self._session, models)

    def _hashed(self, password: str) -> PasswordHash:
        return password if isinstance(password, PasswordHash) else self._passwords.hash(password)

    def _void(self, user: Owner, **values: object) -> None:
        """Write values to a user's row and end everything that was ever issued to the user."""
        subject = user.instance.public_id
        self._owners.change(user, "token_version", **values)
        if self._changes is not None:
            self._changes.user(self._session, subject, self._owners.count(user, "token_version"))
        self._sessions.end_all(subject, now=self._clock(), void=False)

    def _count_rights(self, owner: Owner) -> None:
        """Count a change of what a user or a role may do, on its own row: one write, whoever holds a role."""
        public_id = owner.instance.public_id
        self._owners.change(owner, "policy_version")
        if self._changes is not None:
            version = self._owners.count(owner, "policy_version")
            write = self._changes.rights if owner.model is self._models.user else self._changes.role
            write(self._session, public_id, version)

    def _record(self, event: Event) -> None:
        if self._recorder is not None:
            self._recorder.record(event)

    def _link_permission(self, owner: Owner, permission: str) -> bool:
        row = {owner.column: owner.key, "permission": permission}
        return self._owners.link(owner, owner.permissions, row)

    def _delete_rows(self, owner: Owner, table: Table, *where: ColumnElement[bool]) -> bool:
        statement = delete(table).where(*where)
        bind = {"mapper": inspect_mapped(owner.model)}
        return changed_rows(self._session.execute(statement, bind_arguments=bind)) > 0

    @contextmanager
    def _one_winner(self, model: type[Any]) -> Iterator[None]:
        """Turn the loss of a race for a name, or a name that was taken long ago, into its clear error."""
        with one_winner(self._session, model, _TAKEN):
            yield


@contextmanager
def one_winner(session: AnySession, model: type[Any], taken: Mapping[str, type[AccountError]]) -> Iterator[None]:
    """Run a block in a savepoint, and say clearly when another row has a value that must be unique.

    Args:
        session: where the block works.
        model: the class of the row that it inserts.
        taken: what is raised, by the column that another row had first, perhaps a moment ago.
    """
    # Outside the try: when what the caller left pending breaks a constraint, that is the caller's error.
    session.flush()
    try:
        with savepoint(session, model):
            yield
    except IntegrityError as error:
        column = broken_unique_column(error, model.__table__)
        if column is not None and column in taken:
            raise taken[column] from None
        raise


def checked_grants(permissions: Iterable[object]) -> list[str]:
    """Check grants; sorted, so that everybody locks in one order."""
    return sorted({parse_grant(permission) for permission in permissions})
