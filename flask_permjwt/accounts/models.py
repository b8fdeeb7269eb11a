"""The models: users, roles, permissions and records on the app's Flask-SQLAlchemy object.

Only plain column types are used, and every constraint and index is named, so that a migration written by
Alembic's autogenerate runs as it stands. Times are naive UTC in whole seconds.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, MappedAsDataclass, mapped_column, validates
from sqlalchemy.schema import conv

from flask_permjwt.accounts.columns import new_id, text_column
from flask_permjwt.accounts.moments import utc_now
from flask_permjwt.accounts.names import check_email, check_role_name, check_username
from flask_permjwt.accounts.records import (
    AuditMixin,
    ChangeMixin,
    ClientMixin,
    CodeMixin,
    IdentityMixin,
    PersonalTokenMixin,
    RotationMixin,
    SessionMixin,
)
from flask_permjwt.errors import ConfigurationError

MixinT = TypeVar("MixinT")

_INFO_KEY: Final = "flask_permjwt.models"


def _new_role_id() -> str:
    return secrets.token_hex(8)


class UserMixin:
    """The columns of a user, for the app's own class: ``class User(UserMixin, db.Model): ...``.

    Attributes:
        id: the primary key; an app may declare another one (a UUID, say). It is in no token.
        public_id: 32 random hexadecimal digits, never used again: the ``sub`` of tokens.
        username: as typed. Setting it checks it and sets ``username_key``.
        username_key: what is compared (NFKC, case-folded); unique.
        email: as typed. Setting it checks it and sets ``email_key``.
        email_key: what is compared; unique.
        email_verified_at: when the owner of the address proved to be the user; None until then, and again
            when another address is set. Naive UTC, whole seconds.
        password_hash: argon2id; None when nobody can log in with a password.
        active: whether the user may log in and refresh.
        token_version: rises when all of the user's tokens must die: the ``ver`` claim.
        policy_version: rises when the user's own permissions or roles change.
        created_at: naive UTC, whole seconds.
        updated_at: naive UTC, whole seconds.
    """

    id: Mapped[Any] = mapped_column(Integer, primary_key=True)
    public_id: Mapped[str] = mapped_column(text_column(32), default=new_id)
    username: Mapped[str] = mapped_column(text_column(255))
    username_key: Mapped[str] = mapped_column(text_column(255))
    email: Mapped[str | None] = mapped_column(text_column(254))
    email_key: Mapped[str | None] = mapped_column(text_column(254))
    email_verified_at: Mapped[datetime | None] = mapped_column(DateTime)
    password_hash: Mapped[str | None] = mapped_column(text_column(255))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    token_version: Mapped[int] = mapped_column(Integer, default=1)
    policy_version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime] = mapped_column(DateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(DateTime, default=utc_now, onupdate=utc_now)

    @validates("username")
    def _set_username_key(self, _: str, username: str) -> str:
        self.username_key = check_username(username)
        return username

    @validates("email")
    def _set_email_key(self, _: str, email: str | None) -> str | None:
        key = None if email is None else check_email(email)
        if key != self.email_key:
            self.email_verified_at = None
        self.email_key = key
        return email


class RoleMixin:
    """A role: a named set of permissions.

    Attributes:
        id: the primary key.
        public_id: 16 random hexadecimal digits; in tokens it tells a role from a later one of the same name.
        name: as typed. Setting it checks it and sets ``name_key``.
        name_key: what is compared (NFKC, case-folded); unique.
        policy_version: rises when the role's permissions change.
    """

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    public_id: Mapped[str] = mapped_column(text_column(16), default=_new_role_id)
    name: Mapped[str] = mapped_column(text_column(255))
    name_key: Mapped[str] = mapped_column(text_column(255))
    policy_version: Mapped[int] = mapped_column(Integer, default=1)

    @validates("name")
    def _set_name_key(self, _: str, name: str) -> str:
        self.name_key = check_role_name(name)
        return name


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """The classes and tables of one Flask-SQLAlchemy object.

    Attributes:
        session: a session.
        rotation: an exchange of a refresh token.
        code: a one-time code.
        change: an entry of the revocation feed.
        audit: what happened.
        identity: somebody as another issuer knows them.
        personal: a personal access token.
        client: a service account.
        client_permissions: what was granted to clients: ``client_id`` (their primary key), ``permission``.
        user: the app's own class, or ours.
        role: a role.
        user_permissions: what was granted to users directly: ``user_id``, ``permission``.
        role_permissions: what was granted to roles: ``role_id``, ``permission``.
        user_roles: who holds which role: ``user_id``, ``role_id``. This and the last four are None where users
            live elsewhere.
    """

    session: type[SessionMixin]
    rotation: type[RotationMixin]
    code: type[CodeMixin]
    change: type[ChangeMixin]
    audit: type[AuditMixin]
    identity: type[IdentityMixin]
    personal: type[PersonalTokenMixin]
    client: type[ClientMixin]
    client_permissions: Table
    user: Any = None
    role: Any = None
    user_permissions: Any = None
    role_permissions: Any = None
    user_roles: Any = None


def build_models(db: SQLAlchemy, user_model: type[Any] | None = None, *, users: bool = True) -> Models:
    """Declare the models on ``db``, once; a second call returns the same ones.

    Args:
        db: the app's Flask-SQLAlchemy object.
        user_model: the app's own user class, made with ``UserMixin``; by default one is declared.
        users: False when users live elsewhere: then there are sessions only.

    Raises:
        ConfigurationError: the models were built with another user class, or cannot be built on these.
    """
    asked = (user_model, users)
    if _INFO_KEY in db.metadata.info:
        before, models = cast("tuple[object, Models]", db.metadata.info[_INFO_KEY])
        if before != asked:
            raise ConfigurationError(
                "this db has models with another user_model already: share one PermJWT, or give both the same "
                "user_model"
            )
        return models
    if issubclass(db.Model, MappedAsDataclass):
        raise ConfigurationError(
            "the base class of db is a MappedAsDataclass, which cannot take models with keys of their own "
            "making: use SQLAlchemy(model_class=Base) with a plain DeclarativeBase, and put "
            "MappedAsDataclass on each class of yours: class Report(MappedAsDataclass, db.Model)"
        )
    models = _build(db, user_model) if users else Models(**_records(db, None))
    db.metadata.info[_INFO_KEY] = (asked, models)
    return models


def built_models(db: SQLAlchemy) -> Models | None:
    """Return the models that were declared on ``db``; None where there are none."""
    found = db.metadata.info.get(_INFO_KEY)
    return None if found is None else cast("tuple[object, Models]", found)[1]


def _build(db: SQLAlchemy, user_model: type[Any] | None) -> Models:
    user: type[Any] = user_model or _declare(db, "PermJWTUser", UserMixin, "permjwt_users", None)
    user_id = _complete_user_model(db, user)
    bind_key = getattr(user, "__bind_key__", None)
    role = _declare(db, "PermJWTRole", RoleMixin, "permjwt_roles", bind_key)
    roles = _complete_table(role, "public_id", "name_key")

    user_key, role_key = ("user_id", user_id), ("role_id", roles.c.id)
    user_roles = _link(roles.metadata, "permjwt_user_roles", user_key, role_key)
    # The primary key begins with the user: this is the way back, for a role that is deleted.
    Index(conv("ix_permjwt_user_roles_role_id"), user_roles.c.role_id)
    return Models(
        **_records(db, bind_key),
        user=user,
        role=role,
        user_permissions=_link(roles.metadata, "permjwt_user_permissions", user_key, ("permission", None)),
        role_permissions=_link(roles.metadata, "permjwt_role_permissions", role_key, ("permission", None)),
        user_roles=user_roles,
    )


def _link(metadata: MetaData, name: str, *keys: tuple[str, Column[Any] | None]) -> Table:
    """Declare a table of pairs, or of owners and permissions, in which each stands once."""
    table = Table(
        name,
        metadata,
        *(
            Column(key, text_column(255))
            if target is None
            else Column(
                key,
                target.type,
                ForeignKey(target, name=conv(f"fk_{name}_{key}"), ondelete="CASCADE"),
            )
            for key, target in keys
        ),
    )
    table.append_constraint(PrimaryKeyConstraint(*table.c, name=conv(f"pk_{name}")))
    return table


def _records(db: SQLAlchemy, bind_key: str | None) -> dict[str, Any]:
    """Declare what the use-cases write down, with an index for each way in which it is looked up."""
    declared: dict[str, Any] = {}
    for name, mixin, table, indexed in (
        ("Session", SessionMixin, "permjwt_sessions", (("subject", "address"), ("expires_at",))),
        ("Rotation", RotationMixin, "permjwt_rotations", (("session_id",), ("rotated_at",))),
        ("Code", CodeMixin, "permjwt_codes", (("subject",), ("expires_at",))),
        ("Change", ChangeMixin, "permjwt_changes", (("expires_at",),)),
        ("Audit", AuditMixin, "permjwt_audit", (("subject", "at"), ("at",))),
        ("Identity", IdentityMixin, "permjwt_identities", (("owner",),)),
        ("Personal", PersonalTokenMixin, "permjwt_personal_tokens", (("owner",), ("expires_at",))),
    ):
        model = _declare(db, f"PermJWT{name}", mixin, table, bind_key)
        columns = _complete_table(model).c
        for keys in indexed:
            Index(conv(f"ix_{table}_{'_'.join(keys)}"), *(columns[key] for key in keys))
        declared[name.casefold()] = model
    identities: Table = declared["identity"].__table__
    identities.append_constraint(
        UniqueConstraint(
            identities.c.issuer, identities.c.subject, name=conv("uq_permjwt_identities_issuer_subject")
        )
    )
    _complete_table(declared["personal"], "digest")
    declared["client"] = client = _declare(db, "PermJWTClient", ClientMixin, "permjwt_clients", bind_key)
    clients = _complete_table(client, "client_id", "name_key")
    declared["client_permissions"] = _link(
        clients.metadata, "permjwt_client_permissions", ("client_id", clients.c.id), ("permission", None)
    )
    return declared


def _declare(db: SQLAlchemy, name: str, mixin: type[MixinT], table: str, bind_key: str | None) -> type[MixinT]:
    """Declare a class whose name cannot be meant by a ``relationship("Role")`` of the app's own."""
    attributes = {"__tablename__": table, "__module__": __name__, "__doc__": mixin.__doc__}
    if bind_key is not None:
        attributes["__bind_key__"] = bind_key
    return cast("type[MixinT]", type(name, (mixin, db.Model), attributes))


