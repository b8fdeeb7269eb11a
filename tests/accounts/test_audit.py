"""The audit: rows in the caller's transaction, signals after its commit, and never a secret."""

import json
import threading
from dataclasses import replace

import pytest
from sqlalchemy import text

from flask_permjwt import signals
from flask_permjwt.accounts.audit import Origin, Recorder
from flask_permjwt.errors import AuthError
from flask_permjwt.signals import AccessDenied, Event, LoggedIn, LoginFailed, PermissionsChanged

PASSWORD = "correct horse battery staple"


@pytest.fixture
def heard():
    """Every event of every kind, in the order of its signal."""
    found = []

    def hear(app, event):
        found.append((app, event))

    kinds = every_kind()
    for kind in kinds:
        getattr(signals, kind.name).connect(hear)
    yield found
    for kind in kinds:
        getattr(signals, kind.name).disconnect(hear)


def every_kind():
    return [
        one
        for one in vars(signals).values()
        if isinstance(one, type) and issubclass(one, Event) and one is not Event
    ]


def names(found):
    return [event.name for _, event in found]


def rows(world):
    world.db.session.rollback()
    return [entry.event for entry in world.recorder.read()]


@pytest.fixture
def make_recorder(world):
    def make(**origin):
        told = {"sender": world.app, "actor": None, "address": None, "user_agent": None, "audit": True, **origin}
        return Recorder(world.db, world.models.audit, clock=world.clock, origin=lambda: Origin(**told))

    return make


def test_a_row_and_a_signal_follow_the_commit_and_say_the_same(world, heard):
    world.recorder.record(LoggedIn(subject="a" * 32, session_id="b" * 32, method="password"))
    assert heard == []
    world.db.session.commit()
    ((app, event),) = heard
    (entry,) = world.recorder.read()
    assert app is world.app
    assert event == LoggedIn(
        at=world.clock.now,
        subject="a" * 32,
        session_id="b" * 32,
        address="192.0.2.1",
        user_agent="tests",
        method="password",
    )
    assert (entry.at, entry.event, entry.subject, entry.session_id, entry.address, entry.user_agent) == (
        int(world.clock.now),
        "logged_in",
        "a" * 32,
        "b" * 32,
        "192.0.2.1",
        "tests",
    )
    assert entry.detail == {"method": "password"}


def test_what_is_rolled_back_leaves_neither_row_nor_signal(world, heard):
    world.users.create("alice")
    world.db.session.rollback()
    assert (rows(world), heard) == ([], [])


def test_a_name_that_was_taken_leaves_no_event(world, heard):
    world.users.create("alice")
    with pytest.raises(AuthError):
        world.users.create("ALICE")
    world.db.session.commit()
    assert (rows(world), names(heard)) == (["user_created"], ["user_created"])


def test_without_the_table_signals_are_sent_all_the_same(world, make_recorder, heard):
    make_recorder(audit=False).record(LoggedIn(method="password"))
    world.db.session.commit()
    assert (rows(world), names(heard)) == ([], ["logged_in"])


def test_what_the_caller_left_pending_is_not_flushed_for_a_row(world):
    world.db.session.add(world.models.user(username="pending"))
    world.recorder.record(LoggedIn(method="password"))
    assert world.db.session.new
    world.db.session.rollback()


def test_a_receiver_that_fails_breaks_nothing(world, caplog):
    def fail(app, event):
        raise RuntimeError("hunter2")

    with signals.user_created.connected_to(fail):
        world.users.create("alice")
        world.db.session.commit()
    assert world.users.find("alice") is not None
    assert "RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text


def test_every_change_of_users_and_roles_is_an_event(world, heard):
    users = world.users
    editor = users.create_role("editor", "a:*")
    alice = users.create("alice", PASSWORD)
    users.grant(alice, "b", "c")
    users.grant(alice, "c")
    users.revoke(alice, "c", "nothing")
    users.grant(editor, "d")
    users.assign(alice, "editor")
    users.assign(alice, "editor")
    users.unassign(alice, "editor")
    users.set_password(alice, "another")
    users.set_active(alice, False)
    users.set_active(alice, True)
    users.delete_role(editor)
    subject = alice.public_id
    users.delete(alice)
    world.db.session.commit()
    assert [(event.name, event.detail()) for _, event in heard] == [
        ("role_created", {"role": "editor", "granted": ["a:*"]}),
        ("user_created", {"username": "alice"}),
        ("permissions_changed", {"owner": "user", "owner_name": "alice", "granted": ["b", "c"], "revoked": []}),
        ("permissions_changed", {"owner": "user", "owner_name": "alice", "granted": [], "revoked": ["c"]}),
        ("permissions_changed", {"owner": "role", "owner_name": "editor", "granted": ["d"], "revoked": []}),
        ("roles_changed", {"assigned": ["editor"], "unassigned": []}),
        ("roles_changed", {"assigned": [], "unassigned": ["editor"]}),
        ("password_changed", {"by": "administrator"}),
        ("activity_changed", {"active": False}),
        ("activity_changed", {"active": True}),
        ("role_deleted", {"role": "editor"}),
        ("user_deleted", {"username": "alice"}),
    ]
    assert {event.subject for _, event in heard if "role_" not in event.name} == {subject, None}
    assert rows(world) == names(heard)


