"""The user store in SQL, on each kind of database."""

import logging
from enum import StrEnum

import pytest
from sqlalchemy import func, select
from werkzeug.local import LocalProxy

from flask_permjwt.accounts.sql_store import SQLUserStore
from flask_permjwt.errors import (
    EmailTakenError,
    InvalidNameError,
    InvalidPasswordError,
    PermissionSyntaxError,
    RoleTakenError,
    UnknownRoleError,
    UnknownUserError,
    UsernameTakenError,
)

PASSWORD = "correct horse battery staple"


class Permission(StrEnum):
    READ = "reports:read"
    WRITE = "reports:write"


def versions(user):
    return user.token_version, user.policy_version


# -- creating and finding


def test_a_user_is_kept_as_typed_and_found_by_any_spelling(world):
    made = world.users.create("Straße", PASSWORD, email="Alice@Example.com")
    world.db.session.commit()
    assert (made.username, made.email) == ("Straße", "Alice@Example.com")
    for spelling in ("Straße", "STRASSE", "strasse", "ALICE@example.COM", "\uff33trasse"):
        assert world.users.find(spelling) is made
    assert world.users.get(made.public_id) is made
    assert (made.active, versions(made)) == (True, (1, 1))
    assert len(made.public_id) == 32


def test_names_that_only_differ_by_an_accent_are_two_users(world):
    one, other = world.users.create("jose", email="a@b"), world.users.create("josé", email="á@b")
    world.db.session.commit()
    assert world.users.find("JOSE") is one is world.users.find("a@b")
    assert world.users.find("JOSÉ") is other is world.users.find("á@b")
    roles = world.users.create_role("rolé"), world.users.create_role("role")
    assert [world.users.find_role("ROLÉ"), world.users.find_role("role")] == list(roles)
    world.users.grant(one, "a:b", "A:b", "A:B")
    assert world.users.permissions_of(one) == {"a:b", "A:b", "A:B"}


@pytest.mark.parametrize("spelling", ["Alice", "ALICE", "\uff21lice"])
def test_a_name_that_is_taken_is_a_clear_error(world, alice, spelling):
    with pytest.raises(UsernameTakenError) as caught:
        world.users.create(spelling)
    assert caught.value.description == "This user name is taken."
    assert world.users.find("alice") is alice


def test_an_address_that_is_taken_is_a_clear_error(world, alice):
    with pytest.raises(EmailTakenError):
        world.users.create("bob", email="ALICE@example.com")
    assert world.users.find("bob") is None


def test_users_without_an_address_do_not_collide(world):
    world.users.create("a")
    world.users.create("b")
    world.db.session.commit()


def test_a_role_that_exists_is_a_clear_error(world):
    world.users.create_role("Editor")
    with pytest.raises(RoleTakenError):
        world.users.create_role("EDITOR")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"username": "a@b"}, InvalidNameError),
        ({"username": "a\0b"}, InvalidNameError),
        ({"username": ""}, InvalidNameError),
        ({"username": None}, InvalidNameError),
        ({"email": "nobody"}, InvalidNameError),
        ({"password": ""}, InvalidPasswordError),
        ({"permissions": ["not a permission"]}, PermissionSyntaxError),
        ({"permissions": "reports:read"}, TypeError),
        ({"roles": ["nobody"]}, UnknownRoleError),
        ({"roles": "nobody"}, TypeError),
        ({"roles": [7]}, TypeError),
    ],
)
def test_a_user_is_made_whole_or_not_at_all(sqlite_world, options, error):
    world = sqlite_world
    with pytest.raises(error):
        world.users.create(**{"username": "alice", **options})
    world.db.session.commit()
    assert world.db.session.scalar(select(func.count()).select_from(world.models.user)) == 0


def test_what_is_nobodys_name_finds_nobody(world, alice):
    texts = ["", " alice", "alice ", "alice\0", "\0", "ali\ud800ce", "@", "a" * 300, "%", "ali_e"]
    for nobody in (*texts, None, 1, b"alice"):
        assert world.users.find(nobody) is None
        assert world.users.find_role(nobody) is None


def test_a_subject_is_compared_exactly(world, alice):
    right = alice.public_id
    wrong = [
        right + " ",
        " " + right,
        right.upper(),
        right + "\0",
        right[:-1],
        "\0",
        "\ud800",
        "",
        "%",
        right.encode(),
    ]
    # "1" is a primary key; SQLite and MariaDB would take all of these for the number 1.
    wrong += ["1", "01", " 1", "1.0", "1e0", 1, True, None, 1.0]
    wrong = [one for one in wrong if one != right]
    assert [world.users.get(one) for one in wrong] == [None] * len(wrong)
    assert world.users.get(right) is alice


