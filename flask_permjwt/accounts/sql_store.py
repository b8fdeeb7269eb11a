"""The user store in SQL: the Python face ``permjwt.users``."""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ColumnElement, Table, delete, select, update
from sqlalchemy import inspect as inspect_mapped
from sqlalchemy.exc import IntegrityError

from flask_permjwt.accounts.inserts import changed_rows
from flask_permjwt.accounts.models import Models, RoleMixin, UserMixin
from flask_permjwt.accounts.names import compare_key
from flask_permjwt.accounts.owners import Owner, Owners, key_column, plain_text
from flask_permjwt.accounts.passwords import PasswordHash, Passwords
from flask_permjwt.accounts.rights import read_rights
from flask_permjwt.accounts.savepoints import broken_unique_column, savepoint
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.accounts.store import Rights
from flask_permjwt.errors import (
    AccountError,
    EmailTakenError,
    RoleTakenError,
    UnknownRoleError,
    UsernameTakenError,
)
from flask_permjwt.policy.permissions import parse_grant
from flask_permjwt.tokens.clock import Clock

_PUBLIC_ID: Final = re.compile(r"[0-9a-f]{32}")
_TAKEN: Final[dict[str, type[AccountError]]] = {
    "username_key": UsernameTakenError,
    "email_key": EmailTakenError,
    "name_key": RoleTakenError,
}

UserT = TypeVar("UserT", bound=UserMixin)
Changes = TypeVar("Changes")


