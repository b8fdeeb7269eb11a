"""What happens while a password is being verified: a proof that no longer holds when it is used opens nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.errors import InvalidCodeError, InvalidCredentialsError

PASSWORD = "correct horse battery staple"
NEW = "an entirely new passphrase"
WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
STRONG = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)


class Interrupted(Passwords):
    """Lets something happen once, after a password was verified or a new one hashed."""

    def __init__(self):
        super().__init__(WEAK, concurrency=2)
        self.after_verify = self.after_hash = None

    def verify(self, password_hash, password):
        answer = super().verify(password_hash, password)
        happens, self.after_verify = self.after_verify, None
        if happens:
            happens()
        return answer

    def hash(self, password):
        answer = super().hash(password)
        happens, self.after_hash = self.after_hash, None
        if happens:
            happens()
        return answer


@pytest.fixture
def passwords():
    return Interrupted()


@pytest.fixture
def world(make_world, database_url, passwords):
    return make_world(database_url, passwords=passwords)


@pytest.fixture
def elsewhere(world):
    """Do something as another request of another thread would, and commit it."""
    pool = ThreadPoolExecutor(1)

    def run(work):
        with world.app.app_context():
            work(world, world.users.find("alice"))
            world.db.session.commit()

    yield lambda work: pool.submit(run, work)
    pool.shutdown()


def change_by_owner(world, user):
    principal = world.verified(world.log_in().access_token).principal
    world.self_service.change_password(principal, user, PASSWORD, NEW, address=None)


def reset(world, user):
    world.self_service.forget_password(user.email, address=None)
    world.db.session.commit()
    world.self_service.reset_password(world.letters.token("reset"), NEW)


CHANGES = {
    "set by an administrator": lambda world, user: world.users.set_password(user, NEW),
    "changed by its owner": change_by_owner,
    "reset": reset,
    "disabled": lambda world, user: world.users.set_active(user, False),
    "voided": lambda world, user: world.users.void_tokens(user),
    "deleted": lambda world, user: world.users.delete(user),
}


@pytest.fixture
def do(elsewhere):
    """Return what makes a change elsewhere and waits for it."""
    return lambda change: lambda: elsewhere(CHANGES[change]).result(20)


def living(world):
    world.db.session.rollback()
    model = world.models.session
    return set(world.db.session.scalars(select(model.id).where(model.ended_at.is_(None))))


@pytest.mark.parametrize("change", CHANGES)
def test_a_login_in_flight_does_not_survive_a_change_of_what_it_rests_on(world, alice, passwords, do, change):
    passwords.after_verify = do(change)
    with pytest.raises(InvalidCredentialsError):
        world.log_in()
    # That of the owner who changed it, who was logged in.
    assert len(living(world)) == (change == "changed by its owner")


@pytest.mark.parametrize("change", ["changed by its owner", "disabled"])
def test_a_confirmation_in_flight_does_not_either(world, alice, passwords, do, change):
    tokens = world.log_in()
    principal = world.verified(tokens.access_token).principal
    world.clock.advance(60)
    passwords.after_verify = do(change)
    with pytest.raises(InvalidCredentialsError), world.accounts.transaction():
        world.accounts.confirm(principal, world.users.find("alice"), PASSWORD, bind_csrf=False)
    opened = world.row(tokens.session_id)
    assert opened.authenticated_at == opened.created_at


@pytest.mark.parametrize("moment", ["after_verify", "after_hash"])
@pytest.mark.parametrize("change", ["set by an administrator", "changed by its owner", "reset"])
def test_a_change_of_the_password_in_flight_does_not_either(world, alice, passwords, do, change, moment):
    principal = world.verified(world.log_in().access_token).principal
    world.db.session.rollback()
    setattr(passwords, moment, do(change))
    with pytest.raises(InvalidCredentialsError), world.accounts.transaction():
        world.self_service.change_password(
            principal, world.users.find("alice"), PASSWORD, "what the thief wants it to be", address=None
        )
    world.db.session.rollback()
    assert passwords.verify(world.users.find("alice").password_hash, NEW)


@pytest.mark.parametrize("change", ["changed by its owner", "reset", "disabled"])
def test_a_reset_in_flight_does_not_either(world, alice, passwords, do, change):
    world.self_service.forget_password(alice.email, address=None)
    world.db.session.commit()
    code = world.letters.token("reset")
    passwords.after_hash = do(change)
    with pytest.raises(InvalidCodeError), world.accounts.transaction():
        world.self_service.reset_password(code, "what the thief wants it to be")


def test_what_is_refused_that_way_is_written_down(world, alice, passwords, do):
    passwords.after_verify = do("voided")
    with pytest.raises(InvalidCredentialsError):
        world.log_in()
    failed = [one for one in world.recorder.read() if one.event == "login_failed"]
    assert [one.detail["reason"] for one in failed] == ["changed meanwhile"]


@pytest.mark.parametrize("rehashes", [False, True])
def test_a_hash_that_another_login_made_anew_refuses_nobody(world, alice, passwords, elsewhere, rehashes):
    if rehashes:
        world.accounts._passwords = Passwords(STRONG)

    def renew(world, user):
        world.users.save_password_hash(user, STRONG.hash(PASSWORD))

    passwords.after_verify = lambda: elsewhere(renew).result(20)
    assert world.log_in()
    world.db.session.rollback()
    assert "m=16,t=2" in world.users.find("alice").password_hash


def test_who_changes_a_password_while_a_login_is_committed_waits_and_ends_its_session(
    world, alice, elsewhere, monkeypatch
):
    """The other order: from the moment that the proof was upheld, the row stands until the commit."""
    opening, changes = world.sessions.open, []

    def opens(*args, **options):
        changes.append(elsewhere(CHANGES["set by an administrator"]))
        threading.Event().wait(0.3)
        assert not changes[0].done()
        return opening(*args, **options)

    monkeypatch.setattr(world.sessions, "open", opens)
    tokens = world.log_in()
    changes[0].result(20)
    assert tokens.session_id not in living(world)


def test_a_store_of_ones_own_is_asked_again(sqlite_world, monkeypatch):
    world = sqlite_world
    user = world.users.create("alice", PASSWORD)
    world.db.session.commit()

    class Own:
        def __init__(self):
            self.password_hash = user.password_hash

        def __getattr__(self, name):
            return getattr(world.users, name)

        def get(self, subject):
            found = world.users.get(subject)
            world.db.session.expunge(found)
            found.password_hash = self.password_hash
            return found

    own = Own()
    monkeypatch.setattr(world.accounts, "_store", own)
    assert world.log_in()
    own.password_hash = WEAK.hash(NEW)
    with pytest.raises(InvalidCredentialsError):
        world.log_in()