def test_a_public_id_of_digits_alone_is_compared_as_text(world, alice):
    alice.public_id = "0" * 31 + "1"
    world.db.session.commit()
    assert world.users.get("0" * 32) is None
    assert world.users.get("0" * 31 + "1") is alice


def test_a_new_name_sets_its_key(world, alice):
    alice.username, alice.email = "BOB", None
    world.db.session.commit()
    assert world.users.find("bob") is alice
    assert world.users.find("alice") is world.users.find("alice@example.com") is None
    with pytest.raises(InvalidNameError):
        alice.username = "b@b"


# -- permissions and roles


def test_grants_are_counted_once_and_only_when_something_changed(world, alice):
    assert world.users.grant(alice, Permission.READ, "models:*") == {"reports:read", "models:*"}
    assert versions(alice) == (1, 2)
    assert world.users.grant(alice, "reports:read") == frozenset()
    assert versions(alice) == (1, 2)
    assert world.users.revoke(alice, Permission.READ, Permission.WRITE) == {"reports:read"}
    assert versions(alice) == (1, 3)
    assert world.users.revoke(alice, Permission.READ) == frozenset()
    assert versions(alice) == (1, 3)
    world.db.session.commit()
    assert world.users.permissions_of(alice) == {"models:*"}


def test_what_a_wildcard_covers_is_not_revoked_one_by_one(world, alice):
    world.users.grant(alice, "reports:*")
    assert world.users.revoke(alice, "reports:read") == frozenset()
    assert world.users.permissions_of(alice) == {"reports:*"}


def test_a_role_counts_on_its_own_row_and_its_holders_stay_untouched(world, alice):
    role = world.users.create_role("Editor", "reports:read")
    world.users.assign(alice, "EDITOR")
    assert (alice.policy_version, role.policy_version) == (2, 1)
    world.users.grant(role, "reports:write")
    world.users.revoke(role, "reports:read")
    assert (alice.policy_version, role.policy_version) == (2, 3)
    rights = world.users.rights(alice)
    assert rights.permissions == {"reports:write"}
    assert rights.roles == ("Editor",)
    assert rights.versions == {"u": 2, role.public_id: 3}


def test_roles_are_assigned_and_taken_by_name_or_object_and_counted_when_they_change(world, alice):
    reader, writer = world.users.create_role("reader"), world.users.create_role("writer", "b")
    world.users.assign(alice, reader, "Writer", writer)
    assert world.users.rights(alice).roles == ("reader", "writer")
    assert alice.policy_version == 2
    world.users.assign(alice, "reader")
    world.users.unassign(alice, writer)
    world.users.unassign(alice, "writer")
    assert alice.policy_version == 3
    assert world.users.rights(alice).roles == ("reader",)
    assert world.users.list_roles() == [reader, writer]
    with pytest.raises(UnknownRoleError):
        world.users.assign(alice, "nobody")


def test_rights_are_the_sum_of_direct_grants_and_those_of_all_roles(world):
    world.users.create_role("zeta", "a:b", "shared")
    world.users.create_role("alpha", "c:*")
    bob = world.users.create("bob", permissions=[Permission.READ, "shared"], roles=["zeta", "alpha"])
    other = world.users.create("other", permissions=["x"], roles=["zeta"])
    world.db.session.commit()
    rights = world.users.rights(bob)
    assert rights.permissions == {"a:b", "shared", "c:*", "reports:read"}
    assert rights.roles == ("alpha", "zeta")
    assert world.users.rights(other).permissions == {"x", "a:b", "shared"}
    assert world.users.permissions_of(bob) == {"reports:read", "shared"}


def test_a_role_that_is_deleted_is_taken_from_all_and_made_again_it_is_another(world, alice):
    role = world.users.create_role("editor", "reports:write")
    before = role.public_id
    world.users.assign(alice, role)
    world.users.delete_role(role)
    world.db.session.commit()
    assert world.users.rights(alice) == world.users.rights(alice).__class__(versions={"u": 2})
    again = world.users.create_role("editor", "reports:write")
    world.db.session.commit()
    assert again.public_id != before
    assert world.users.rights(alice).permissions == frozenset()
    with pytest.raises(UnknownRoleError):
        world.users.grant(role, "a")
    with pytest.raises(UnknownRoleError):
        world.users.assign(alice, role)


@pytest.mark.parametrize("method", ["grant", "revoke"])
def test_a_list_of_permissions_is_no_permission(sqlite_world, method):
    user = sqlite_world.users.create("alice")
    with pytest.raises(PermissionSyntaxError):
        getattr(sqlite_world.users, method)(user, ["a", "b"])


# -- voiding