class SQLUserStore(Generic[UserT]):
    """Users, roles and permissions in the app's database.

    Every change joins ``db.session`` and is flushed; the commit is the caller's.

    Args:
        db: the app's Flask-SQLAlchemy object.
        models: what ``build_models`` gave for it.
        passwords: hashes new passwords.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(self, db: SQLAlchemy, models: Models, passwords: Passwords, *, clock: Clock = time.time) -> None:
        self._db: Final = db
        self._models: Final = models
        self._passwords: Final = passwords
        self._clock: Final = clock
        self._sessions: Final = Sessions(db, models.session)
        self._owners: Final = Owners(db.session, models)

    def create(
        self,
        username: str,
        password: str | None = None,
        email: str | None = None,
        permissions: Iterable[object] = (),
        roles: Iterable[str | RoleMixin] = (),
        active: bool = True,  # noqa: FBT001, FBT002  # as documented; passed by name
        **columns: Any,
    ) -> UserT:
        """Create a user.

        Args:
            username: shown as typed, compared NFKC and case-folded; without ``@``.
            password: None for a user who cannot log in with one.
            email: also good for logging in.
            permissions: grants; wildcards and members of a ``StrEnum`` too.
            roles: role objects or names of roles that exist.
            active: whether the user may log in.
            columns: values of columns that the app's own user class adds.

        Raises:
            UsernameTakenError: the name is taken, or was while this ran. The caller's own changes in
                ``db.session`` are untouched.
            EmailTakenError: likewise.
            InvalidNameError: the name or the address can be nobody's.
            InvalidPasswordError: the password is empty or longer than 1,024 characters.
            PermissionSyntaxError: a permission is no grant.
            UnknownRoleError: there is no such role.
        """
        grants = _grants(_several(permissions, "permissions"))
        given = self._roles(_several(roles, "roles"))
        password_hash = None if password is None else self._passwords.hash(password)
        user: UserT = self._models.user(username=username, email=email, active=active, **columns)
        with self._one_winner(self._models.user):
            self._db.session.add(user)
            self._db.session.flush()
            # Only now: PostgreSQL repeats the whole row in what it says of a constraint that is hurt.
            user.password_hash = password_hash
            self._db.session.flush()
            owner = self._owners.user(user)
            for grant in grants:
                self._link_permission(owner, grant)
            self._link_roles(owner, given)
        return user

    def find(self, username_or_email: str) -> UserT | None:
        """Return the user with this name or, when there is an ``@``, this e-mail address."""
        key = compare_key(username_or_email) if isinstance(username_or_email, str) else None
        if key is None:
            return None
        model = self._models.user
        column = "email_key" if "@" in key else "username_key"
        user: UserT | None = self._db.session.scalar(select(model).where(getattr(model, column) == key))
        return user if user is not None and getattr(user, column) == key else None

    def get(self, subject: str) -> UserT | None:
        """Return the user with this public id, compared exactly."""
        if not isinstance(subject, str) or _PUBLIC_ID.fullmatch(subject) is None:
            return None
        model = self._models.user
        user: UserT | None = self._db.session.scalar(select(model).where(model.public_id == subject))
        # Some databases compare more loosely than Python, whatever the column was declared as.
        return user if user is not None and user.public_id == subject else None

    def set_password(self, user: UserT, password: str) -> None:
        """Set a password; all of the user's tokens and sessions are void.

        Raises:
            InvalidPasswordError: it is empty or longer than 1,024 characters.
            UnknownUserError: the user was deleted.
        """
        owner = self._owners.user(user)
        self._void(owner, password_hash=self._passwords.hash(password))

    def set_active(self, user: UserT, active: bool) -> None:  # noqa: FBT001  # as documented
        """Enable or disable a user; disabling voids all of the user's tokens and sessions.

        Raises:
            UnknownUserError: the user was deleted.
        """
        owner = self._owners.user(user)
        if not isinstance(active, bool):
            raise TypeError(f"active is True or False, not {type(active).__name__}")
        if active:
            self._owners.change(owner, active=True)
        else:
            self._void(owner, active=False)

    def delete(self, user: UserT) -> None:
        """Delete a user with everything that was granted; sessions are ended, their rows stay.

        Raises:
            UnknownUserError: the user was deleted already.
        """
        owner = self._owners.user(user)
        self._void(owner)
        for table in (self._models.user_permissions, self._models.user_roles):
            self._delete_rows(owner, table, table.c.user_id == owner.key)
        self._db.session.delete(owner.instance)
        self._db.session.flush()

    def save_password_hash(self, user: UserT, password_hash: str) -> None:
        """Replace the hash that was just verified; tokens live on. Nothing if the password was changed."""
        model, owner = self._models.user, self._owners.user(user)
        verified = PasswordHash(user.password_hash or "")
        self._db.session.execute(
            update(model)
            .where(key_column(model) == owner.key, model.password_hash == verified)
            .values(password_hash=password_hash),
            execution_options={"synchronize_session": False},
        )
        self._db.session.expire(owner.instance)

    def grant(self, user_or_role: UserT | RoleMixin, *permissions: object) -> frozenset[str]:
        """Grant permissions to a user or a role; return those that were not granted before.

        Raises:
            PermissionSyntaxError: one is no grant.
            UnknownUserError, UnknownRoleError: the owner was deleted.
        """
        owner, grants = self._owners.user_or_role(user_or_role), _grants(permissions)
        self._owners.lock(owner)
        return self._counted(owner, frozenset(one for one in grants if self._link_permission(owner, one)))

    def revoke(self, user_or_role: UserT | RoleMixin, *permissions: object) -> frozenset[str]:
        """Take permissions from a user or a role; return those that really were granted to it directly.

        Only the very grants named are removed: ``a:b`` stays covered by a granted ``a:*``.

        Raises:
            PermissionSyntaxError: one is no grant.
            UnknownUserError, UnknownRoleError: the owner was deleted.
        """
        owner, grants = self._owners.user_or_role(user_or_role), _grants(permissions)
        table = owner.permissions
        mine = table.c[owner.column] == owner.key
        self._owners.lock(owner)
        removed = frozenset(
            one for one in grants if self._delete_rows(owner, table, mine, table.c.permission == one)
        )
        return self._counted(owner, removed)

    def permissions_of(self, user_or_role: UserT | RoleMixin) -> frozenset[str]:
        """Return what was granted to a user or a role directly."""
        owner = self._owners.user_or_role(user_or_role)
        table = owner.permissions
        mine = select(table.c.permission).where(table.c[owner.column] == owner.key)
        return frozenset(self._db.session.scalars(mine, bind_arguments={"mapper": inspect_mapped(owner.model)}))

    def create_role(self, name: str, *permissions: object) -> RoleMixin:
        """Create a role.

        Raises:
            RoleTakenError: there is one with this name, or was while this ran.
            InvalidNameError: the name is no possible one.
            PermissionSyntaxError: a permission is no grant.
        """
        grants = _grants(permissions)
        role: RoleMixin = self._models.role(name=plain_text(name))
        with self._one_winner(self._models.role):
            self._db.session.add(role)
            self._db.session.flush()
            owner = self._owners.role(role)
            for grant in grants:
                self._link_permission(owner, grant)
        return role

    def find_role(self, name: str) -> RoleMixin | None:
        """Return the role with this name, or None."""
        text = plain_text(name)
        key = compare_key(text) if isinstance(text, str) else None
        if key is None:
            return None
        model = self._models.role
        role = self._db.session.scalar(select(model).where(model.name_key == key))
        return role if role is not None and role.name_key == key else None

    def list_roles(self) -> list[RoleMixin]:
        """Return all roles, by name."""
        model = self._models.role
        return list(self._db.session.scalars(select(model).order_by(model.name_key)))

    def delete_role(self, role: RoleMixin) -> None:
        """Delete a role and take it from everybody who holds it.

        Raises:
            UnknownRoleError: it was deleted already.
        """
        owner = self._owners.role(role)
        self._owners.change(owner, "policy_version")
        for table in (self._models.user_roles, self._models.role_permissions):
            self._delete_rows(owner, table, table.c.role_id == owner.key)
        self._db.session.delete(owner.instance)
        self._db.session.flush()

    def assign(self, user: UserT, *roles: str | RoleMixin) -> None:
        """Give roles (objects or names) to a user; those held already stay.

        Raises:
            UnknownRoleError: there is no such role.
            UnknownUserError: the user was deleted.
        """
        owner, given = self._owners.user(user), self._roles(roles)
        self._owners.lock(owner)
        self._counted(owner, self._link_roles(owner, given))

    def unassign(self, user: UserT, *roles: str | RoleMixin) -> None:
        """Take roles (objects or names) from a user; those not held are left alone.

        Raises:
            UnknownRoleError: there is no such role.
            UnknownUserError: the user was deleted.
        """
        owner, taken = self._owners.user(user), self._roles(roles)
        table = self._models.user_roles
        self._owners.lock(owner)
        removed = [
            self._delete_rows(owner, table, table.c.user_id == owner.key, table.c.role_id == role.key)
            for role in taken
        ]
        self._counted(owner, any(removed))

    def rights(self, user: UserT) -> Rights:
        """Read what a user may do now, roles included."""
        return read_rights(self._db.session, self._models, self._owners.user(user).key)

    def commit(self) -> None:
        """Commit ``db.session``, for a command that has done all its work. No other method does."""
        self._db.session.commit()

    def _void(self, user: Owner, **values: object) -> None:
        """Write values to a user's row and end everything that was ever issued to the user."""
        self._owners.change(user, "token_version", **values)
        self._sessions.end_all(user.instance.public_id, now=self._clock())

    def _counted(self, owner: Owner, changes: Changes) -> Changes:
        """Count a change of rights on the owner's row, if there was one: one write, whoever holds a role."""
        if changes:
            self._owners.change(owner, "policy_version")
        return changes

    def _link_permission(self, owner: Owner, permission: str) -> bool:
        row = {owner.column: owner.key, "permission": permission}
        return self._owners.link(owner, owner.permissions, row)

    def _link_roles(self, user: Owner, roles: Iterable[Owner]) -> bool:
        linked = False
        for role in roles:
            self._owners.hold(role)
            row = {"user_id": user.key, "role_id": role.key}
            linked |= self._owners.link(user, self._models.user_roles, row)
        return linked

    def _delete_rows(self, owner: Owner, table: Table, *where: ColumnElement[bool]) -> bool:
        statement = delete(table).where(*where)
        bind = {"mapper": inspect_mapped(owner.model)}
        return changed_rows(self._db.session.execute(statement, bind_arguments=bind)) > 0

    def _roles(self, roles: Iterable[object]) -> list[Owner]:
        found = {}
        for given in roles:
            name = plain_text(given)
            role = self.find_role(name) if isinstance(name, str) else given
            if role is None:
                raise UnknownRoleError(f"There is no role {name!r}.")
            owner = self._owners.role(role)
            found[owner.key] = owner
        # Locked in one order by everybody.
        return [found[key] for key in sorted(found)]

    @contextmanager
    def _one_winner(self, model: type[Any]) -> Iterator[None]:
        """Turn the loss of a race for a name, or a name that was taken long ago, into its clear error."""
        # Outside the try: when what the caller left pending breaks a constraint, that is the caller's error.
        self._db.session.flush()
        try:
            with savepoint(self._db.session, model):
                yield
        except IntegrityError as error:
            column = broken_unique_column(error, model.__table__)
            if column in _TAKEN:
                raise _TAKEN[column] from None
            raise


def _several(values: Iterable[Any], what: str) -> list[Any]:
    if isinstance(values, str):
        raise TypeError(f"{what} takes a list, such as [{values!r}], not one string")
    return list(values)


def _grants(permissions: Iterable[object]) -> list[str]:
    """Check grants; sorted, so that everybody locks in one order."""
    return sorted({parse_grant(permission) for permission in permissions})
