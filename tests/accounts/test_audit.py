"""The audit: rows in the caller's transaction, signals after its commit, and never a secret."""

import json
import threading
from dataclasses import replace

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError

from flask_permjwt import signals
from flask_permjwt.accounts.audit import Origin, Recorder
from flask_permjwt.accounts.models import UserMixin, build_models
from flask_permjwt.accounts.moments import to_datetime
from flask_permjwt.accounts.savepoints import savepoint
from flask_permjwt.errors import AuthError
from flask_permjwt.signals import (
    AccessDenied,
    Event,
    LoggedIn,
    LoginFailed,
    PasswordResetRequested,
    PermissionsChanged,
    Refreshed,
    RolesChanged,
    SessionsEnded,
)

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
    assert len({kind.name for kind in every_kind()}) == len(every_kind()) == 31


def test_events_are_values():
    event = LoggedIn(subject="a", method="password")
    assert replace(event, subject="b") != event
    with pytest.raises(AttributeError):
        event.subject = "b"


# What goes wrong, and what is at the edges


DENIED = AccessDenied(subject="s", endpoint="view", method="GET", missing=("a:b",), status=403)


def stored(world):
    """Read the rows as another connection sees them."""
    with world.db.engine.connect() as connection:
        table = world.models.audit.__table__
        return connection.execute(select(table).order_by(table.c.id)).all()


def details(world):
    return [json.loads(row.detail) if row.detail else {} for row in stored(world)]


def recorder_of(world, **origin):
    return Recorder(
        world.db, world.models.audit, clock=world.clock, origin=lambda: Origin(**{"sender": world.app, **origin})
    )


def entries(world, **asked):
    return world.recorder.read(**{"subject": None, "since": None, "until": None, "limit": 1000, **asked})


# -- rows and signals of changes


def test_what_an_event_says_itself_is_not_replaced(world, heard):
    recorder = recorder_of(world, actor="other", address="192.0.2.9", user_agent="other")
    said = Refreshed(at=7.5, subject="s", actor="a", session_id="d", address="x", user_agent="u")
    recorder.record(said)
    world.db.session.commit()
    assert [event for _, event in heard] == [said]
    [entry] = entries(world)
    assert (entry.at, entry.actor, entry.address, entry.user_agent) == (7, "a", "x", "u")


def test_the_end_of_the_context_without_a_commit_leaves_no_row_and_sends_nothing(world, heard):
    world.recorder.record(Refreshed(subject="s"))
    world.db.session.remove()
    world.db.session.commit()
    assert (stored(world), heard) == ([], [])


def test_a_savepoint_that_is_undone_takes_its_rows_and_signals_along(world, heard):
    world.recorder.record(Refreshed(subject="before"))
    with pytest.raises(ZeroDivisionError), savepoint(world.db.session, world.models.user):  # noqa: PT012
        world.recorder.record(Refreshed(subject="inside"))
        raise ZeroDivisionError
    with savepoint(world.db.session, world.models.user):
        world.recorder.record(Refreshed(subject="released"))
    assert heard == []
    world.db.session.commit()
    assert [row.subject for row in stored(world)] == ["before", "released"]
    assert [event.subject for _, event in heard] == ["before", "released"]


def test_with_the_audit_off_nothing_is_written_and_all_is_sent(world, heard):
    recorder = recorder_of(world, audit=False)
    recorder.record(Refreshed(subject="s"))
    world.db.session.commit()
    recorder.record_denial(DENIED)
    recorder.record_denial(replace(DENIED, subject=None))
    recorder.flush_denials()
    assert stored(world) == []
    assert [event.name for _, event in heard] == ["refreshed", "access_denied", "access_denied"]