def test_every_use_case_of_sessions_is_an_event(world, heard):
    world.users.create("alice", PASSWORD)
    world.db.session.commit()
    heard.clear()
    first = world.log_in()
    second = world.refresh(first.refresh_token)
    with pytest.raises(AuthError):
        world.log_in(password="wrong")
    with pytest.raises(AuthError):
        world.log_in("nobody")
    world.log_out(second.access_token)
    third = world.log_in()
    principal = world.verified(third.access_token).principal
    with world.accounts.transaction():
        world.accounts.confirm(principal, world.users.find("alice"), PASSWORD, bind_csrf=False)
    with world.accounts.transaction():
        world.accounts.end_session(third.session_id, owner=None)
    fourth = world.log_in()
    world.refresh(fourth.refresh_token)
    world.clock.advance(60)
    with pytest.raises(AuthError):
        world.refresh(fourth.refresh_token)
    with world.accounts.transaction():
        world.accounts.log_out_everywhere(principal.subject)
    assert names(heard) == [
        "logged_in",
        "refreshed",
        "login_failed",
        "login_failed",
        "logged_out",
        "logged_in",
        "confirmed",
        "session_ended",
        "logged_in",
        "refreshed",
        "refresh_reused",
        "sessions_ended",
    ]
    assert rows(world)[1:] == names(heard)
    assert [event.reason for _, event in heard if event.name == "login_failed"] == [
        "wrong password",
        "unknown user",
    ]


def test_no_secret_is_in_any_row_event_or_log(world, heard, caplog):
    marked = "a-marked-secret-of-28-letters"
    caplog.set_level(0)
    alice = world.users.create("alice", marked, email="alice@example.com")
    world.db.session.commit()
    secrets = [marked, alice.password_hash]
    for name, password in (("alice", marked), (marked, marked), ("alice", f"{marked}!"), (f"{marked}@x", "x")):
        try:
            tokens = world.log_in(name, password)
        except AuthError:
            continue
        secrets += [tokens.access_token, tokens.refresh_token]
        secrets += [world.refresh(tokens.refresh_token).refresh_token]
    with world.accounts.transaction():
        world.self_service.forget_password("alice@example.com", address=None)
    secrets.append(world.letters.token("reset"))
    with world.accounts.transaction():
        world.self_service.reset_password(world.letters.token("reset"), f"{marked} 2")
    world.users.set_password(world.users.find("alice"), f"{marked} 3")
    world.db.session.commit()
    secrets.append(world.users.find("alice").password_hash)
    table = world.db.session.execute(text("SELECT * FROM permjwt_audit")).all()
    assert len(table) > 6
    told = "\n".join([*map(str, table), *(repr(event) for _, event in heard), caplog.text])
    for secret in secrets:
        assert secret not in told


def test_text_is_made_fit_for_the_table(world):
    long = "x" * 5000
    world.recorder.record(
        LoginFailed(subject=long, address=long, user_agent="a\0b\ud800" + long, reason="é\0\ud800", method="m")
    )
    permissions = tuple(f"{long[:200]}:{number}" for number in range(200))
    world.recorder.record(PermissionsChanged(owner="user", owner_name=long, granted=permissions))
    world.db.session.commit()
    first, second = world.recorder.read()
    assert (len(first.subject), len(first.address), len(first.user_agent)) == (255, 64, 255)
    assert first.user_agent.startswith("ab?")
    assert second.detail["granted"][-1] == "..."
    assert len(json.dumps(second.detail)) < 4096


# Refusals


def denial(**given):
    return AccessDenied(**{"subject": "a" * 32, "endpoint": "view", "method": "GET", "missing": ("x",), **given})


