"""Identities: who a subject of another issuer is here, on each kind of database."""

from threading import Barrier, Thread

import pytest
from sqlalchemy import select, text

from flask_permjwt.accounts.identities import Identities
from flask_permjwt.accounts.sql_store import SQLUserStore
from flask_permjwt.errors import BusyError, IdentityTakenError, InvalidTokenError

ISSUER = "https://login.example.com/tenant/v2.0"


@pytest.fixture
def world(make_world, database_url):
    return make_world(database_url)


def identities_of(world):
    def quiet_store_in(session):
        return SQLUserStore(world.db, world.models, world.passwords, clock=world.clock, session=session)

    return Identities(
        world.db,
        world.models,
        world.users,
        create_in=quiet_store_in,
        recorder=world.recorder,
        clock=world.clock,
    )


@pytest.fixture
def identities(world):
    return identities_of(world)


@pytest.fixture
def alice(world):
    user = world.users.create("alice")
    world.db.session.commit()
    return user


def test_nobody_is_found_until_somebody_is_linked(world, identities, alice):
    assert identities.user_of(ISSUER, "s") is None
    identities.link(alice, ISSUER, "s")
    world.db.session.commit()
    found = identities.user_of(ISSUER, "s")
    assert (found.public_id, found.token_version) == (alice.public_id, 1)


def test_a_link_waits_for_the_callers_commit(world, identities, alice):
    identities.link(alice, ISSUER, "s")
    world.db.session.rollback()
    assert identities.user_of(ISSUER, "s") is None


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [(ISSUER, "S"), (ISSUER, "s "), (ISSUER, " s"), (ISSUER, "\u00df"), (ISSUER, "\u015b"), (f"{ISSUER}/", "s")],
)
def test_issuer_and_subject_are_compared_exactly(world, identities, alice, issuer, subject):
    identities.link(alice, ISSUER, "s")
    world.db.session.commit()
    assert identities.user_of(issuer, subject) is None
    created = identities.user_of(issuer, subject, create=True)
    assert created is None or created.public_id != alice.public_id


def test_an_identity_is_one_user(world, identities, alice):
    bob = world.users.create("bob")
    identities.link(alice, ISSUER, "s")
    identities.link(alice, ISSUER, "s")
    with pytest.raises(IdentityTakenError):
        identities.link(bob, ISSUER, "s")
    assert not identities.unlink(bob, ISSUER, "s")
    assert identities.unlink(alice, ISSUER, "s")
    identities.link(bob, ISSUER, "s")
    world.db.session.commit()
    assert identities.user_of(ISSUER, "s").public_id == bob.public_id


def test_a_user_may_have_several(world, identities, alice):
    for subject in ("s1", "s2"):
        identities.link(alice, ISSUER, subject)
    world.db.session.commit()
    assert {identities.user_of(ISSUER, one).public_id for one in ("s1", "s2")} == {alice.public_id}


def test_of_many_requests_at_once_one_creates_the_user(world, identities):
    names, found, barrier = 4, [], Barrier(4)

    def work():
        with world.app.app_context():
            barrier.wait(20)
            try:
                found.append(identities.user_of(ISSUER, "s", create=True))
            except BusyError:  # which SQLite may say to those who wait for each other
                found.append(None)

    threads = [Thread(target=work) for _ in range(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    users = world.db.session.scalars(select(world.models.user)).all()
    assert len(users) == 1
    assert {one.public_id for one in found if one is not None} == {users[0].public_id}
    assert len(found) == names


def test_who_is_created_is_written_down(world, identities):
    created = identities.user_of(ISSUER, "s", create=True)
    (row,) = world.recorder.read(subject=created.public_id)
    assert row.event == "user_created"
    assert world.users.get(created.public_id).username.startswith("login.example.com-")


def test_an_issuer_that_is_no_address_gives_names_too(world, identities):
    created = identities.user_of("reports-service", "s", create=True)
    assert world.users.get(created.public_id).username.startswith("issuer-")


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in ("postgresql", "mariadb")],
)
def test_what_the_request_has_begun_is_left_alone(make_world, make_database_url, kind):
    world = make_world(make_database_url(kind))
    world.users.create("half-done")
    created = identities_of(world).user_of(ISSUER, "s", create=True)
    world.db.session.rollback()
    assert world.users.find("half-done") is None
    assert world.users.get(created.public_id) is not None


def test_on_sqlite_nobody_is_created_while_the_request_is_writing(make_world, make_database_url):
    world = make_world(make_database_url("sqlite"))
    world.users.create("half-done")
    with pytest.raises(BusyError):
        identities_of(world).user_of(ISSUER, "s", create=True)


def test_a_user_who_is_disabled_or_deleted_is_out_and_is_not_made_again(world, identities, alice):
    identities.link(alice, ISSUER, "s")
    world.users.set_active(alice, active=False)
    world.db.session.commit()
    with pytest.raises(InvalidTokenError, match="no longer active"):
        identities.user_of(ISSUER, "s")
    world.users.delete(alice)
    world.db.session.commit()
    with pytest.raises(InvalidTokenError, match="no longer active"):
        identities.user_of(ISSUER, "s", create=True)


def test_what_was_a_deleted_users_may_be_anothers_when_somebody_says_so(world, identities, alice):
    bob = world.users.create("bob")
    identities.link(alice, ISSUER, "s")
    world.users.delete(alice)
    identities.link(bob, ISSUER, "s")
    world.db.session.commit()
    assert identities.user_of(ISSUER, "s").public_id == bob.public_id


def test_a_database_that_cannot_be_asked_is_a_reason_to_try_later(world, identities, caplog):
    world.db.session.execute(text("DROP TABLE permjwt_identities"))
    world.db.session.commit()
    with pytest.raises(BusyError):
        identities.user_of(ISSUER, "s")
    assert "Error" in caplog.text
    assert "permjwt_identities" not in caplog.text


class Elsewhere:
    """Users who live elsewhere, and have no SQLAlchemy session."""

    def __init__(self, *users):
        self.users = {user.public_id: user for user in users}

    def get(self, subject):
        return self.users.get(subject)


def test_users_who_live_elsewhere_are_found_too(world, alice):
    identities = Identities(world.db, world.models, Elsewhere(alice))
    assert not identities.creates
    identities.link(alice, ISSUER, "s")
    world.db.session.commit()
    assert identities.user_of(ISSUER, "s", create=True).public_id == alice.public_id
    assert identities.user_of(ISSUER, "t", create=True) is None
