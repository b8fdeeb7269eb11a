"""The models: on any base class, with the app's own user class, everything named."""

import uuid
from datetime import datetime

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, Uuid, inspect, make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, DeclarativeBaseNoMeta, Mapped, MappedAsDataclass, mapped_column
from sqlalchemy.schema import CreateTable, MetaData

from flask_permjwt.accounts.models import RoleMixin, SessionMixin, UserMixin, build_models
from flask_permjwt.errors import ConfigurationError

PASSWORD = "correct horse battery staple"

EXACT = {
    "permjwt_users": {"public_id", "username_key", "email_key"},
    "permjwt_roles": {"public_id", "name_key"},
    "permjwt_sessions": {"id", "subject", "refresh_id"},
    "permjwt_rotations": {"token_id", "session_id"},
    "permjwt_codes": {"digest", "purpose", "subject", "detail"},
    "permjwt_audit": {"event", "subject", "actor", "session_id", "address", "user_agent"},
    "permjwt_identities": {"owner", "issuer", "subject"},
    "permjwt_clients": {"client_id", "name_key", "secret_hash", "former_secret_hash"},
    "permjwt_client_permissions": {"permission"},
    "permjwt_personal_tokens": {"id", "digest", "owner", "token_name"},
    "permjwt_user_permissions": {"permission"},
    "permjwt_role_permissions": {"permission"},
}


CONVENTIONS = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(column_0_label)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


def base(*classes, **attributes):
    """Make a base class of its own: metadata belongs to it."""
    return type("Base", classes, attributes)


def own_user(db, **attributes):
    return type("User", (UserMixin, db.Model), {"__module__": __name__, **attributes})


BASES = {
    "default": SQLAlchemy,
    "declarative": lambda: SQLAlchemy(model_class=base(DeclarativeBase)),
    "no_metaclass": lambda: SQLAlchemy(model_class=base(DeclarativeBaseNoMeta)),
    "conventions": lambda: SQLAlchemy(
        model_class=base(DeclarativeBase, metadata=MetaData(naming_convention=CONVENTIONS))
    ),
}


@pytest.fixture(params=BASES)
def db(request):
    return BASES[request.param]()


def works(world):
    world.users.create_role("editor", "b")
    user = world.users.create("alice", "secret", email="a@b", permissions=["a"], roles=["editor"])
    world.db.session.commit()
    assert world.users.rights(user).permissions == {"a", "b"}
    assert world.log_in("alice", "secret").session_id
    world.users.delete(user)
    world.db.session.commit()
    assert world.users.find("alice") is None


def test_the_models_work_on_every_kind_of_base(make_world, make_database_url, db):
    works(make_world(make_database_url("sqlite"), db=db))


def test_an_own_user_class_works_on_every_kind_of_base(make_world, make_database_url, db):
    user = own_user(db, nickname=mapped_column(), __annotations__={"nickname": Mapped[str | None]})
    world = make_world(make_database_url("sqlite"), db=db, user_model=user)
    assert world.models.user is user
    works(world)


def test_an_own_primary_key_of_another_type_works(make_world, database_url):
    db = SQLAlchemy()
    key = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    user = own_user(db, id=key, __annotations__={"id": Mapped[uuid.UUID]})
    world = make_world(database_url, db=db, user_model=user)
    works(world)


def test_an_own_table_args_takes_nothing_away(make_world, make_database_url):
    db = SQLAlchemy()
    user = own_user(db, __table_args__={"comment": "people"}, __tablename__="people")
    world = make_world(make_database_url("sqlite"), db=db, user_model=user)
    unique = inspect(world.db.engine).get_unique_constraints("people")
    assert {one["name"] for one in unique} == {
        "uq_people_public_id",
        "uq_people_username_key",
        "uq_people_email_key",
    }
    assert "AUTOINCREMENT" in str(CreateTable(user.__table__).compile(world.db.engine))


def test_an_own_user_class_may_live_in_another_database(make_world, make_database_url):
    db = SQLAlchemy()
    user = own_user(db, __bind_key__="people")
    models = build_models(db, user)
    assert models.user_roles.metadata is models.role.metadata is models.session.metadata is user.metadata
    assert user.metadata is not db.metadata


def test_the_models_are_built_once(db):
    assert build_models(db) is build_models(db)


def test_another_user_class_on_the_same_db_is_refused():
    db = SQLAlchemy()
    build_models(db)
    with pytest.raises(ConfigurationError, match="share one PermJWT"):
        build_models(db, own_user(db))


def test_where_users_live_elsewhere_there_are_records_only():
    db = SQLAlchemy()
    models = build_models(db, users=False)
    kept = "sessions rotations codes changes audit identities personal_tokens clients client_permissions"
    assert set(db.metadata.tables) == {f"permjwt_{name}" for name in kept.split()}
    assert models.user is None
    assert build_models(db, users=False) is models


class NotAMixin:
    pass