def test_the_rows_are_written_where_the_models_are(fake_clock, fast_passwords, tmp_path, heard):
    db = SQLAlchemy()

    class User(UserMixin, db.Model):
        __bind_key__ = "people"
        __tablename__ = "users"

    models = build_models(db, User)
    app = Flask("two databases")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'main.db'}"
    app.config["SQLALCHEMY_BINDS"] = {"people": f"sqlite:///{tmp_path / 'people.db'}"}
    db.init_app(app)
    recorder = Recorder(db, models.audit, clock=fake_clock, origin=lambda: Origin(app))
    with app.app_context():
        db.create_all()
        recorder.record(Refreshed(subject="s"))
        recorder.record_denial(DENIED)
        db.session.commit()
        recorder.flush_denials()
        with db.engines["people"].connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM permjwt_audit")) == 2
        assert [entry.event for entry in recorder.read()] == ["refreshed", "access_denied"]
        assert recorder.prune(fake_clock() + 1, limit=10) == 2
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


def test_a_receiver_that_raises_breaks_neither_the_change_nor_another_receiver(world, heard, caplog):
    def fail(sender, event):
        raise ValueError("marked secret")

    with signals.refreshed.connected_to(fail):
        world.recorder.record(Refreshed(subject="s"))
        world.recorder.record(Refreshed(subject="t"))
        world.db.session.commit()
        world.recorder.announce(Refreshed(subject="u"))
    assert [event.subject for _, event in heard] == ["s", "t", "u"]
    assert len(stored(world)) == 2
    assert "ValueError" in caplog.text
    assert "marked" not in caplog.text


def test_a_receiver_may_read_and_change_the_database(world):
    seen = []

    def follow(app, event):
        users = world.db.session.scalars(select(world.models.user.username)).all()
        seen.append((event.subject, list(users)))
        if event.subject == "first":
            world.users.create("made by the receiver")
            world.recorder.record(Refreshed(subject="second"))
            world.db.session.commit()

    with signals.refreshed.connected_to(follow):
        world.users.create("alice")
        world.recorder.record(Refreshed(subject="first"))
        world.db.session.commit()
    assert seen == [("first", ["alice"]), ("second", ["alice", "made by the receiver"])]


def test_what_is_announced_is_sent_at_once_and_not_written(world, heard):
    world.recorder.announce(signals.Throttled(method="password"))
    assert [(sender, event.name, event.address) for sender, event in heard] == [
        (world.app, "throttled", "192.0.2.1")
    ]
    world.db.session.commit()
    assert stored(world) == []


# -- what is written


def test_any_text_can_be_written_and_is_shortened_to_its_column(world):
    for piece in ("\0", "\ud800", "é", "\U0001f600", "'", "\x1b[2J", "%s", "\\"):
        long = piece * 5000
        recorder = recorder_of(world, actor=long, address=long, user_agent=long)
        recorder.record(LoginFailed(subject=long, session_id=long, reason=long, method=long))
    world.db.session.commit()
    written = stored(world)
    assert len(written) == 8
    limits = {"subject": 255, "actor": 255, "session_id": 32, "address": 64, "user_agent": 255}
    for row in written:
        assert all(len(getattr(row, name)) <= limit for name, limit in limits.items())
        assert "\0" not in str(tuple(row))
    for entry in entries(world):
        # Fit for any terminal and file.
        assert json.dumps(entry.detail, ensure_ascii=False).encode()
        assert "\0" not in entry.detail["reason"]
        assert set(entry.detail) == {"reason", "method"}


ASTRAL = "\U0001f600" * 255
LONG = [
    RolesChanged(assigned=tuple(f"{n}{ASTRAL}"[:255] for n in range(500)), unassigned=("kept",)),
    RolesChanged(assigned=(ASTRAL,) * 100, unassigned=(ASTRAL,) * 100),
    PermissionsChanged(owner="role", owner_name=ASTRAL, granted=tuple(f"{n:0250}" for n in range(5000))),
    PermissionsChanged(owner="role", owner_name="r", revoked=tuple(f"models:{n}" for n in range(5000))),
    AccessDenied(subject="s", endpoint="e" * 50_000, method="M" * 50_000, missing=("p" * 50_000,) * 100),
    LoginFailed(reason='"' * 9000, method="\\" * 9000),
]


