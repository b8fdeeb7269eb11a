"""When nobody can be asked: requests go on for a while, then they are refused, and never waved through."""

import pytest
from sqlalchemy import text


@pytest.fixture
def broken(pair):
    """Return a machine, and what takes its feed away and gives it back."""
    here, there = pair()

    def set_table(present):
        old, new = ("gone", "permjwt_changes") if present else ("permjwt_changes", "gone")
        there.within(lambda: there.db.session.execute(text(f"ALTER TABLE {old} RENAME TO {new}")))

    return here, set_table


def test_requests_go_on_for_the_allowed_time_and_are_then_answered_503(broken, wait):
    here, set_table = broken
    login = here.log_in()
    assert here.status(login) == 200
    set_table(False)
    wait(30)
    assert here.status(login) == 200
    wait(1)
    answer = here.get("/reports", login)
    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "WWW-Authenticate" not in answer.headers
    set_table(True)
    wait(1)
    assert here.status(login) == 200


def test_a_process_that_starts_without_a_database_refuses_at_once(broken):
    here, set_table = broken
    login = here.log_in()
    set_table(False)
    assert here.status(login) == 503


def test_public_views_are_served_and_nobody_is_known_there(broken, wait):
    here, set_table = broken
    login = here.log_in()
    here.status(login)
    set_table(False)
    wait(31)
    assert here.get("/open", login).json == {"may": False, "who": None}


def test_bad_tokens_are_still_401_and_missing_ones_too(broken, wait):
    here, set_table = broken
    login = here.log_in()
    here.status(login)
    set_table(False)
    wait(31)
    login.access_token += "x"
    assert here.status(login) == 401
    assert here.app.test_client().get("/reports").status_code == 401


def test_a_503_is_no_denial_and_is_not_written_down(broken, wait):
    here, set_table = broken
    login = here.log_in()
    here.status(login)
    set_table(False)
    wait(31)
    assert here.status(login) == 503
    with here.app.app_context():
        assert not [one for one in here.state.recorder.read() if one.event == "access_denied"]


def test_permissions_that_are_known_to_be_stale_are_never_used_while_they_cannot_be_read(pair, wait):
    here, there = pair()
    login = here.log_in()
    assert here.status(login) == 200
    there.change("revoke", "alice", "reports:read")
    wait(1)
    rename = lambda old, new: there.within(  # noqa: E731
        lambda: there.db.session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
    )
    rename("permjwt_user_permissions", "gone")
    assert here.status(login) == 503
    rename("gone", "permjwt_user_permissions")
    assert here.status(login) == 403


def test_the_allowed_time_must_be_longer_than_the_interval(make_machine):
    with pytest.raises(Exception, match="PERMJWT_REVOCATION_MAX_STALENESS must be longer"):
        make_machine("sqlite://", revocation_interval=30, revocation_max_staleness=30)


def test_an_interval_of_zero_knows_on_the_very_next_request(pair):
    here, there = pair(revocation_interval=0)
    login = here.log_in()
    assert there.status(login) == 200
    assert here.post("/auth/logout", login).status_code == 204
    assert there.status(login) == 401


def test_on_one_machine_the_next_request_knows(pair, tmp_path):
    here, there = pair(revocation_epoch_file=str(tmp_path / "epoch"))
    login = here.log_in()
    assert there.status(login) == 200
    assert here.post("/auth/logout", login).status_code == 204
    assert there.status(login) == 401
