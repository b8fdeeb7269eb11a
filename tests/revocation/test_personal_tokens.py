"""Personal access tokens on two machines: void everywhere at once, and good for what their owners may do now."""

import pytest

from flask_permjwt.accounts.personal_use import PersonalUse
from flask_permjwt.policy.permissions import Grants

KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]


class Personal:
    """A token, as a login looks to the machines."""

    def __init__(self, made):
        self.access_token, self.id = made.text, made.row.id


@pytest.fixture
def make(pair):
    def make(kind="sqlite", **settings):
        here, there = pair(kind, personal_tokens=True, **settings)

        def token(*permissions, name="alice", **options):
            def work():
                user = here.users.find(name)
                return here.state.personal.create(
                    user.public_id,
                    user.token_version,
                    "ci",
                    permissions or ["reports:read"],
                    **{"within": Grants(["*"]), "lifetime": 86400, "at_most": 50, **options},
                )

            return Personal(here.within(work))

        return here, there, token

    return make


@pytest.fixture(params=KINDS)
def machines(make, request):
    return make(request.param)


def listed(machine, version=1):
    return machine.state.personal.listed(machine.users.find("alice").public_id, version)


def revoke(machine, token, name="alice"):
    machine.within(lambda: machine.state.personal.revoke(token.id, machine.users.find(name).public_id))


def test_a_token_that_is_revoked_is_void_here_at_once_and_there_within_the_interval(machines, wait):
    here, there, token = machines
    one, other = token(), token()
    assert [there.status(one), there.status(other)] == [200, 200]
    revoke(here, one)
    assert here.status(one) == 401
    wait(1)
    assert there.status(one) == 401
    assert there.status(other) == here.status(other) == 200


def test_a_revoked_token_does_not_come_back_when_its_revocation_is_forgotten(machines, wait):
    """It would have lived for longer than the feed remembers anything."""
    here, there, token = machines
    one = token()
    assert there.status(one) == 200
    revoke(here, one)
    for _ in range(40):
        wait(60)
        assert there.status(one) == here.status(one) == 401


def test_a_token_that_is_revoked_while_it_is_looked_up_is_refused(make, monkeypatch):
    here, _, token = make()
    one = token()
    real = PersonalUse._look_up

    def overtaken(self, digest):
        found = real(self, digest)
        revoke(here, one)
        return found

    monkeypatch.setattr(PersonalUse, "_look_up", overtaken)
    assert here.status(one) == 401


@pytest.mark.parametrize("how", ["disable", "delete", "set_password", "void_tokens"])
def test_what_voids_all_tokens_of_a_user_voids_the_personal_ones(machines, wait, how):
    here, there, token = machines
    one, others = token(), token(name="bob")
    assert there.status(one) == 200
    if how == "disable":
        here.change("set_active", "alice", False)
    elif how == "set_password":
        here.change("set_password", "alice", "another good long password")
    else:
        here.change(how, "alice")
    wait(1)
    assert here.status(one) == there.status(one) == 401
    assert there.status(others) == 200


def test_a_user_who_is_enabled_again_makes_new_tokens_and_the_old_ones_stay_void(make, wait):
    here, there, token = make()
    one = token()
    here.change("set_active", "alice", False)
    here.change("set_active", "alice", True)
    wait(1)
    assert there.status(one) == 401
    assert there.status(token()) == 200
    assert len(here.within(lambda: listed(here, version=2))) == 1


def test_a_name_that_is_used_again_brings_no_token_back(make, wait):
    here, there, token = make()
    one = token()
    assert there.status(one) == 200
    here.change("delete", "alice")
    here.within(lambda: here.users.create("alice", permissions=["*"]))
    wait(1)
    assert there.status(one) == here.status(one) == 401


def test_a_password_that_the_user_changes_leaves_personal_tokens_alone(make, wait):
    here, there, token = make()
    one = token()
    login = here.log_in()
    answer = here.post(
        "/auth/password",
        login,
        json={"old_password": "correct horse battery staple", "new_password": "another good long password"},
    )
    assert answer.status_code == 204
    wait(1)
    assert there.status(one) == 200


@pytest.mark.parametrize(("keep", "status"), [(True, 200), (False, 401)])
def test_logging_out_everywhere_voids_personal_tokens_unless_this_session_is_kept(make, wait, keep, status):
    here, there, token = make()
    one = token()
    assert here.post("/auth/logout-all", here.log_in(), json={"keep_current": keep}).status_code == 204
    wait(1)
    assert there.status(one) == here.status(one) == status