@pytest.mark.parametrize("event", LONG, ids=lambda event: event.name)
def test_a_long_detail_is_shortened_and_stays_true_json_of_the_same_shape(sqlite_world, event):
    world = sqlite_world
    world.recorder.record(event)
    world.db.session.commit()
    [row] = stored(world)
    assert len(row.detail) < 4096
    assert row.detail.isascii()
    said, written = event.detail(), json.loads(row.detail)
    assert {name: type(value) for name, value in written.items()} == {
        name: type(value) for name, value in said.items()
    }
    for name, value in written.items():
        if isinstance(value, list) and len(value) < len(said[name]):
            assert value[-1] == "..."
    if event is LONG[0]:
        assert written["unassigned"] == ["kept"]
    if event is LONG[3]:
        assert written["granted"] == []
        assert written["revoked"][:3] == ["models:0", "models:1", "models:2"]


def test_a_short_detail_is_written_as_it_is(world):
    world.recorder.record(SessionsEnded(subject="s", count=3, kept=None))
    world.recorder.record(PermissionsChanged(owner="user", owner_name="Žofie", granted=("a:b", "c:*")))
    world.recorder.record(PasswordResetRequested())
    world.db.session.commit()
    assert [entry.detail for entry in entries(world)] == [
        {"count": 3, "kept": None},
        {"owner": "user", "owner_name": "Žofie", "granted": ["a:b", "c:*"], "revoked": []},
        {},
    ]


# -- refusals


def test_the_same_refusal_within_a_minute_is_left_out_and_counted_in_the_next_row(world, heard):
    for _ in range(4):
        world.recorder.record_denial(DENIED)
        world.clock.advance(10)
    world.clock.advance(19.5)
    world.recorder.record_denial(DENIED)
    assert [detail["repeated"] for detail in details(world)] == [0]
    world.clock.advance(0.5)
    world.recorder.record_denial(DENIED)
    world.recorder.record_denial(DENIED)
    assert [detail["repeated"] for detail in details(world)] == [0, 4]
    world.clock.advance(60)
    world.recorder.record_denial(DENIED)
    assert [detail["repeated"] for detail in details(world)] == [0, 4, 1]
    assert [event.repeated for _, event in heard] == [0] * 8


@pytest.mark.parametrize(
    "change", [{"subject": "t"}, {"endpoint": "other"}, {"method": "POST"}, {"missing": ("a:c",)}, {"status": 401}]
)
def test_another_refusal_is_another_row(sqlite_world, change):
    sqlite_world.recorder.record_denial(DENIED)
    sqlite_world.recorder.record_denial(replace(DENIED, **change))
    assert len(stored(sqlite_world)) == 2


def test_a_clock_that_is_set_back_silences_nobody(sqlite_world):
    sqlite_world.recorder.record_denial(DENIED)
    sqlite_world.clock.advance(-3600)
    sqlite_world.recorder.record_denial(DENIED)
    assert len(stored(sqlite_world)) == 2


def test_while_the_caller_has_a_transaction_a_refusal_is_put_off(world, heard):
    world.users.create("half done")
    world.recorder.record_denial(DENIED)
    assert [event.name for _, event in heard] == ["access_denied"]
    assert stored(world) == []
    world.db.session.rollback()
    world.recorder.flush_denials()
    assert [row.event for row in stored(world)] == ["access_denied"]
    assert world.users.find("half done") is None


def test_a_refusal_never_takes_a_second_connection_while_the_caller_holds_one(world):
    world.db.session.execute(select(1))
    taken = []
    sqlalchemy_event.listen(world.db.engine, "checkout", lambda *_: taken.append(1))
    world.recorder.record_denial(DENIED)
    assert taken == []
    world.db.session.remove()
    world.recorder.flush_denials()
    assert taken == [1]
    assert len(stored(world)) == 1


def test_a_flush_while_the_caller_still_writes_commits_nothing_of_it(sqlite_world):
    world = sqlite_world
    world.users.create("half done")
    world.recorder.record_denial(DENIED)
    world.recorder.flush_denials()
    world.db.session.rollback()
    assert stored(world) == []
    world.recorder.flush_denials()
    assert [row.event for row in stored(world)] == ["access_denied"]


