"""No statement of a login, a refresh, a listing or the pruning reads a whole table, however large it grows."""

import pytest
from sqlalchemy import event, text

from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.clients import Clients
from flask_permjwt.accounts.current_rights import CurrentRights
from flask_permjwt.accounts.personal_tokens import PersonalTokens
from flask_permjwt.accounts.personal_use import PersonalUse
from flask_permjwt.policy.permissions import Grants

PASSWORD = "correct horse battery staple"
SMALL = {"permjwt_roles"}
"""What may be read as a whole: an app has a handful."""


def personal_tokens(world, subject):
    """Make, use, list and revoke tokens, and prune them."""
    changes = ChangeLog(world.db, world.models.change, listener=lambda: None, clock=world.clock)
    tokens = PersonalTokens(world.db, world.models, world.users, changes, world.recorder, clock=world.clock)
    rights = CurrentRights(
        world.db,
        world.models.change,
        world.users,
        Clients(world.db, world.models, clock=world.clock),
        is_current=lambda *_: True,
        lasts=900,
        size=10,
    )
    use = PersonalUse(
        world.db,
        world.models,
        world.users,
        rights,
        world.throttle,
        limit="10 per hour",
        remembered=900,
        clock=world.clock,
    )
    version = world.users.get(subject).token_version
    options = {"within": Grants(["*"]), "lifetime": 100, "at_most": 9}
    made = [tokens.create(subject, version, "ci", [], **options) for _ in range(3)]
    world.db.session.commit()
    token, _ = use.verify(made[0].text, "192.0.2.1")
    assert [one.last_used_at is None for one in tokens.listed(subject, version)].count(False) == 1
    tokens.revoke(token.token_id, subject)
    tokens.revoke_text(made[1].text)
    assert tokens.revoke_all(subject) == 1
    tokens.create(subject, version, "ci", [], **options)
    world.db.session.commit()
    assert tokens.prune(now=world.clock.now + 100, limit=10) == 1
    world.db.session.commit()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_every_statement_finds_its_rows_by_an_index(make_world, make_database_url, kind):
    world = make_world(make_database_url(kind))
    engine, seen = world.db.engine, {}

    def note(_connection, _cursor, statement, parameters, *_):
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen.setdefault(statement, parameters)

    role = world.users.create_role("editor", "a")
    world.users.create("alice", PASSWORD, email="alice@example.com", roles=[role])
    world.db.session.commit()
    event.listen(engine, "before_cursor_execute", note)
    world.log_in(address="2001:db8::1")
    tokens = world.log_in(address="192.0.2.1")
    subject = world.verified(tokens.access_token).subject
    world.refresh(tokens.refresh_token)
    world.refresh(tokens.refresh_token)
    world.accounts.sessions(subject)
    principal = world.verified(tokens.access_token).principal
    world.accounts.renew(principal)
    world.accounts.is_living(principal)
    with world.accounts.transaction():
        world.accounts.confirm(principal, world.users.find("alice"), PASSWORD, bind_csrf=False)
    with world.accounts.transaction():
        world.accounts.end_session(tokens.session_id, owner=subject)
    with world.accounts.transaction():
        world.accounts.log_out_everywhere(subject)
    with world.accounts.transaction():
        world.self_service.forget_password("alice@example.com", address=None)
    with world.accounts.transaction():
        world.self_service.reset_password(world.letters.token("reset"), "another good long password")
    world.recorder.read(subject=subject, since=0)
    personal_tokens(world, subject)
    world.clock.advance(10**8)
    with world.accounts.transaction():
        assert world.sessions.prune(now=world.clock.now, limit=10)
        world.codes.prune(now=world.clock.now, limit=10)
        assert world.recorder.prune(world.clock.now, limit=10)
    event.remove(engine, "before_cursor_execute", note)

    assert len(seen) > 20
    with engine.connect() as connection:
        if kind == "postgresql":
            # On tables this small, the planner would scan by choice; where no index fits, it still must.
            connection.execute(text("SET enable_seqscan = off"))
        for statement, parameters in seen.items():
            explain = "EXPLAIN " if kind == "postgresql" else "EXPLAIN QUERY PLAN "
            plan = [str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters)]
            scans = [line for line in plan if "Seq Scan on" in line or line.startswith("SCAN ")]
            scanned = {line.split("Seq Scan on ")[-1].removeprefix("SCAN ").split()[0] for line in scans}
            assert scanned <= SMALL, f"{statement}\n{plan}"
