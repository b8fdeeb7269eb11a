"""Tickets: given for a session, taken once, for one path, while the session lives; on each kind of database."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError

from flask_permjwt.accounts.renewals import Renewals
from flask_permjwt.accounts.tickets import LIFETIME, PREFIX, Tickets
from flask_permjwt.errors import InvalidTokenError, NoTicketError, OutdatedError
from flask_permjwt.policy.permissions import Grants

PATH = b"/events"


@pytest.fixture
def tickets(world):
    renewals = Renewals(
        world.db, world.models, world.sessions, world.codec, access_lifetime=900, clock=world.clock
    )
    return Tickets(world.db, world.models, world.codes, renewals, clock=world.clock)


@pytest.fixture
def token(world):
    world.users.create("alice", "correct horse battery staple")
    world.db.session.commit()
    return world.verified(world.log_in().access_token)


@pytest.fixture
def ticket(world, tickets, token):
    text = tickets.give(token, PATH)
    world.db.session.commit()
    return text


def test_a_ticket_stands_for_the_session_of_the_token_that_asked_for_it(world, tickets, token, ticket):
    world.clock.advance(7)
    found = tickets.take(ticket, PATH)
    assert (found.subject, found.session_id, found.token_id) == (token.subject, token.session_id, token.token_id)
    assert found.version == token.version
    assert found.principal.authenticated_at == token.principal.authenticated_at
    assert found.key_id == token.key_id
    assert found.rights_in_store
    assert not found.principal.permissions
    assert found.expires_at == int(world.clock()) + 900


def test_a_ticket_is_good_once(tickets, ticket):
    tickets.take(ticket, PATH)
    with pytest.raises(InvalidTokenError, match="used up"):
        tickets.take(ticket, PATH)


def test_of_many_who_take_a_ticket_at_once_one_gets_it(world, tickets, token):
    for _ in range(5):
        text = tickets.give(token, PATH)
        world.db.session.commit()
        answers, gate = [], threading.Barrier(6)

        def take(text=text, gate=gate, answers=answers):
            with world.app.app_context():
                gate.wait()
                try:
                    answers.append(tickets.take(text, PATH).session_id)
                except InvalidTokenError as error:
                    answers.append(error.description)

        threads = [threading.Thread(target=take) for _ in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert answers.count(token.session_id) == 1, answers
        assert sum("used up" in one for one in answers) == 5, answers


def test_a_ticket_ends_after_thirty_seconds_by_the_clock(world, tickets, token):
    for age, is_good in ((LIFETIME - 1, True), (LIFETIME, False)):
        text = tickets.give(token, PATH)
        world.db.session.commit()
        world.clock.advance(age)
        if is_good:
            tickets.take(text, PATH)
        else:
            with pytest.raises(InvalidTokenError, match="too old"):
                tickets.take(text, PATH)


def test_a_ticket_at_the_wrong_path_is_refused_and_stays_good_for_the_right_one(tickets, ticket):
    for path in (b"/events/", b"/event", b"/EVENTS", b"", b"/events\0", b"/events?"):
        with pytest.raises(InvalidTokenError, match="another path"):
            tickets.take(ticket, path)
    tickets.take(ticket, PATH)


def test_what_is_used_up_stays_used_up_when_the_request_fails(world, tickets, ticket):
    tickets.take(ticket, PATH)
    world.db.session.rollback()
    with pytest.raises(InvalidTokenError):
        tickets.take(ticket, PATH)


def test_taking_a_ticket_leaves_alone_what_the_request_has_left_pending(world, tickets, ticket):
    if world.db.engine.dialect.name == "sqlite":
        pytest.skip("one writes at a time there")
    world.users.create("bob")
    tickets.take(ticket, PATH)
    world.db.session.rollback()
    assert world.users.find("bob") is None


def test_where_nothing_can_be_committed_apart_a_ticket_is_refused_and_not_lost(world, tickets, ticket):
    if world.db.engine.dialect.name != "sqlite":
        pytest.skip("others write beside each other")
    world.users.create("bob")
    with pytest.raises(OutdatedError):
        tickets.take(ticket, PATH)
    world.db.session.rollback()
    tickets.take(ticket, PATH)


def test_no_ticket_outlives_its_session(world, tickets, token, ticket):
    with world.accounts.transaction():
        world.accounts.log_out(token)
    with pytest.raises(InvalidTokenError, match="session has ended"):
        tickets.take(ticket, PATH)


def test_a_database_holds_the_hash_of_a_ticket_and_not_the_ticket(world, ticket):
    assert ticket.startswith(PREFIX)
    assert len(ticket) == len(PREFIX) + 43
    (row,) = world.db.session.scalars(world.db.select(world.models.code))
    assert ticket not in "".join(map(str, vars(row).values()))
    assert ticket.removeprefix(PREFIX) not in row.detail


@pytest.mark.parametrize("text", ["", PREFIX, PREFIX + "a" * 43, PREFIX + "\0", PREFIX + "\ud800", "x" * 10**6])
def test_what_is_no_ticket_is_refused(tickets, ticket, text):
    with pytest.raises(InvalidTokenError):
        tickets.take(text, PATH)


def test_a_code_for_something_else_is_no_ticket(world, tickets, token):
    code = world.codes.make(
        "reset", token.subject, now=int(world.clock()), lifetime=99, detail="{}", prefix=PREFIX
    )
    world.db.session.commit()
    with pytest.raises(InvalidTokenError):
        tickets.take(code, PATH)


def test_a_token_without_a_session_or_of_another_issuer_gets_no_ticket(tickets, token):
    with pytest.raises(NoTicketError):
        tickets.give(replace(token, session_id=""), PATH)
    with pytest.raises(NoTicketError):
        tickets.give(replace(token, principal=replace(token.principal, issuer="https://other.example")), PATH)


def test_a_token_that_was_narrowed_gets_no_ticket_which_would_widen_it(tickets, token):
    with pytest.raises(NoTicketError):
        tickets.give(replace(token, limit=Grants()), PATH)


def test_a_ticket_of_a_key_that_is_gone_is_void(world, tickets, ticket, monkeypatch):
    monkeypatch.setattr(world.codec, "knows", lambda _: False)
    with pytest.raises(InvalidTokenError, match="key"):
        tickets.take(ticket, PATH)


@pytest.mark.parametrize("part", ["_codes", "_renewals"])
def test_a_database_that_is_down_is_no_answer(tickets, ticket, monkeypatch, part):
    def fail(*_, **__):
        raise OperationalError("", {}, Exception())

    target = tickets._codes if part == "_codes" else tickets._renewals._sessions
    monkeypatch.setattr(type(target), "inside", fail)
    with pytest.raises(OutdatedError):
        tickets.take(ticket, PATH)


def test_tickets_that_nobody_used_are_removed(world, ticket):
    assert world.codes.prune(now=world.clock() + LIFETIME, limit=10) == 1