def test_in_memory_too_a_refusal_commits_nothing_of_the_caller(make_world):
    world = make_world("sqlite://")
    world.users.create("half done")
    world.recorder.record_denial(DENIED)
    world.recorder.flush_denials()
    world.db.session.rollback()
    world.recorder.flush_denials()
    assert world.users.find("half done") is None
    assert [entry.event for entry in entries(world)] == ["access_denied"]


def test_what_was_put_off_is_written_when_the_context_ends_and_leaves_no_session_behind(sqlite_world):
    world = sqlite_world
    # As the extension does: the first that is registered runs last.
    world.app.teardown_appcontext_funcs.insert(0, lambda _: world.recorder.flush_denials())
    before = set(world.db.session.registry.registry)
    with world.app.app_context():
        world.db.session.execute(select(1))
        world.recorder.record_denial(DENIED)
        assert stored(world) == []
    assert len(stored(world)) == 1
    assert set(world.db.session.registry.registry) == before


def test_only_so_many_refusals_are_put_off_and_the_rest_is_counted(sqlite_world, monkeypatch):
    monkeypatch.setattr("flask_permjwt.accounts.audit._MAX_PUT_OFF", 3)
    world = sqlite_world
    world.users.create("half done")
    for number in range(5):
        world.recorder.record_denial(replace(DENIED, subject=str(number)))
    world.db.session.rollback()
    world.recorder.flush_denials()
    assert [row.subject for row in stored(world)] == ["0", "1", "2"]
    world.clock.advance(60)
    world.recorder.record_denial(replace(DENIED, subject="4"))
    assert details(world)[-1]["repeated"] == 1


def test_a_context_writes_only_what_was_put_off_in_it(sqlite_world):
    world = sqlite_world
    world.users.create("half done")
    world.recorder.record_denial(DENIED)
    with world.app.app_context():
        world.recorder.flush_denials()
    assert stored(world) == []
    world.db.session.rollback()
    world.recorder.flush_denials()
    assert len(stored(world)) == 1


@pytest.mark.parametrize("stage", ["no table", "down"])
def test_a_database_that_fails_is_logged_and_the_request_goes_on(sqlite_world, heard, caplog, stage):
    world = sqlite_world
    if stage == "no table":
        world.models.audit.__table__.drop(world.db.engine)
    else:
        sqlalchemy_event.listen(world.db.engine, "do_connect", refuse)
        world.db.engine.dispose()
    world.db.session.remove()
    world.recorder.record_denial(DENIED)
    world.recorder.flush_denials()
    assert len(heard) == 1
    assert "OperationalError" in caplog.text
    assert "marked" not in caplog.text
    assert "permjwt_audit" not in caplog.text
    assert {record.name for record in caplog.records} == {"flask_permjwt.signals"}


def refuse(*_):
    raise OperationalError("marked", {}, Exception("marked"))


def test_what_could_not_be_written_is_counted_in_the_next_row(sqlite_world):
    world = sqlite_world
    table = world.models.audit.__table__
    table.drop(world.db.engine)
    world.recorder.record_denial(DENIED)
    world.recorder.record_denial(DENIED)
    table.create(world.db.engine)
    world.clock.advance(60)
    world.recorder.record_denial(DENIED)
    assert [detail["repeated"] for detail in details(world)] == [2]


def test_nothing_that_goes_wrong_reaches_the_request(sqlite_world, caplog):
    world = sqlite_world

    def fail():
        raise RuntimeError("marked")

    Recorder(world.db, world.models.audit, clock=world.clock, origin=fail).record_denial(DENIED)
    Recorder(world.db, world.models.audit, clock=fail, origin=lambda: Origin(world.app)).record_denial(DENIED)
    assert caplog.text.count("RuntimeError") >= 2
    assert "marked" not in caplog.text


