"""Narrowed tokens and changed rights: whatever is read again from the store is held within the token's limit."""

from types import SimpleNamespace

import pytest

from flask_permjwt.policy.permissions import Grants
from flask_permjwt.tokens.codec import TokenType


@pytest.fixture(params=[True, False])
def narrowed(pair, request):
    """Two machines, and how to open a narrowed session of alice, whose rights are in the token or in the store."""
    here, there = pair(permissions_in_token=request.param)

    def open_(*scope):
        def work():
            return here.state.accounts.open_session(
                here.users.find("alice").public_id, opened_by="test", bind_csrf=False, limit=Grants(scope)
            )

        return here.within(work)

    return here, there, open_


def shown(machine, login):
    return machine.get("/open", login).json["may"]


def test_a_narrowed_token_passes_only_what_its_limit_names(narrowed):
    here, there, open_ = narrowed
    here.change("grant", "alice", "*")
    assert there.status(open_("reports:read")) == 200
    assert there.status(open_("reports:*")) == 200
    assert there.status(open_("models:read")) == 403
    assert there.status(open_("models:read"), "/private") == 200
    assert not shown(there, open_("models:*"))


def test_a_grant_made_later_never_widens_a_narrowed_token(narrowed, wait):
    here, there, open_ = narrowed
    login = open_("models:read")
    assert there.status(login) == 403
    here.change("grant", "alice", "*")
    wait(1)
    for machine in (here, there):
        assert machine.status(login) == 403
        assert not shown(machine, login)


def test_a_permission_that_is_taken_away_and_given_back_does_so_within_the_limit(narrowed, wait):
    here, there, open_ = narrowed
    login, wide = open_("reports:read"), here.log_in()
    assert there.status(login) == there.status(wide) == 200
    here.change("revoke", "alice", "reports:read")
    wait(1)
    assert there.status(login) == there.status(wide) == 403
    here.change("grant", "alice", "reports:*")
    wait(1)
    assert there.status(login) == there.status(wide) == 200


def test_tokens_of_one_user_that_are_judged_in_turn_keep_their_own_limits(narrowed, wait):
    """The user's rights are remembered once for all of them."""
    here, there, open_ = narrowed
    none, some, wide = open_("models:read"), open_("reports:read"), here.log_in()
    here.change("grant", "alice", "models:*")
    wait(1)
    for _ in range(2):
        assert [there.status(one) for one in (none, wide, some, none)] == [403, 200, 200, 403]


def test_a_refresh_of_a_narrowed_session_answers_a_narrowed_token(narrowed):
    here, there, open_ = narrowed
    here.change("grant", "alice", "*")
    answer = there.app.test_client().post("/auth/refresh", json={"refresh_token": open_("models:*").refresh_token})
    login = SimpleNamespace(access_token=answer.json["access_token"])
    assert here.status(login) == 403
    claims = here.state.codec.verify(login.access_token, TokenType.ACCESS).claims
    assert claims["scope"] == "models:*"
