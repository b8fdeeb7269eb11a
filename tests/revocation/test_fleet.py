"""Whatever voids a token or changes rights is known here at once, and elsewhere within the interval."""

import pytest

from flask_permjwt.errors import UnknownUserError

PASSWORD = "correct horse battery staple"


def log_out(machine, login):
    assert machine.post("/auth/logout", login).status_code == 204


def log_out_everywhere(machine, login):
    assert machine.post("/auth/logout-all", login).status_code == 204


def end_session(machine, login):
    [session] = [one for one in machine.get("/auth/sessions", login).json["sessions"] if one["current"]]
    assert (
        machine.app.test_client()
        .delete(f"/auth/sessions/{session['id']}", headers={"Authorization": f"Bearer {login.access_token}"})
        .status_code
        == 204
    )


def revoke_token(machine, login):
    machine.within(lambda: machine.permjwt.revocations.revoke_token(login.access_token))


def reuse_refresh_token(machine, login):
    client = machine.app.test_client()
    machine.permjwt._shared.clock.advance(1)
    for _ in range(2):
        answer = client.post("/auth/refresh", json={"refresh_token": login.refresh_token})
        machine.permjwt._shared.clock.advance(60)
    assert answer.status_code == 401


VOIDING = [
    log_out,
    log_out_everywhere,
    end_session,
    revoke_token,
    reuse_refresh_token,
    lambda machine, _: machine.change("set_active", "alice", active=False),
    lambda machine, _: machine.change("delete", "alice"),
    lambda machine, _: machine.change("set_password", "alice", "another password that is long"),
    lambda machine, _: machine.change("reset_password", "alice", "another password that is long"),
    lambda machine, _: machine.change("void_tokens", "alice"),
]
NAMES = [
    "logout",
    "logout-all",
    "session",
    "token",
    "reuse",
    "disable",
    "delete",
    "set-password",
    "reset-password",
    "void",
]


@pytest.mark.parametrize("void", VOIDING, ids=NAMES)
def test_what_voids_tokens_is_known_here_at_once_and_elsewhere_within_the_interval(fleet, wait, void):
    here, there, elsewhere = fleet
    login, other = here.log_in(), here.log_in("bob")
    assert [machine.status(login) for machine in fleet] == [200] * 3
    void(here, login)
    assert here.status(login) == 401
    assert here.status(login, "/private") == 401
    wait(1)
    assert there.status(login) == 401
    assert elsewhere.get("/reports", login).headers["WWW-Authenticate"].startswith("Bearer ")
    assert elsewhere.get("/reports", login).json["error"] == "invalid_token"
    assert [machine.status(other) for machine in fleet] == [200] * 3


def test_until_the_interval_is_over_another_machine_may_not_know(fleet, wait):
    here, there, _ = fleet
    login = here.log_in()
    there.status(login)
    log_out(here, login)
    assert there.status(login) == 200
    wait(0.99)
    assert there.status(login) == 200
    wait(0.01)
    assert there.status(login) == 401


def test_a_process_that_starts_later_knows_what_was_revoked_before(fleet, make_machine):
    login = fleet[0].log_in()
    log_out(fleet[0], login)
    late = make_machine(fleet[0].app.config["SQLALCHEMY_DATABASE_URI"])
    assert late.status(login) == 401


CHANGING = {
    "revoke": lambda machine: machine.change("revoke", "alice", "reports:read"),
    "unassign": lambda machine: machine.change("unassign", "bob", "reader"),
    "role": lambda machine: machine.within(
        lambda: machine.users.revoke(machine.users.find_role("reader"), "reports:read")
    ),
    "delete-role": lambda machine: machine.within(
        lambda: machine.users.delete_role(machine.users.find_role("reader"))
    ),
}


@pytest.mark.parametrize("way", CHANGING)
def test_a_permission_that_was_taken_away_is_gone_and_nobody_is_logged_out(fleet, wait, way):
    here, there, elsewhere = fleet
    name = "alice" if way == "revoke" else "bob"
    login, other = here.log_in(name), here.log_in("root")
    assert [machine.status(login) for machine in fleet] == [200] * 3
    CHANGING[way](here)
    assert here.status(login) == 403
    assert here.status(login, "/private") == 200
    wait(1)
    assert [machine.status(login) for machine in fleet] == [403] * 3
    assert [machine.status(login, "/private") for machine in fleet] == [200] * 3
    assert elsewhere.get("/reports", login).json["error"] == "insufficient_scope"
    assert there.get("/open", login).json["may"] is False
    assert there.status(other, "/private") == 200