def test_permissions_are_those_of_the_owner_now_within_those_of_the_token(machines, wait):
    here, there, token = machines
    here.change("grant", "alice", "*")
    one, wide = token("reports:read"), token("*")
    assert [there.status(one), there.status(wide)] == [200, 200]
    here.change("revoke", "alice", "*", "reports:read")
    wait(1)
    assert [there.status(one), there.status(wide)] == [403, 403]
    here.change("grant", "alice", "*")
    wait(1)
    assert [there.status(one), there.status(wide)] == [200, 200]


def test_a_role_that_changes_changes_what_a_token_may_do(make, wait):
    here, there, token = make()
    one = token(name="bob")
    assert there.status(one) == 200
    here.within(lambda: here.users.revoke(here.users.find_role("reader"), "reports:read"))
    wait(1)
    assert there.status(one) == 403


def test_a_grant_made_later_never_widens_a_token(make, wait):
    here, there, token = make()
    here.change("grant", "alice", "models:read")
    one = token("models:read")
    assert there.status(one) == 403
    here.change("grant", "alice", "*")
    wait(1)
    assert there.status(one) == 403
    assert here.get("/open", one).json["may"] is False


def test_a_token_that_has_expired_is_refused_to_the_second(make, wait):
    _, there, token = make()
    one = token(lifetime=100)
    assert there.status(one) == 200
    wait(99)
    assert there.status(one) == 200
    wait(1)
    answer = there.get("/reports", one)
    assert (answer.status_code, answer.json["error_description"]) == (401, "The token has expired.")


def test_a_known_token_asks_the_database_for_nothing(make, statements):
    _, there, token = make()
    one = token()
    there.status(one)
    with statements(there) as seen:
        for _ in range(20):
            assert there.status(one) == 200
    assert seen == []


def test_the_first_sight_asks_for_the_token_once_and_joins_no_transaction_of_the_app(make, statements):
    _, there, token = make()
    one = token()
    with statements(there) as seen:
        assert there.status(one) == 200
    assert len([one for one in seen if "FROM permjwt_personal_tokens" in one and "digest" in one]) == 1
    assert len([one for one in seen if one.startswith("UPDATE")]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_use_is_kept_and_written_once_in_five_minutes(make, wait, statements, kind):
    here, there, token = make(kind)
    one = token()

    def last_used():
        return here.within(lambda: listed(here)[0].last_used_at)

    assert last_used() is None
    assert there.status(one) == 200
    first = last_used()
    assert first is not None
    with statements(there) as seen:
        for _ in range(29):
            wait(10)
            assert there.status(one) == 200
    assert not [one for one in seen if one.startswith("UPDATE")]
    assert last_used() == first
    wait(10)
    assert there.status(one) == 200
    assert (last_used() - first).total_seconds() == 300


@pytest.mark.parametrize("kind", KINDS)
def test_a_use_that_cannot_be_written_down_at_once_holds_nobody_up(make, kind):
    """Somebody holds the row; on SQLite, somebody writes anything."""
    here, there, token = make(kind)
    one = token()
    model = here.permjwt.models.personal
    with here.app.app_context():
        here.db.session.query(model).filter_by(id=one.id).update({"token_name": "held"})
        assert there.status(one) == 200
        here.db.session.rollback()
    assert here.within(lambda: listed(here)[0].last_used_at) is None


def test_expired_tokens_are_pruned_and_living_ones_stay(machines, wait):
    here, _, token = machines
    token(lifetime=10)
    kept = token()
    wait(11)
    with here.app.app_context():
        assert here.state.housekeeping.prune() >= 1
    found = here.within(lambda: here.db.session.query(here.permjwt.models.personal.id).all())
    assert [one.id for one in found] == [kept.id]


def test_a_token_found_where_it_should_not_be_is_revoked_by_its_text(make, wait):
    here, there, token = make()
    one = token()
    assert there.status(one) == 200
    here.within(lambda: here.permjwt.revocations.revoke_token(one.access_token))
    wait(1)
    assert there.status(one) == here.status(one) == 401


def test_where_the_feature_is_off_a_token_is_none(make, pair):
    here, _ = pair()
    _, _, token = make()
    answer = here.get("/reports", token())
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