@pytest.fixture
def session_of(world):
    def open_one(user):
        grant = world.sessions.open(user.public_id, now=int(world.clock()), lifetime=1000, opened_by="password")
        world.db.session.commit()
        return grant.session_id

    return open_one


def test_a_new_password_voids_all_tokens_and_sessions_of_this_user_only(world, alice, session_of):
    bob = world.users.create("bob")
    mine, other, his = session_of(alice), session_of(alice), session_of(bob)
    world.users.set_password(alice, "another password")
    world.db.session.commit()
    assert versions(alice) == (2, 1)
    assert world.passwords.verify(alice.password_hash, "another password")
    assert [world.row(one).ended_at is None for one in (mine, other, his)] == [False, False, True]
    assert versions(bob) == (1, 1)


def test_disabling_voids_and_enabling_brings_nothing_back(world, alice, session_of):
    mine = session_of(alice)
    world.users.set_active(alice, False)
    world.users.set_active(alice, True)
    world.db.session.commit()
    assert (alice.active, alice.token_version) == (True, 2)
    assert world.row(mine).ended_at is not None


def test_a_deleted_user_leaves_no_rights_to_the_next_of_the_same_name(world, alice, session_of):
    public_id, primary_key, mine = alice.public_id, alice.id, session_of(alice)
    world.users.create_role("editor", "reports:write")
    world.users.grant(alice, "reports:read")
    world.users.assign(alice, "editor")
    world.db.session.commit()
    world.users.delete(alice)
    world.db.session.commit()
    assert world.users.get(public_id) is world.users.find("alice") is None
    assert world.row(mine).ended_at is not None
    again = world.users.create("Alice", email="alice@example.com")
    world.db.session.commit()
    assert (again.id, again.public_id) != (primary_key, public_id)
    assert again.id != primary_key
    assert world.users.rights(again).permissions == frozenset()


def test_changes_of_a_deleted_user_are_clear_errors(world, alice):
    world.users.delete(alice)
    world.db.session.commit()
    for change in (
        lambda: world.users.grant(alice, "a"),
        lambda: world.users.set_password(alice, PASSWORD),
        lambda: world.users.set_active(alice, False),
        lambda: world.users.delete(alice),
    ):
        with pytest.raises(UnknownUserError):
            change()
        world.db.session.rollback()
    assert world.users.rights(alice).permissions == frozenset()


def test_nothing_is_committed(world, alice):
    world.users.grant(alice, "a")
    world.users.set_password(alice, "another password")
    world.users.create("bob")
    world.users.create_role("editor")
    world.db.session.rollback()
    assert world.users.permissions_of(alice) == frozenset()
    assert world.passwords.verify(alice.password_hash, PASSWORD)
    assert world.users.find("bob") is world.users.find_role("editor") is None
    assert versions(alice) == (1, 1)


def test_changes_count_from_what_the_database_says_not_from_what_was_loaded(world, alice):
    loaded = alice.policy_version
    with world.db.engine.begin() as other:
        table = world.models.user.__table__
        other.execute(table.update().values(policy_version=40, token_version=70))
    assert loaded == 1
    world.db.session.rollback()
    world.users.grant(alice, "a")
    world.users.set_active(alice, False)
    assert versions(alice) == (71, 41)


def test_a_rehash_never_overwrites_a_password_that_was_changed_meanwhile(world, alice):
    assert world.passwords.verify(alice.password_hash, PASSWORD)
    table = world.models.user.__table__
    changed = world.passwords.hash("changed by somebody else")
    with world.db.engine.begin() as other:
        other.execute(table.update().values(password_hash=changed))
    world.users.save_password_hash(alice, world.passwords.hash(PASSWORD))
    world.db.session.commit()
    world.db.session.expire_all()
    assert alice.password_hash == changed


# -- wrong arguments


@pytest.mark.parametrize("method", ["grant", "revoke", "permissions_of"])
@pytest.mark.parametrize("wrong", ["alice", None, 1, object()])
def test_what_is_neither_user_nor_role_is_refused_with_the_remedy(sqlite_world, method, wrong):
    with pytest.raises(TypeError, match=r"find\(name\)"):
        getattr(sqlite_world.users, method)(wrong)


@pytest.mark.parametrize("method", ["assign", "unassign", "delete", "rights"])
def test_a_role_is_no_user(sqlite_world, method):
    role = sqlite_world.users.create_role("editor")
    with pytest.raises(TypeError, match="PermJWTRole: look one up"):
        getattr(sqlite_world.users, method)(role)


def test_a_user_is_no_role(sqlite_world):
    user = sqlite_world.users.create("alice")
    with pytest.raises(TypeError, match="find_role"):
        sqlite_world.users.delete_role(user)


