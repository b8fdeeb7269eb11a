"""No connection is held while argon2 works: with a pool of one, another request is served meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.errors import InvalidCredentialsError

PASSWORD = "correct horse battery staple"
NEW = "an entirely new passphrase"
ONE = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}


class Watched(Passwords):
    """Looks about whenever argon2 has worked, before the turn is over."""

    def __init__(self, **cost):
        super().__init__(PasswordHasher(**{"time_cost": 1, "memory_cost": 8, "parallelism": 1, **cost}))
        self.look, self.works = None, 0

    def verify(self, password_hash, password):
        answer = super().verify(password_hash, password)
        self._look()
        return answer

    def hash(self, password):
        answer = super().hash(password)
        self._look()
        return answer

    def _look(self):
        if self.look:
            self.works += 1
            self.look()


@pytest.fixture
def passwords():
    return Watched()


@pytest.fixture
def world(make_world, database_url, passwords):
    return make_world(database_url, passwords=passwords, engine_options=ONE, require_verified=True)


@pytest.fixture
def alice(world):
    user = world.users.create("Alice", PASSWORD, email="Alice@Example.com")
    world.users.mark_email_verified(user)
    world.db.session.commit()
    return user


@pytest.fixture
def watching(world, alice, passwords):
    """From now on, another request writes whenever argon2 works."""
    pool, numbers = ThreadPoolExecutor(1), count()

    def another():
        with world.app.app_context():
            world.users.create_role(f"role{next(numbers)}")
            world.db.session.commit()

    def watch():
        world.db.session.rollback()
        passwords.look = lambda: pool.submit(another).result(20)

    yield watch
    passwords.look = None
    pool.shutdown()


def use(world, work):
    with world.accounts.transaction():
        return work()


def test_a_login_holds_none(world, watching, passwords):
    watching()
    assert world.log_in()
    for name, password in (("alice", "wrong"), ("nobody", "wrong"), ("nobody@example.com", PASSWORD)):
        with pytest.raises(InvalidCredentialsError):
            world.log_in(name, password)
    assert passwords.works == 4


def test_a_login_that_makes_the_hash_anew_holds_none(world, watching, passwords):
    stronger = Watched(time_cost=2)
    world.accounts._passwords = stronger
    watching()
    stronger.look = passwords.look
    assert world.log_in()
    assert (passwords.works, stronger.works) == (1, 1)


def test_a_confirmation_and_a_change_hold_none(world, watching, passwords):
    principal = world.verified(world.log_in().access_token).principal
    watching()
    user = world.users.find("alice")
    world.db.session.rollback()
    use(world, lambda: world.accounts.confirm(principal, user, PASSWORD, bind_csrf=False))
    use(world, lambda: world.self_service.change_password(principal, user, PASSWORD, NEW, address=None))
    assert passwords.works == 3
    assert world.log_in(password=NEW)


def test_a_reset_and_a_registration_hold_none(world, watching, passwords):
    use(world, lambda: world.self_service.forget_password("alice@example.com", address=None))
    watching()
    use(world, lambda: world.self_service.reset_password(world.letters.token("reset"), NEW))
    for name in ("bob", "eve"):
        use(world, lambda: world.self_service.register(name, NEW, email="bob@example.com", address=None))  # noqa: B023
    assert passwords.works == 3
    assert world.log_in(password=NEW)


def test_the_transaction_of_the_app_is_left_alone(world, alice):
    pending = world.users.create("pending")
    assert world.db.session().in_transaction()
    world.accounts.log_in("alice", PASSWORD, bind_csrf=False)
    added = world.models.role(name="added")
    world.db.session.add(added)
    world.db.session.commit()
    assert world.users.find("pending") is pending

    # What waits to be written without a transaction of the database is not ours either.
    world.db.session.add(world.models.role(name="waiting"))
    world.accounts.log_in("alice", PASSWORD, bind_csrf=False)
    world.db.session.commit()
    names = world.db.session.scalars(select(world.models.role.name)).all()
    assert set(names) == {"added", "waiting"}
