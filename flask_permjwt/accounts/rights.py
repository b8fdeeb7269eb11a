"""Rights: what a user may do, read from the user's own grants and those of the roles held."""

from typing import Any

from sqlalchemy import inspect as inspect_mapped
from sqlalchemy import select, union

from flask_permjwt.accounts.models import Models
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.accounts.store import Rights
from flask_permjwt.tokens.claims import USER_VERSION


def read_rights(session: AnySession, models: Models, user_key: Any) -> Rights:
    """Read the rights of the user with this primary key; none when there is no such user.

    Two queries, in this order: versions and roles, then permissions. A change that is committed in between
    gives rights that are newer than their versions, which costs one more reading; the reverse would pass
    old rights for current.
    """
    user, role, held = models.user, models.role, models.user_roles
    own, of_role = models.user_permissions, models.role_permissions
    bind = {"mapper": inspect_mapped(user)}
    key = inspect_mapped(user).primary_key[0]
    versions = session.execute(
        select(user.policy_version, role.public_id, role.name, role.policy_version)
        .select_from(user)
        .outerjoin(held, held.c.user_id == key)
        .outerjoin(role, role.id == held.c.role_id)
        .where(key == user_key),
        bind_arguments=bind,
    ).all()
    if not versions:
        return Rights()
    permissions = session.scalars(
        union(
            select(own.c.permission).where(own.c.user_id == user_key),
            select(of_role.c.permission)
            .join(held, held.c.role_id == of_role.c.role_id)
            .where(held.c.user_id == user_key),
        ),
        bind_arguments=bind,
    ).all()
    roles = [(name, public_id, version) for _, public_id, name, version in versions if public_id is not None]
    return Rights(
        permissions=frozenset(permissions),
        roles=tuple(sorted(name for name, _, _ in roles)),
        versions={USER_VERSION: versions[0][0], **{public_id: version for _, public_id, version in roles}},
    )