def test_a_refusal_of_a_known_user_is_written_at_once(world, make_recorder, heard):
    make_recorder(address="192.0.2.9").record_denial(denial())
    (entry,) = world.recorder.read()
    assert (entry.event, entry.address) == ("access_denied", "192.0.2.9")
    assert entry.detail == {"endpoint": "view", "method": "GET", "missing": ["x"], "status": 403, "repeated": 0}
    assert names(heard) == ["access_denied"]


def test_a_refusal_of_nobody_is_counted_and_not_written(world, heard):
    for _ in range(3):
        world.recorder.record_denial(denial(subject=None, status=401))
    assert world.recorder.anonymous_denials == 3
    assert rows(world) == []
    assert len(heard) == 3


def test_the_same_refusal_again_within_a_minute_adds_to_a_count(world, heard):
    for _ in range(5):
        world.recorder.record_denial(denial())
    world.recorder.record_denial(denial(endpoint="other"))
    world.clock.advance(60)
    world.recorder.record_denial(denial())
    assert [(one.detail["endpoint"], one.detail["repeated"]) for one in world.recorder.read()] == [
        ("view", 0),
        ("other", 0),
        ("view", 4),
    ]
    assert len(heard) == 7


def test_what_is_remembered_of_refusals_is_bounded(world):
    recorder = world.recorder
    recorder._origin = lambda: Origin(audit=True)
    for number in range(1100):
        recorder._repeated(denial(endpoint=str(number)))
    assert len(recorder._seen) == 1024


def test_a_refusal_commits_nothing_of_the_callers(world):
    world.users.create("half-done")
    world.recorder.record_denial(denial())
    world.db.session.rollback()
    world.recorder.flush_denials()
    assert world.users.find("half-done") is None
    assert rows(world) == ["access_denied"]


def test_on_sqlite_a_refusal_waits_until_the_callers_transaction_is_over(sqlite_world):
    sqlite_world.users.create("alice")
    sqlite_world.recorder.record_denial(denial())
    assert sqlite_world.recorder._put_off
    sqlite_world.db.session.commit()
    sqlite_world.recorder.flush_denials()
    assert rows(sqlite_world) == ["user_created", "access_denied"]


def test_a_database_that_cannot_write_costs_the_row_and_not_the_request(sqlite_world, caplog):
    sqlite_world.db.drop_all()
    sqlite_world.recorder.record_denial(denial())
    assert "a refusal was not written down: OperationalError" in caplog.text


def test_refusals_of_many_threads_are_all_counted(world):
    def refuse():
        for _ in range(200):
            world.recorder.record_denial(denial(subject=None))

    threads = [threading.Thread(target=with_context(world, refuse)) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert world.recorder.anonymous_denials == 1000


def with_context(world, work):
    def run():
        with world.app.app_context():
            work()

    return run


# Reading and pruning


def test_rows_are_read_by_user_and_time_the_newest_last(world):
    start = world.clock.now
    for number in range(6):
        world.recorder.record(LoggedIn(subject=f"user {number % 2}", method=str(number)))
        world.clock.advance(10)
    world.db.session.commit()

    def read(**which):
        return [int(one.detail["method"]) for one in world.recorder.read(**which)]

    assert read() == [0, 1, 2, 3, 4, 5]
    assert read(limit=2) == [4, 5]
    assert read(subject="user 1") == [1, 3, 5]
    assert read(since=start + 20, until=start + 40) == [2, 3, 4]
    assert read(subject="nobody") == []


def test_old_rows_are_pruned_in_bites(world):
    start = world.clock.now
    for _ in range(5):
        world.recorder.record(LoggedIn(method="old"))
    world.clock.advance(100)
    world.recorder.record(LoggedIn(method="new"))
    world.db.session.commit()
    assert [world.recorder.prune(start + 50, limit=3) for _ in range(3)] == [3, 2, 0]
    assert [one.detail["method"] for one in world.recorder.read()] == ["new"]


def test_every_event_has_a_signal_of_its_name_and_a_sentence():
    for kind in every_kind():
        assert getattr(signals, kind.name).name == kind.name
        assert kind.__doc__
        assert len(kind.name) <= 48
    assert len({kind.name for kind in every_kind()}) == len(every_kind()) == 21


def test_events_are_values():
    event = LoggedIn(subject="a", method="password")
    assert replace(event, subject="b") != event
    with pytest.raises(AttributeError):
        event.subject = "b"
