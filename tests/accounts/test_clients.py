"""Clients in the store, on every kind of database."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.clients import Clients
from flask_permjwt.errors import InvalidNameError, PermissionSyntaxError, UsernameTakenError
from flask_permjwt.oauth_errors import ClientTakenError, UnknownClientError


class Told:
    """Keeps the changes that were committed."""

    lasts = 900

    def __init__(self):
        self.changes = []

    def announce(self):
        return None

    def committed(self, changes, announced=None):
        self.changes += [(one.kind.value, one.target, one.version) for one in changes]


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def clients(world, told):
    changes = ChangeLog(world.db, world.models.change, listener=lambda: told, clock=world.clock)
    return Clients(world.db, world.models, clock=world.clock, recorder=world.recorder, changes=changes)


@pytest.fixture
def made(world, clients):
    made = clients.create("Nightly Job", ["reports:read"])
    world.db.session.commit()
    return made


def test_a_client_is_found_by_name_id_and_sub_compared_exactly(clients, made):
    client = made.client
    for name in ("Nightly Job", "nightly job", "NIGHTLY JOB", client.client_id):
        assert clients.find(name) is client
    assert clients.get(f"client:{client.client_id}") is client
    for name in ("", "nightly", " nightly job", "nightly job\0", "n" * 256, "\ud800", None, 7, client.public_id):
        assert clients.find(name) is None
    for text in (
        client.client_id.upper(),
        f" {client.client_id}",
        client.client_id[:-1],
        "-" * 32,
        "\0",
        "\ud800",
    ):
        assert clients.with_id(text) is None
    for subject in (client.client_id, f"client:{client.client_id.upper()}", "client:", "clients:x", "a" * 32):
        assert clients.get(subject) is None


def test_a_secret_holds_256_random_bits_and_is_kept_as_its_hash_alone(world, clients, made):
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", made.secret)
    row = world.db.session.get(world.models.client, made.client.id)
    assert made.secret not in " ".join(str(getattr(row, column.key)) for column in row.__table__.columns)
    assert made.secret not in repr(made)
    assert clients.has_secret(row, made.secret)
    for wrong in (
        "",
        made.secret[:-1],
        f"{made.secret} ",
        made.secret.swapcase(),
        row.secret_hash,
        "\ud800",
        "\0",
    ):
        assert not clients.has_secret(row, wrong)
    for secret in (made.secret, "", "-" * 64):
        assert not clients.has_secret(None, secret)


def test_a_name_is_taken_once_whatever_its_spelling_and_the_callers_work_stays(world, clients, made):
    world.users.create("bob")
    with pytest.raises(ClientTakenError):
        clients.create("NIGHTLY JOB")
    world.db.session.commit()
    assert world.users.find("bob")
    assert [one.name for one in clients.list()] == ["Nightly Job"]


@pytest.mark.parametrize("name", ["", " a", "a\0", "a\n", "\ud800", "n" * 256, "0123456789abcdef" * 2])
def test_what_can_be_no_clients_name_is_refused(clients, name):
    with pytest.raises(InvalidNameError):
        clients.create(name)


def test_what_is_no_grant_is_refused_and_nothing_is_written(world, clients):
    with pytest.raises(PermissionSyntaxError):
        clients.create("job", ["a:**"])
    with pytest.raises(TypeError, match="not one string"):
        clients.create("job", "reports:read")
    world.db.session.commit()
    assert clients.list() == []


def test_clients_are_listed_by_name_at_most_so_many(clients, made):
    clients.create("another")
    assert [one.name for one in clients.list()] == ["another", "Nightly Job"]
    assert [one.name for one in clients.list(limit=1)] == ["another"]


def test_permissions_are_granted_and_revoked_and_each_change_is_counted_and_told(world, clients, made, told):
    client, subject = made.client, made.client.public_id
    assert clients.grant(client, "reports:read", "jobs:*") == {"jobs:*"}
    assert clients.revoke(client, "jobs:run", "reports:read") == {"reports:read"}
    assert clients.grant(client, "jobs:*") == frozenset()
    world.db.session.commit()
    assert told.changes == [("rights", subject, 2), ("rights", subject, 3)]
    rights = clients.rights(client)
    assert (rights.permissions, rights.versions, rights.roles) == (frozenset({"jobs:*"}), {"u": 3}, ())
    assert clients.permissions_of(client) == {"jobs:*"}
    entries = [one for one in world.recorder.read() if one.event == "permissions_changed"]
    assert [(one.detail["owner"], one.detail["owner_name"]) for one in entries] == [("client", "Nightly Job")] * 2


def test_a_client_without_permissions_has_its_count_all_the_same(clients, made):
    clients.revoke(made.client, "reports:read")
    assert (clients.rights(made.client).permissions, clients.rights(made.client).versions) == (
        frozenset(),
        {"u": 2},
    )


@pytest.mark.parametrize("how", ["disable", "rotate", "delete"])
def test_what_voids_tokens_raises_the_count_and_is_told_after_the_commit(world, clients, made, told, how):
    client, subject = made.client, made.client.public_id
    act = {
        "disable": lambda: clients.set_active(client, False),
        "rotate": lambda: clients.rotate_secret(client),
        "delete": lambda: clients.delete(client),
    }[how]
    act()
    assert told.changes == []
    world.db.session.commit()
    assert told.changes == [("user", subject, 2)]


def test_what_is_rolled_back_changes_nothing(world, clients, made, told):
    clients.rotate_secret(made.client)
    world.db.session.rollback()
    assert told.changes == []
    assert clients.has_secret(made.client, made.secret)


def test_enabling_voids_nothing_and_is_written_down_once(world, clients, made, told):
    clients.set_active(made.client, False)
    clients.set_active(made.client, True)
    clients.set_active(made.client, True)
    world.db.session.commit()
    assert len(told.changes) == 1
    entries = [one.detail["active"] for one in world.recorder.read() if one.event == "activity_changed"]
    assert entries == [False, True]
    with pytest.raises(TypeError):
        clients.set_active(made.client, "yes")


def test_an_overlap_keeps_the_former_secret_until_its_end(world, clients, made, told):
    second = clients.rotate_secret(made.client, overlap=60)
    world.db.session.commit()
    assert told.changes == []
    assert clients.has_secret(made.client, made.secret)
    assert clients.has_secret(made.client, second.secret)
    third = clients.rotate_secret(made.client, overlap=60)
    assert not clients.has_secret(made.client, made.secret)
    assert clients.has_secret(made.client, second.secret)
    world.clock.advance(60)
    assert not clients.has_secret(made.client, second.secret)
    assert clients.has_secret(made.client, third.secret)


@pytest.mark.parametrize("overlap", [-1, 367 * 24 * 3600, float("nan")])
def test_an_overlap_that_is_none_is_refused(clients, made, overlap):
    with pytest.raises(ValueError, match="overlap"):
        clients.rotate_secret(made.client, overlap=overlap)


def test_a_deleted_client_is_gone_with_what_was_granted_and_its_name_is_free(world, clients, made):
    client = made.client
    client_id = client.client_id
    clients.delete(client)
    world.db.session.commit()
    assert clients.find("nightly job") is None
    permissions = world.models.client_permissions
    bind = {"mapper": world.models.client.__mapper__}
    assert world.db.session.execute(permissions.select(), bind_arguments=bind).all() == []
    again = clients.create("Nightly Job")
    assert again.client.client_id != client_id
    assert clients.permissions_of(again.client) == frozenset()


@pytest.mark.parametrize("act", ["grant", "revoke", "set_active", "rotate_secret", "delete"])
def test_a_client_that_somebody_else_deleted_is_unknown(make_world, database_url, act):
    world = make_world(database_url)
    clients = Clients(world.db, world.models, clock=world.clock)
    client = clients.create("job", ["a"]).client
    world.db.session.commit()
    assert client.name == "job"
    world.db.session.commit()
    with world.db.engine.begin() as connection:
        connection.execute(world.models.client_permissions.delete())
        connection.execute(world.models.client.__table__.delete())
    arguments = {"grant": ("b",), "revoke": ("a",), "set_active": (False,)}.get(act, ())
    with pytest.raises(UnknownClientError):
        getattr(clients, act)(client, *arguments)


def test_what_is_no_client_is_told_so(clients, world, alice):
    with pytest.raises(TypeError, match=r"permjwt\.clients\.find"):
        clients.grant(alice, "a")
    with pytest.raises(TypeError, match=r"permjwt\.users\.find"):
        world.users.grant(clients.create("job").client, "a")


def test_a_broken_constraint_of_the_callers_own_is_the_callers_error(world, clients, alice):
    with pytest.raises(UsernameTakenError):
        world.users.create("alice")
    world.db.session.add(world.models.user(username="alice"))
    with pytest.raises(Exception, match=r"(?i)unique|duplicate") as raised:
        clients.create("job")
    assert not isinstance(raised.value, ClientTakenError)
    world.db.session.rollback()


@pytest.mark.parametrize(
    "kind", [pytest.param(one, marks=getattr(pytest.mark, one)) for one in ("postgresql", "mariadb")]
)
def test_of_many_who_change_a_client_at_once_each_is_counted(make_world, make_database_url, kind):
    world = make_world(make_database_url(kind))
    clients = Clients(world.db, world.models, clock=world.clock)
    made = clients.create("job")
    world.db.session.commit()

    def change(number):
        with world.app.app_context():
            found = clients.find("job")
            clients.grant(found, f"p:{number}")
            if number % 2:
                clients.set_active(found, False)
            else:
                clients.rotate_secret(found)
            world.db.session.commit()
            world.db.session.remove()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(change, range(12)))
    world.db.session.rollback()
    row = world.db.session.get(world.models.client, made.client.id, populate_existing=True)
    assert (row.token_version, row.policy_version) == (13, 13)
    assert len(clients.permissions_of(row)) == 12


@pytest.mark.parametrize(
    "kind", [pytest.param(one, marks=getattr(pytest.mark, one)) for one in ("postgresql", "mariadb")]
)
def test_of_many_who_create_one_name_at_once_one_does(make_world, make_database_url, kind):
    world = make_world(make_database_url(kind))
    clients = Clients(world.db, world.models, clock=world.clock)

    def create(_):
        with world.app.app_context():
            try:
                clients.create("job", ["a"])
                world.db.session.commit()
            except ClientTakenError:
                world.db.session.rollback()
                return False
            finally:
                world.db.session.remove()
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(create, range(6))) == 1


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_every_look_up_of_a_client_finds_its_rows_by_an_index(make_world, make_database_url, kind):
    world = make_world(make_database_url(kind))
    clients = Clients(world.db, world.models, clock=world.clock)
    client = clients.create("job", ["a"]).client
    world.db.session.commit()
    seen = {}

    def note(_connection, _cursor, statement, parameters, *_):
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen.setdefault(statement, parameters)

    event.listen(world.db.engine, "before_cursor_execute", note)
    clients.find("job")
    clients.with_id(client.client_id)
    clients.rights(client)
    clients.grant(client, "b")
    clients.revoke(client, "b")
    clients.set_active(client, False)
    clients.rotate_secret(client)
    clients.delete(client)
    event.remove(world.db.engine, "before_cursor_execute", note)
    assert len(seen) > 8
    world.db.session.rollback()
    with world.db.engine.connect() as connection:
        if kind == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in seen.items():
            explain = "EXPLAIN " if kind == "postgresql" else "EXPLAIN QUERY PLAN "
            plan = [str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters)]
            assert not [line for line in plan if "Seq Scan on" in line or line.startswith("SCAN ")], statement