@pytest.mark.parametrize("wrong", [NotAMixin, UserMixin, "User", object()])
def test_a_user_class_that_is_none_is_refused_with_the_remedy(wrong):
    with pytest.raises(ConfigurationError, match=r"class User\(UserMixin, db.Model\)"):
        build_models(SQLAlchemy(), wrong)


def test_a_user_class_of_another_db_is_refused():
    with pytest.raises(ConfigurationError, match="the same db"):
        build_models(SQLAlchemy(), own_user(SQLAlchemy()))


def test_a_composite_primary_key_is_refused():
    db = SQLAlchemy()
    user = own_user(db, tenant=mapped_column(primary_key=True), __annotations__={"tenant": Mapped[int]})
    with pytest.raises(ConfigurationError, match="one column"):
        build_models(db, user)


def test_a_dataclass_base_is_refused_with_the_remedy():
    db = SQLAlchemy(model_class=base(DeclarativeBase))
    # As SQLAlchemy(model_class=...) gives on SQLAlchemy 2.0; from 2.1 on, Flask-SQLAlchemy cannot make one.
    db.Model = type("Model", (MappedAsDataclass, db.Model), {"__abstract__": True})
    with pytest.raises(ConfigurationError, match=r"class Report\(MappedAsDataclass, db.Model\)"):
        build_models(db)


def test_the_remedy_for_dataclass_bases_works(make_world, make_database_url):
    db = SQLAlchemy(model_class=base(DeclarativeBase))

    class Report(MappedAsDataclass, db.Model):
        id: Mapped[int] = mapped_column(init=False, primary_key=True)
        title: Mapped[str]

    world = make_world(make_database_url("sqlite"), db=db)
    world.db.session.add(Report(title="A report"))
    works(world)


def test_every_constraint_and_index_has_a_name(db):
    build_models(db)
    for table in db.metadata.tables.values():
        for constraint in table.constraints:
            assert constraint.name, (table.name, constraint)
        assert all(index.name for index in table.indexes)
    names = [one.name for table in db.metadata.tables.values() for one in table.constraints | table.indexes]
    assert len(names) == len(set(names))


def test_what_is_compared_is_compared_byte_by_byte_on_mariadb():
    db = SQLAlchemy()
    build_models(db)
    for table, columns in EXACT.items():
        for column in columns:
            kind = db.metadata.tables[table].c[column].type
            for address in ("mysql+pymysql://", "mariadb+pymysql://"):
                dialect = make_url(address).get_dialect()()
                assert "utf8mb4_bin" in kind.compile(dialect)


def test_the_keys_and_times_are_set_by_themselves(world):
    user = world.models.user(username="Straße", email="A@B")
    world.db.session.add(user)
    role = world.models.role(name="Éditeur")
    world.db.session.add(role)
    world.db.session.commit()
    assert (user.username_key, user.email_key, role.name_key) == ("strasse", "a@b", "éditeur")
    assert isinstance(user.created_at, datetime)
    assert user.created_at.tzinfo is None
    assert user.created_at.microsecond == 0
    assert len(role.public_id) == 16


def test_a_change_is_dated(world, alice):
    alice.updated_at = datetime(2020, 1, 1)  # noqa: DTZ001  # the models keep naive UTC
    world.db.session.commit()
    world.users.set_active(alice, False)
    assert alice.updated_at > datetime(2025, 1, 1)  # noqa: DTZ001  # as above


def test_the_mixins_carry_their_columns_for_type_checkers():
    for mixin, columns in (
        (UserMixin, {"public_id", "username", "email", "password_hash", "active", "token_version"}),
        (RoleMixin, {"public_id", "name", "policy_version"}),
        (SessionMixin, {"id", "subject", "expires_at", "ended_at"}),
    ):
        assert columns <= set(mixin.__annotations__)


def test_columns_of_ones_own_are_given_by_name_and_their_constraints_are_ones_own(make_world, database_url):
    db = SQLAlchemy()

    class Member(UserMixin, db.Model):
        __tablename__ = "members"
        tenant: Mapped[str] = mapped_column(String(50))
        work_email: Mapped[str | None] = mapped_column(String(50), unique=True)
        display_name: Mapped[str | None] = mapped_column(String(50), unique=True)

    world = make_world(database_url, db=db, user_model=Member)
    world.users.create("alice", PASSWORD, tenant="t1", work_email="a@b", display_name="a")
    world.db.session.commit()
    for taken in ({"work_email": "a@b"}, {"display_name": "a"}):
        with pytest.raises(IntegrityError) as refusal:
            world.users.create("bob", PASSWORD, tenant="t1", **taken)
        world.db.session.rollback()
        assert "argon2id" not in str(refusal.value)
    with pytest.raises(IntegrityError) as refusal:
        world.users.create("carol", PASSWORD)
    assert "argon2id" not in str(refusal.value)


def test_active_is_a_boolean_and_no_word(make_world, make_database_url):
    world = make_world(make_database_url("sqlite"))
    alice = world.users.create("alice")
    with pytest.raises(TypeError, match="True or False"):
        world.users.set_active(alice, "false")
