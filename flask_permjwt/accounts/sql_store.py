"""The user store in SQL: the Python face ``permjwt.users``."""

import re
import time
from collections.abc import Iterable
from typing import Any, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import inspect as inspect_mapped
from sqlalchemy import select, update

from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.models import Models, RoleMixin
from flask_permjwt.accounts.moments import to_datetime
from flask_permjwt.accounts.names import compare_key
from flask_permjwt.accounts.owners import Owner, key_column
from flask_permjwt.accounts.passwords import PasswordHash, Passwords
from flask_permjwt.accounts.rights import read_rights
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.accounts.sql_base import UserT, checked_grants
from flask_permjwt.accounts.sql_roles import SQLRoles
from flask_permjwt.accounts.store import Rights
from flask_permjwt.accounts.user_changes import UserChanges
from flask_permjwt.errors import UnknownUserError
from flask_permjwt.signals import (
    ActivityChanged,
    PasswordChanged,
    PermissionsChanged,
    RolesChanged,
    UserCreated,
    UserDeleted,
)
from flask_permjwt.tokens.clock import Clock

_PUBLIC_ID: Final = re.compile(r"[0-9a-f]{32}")


class SQLUserStore(SQLRoles[UserT], UserChanges[UserT]):
    """Users, roles and permissions in the app's database.

    Every change joins ``db.session`` and is flushed; the commit is the caller's.

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
        clock: Clock = time.time,
        recorder: Recorder | None = None,
        changes: ChangeLog | None = None,
        session: AnySession | None = None,
    ) -> None:
        super().__init__(db, models, passwords, clock=clock, recorder=recorder, changes=changes, session=session)

    def inside(self, session: AnySession) -> "SQLUserStore[UserT]":
        """Return the same users, reached through another SQLAlchemy session."""
        return SQLUserStore(
            self._db,
            self._models,
            self._passwords,
            clock=self._clock,
            recorder=self._recorder,
            changes=self._changes,
            session=session,
        )

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
        grants = checked_grants(_several(permissions, "permissions"))
        given = self._roles(_several(roles, "roles"))
        password_hash = None if password is None else self._hashed(password)
        columns.setdefault("created_at", to_datetime(self._clock()))
        user: UserT = self._models.user(username=username, email=email, active=active, **columns)
        with self._one_winner(self._models.user):
            self._session.add(user)
            self._session.flush()
            # Only now: PostgreSQL repeats the whole row in what it says of a constraint that is hurt.
            user.password_hash = password_hash
            self._session.flush()
            owner = self._owners.user(user)
            for grant in grants:
                self._link_permission(owner, grant)
            assigned = self._link_roles(owner, given)
            self._record(UserCreated(subject=user.public_id, username=user.username))
            if grants:
                self._record(self._permissions_changed(owner, granted=grants))
            if assigned:
                self._record(RolesChanged(subject=user.public_id, assigned=assigned))
        return user

    def find(self, username_or_email: str) -> UserT | None:
        """Return the user with this name or, when there is an ``@``, this e-mail address."""
        key = compare_key(username_or_email) if isinstance(username_or_email, str) else None
        if key is None:
            return None
        model = self._models.user
        column = "email_key" if "@" in key else "username_key"
        user: UserT | None = self._session.scalar(select(model).where(getattr(model, column) == key))
        return user if user is not None and getattr(user, column) == key else None

    def get(self, subject: str) -> UserT | None:
        """Return the user with this public id, compared exactly."""
        if not isinstance(subject, str) or _PUBLIC_ID.fullmatch(subject) is None:
            return None
        model = self._models.user
        user: UserT | None = self._session.scalar(select(model).where(model.public_id == subject))
        # Some databases compare more loosely than Python, whatever the column was declared as.
        return user if user is not None and user.public_id == subject else None

    def list_users(self, *, limit: int = 1000) -> list[UserT]:
        """Return the users by name, at most so many."""
        model = self._models.user
        return list(self._session.scalars(select(model).order_by(model.username_key).limit(limit)))

    def set_password(self, user: UserT, password: str) -> None:
        """Set a password; all of the user's tokens and sessions are void.

        Raises:
            InvalidPasswordError: it is empty or longer than 1,024 characters.
            UnknownUserError: the user was deleted.
        """
        owner, password_hash = self._owners.user(user), self._hashed(password)
        self._owners.lock(owner)
        subject = owner.instance.public_id
        self._void(owner, password_hash=password_hash)
        self._record(PasswordChanged(subject=subject, by="administrator"))

    def set_active(self, user: UserT, active: bool) -> None:  # noqa: FBT001  # as documented
        """Enable or disable a user; disabling voids all of the user's tokens and sessions.

        Raises:
            UnknownUserError: the user was deleted.
        """
        owner = self._owners.user(user)
        if not isinstance(active, bool):
            raise TypeError(f"active is True or False, not {type(active).__name__}")
        was_active = self._lock_activity(owner)
        subject = owner.instance.public_id
        if active:
            self._owners.change(owner, active=True)
        else:
            self._void(owner, active=False)
        if was_active != active:
            self._record(ActivityChanged(subject=subject, active=active))

    def delete(self, user: UserT) -> None:
        """Delete a user with everything that was granted; sessions are ended, their rows stay.

        Raises:
            UnknownUserError: the user was deleted already.
        """
        owner = self._owners.user(user)
        self._owners.lock(owner)
        deleted = UserDeleted(subject=owner.instance.public_id, username=owner.instance.username)
        self._void(owner)
        for table in (self._models.user_permissions, self._models.user_roles):
            self._delete_rows(owner, table, table.c.user_id == owner.key)
        self._session.delete(owner.instance)
        self._session.flush()
        self._record(deleted)

    def save_password_hash(self, user: UserT, password_hash: str) -> None:
        """Replace the hash that was just verified; tokens live on. Nothing if the password was changed."""
        model, owner = self._models.user, self._owners.user(user)
        verified = PasswordHash(user.password_hash or "")
        self._session.execute(
            update(model)
            .where(key_column(model) == owner.key, model.password_hash == verified)
            .values(password_hash=password_hash),
            execution_options={"synchronize_session": False},
        )
        self._session.expire(owner.instance)

    def grant(self, user_or_role: UserT | RoleMixin, *permissions: object) -> frozenset[str]:
        """Grant permissions to a user or a role; return those that were not granted before.

        Raises:
            PermissionSyntaxError: one is no grant.
            UnknownUserError, UnknownRoleError: the owner was deleted.
        """
        owner, grants = self._owners.user_or_role(user_or_role), checked_grants(permissions)
        self._owners.lock(owner)
        granted = frozenset(one for one in grants if self._link_permission(owner, one))
        return self._change_permissions(owner, granted=granted)

    def revoke(self, user_or_role: UserT | RoleMixin, *permissions: object) -> frozenset[str]:
        """Take permissions from a user or a role; return those that really were granted to it directly.

        Only the very grants named are removed: ``a:b`` stays covered by a granted ``a:*``.

        Raises:
            PermissionSyntaxError: one is no grant.
            UnknownUserError, UnknownRoleError: the owner was deleted.
        """
        owner, grants = self._owners.user_or_role(user_or_role), checked_grants(permissions)
        table = owner.permissions
        mine = table.c[owner.column] == owner.key
        self._owners.lock(owner)
        removed = frozenset(
            one for one in grants if self._delete_rows(owner, table, mine, table.c.permission == one)
        )
        return self._change_permissions(owner, revoked=removed)

    def permissions_of(self, user_or_role: UserT | RoleMixin) -> frozenset[str]:
        """Return what was granted to a user or a role directly."""
        owner = self._owners.user_or_role(user_or_role)
        table = owner.permissions
        mine = select(table.c.permission).where(table.c[owner.column] == owner.key)
        return frozenset(self._session.scalars(mine, bind_arguments={"mapper": inspect_mapped(owner.model)}))

    def rights(self, user: UserT) -> Rights:
        """Read what a user may do now, roles included."""
        return read_rights(self._session, self._models, self._owners.user(user).key)

    def commit(self) -> None:
        """Commit ``db.session``, for a command that has done all its work. No other method does."""
        self._session.commit()

    def _change_permissions(
        self, owner: Owner, *, granted: frozenset[str] = frozenset(), revoked: frozenset[str] = frozenset()
    ) -> frozenset[str]:
        """Count a change of rights, if there was one."""
        changed = granted | revoked
        if changed:
            self._record(self._permissions_changed(owner, granted=granted, revoked=revoked))
            self._count_rights(owner)
        return changed

    def _permissions_changed(
        self, owner: Owner, *, granted: Iterable[str] = (), revoked: Iterable[str] = ()
    ) -> PermissionsChanged:
        is_user = owner.model is self._models.user
        return PermissionsChanged(
            subject=owner.instance.public_id if is_user else None,
            owner="user" if is_user else "role",
            owner_name=owner.instance.username if is_user else owner.instance.name,
            granted=tuple(sorted(granted)),
            revoked=tuple(sorted(revoked)),
        )

    def _lock_activity(self, user: Owner) -> bool:
        """Lock the user's row as ``Owners.lock`` does, and return whether the user is active."""
        model, column = self._models.user, key_column(self._models.user)
        found: bool | None = self._session.scalar(
            select(model.active).where(column == user.key).with_for_update(key_share=True)
        )
        if found is None:
            raise UnknownUserError
        return found


def _several(values: Iterable[Any], what: str) -> list[Any]:
    if isinstance(values, str):
        raise TypeError(f"{what} takes a list, such as [{values!r}], not one string")
    return list(values)