def test_outside_of_any_context_a_refusal_is_no_error(sqlite_world, caplog):
    done = []

    def refuse_there():
        sqlite_world.recorder.record_denial(DENIED)
        sqlite_world.recorder.flush_denials()
        done.append(True)

    thread = threading.Thread(target=refuse_there)
    thread.start()
    thread.join()
    assert done == [True]


def test_threads_write_one_row_and_lose_no_count(sqlite_world):
    world = sqlite_world
    ready = threading.Barrier(8)

    def refuse_often():
        with world.app.app_context():
            ready.wait()
            for _ in range(50):
                world.recorder.record_denial(DENIED)
                world.recorder.record_denial(replace(DENIED, subject=None))

    threads = [threading.Thread(target=refuse_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.recorder.anonymous_denials == 400
    world.clock.advance(60)
    world.recorder.record_denial(DENIED)
    assert [detail["repeated"] for detail in details(world)] == [0, 399]


# -- reading and pruning


@pytest.fixture
def history(world):
    """Write eight rows, two a second, of two users in turn."""
    for number in range(8):
        world.recorder.record(LoggedIn(at=1000 + number // 2, subject="ab"[number % 2], method=str(number)))
    world.db.session.commit()
    return world


def test_the_newest_is_read_last_and_the_last_are_read(history):
    assert [entry.detail["method"] for entry in entries(history)] == list("01234567")
    assert [entry.detail["method"] for entry in entries(history, limit=3)] == list("567")
    assert entries(history, limit=0) == []


def test_one_reads_of_one_user_and_between_two_moments(history):
    assert [entry.detail["method"] for entry in entries(history, subject="a")] == list("0246")
    assert [entry.detail["method"] for entry in entries(history, since=1002)] == list("4567")
    assert [entry.detail["method"] for entry in entries(history, until=1001)] == list("0123")
    assert [entry.detail["method"] for entry in entries(history, subject="b", since=1001, until=1002)] == list(
        "35"
    )


@pytest.mark.parametrize("subject", ["", "A", "a ", "%", "\0a", "a\0", "\ud800", "a" * 400])
def test_a_subject_is_compared_exactly(history, subject):
    assert entries(history, subject=subject) == []


def test_no_moment_and_no_limit_is_an_error(history):
    assert len(entries(history, since=-1e15, until=1e15)) == 8
    assert entries(history, limit=-1) == []


def test_reading_flushes_nothing(history):
    pending = history.models.user(username="pending")
    history.db.session.add(pending)
    entries(history)
    assert pending in history.db.session.new
    history.db.session.expunge(pending)


def test_old_rows_are_pruned_in_bites_and_the_commit_is_the_callers(history):
    assert history.recorder.prune(1003, limit=4) == 4
    history.db.session.rollback()
    assert len(stored(history)) == 8
    assert [history.recorder.prune(1003, limit=4) for _ in range(3)] == [4, 2, 0]
    history.db.session.commit()
    assert [row.detail for row in stored(history)] == ['{"method": "6"}', '{"method": "7"}']
    assert history.recorder.prune(-1e15, limit=4) == 0


def test_pruning_holds_up_nobody_who_writes(history):
    if history.db.engine.dialect.name == "sqlite":
        pytest.skip("one connection writes at a time")
    # Of a table of a few rows, MariaDB would read and lock all.
    more = [{"at": to_datetime(5000 + number), "event": "x"} for number in range(2000)]
    history.db.session.execute(insert(history.models.audit.__table__), more)
    history.db.session.commit()
    assert history.recorder.prune(1003, limit=1000) == 6
    with history.db.engine.begin() as other:
        if other.dialect.name == "postgresql":
            other.execute(text("SET lock_timeout = '2s'"))
        else:
            other.execute(text("SET innodb_lock_wait_timeout = 2"))
        for seconds in (1001, 2_000_000_000):
            row = {"at": to_datetime(seconds), "event": "x"}
            other.execute(insert(history.models.audit.__table__), row)
    history.db.session.commit()
    assert len(stored(history)) == 2004
