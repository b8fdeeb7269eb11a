"""Roles in SQL: created, deleted, assigned."""

from collections.abc import Iterable

from sqlalchemy import select

from flask_permjwt.accounts.models import RoleMixin
from flask_permjwt.accounts.names import compare_key
from flask_permjwt.accounts.owners import Owner, plain_text
from flask_permjwt.accounts.sql_base import SQLStoreBase, UserT, checked_grants
from flask_permjwt.errors import UnknownRoleError
from flask_permjwt.signals import RoleCreated, RoleDeleted, RolesChanged


class SQLRoles(SQLStoreBase[UserT]):
    """The roles of the store, and who holds them."""

    def create_role(self, name: str, *permissions: object) -> RoleMixin:
        """Create a role.

        Raises:
            RoleTakenError: there is one with this name, or was while this ran.
            InvalidNameError: the name is no possible one.
            PermissionSyntaxError: a permission is no grant.
        """
        grants = checked_grants(permissions)
        role: RoleMixin = self._models.role(name=plain_text(name))
        with self._one_winner(self._models.role):
            self._session.add(role)
            self._session.flush()
            owner = self._owners.role(role)
            for grant in grants:
                self._link_permission(owner, grant)
            self._record(RoleCreated(role=role.name, granted=tuple(grants)))
        return role

    def find_role(self, name: str) -> RoleMixin | None:
        """Return the role with this name, or None."""
        text = plain_text(name)
        key = compare_key(text) if isinstance(text, str) else None
        if key is None:
            return None
        model = self._models.role
        role = self._session.scalar(select(model).where(model.name_key == key))
        return role if role is not None and role.name_key == key else None

    def list_roles(self) -> list[RoleMixin]:
        """Return all roles, by name."""
        model = self._models.role
        return list(self._session.scalars(select(model).order_by(model.name_key)))

    def delete_role(self, role: RoleMixin) -> None:
        """Delete a role and take it from everybody who holds it.

        Raises:
            UnknownRoleError: it was deleted already.
        """
        owner = self._owners.role(role)
        self._owners.lock(owner)
        deleted = RoleDeleted(role=owner.instance.name)
        self._count_rights(owner)
        for table in (self._models.user_roles, self._models.role_permissions):
            self._delete_rows(owner, table, table.c.role_id == owner.key)
        self._session.delete(owner.instance)
        self._session.flush()
        self._record(deleted)

    def assign(self, user: UserT, *roles: str | RoleMixin) -> None:
        """Give roles (objects or names) to a user; those held already stay.

        Raises:
            UnknownRoleError: there is no such role.
            UnknownUserError: the user was deleted.
        """
        owner, given = self._owners.user(user), self._roles(roles)
        self._owners.lock(owner)
        assigned = self._link_roles(owner, given)
        self._change_roles(owner, assigned=assigned)

    def unassign(self, user: UserT, *roles: str | RoleMixin) -> None:
        """Take roles (objects or names) from a user; those not held are left alone.

        Raises:
            UnknownRoleError: there is no such role.
            UnknownUserError: the user was deleted.
        """
        owner, taken = self._owners.user(user), self._roles(roles)
        table = self._models.user_roles
        self._owners.lock(owner)
        removed = tuple(
            role.instance.name
            for role in taken
            if self._delete_rows(owner, table, table.c.user_id == owner.key, table.c.role_id == role.key)
        )
        self._change_roles(owner, unassigned=removed)

    def _change_roles(
        self, owner: Owner, *, assigned: tuple[str, ...] = (), unassigned: tuple[str, ...] = ()
    ) -> None:
        if assigned or unassigned:
            subject = owner.instance.public_id
            self._record(RolesChanged(subject=subject, assigned=assigned, unassigned=unassigned))
            self._count_rights(owner)

    def _link_roles(self, user: Owner, roles: Iterable[Owner]) -> tuple[str, ...]:
        linked = []
        for role in roles:
            self._owners.hold(role)
            row = {"user_id": user.key, "role_id": role.key}
            if self._owners.link(user, self._models.user_roles, row):
                linked.append(role.instance.name)
        return tuple(linked)

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
