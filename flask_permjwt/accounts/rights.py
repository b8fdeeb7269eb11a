"""Rights: what a user may do, read from the user's own grants and those of the roles held."""

from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import CompoundSelect, String, bindparam, literal, select, union_all
from sqlalchemy import inspect as inspect_mapped

from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.accounts.store import Rights
from flask_permjwt.tokens.claims import USER_VERSION

_USER, _ROLE, _PERMISSION = "user", "role", "permission"

# By user class. What a statement takes to be put together, it would take with every login.
_statements: Final[WeakKeyDictionary[type[Any], CompoundSelect[Any]]] = WeakKeyDictionary()


def read_rights(session: AnySession, models: Models, user_key: Any) -> Rights:
    """Read the rights of the user with this primary key; none when there is no such user.

    One statement, so that permissions and the counts that they are good for are of one moment.
    """
    bind = {"mapper": inspect_mapped(models.user)}
    rows = session.execute(_statement(models), {"user_key": user_key}, bind_arguments=bind).all()
    versions: dict[str, int] = {}
    roles, permissions = [], []
    for kind, text, name, version in rows:
        if kind == _PERMISSION:
            permissions.append(text)
        elif kind == _ROLE:
            roles.append(name)
            versions[text] = version
        else:
            versions[USER_VERSION] = version
    if USER_VERSION not in versions:
        return Rights()
    return Rights(permissions=frozenset(permissions), roles=tuple(sorted(roles)), versions=versions)


def _statement(models: Models) -> CompoundSelect[Any]:
    found = _statements.get(models.user)
    if found is None:
        found = _statements[models.user] = _put_together(models)
    return found


def _put_together(models: Models) -> CompoundSelect[Any]:
    user, role, held = models.user, models.role, models.user_roles
    own, of_role = models.user_permissions, models.role_permissions
    key = inspect_mapped(user).primary_key[0]
    wanted, nothing = bindparam("user_key", type_=key.type), literal("", String)
    return union_all(
        select(literal(_USER, String), nothing, nothing, user.policy_version).where(key == wanted),
        select(literal(_ROLE, String), role.public_id, role.name, role.policy_version)
        .join(held, held.c.role_id == role.id)
        .where(held.c.user_id == wanted),
        select(literal(_PERMISSION, String), own.c.permission, nothing, literal(0)).where(own.c.user_id == wanted),
        select(literal(_PERMISSION, String), of_role.c.permission, nothing, literal(0))
        .join(held, held.c.role_id == of_role.c.role_id)
        .where(held.c.user_id == wanted),
    )
