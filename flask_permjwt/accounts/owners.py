"""Owners: the users, roles and clients that permissions are granted to, and the row that each change counts on."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Table, select, update
from sqlalchemy import inspect as inspect_mapped

from flask_permjwt.accounts.inserts import changed_rows, insert_if_absent
from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.errors import AccountError, UnknownRoleError, UnknownUserError
from flask_permjwt.oauth_errors import UnknownClientError


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """A user, a role or a client in the database.

    Attributes:
        model: its class.
        key: the value of its primary key.
        instance: the object itself.
        permissions: the table of what was granted to it directly.
        column: the column of that table that names the owner.
    """

    model: type[Any]
    key: Any
    instance: Any
    permissions: Table
    column: str


class Owners:
    """Locks, counts and changes the rows of users, roles and clients. All joins the session, nothing commits.

    Args:
        session: where to work.
        models: the classes and tables.
    """

    def __init__(self, session: AnySession, models: Models) -> None:
        self._session = session
        self._models = models

    def user(self, value: object) -> Owner:
        """Take a user.

        Raises:
            TypeError: it is something else; the message names the remedy.
            ValueError: it is in no session.
        """
        instance = _unwrap(value)
        if not isinstance(instance, self._models.user):
            raise TypeError(f"a user is needed, not {_name(value)}: look one up with permjwt.users.find(name)")
        return self._owner(instance, self._models.user, self._models.user_permissions, "user_id")

    def role(self, value: object) -> Owner:
        """Take a role.

        Raises:
            TypeError: it is something else; the message names the remedy.
            ValueError: it is in no session.
        """
        instance = _unwrap(value)
        if not isinstance(instance, self._models.role):
            raise TypeError(
                f"a role is needed, not {_name(value)}: look one up with permjwt.users.find_role(name)"
            )
        return self._owner(instance, self._models.role, self._models.role_permissions, "role_id")

    def client(self, value: object) -> Owner:
        """Take a client.

        Raises:
            TypeError: it is something else; the message names the remedy.
            ValueError: it is in no session.
        """
        if not isinstance(value, self._models.client):
            raise TypeError(f"a client is needed, not {_name(value)}: look one up with permjwt.clients.find(name)")
        return self._owner(value, self._models.client, self._models.client_permissions, "client_id")

    def user_or_role(self, value: object) -> Owner:
        """Take a user or a role.

        Raises:
            TypeError: it is something else; the message names the remedy.
            ValueError: it is in no session.
        """
        instance = _unwrap(value)
        if isinstance(instance, self._models.role):
            return self.role(instance)
        if isinstance(instance, self._models.user):
            return self.user(instance)
        raise TypeError(
            f"a user or a role is needed, not {_name(value)}: look it up with permjwt.users.find(name) or "
            "permjwt.users.find_role(name)"
        )

    def lock(self, owner: Owner) -> None:
        """Lock the owner's row, before anything else is touched: changes of one owner come one by one.

        Raises:
            UnknownUserError, UnknownRoleError, UnknownClientError: it was deleted.
        """
        column = key_column(owner.model)
        locked = self._session.scalar(select(column).where(column == owner.key).with_for_update(key_share=True))
        if locked is None:
            raise self._unknown(owner)

    def hold(self, owner: Owner) -> None:
        """Keep the owner's row from being deleted, while others may do the same.

        Raises:
            UnknownUserError, UnknownRoleError, UnknownClientError: it was deleted.
        """
        column = key_column(owner.model)
        held = self._session.scalar(
            select(column).where(column == owner.key).with_for_update(read=True, key_share=True)
        )
        if held is None:
            raise self._unknown(owner)

    def change(self, owner: Owner, *counts: str, **values: object) -> None:
        """Write values to the owner's row and raise counts on it, in the database: no two get the same.

        Raises:
            UnknownUserError, UnknownRoleError, UnknownClientError: it was deleted.
        """
        model, column = owner.model, key_column(owner.model)
        raised = {count: getattr(model, count) + 1 for count in counts}
        result = self._session.execute(
            update(model).where(column == owner.key).values(**values, **raised),
            execution_options={"synchronize_session": False},
        )
        if changed_rows(result) != 1:
            raise self._unknown(owner)
        if owner.instance in self._session:
            self._session.expire(owner.instance)

    def count(self, owner: Owner, name: str) -> int:
        """Return a count on the owner's locked row, as it is in the database now.

        Raises:
            UnknownUserError, UnknownRoleError, UnknownClientError: it was deleted.
        """
        found = self._session.scalar(
            select(getattr(owner.model, name)).where(key_column(owner.model) == owner.key)
        )
        if found is None:
            raise self._unknown(owner)
        return int(found)

    def link(self, owner: Owner, table: Table, row: dict[str, Any]) -> bool:
        """Insert a row that names a locked owner; tell whether it was missing."""
        return insert_if_absent(self._session, owner.model, table, row)

    def _owner(self, instance: Any, model: type[Any], permissions: Table, column: str) -> Owner:
        self._session.flush()
        identity = inspect_mapped(instance).identity
        if identity is None:
            raise ValueError(f"this {model.__name__} is in no session yet: db.session.add(...) it first")
        return Owner(model, identity[0], instance, permissions, column)

    def _unknown(self, owner: Owner) -> AccountError:
        if owner.model is self._models.client:
            return UnknownClientError()
        return UnknownUserError() if owner.model is self._models.user else UnknownRoleError()


def plain_text(value: object) -> object:
    """Return the text of a string enum's member, and anything else as it is."""
    return value.value if isinstance(value, Enum) else value


def key_column(model: type[Any]) -> Any:
    """Return the attribute that is a model's primary key."""
    mapper = inspect_mapped(model)
    return mapper.get_property_by_column(mapper.primary_key[0]).class_attribute


def _unwrap(value: object) -> object:
    """Take what a proxy such as ``current_user`` stands for."""
    current = getattr(value, "_get_current_object", None)
    return value if current is None else current()


def _name(value: object) -> str:
    return type(value).__name__
