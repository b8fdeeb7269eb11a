"""E-mail addresses that are not verified: whose they are, and what reaches them, on each kind of database."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from flask_permjwt.accounts.proofs import Limits
from flask_permjwt.errors import InvalidCodeError, InvalidCredentialsError

PASSWORD = "correct horse battery staple"
DAY = 24 * 3600


@pytest.fixture
def world(make_world, database_url):
    return make_world(database_url, require_verified=True)


def register(world, name, email="bob@example.com"):
    with world.accounts.transaction():
        world.self_service.register(name, PASSWORD, email=email, address="192.0.2.1")
    return world.users.find(name)


def letters(world, to):
    return [kind for kind, one, _ in world.letters.sent if one == to]


@pytest.fixture
def elsewhere(world):
    """Do something as another request of another thread would."""

    def run(work):
        with world.app.app_context():
            work()

    with ThreadPoolExecutor(1) as pool:
        yield lambda work: pool.submit(run, work).result(20)


def test_the_losers_of_a_race_for_an_address_are_answered_like_winners_and_its_owner_is_told(
    world, elsewhere, monkeypatch
):
    create, first = world.users.create, []

    def late(username, password=None, email=None):
        if username == "late" and not first:
            first.append(True)
            elsewhere(lambda: register(world, "early"))
        return create(username, password, email)

    monkeypatch.setattr(world.users, "create", late)
    # The snapshot, where the database keeps one, is older than the race.
    world.users.find("nobody")
    loser = register(world, "late")
    assert first
    assert (loser.email, world.users.find("early").email) == (None, "bob@example.com")
    assert letters(world, "bob@example.com") == ["verify", "registered_already"]


def test_who_does_not_verify_an_address_in_time_loses_it_to_who_registers_with_it(world):
    squatter = register(world, "squatter", "Bob@Example.com")
    code = world.letters.token("verify")
    world.clock.advance(DAY - 1)
    assert register(world, "early").email is None
    world.clock.advance(1)
    bob = register(world, "bob")
    world.db.session.refresh(squatter)
    assert (squatter.email, squatter.email_key, bob.email) == (None, None, "bob@example.com")
    assert letters(world, "bob@example.com") == ["verify"]
    lost = [one.subject for one in world.recorder.read() if one.event == "email_lost"]
    assert lost == [squatter.public_id]
    with pytest.raises(InvalidCodeError):
        world.self_service.verify_email(code)
    world.self_service.verify_email(world.letters.token("verify"))
    world.db.session.commit()
    assert world.log_in("bob@example.com")
    # Verified, it is kept for good.
    world.clock.advance(100 * DAY)
    assert register(world, "eve").email is None


def test_what_is_no_address_is_nobodys(world):
    world.users.create("somebody")
    world.db.session.commit()
    for text in ("", " ", "\0"):
        assert world.users.find_current(text) is None
        assert not world.users.free_email(text, created_before=int(world.clock()) + DAY)


def test_a_registration_that_fails_takes_no_address_from_anybody(world):
    squatter = register(world, "squatter")
    world.clock.advance(2 * DAY)
    with pytest.raises(Exception, match="taken"):
        register(world, "SQUATTER")
    world.db.session.refresh(squatter)
    assert squatter.email == "bob@example.com"


def test_of_verifying_an_address_and_losing_it_at_once_one_happens(world, elsewhere, monkeypatch):
    squatter = register(world, "squatter")
    code, hold = world.letters.token("verify"), world.users.hold
    monkeypatch.setattr(world.self_service, "_lifetimes", type(world.self_service._lifetimes)(verify=10))
    world.clock.advance(20)

    def late(*args, **options):
        elsewhere(lambda: register(world, "bob"))
        return hold(*args, **options)

    monkeypatch.setattr(world.users, "hold", late)
    with pytest.raises(InvalidCodeError), world.accounts.transaction():
        world.self_service.verify_email(code)
    world.db.session.rollback()
    world.db.session.refresh(squatter)
    assert (squatter.email, squatter.email_verified_at) == (None, None)


def test_an_address_that_is_not_verified_names_nobody_at_login(world, caplog):
    bob = register(world, "bob")
    for name in ("bob@example.com", "BOB@example.com", "nobody@example.com"):
        with pytest.raises(InvalidCredentialsError):
            world.log_in(name)
    assert caplog.text.count("unknown user") == 3
    assert bob.public_id not in caplog.text


def test_where_nothing_must_be_verified_any_address_is_good_for_logging_in(make_world, database_url):
    world = make_world(database_url)
    register(world, "bob")
    assert world.log_in("bob@example.com")


def test_registrations_fill_nobodys_mailbox(make_world, database_url):
    world = make_world(database_url, require_verified=True, limits=Limits(mail="2 per hour"))
    for number in range(4):
        assert register(world, f"user{number}")
    assert letters(world, "bob@example.com") == ["verify", "registered_already"]
    # No other mailbox is any fuller for it.
    register(world, "eve", "eve@example.com")
    assert letters(world, "eve@example.com") == ["verify"]


def test_a_registration_that_fails_counts_for_no_mailbox(world):
    register(world, "taken", "other@example.com")
    for _ in range(9):
        with pytest.raises(Exception, match="taken"):
            register(world, "taken")
    register(world, "bob")
    assert letters(world, "bob@example.com") == ["verify"]


def test_letters_of_all_kinds_are_one_count_of_a_mailbox_and_nobody_is_told(world):
    register(world, "bob")
    service = world.self_service
    for number, ask in enumerate((service.send_verification, service.forget_password) * 3):
        with world.accounts.transaction():
            ask("BOB@example.com", address=f"192.0.2.{number}")
    assert len(letters(world, "bob@example.com")) == 5


@pytest.fixture
def alice(world):
    user = world.users.create("Alice", PASSWORD, email="Alice@Example.com")
    world.users.mark_email_verified(user)
    world.db.session.commit()
    return user


def change_address(world, user):
    user.email = "other@example.com"
    world.users.mark_email_verified(user)


def change_spelling(world, user):
    user.email = "alice@example.com"


@pytest.mark.parametrize(
    "change",
    [
        change_address,
        change_spelling,
        lambda world, user: world.users.set_password(user, "the password after this"),
        lambda world, user: world.users.change_password(user, "the password after this"),
        lambda world, user: world.users.void_tokens(user),
        lambda world, user: world.users.set_active(user, False),
    ],
    ids=["address", "mailbox", "set", "changed", "voided", "disabled"],
)
def test_a_code_for_a_new_password_is_void_once_the_address_or_the_password_is_another(world, alice, change):
    world.self_service.forget_password("alice@example.com", address=None)
    world.db.session.commit()
    change(world, alice)
    world.db.session.commit()
    with pytest.raises(InvalidCodeError):
        world.self_service.reset_password(world.letters.token("reset"), "what the thief wants it to be")


def test_a_reset_ends_all_sessions_whatever_the_store_does(world, alice, monkeypatch):
    sessions = [world.log_in().session_id for _ in range(2)]
    world.self_service.forget_password("alice@example.com", address=None)
    world.db.session.commit()
    monkeypatch.setattr(world.users, "reset_password", lambda user, password: None)
    with world.accounts.transaction():
        world.self_service.reset_password(world.letters.token("reset"), "the password after this")
    assert all(world.row(one).ended_at is not None for one in sessions)
    ended = [one for one in world.recorder.read() if one.event == "sessions_ended"]
    assert [(one.detail["count"], one.detail["kept"]) for one in ended] == [(2, None)]