def test_a_permission_that_was_given_is_there_for_tokens_that_exist(fleet, wait):
    here, there, _ = fleet
    login = here.log_in("root")
    assert here.status(login) == there.status(login) == 403
    here.change("assign", "root", "reader")
    assert here.status(login) == 200
    wait(1)
    assert there.get("/reports", login).json["roles"] == ["reader"]


def test_stale_permissions_are_read_once_and_remembered_until_the_next_change(pair, wait, monkeypatch):
    here, there = pair()
    login = here.log_in("bob")
    there.status(login)
    here.change("grant", "bob", "other:thing")
    wait(1)
    reads = []
    real = type(there.users).rights
    monkeypatch.setattr(type(there.users), "rights", lambda self, user: reads.append(1) or real(self, user))
    for _ in range(5):
        assert there.status(login) == 200
    assert len(reads) == 1
    # Somebody else's change makes everybody be judged anew, and nobody's permissions be read.
    here.change("grant", "alice", "other:thing")
    wait(1)
    for _ in range(5):
        assert there.status(login) == 200
    assert len(reads) == 1
    here.change("revoke", "bob", "other:thing")
    wait(1)
    there.status(login)
    assert len(reads) == 2


def test_a_change_of_one_role_is_one_entry_whoever_holds_it(pair):
    here, _ = pair()
    here.within(lambda: [here.users.create(f"user{number}", roles=["reader"]) for number in range(30)])
    count = lambda: here.within(lambda: here.db.session.query(here.permjwt.models.change).count())  # noqa: E731
    before = count()
    CHANGING["role"](here)
    assert count() == before + 1


def test_a_login_after_the_change_needs_no_reading(pair, wait, monkeypatch):
    here, there = pair()
    here.change("grant", "bob", "other:thing")
    login = here.log_in("bob")
    wait(1)
    monkeypatch.setattr(there.state.tokens._rights, "of", None)
    assert there.status(login) == 200


def test_a_token_of_a_user_who_was_deleted_is_void_also_when_the_name_comes_back(pair, wait):
    here, there = pair()
    login = here.log_in()
    here.change("delete", "alice")
    here.within(lambda: here.users.create("alice", PASSWORD, permissions=["reports:read"]))
    wait(1)
    assert here.status(login) == there.status(login) == 401
    assert there.status(here.log_in()) == 200


def test_keeping_the_current_session_ends_the_others_alone(fleet, wait):
    here, there, _ = fleet
    mine, other = here.log_in(), here.log_in()
    assert here.post("/auth/logout-all", mine, json={"keep_current": True}).status_code == 204
    assert (here.status(mine), here.status(other)) == (200, 401)
    wait(1)
    assert (there.status(mine), there.status(other)) == (200, 401)


def test_a_change_of_ones_password_ends_the_other_sessions_alone(fleet, wait):
    here, there, _ = fleet
    mine, other = here.log_in(), here.log_in()
    body = {"old_password": PASSWORD, "new_password": "a very different one indeed"}
    assert here.post("/auth/password", mine, json=body).status_code == 204
    assert (here.status(mine), here.status(other)) == (200, 401)
    wait(1)
    assert (there.status(mine), there.status(other)) == (200, 401)


def test_an_entry_is_kept_until_the_last_token_that_it_touches_has_expired(pair, wait, fake_clock):
    here, there = pair()
    login = here.log_in()
    log_out(here, login)
    for _ in range(90):
        wait(10)
        assert here.status(login) == there.status(login) == 401
    # The token has expired by now; were the clock set back, it must still be void.
    fake_clock.advance(-600)
    assert here.status(login) == there.status(login) == 401


def test_entries_are_pruned_when_they_have_long_ceased_to_matter(pair, wait, fake_clock):
    here, _ = pair()
    for _ in range(5):
        log_out(here, here.log_in())
    count = lambda: here.within(lambda: here.db.session.query(here.permjwt.models.change).count())  # noqa: E731
    prune = lambda: here.within(here.state.housekeeping.prune)  # noqa: E731
    prune()
    assert count() == 5
    wait(2 * 3600)
    prune()
    assert count() == 1


def test_a_shorter_lifetime_holds_for_tokens_that_exist(pair, make_machine, wait):
    here, _ = pair(access_token_expires=3600)
    login = here.log_in()
    shorter = make_machine(here.app.config["SQLALCHEMY_DATABASE_URI"], access_token_expires=60)
    assert shorter.status(login) == 200
    wait(60)
    assert here.status(login) == 200
    assert shorter.status(login) == 401


def test_an_unknown_user_is_told_from_one_whose_rights_are_gone(pair):
    here, _ = pair()
    with here.app.app_context():
        alice = here.users.find("alice")
        here.users.delete(alice)
        with pytest.raises(UnknownUserError):
            here.users.void_tokens(alice)