def _complete_user_model(db: SQLAlchemy, user: type[Any]) -> Column[Any]:
    """Add to the user's table what an app's own ``__table_args__`` would have replaced in a mixin."""
    if not (isinstance(user, type) and issubclass(user, UserMixin) and issubclass(user, db.Model)):
        raise ConfigurationError(
            f"the user_model {user!r} is not made of UserMixin and the same db: write "
            "class User(UserMixin, db.Model)"
        )
    table = _complete_table(user, "public_id", "username_key", "email_key")
    if len(table.primary_key.columns) != 1:
        raise ConfigurationError(
            f"the primary key of {user.__name__} must be one column: name your own one id, in place of UserMixin's"
        )
    return next(iter(table.primary_key.columns))


def _complete_table(model: type[Any], *unique: str) -> Table:
    """Name the primary key, make columns unique under names, and let SQLite never use a row id again."""
    table: Table = model.__table__
    if table.primary_key.name is None:
        table.primary_key.name = conv(f"pk_{table.name}")
    for column in unique:
        table.append_constraint(UniqueConstraint(table.c[column], name=conv(f"uq_{table.name}_{column}")))
    if isinstance(next(iter(table.primary_key.columns)).type, Integer):
        table.kwargs["sqlite_autoincrement"] = True
    return table