def test_a_user_who_is_in_no_session_is_refused_with_the_remedy(sqlite_world):
    with pytest.raises(ValueError, match=r"db\.session\.add"):
        sqlite_world.users.grant(sqlite_world.models.user(username="alice"), "a")


def test_a_proxy_such_as_current_user_will_do(sqlite_world):
    user = sqlite_world.users.create("alice")
    proxy = LocalProxy(lambda: user)
    sqlite_world.users.grant(proxy, "a")
    sqlite_world.users.set_password(proxy, PASSWORD)
    assert sqlite_world.users.rights(proxy).permissions == {"a"}
    sqlite_world.users.delete(proxy)
    assert sqlite_world.users.find("alice") is None


def test_neither_passwords_nor_hashes_are_logged(sqlite_world, caplog):
    caplog.set_level(logging.DEBUG, logger="flask_permjwt")
    user = sqlite_world.users.create("alice", PASSWORD)
    sqlite_world.users.set_password(user, PASSWORD + "!")
    assert PASSWORD not in caplog.text
    assert "argon2" not in caplog.text


# -- what is recorded


def recorded(world):
    return [(entry.event, entry.subject, entry.detail) for entry in world.recorder.read()]


def test_what_a_user_is_created_with_is_recorded_too(world):
    world.users.create_role("editor", "a:b")
    world.users.create_role("reader")
    bob = world.users.create("bob", PASSWORD, permissions=["z", "a:*"], roles=["reader", "Editor"])
    world.users.create("nobody", permissions=[], roles=[])
    world.db.session.commit()
    everything = recorded(world)[2:]
    assert everything[:3] == [
        ("user_created", bob.public_id, {"username": "bob"}),
        (
            "permissions_changed",
            bob.public_id,
            {"owner": "user", "owner_name": "bob", "granted": ["a:*", "z"], "revoked": []},
        ),
        ("roles_changed", bob.public_id, {"assigned": ["editor", "reader"], "unassigned": []}),
    ]
    assert [event for event, _, _ in everything[3:]] == ["user_created"]


def test_what_changes_nothing_is_not_recorded(world, alice):
    world.users.create_role("editor")
    world.users.grant(alice, "a")
    world.users.assign(alice, "editor")
    world.users.set_active(alice, False)
    before = recorded(world)
    world.users.grant(alice, "a")
    world.users.revoke(alice, "b")
    world.users.assign(alice, "editor")
    world.users.unassign(alice, world.users.create_role("reader"))
    world.users.set_active(alice, False)
    world.users.save_password_hash(alice, world.passwords.hash(PASSWORD))
    assert [event for event, _, _ in recorded(world)[len(before) :]] == ["role_created"]


def test_disabling_somebody_who_is_disabled_voids_again_and_is_no_change(world, alice, session_of):
    world.users.set_active(alice, False)
    mine = session_of(alice)
    world.users.set_active(alice, False)
    world.db.session.commit()
    assert alice.token_version == 3
    assert world.row(mine).ended_at is not None
    assert [event for event, _, _ in recorded(world)] == ["user_created", "activity_changed"]


def test_activity_is_compared_with_what_the_database_says_not_with_what_was_loaded(world, alice):
    assert alice.active
    world.db.session.commit()
    with world.db.engine.begin() as other:
        other.execute(world.models.user.__table__.update().values(active=False))
    world.users.set_active(alice, True)
    world.db.session.commit()
    assert recorded(world)[-1] == ("activity_changed", alice.public_id, {"active": True})


@pytest.mark.parametrize("change", ["set_password", "set_active", "delete", "grant", "revoke"])
def test_a_user_whom_somebody_else_has_deleted_is_a_clear_error(world, alice, change):
    arguments = {"set_password": [PASSWORD], "set_active": [False], "grant": ["a"], "revoke": ["a"]}
    world.db.session.commit()
    with world.db.engine.begin() as other:
        other.execute(world.models.user.__table__.delete())
    with pytest.raises(UnknownUserError):
        getattr(world.users, change)(alice, *arguments.get(change, []))
    world.db.session.rollback()
    assert [event for event, _, _ in recorded(world)] == ["user_created"]


def test_without_a_recorder_the_store_works_all_the_same(sqlite_world):
    world = sqlite_world
    users = SQLUserStore(world.db, world.models, world.passwords)
    user = users.create("alice", PASSWORD, permissions=["a"])
    users.set_active(user, False)
    users.delete(user)
    world.db.session.commit()
    assert recorded(world) == []


def test_changes_that_are_rolled_back_are_not_recorded(world, alice):
    world.users.grant(alice, "a")
    world.users.set_password(alice, "another password")
    world.users.delete(alice)
    world.db.session.rollback()
    assert [event for event, _, _ in recorded(world)] == ["user_created"]
