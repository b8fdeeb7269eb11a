"""Narrowed sessions: what a session was limited to when it was opened, none of its tokens ever exceeds."""

import pytest

from flask_permjwt.policy.permissions import NO_GRANTS, Grants
from flask_permjwt.tokens.codec import TokenType

NARROW = Grants(["reports:read", "models:*"])
LEFT = Grants(["reports:read"])
"""What of that the user may do when the session is opened."""


@pytest.fixture
def carol(world, alice):
    world.users.grant(alice, "reports:*")
    world.db.session.commit()
    return alice


def permissions(world, tokens):
    return world.verified(tokens.access_token).principal.permissions


def test_a_session_that_is_opened_with_a_limit_has_narrowed_tokens(world, carol):
    tokens = world.log_in(limit=NARROW)
    access = world.verified(tokens.access_token)
    assert access.limit == LEFT
    assert access.principal.permissions == {"reports:read"}
    assert world.verified(tokens.refresh_token).claims.get("scope") is None


def test_a_session_without_one_has_none(world, carol):
    tokens = world.log_in()
    assert world.verified(tokens.access_token).limit is None
    assert permissions(world, world.refresh(tokens.refresh_token)) == {"reports:*"}


def test_every_refresh_keeps_the_limit_of_the_session(world, carol):
    tokens = world.log_in(limit=NARROW)
    for _ in range(3):
        world.clock.advance(100)
        tokens = world.refresh(tokens.refresh_token)
        assert world.verified(tokens.access_token).limit == LEFT
        assert permissions(world, tokens) == {"reports:read"}


def test_what_is_granted_later_is_no_part_of_a_narrowed_session(world, carol):
    tokens = world.log_in(limit=NARROW)
    world.users.grant(carol, "*")
    world.db.session.commit()
    assert permissions(world, world.refresh(tokens.refresh_token)) == LEFT.all


def test_a_refresh_reads_rights_again_within_the_limit(world, carol):
    tokens = world.log_in(limit=NARROW)
    world.users.revoke(carol, "reports:*")
    world.db.session.commit()
    tokens = world.refresh(tokens.refresh_token)
    assert permissions(world, tokens) == set()
    world.users.grant(carol, "reports:read")
    world.db.session.commit()
    world.clock.advance(100)
    assert permissions(world, world.refresh(tokens.refresh_token)) == LEFT.all


def test_a_refresh_may_narrow_one_access_token_further_and_not_the_session(world, carol):
    tokens = world.log_in(limit=NARROW)
    world.clock.advance(100)
    narrower = world.refresh(tokens.refresh_token, limit=Grants(["reports:read:not", "*:nothing"]))
    assert permissions(world, narrower) == set()
    world.clock.advance(100)
    assert permissions(world, world.refresh(narrower.refresh_token)) == {"reports:read"}


@pytest.mark.parametrize("wider", [["*"], ["reports:*", "models:*", "permjwt:*"]])
def test_a_refresh_never_widens_the_session(world, carol, wider):
    tokens = world.log_in(limit=NARROW)
    world.clock.advance(100)
    assert permissions(world, world.refresh(tokens.refresh_token, limit=Grants(wider))) == {"reports:read"}


def test_a_successor_that_is_given_again_keeps_the_limit(world, carol):
    tokens = world.log_in(limit=NARROW)
    first, second = world.refresh(tokens.refresh_token), world.refresh(tokens.refresh_token)
    assert first.refresh_token == second.refresh_token
    assert permissions(world, second) == {"reports:read"}


def test_confirming_and_resuming_and_renewing_keep_the_limit(world, carol):
    tokens = world.log_in(limit=NARROW)
    access = world.verified(tokens.access_token)
    with world.accounts.transaction():
        confirmed = world.accounts.confirm(
            access.principal, carol, "correct horse battery staple", bind_csrf=False
        )
    with world.accounts.transaction():
        resumed = world.accounts.resume_session(tokens.session_id, carol.public_id, bind_csrf=False, version=1)
    world.db.session.commit()
    renewed = world.accounts.renew(access.principal)
    for one in (confirmed, resumed, renewed):
        assert world.verified(one.access_token).limit == LEFT
        assert permissions(world, one) == {"reports:read"}


def test_a_session_that_somebody_else_proved_may_be_limited_to_nothing(world, carol):
    with world.accounts.transaction():
        tokens = world.accounts.open_session(carol.public_id, opened_by="ticket", bind_csrf=False, limit=NO_GRANTS)
    assert permissions(world, tokens) == set()
    assert permissions(world, world.refresh(tokens.refresh_token)) == set()
    assert world.codec.verify(tokens.access_token, TokenType.ACCESS).limit == NO_GRANTS
