"""Races between real processes on each kind of database: one winner, and a clear answer for everybody else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from flask_permjwt.accounts.self_service import _binding
from flask_permjwt.accounts.standing import standing_of

WORKERS = 3
ROUNDS = 12


class Workers:
    """Processes that do the same, or each its own, at the same moment."""

    def __init__(self):
        command = [sys.executable, Path(__file__).with_name("race_worker.py")]
        # The package under test, installed or not.
        path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path}
        self.processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
            for _ in range(WORKERS)
        ]

    def all(self, command, **arguments):
        return self.each([(command, arguments)] * WORKERS)

    def each(self, commands):
        for process, command in zip(self.processes, commands, strict=True):
            process.stdin.write(json.dumps(command) + "\n")
        for process in self.processes:
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process in self.processes]

    def close(self):
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait(10)
            process.stdout.close()


@pytest.fixture(scope="session")
def crew():
    processes = Workers()
    yield processes
    processes.close()


@pytest.fixture
def workers(world, database_url, crew):
    done = [{"answer": None}] * WORKERS
    assert crew.all("enter", url=database_url) == done
    yield crew
    assert crew.all("leave") == done


def outcome(answers, *, winner, losers):
    assert sorted(answers, key=str) == sorted([winner] + [losers] * (WORKERS - 1), key=str)


def test_of_several_creations_of_one_name_one_wins_and_the_others_are_told(world, workers):
    won, lost = {"answer": None}, {"error": "UsernameTakenError"}
    for number in range(ROUNDS):
        outcome(workers.all("create", name=f"Straße{number}", email=None), winner=won, losers=lost)
    for number in range(ROUNDS):
        spellings = [f"USER{number}", f"user{number}", f"User{number}"]
        commands = [("create", {"name": name, "email": None}) for name in spellings]
        outcome(workers.each(commands), winner=won, losers=lost)
    assert len(world.db.session.execute(world.models.user.__table__.select()).all()) == 2 * ROUNDS
    assert len(world.db.session.execute(world.models.user_permissions.select()).all()) == 2 * ROUNDS


def test_of_several_creations_with_one_address_one_wins_and_the_others_are_told(workers):
    for number in range(ROUNDS):
        commands = [
            ("create", {"name": f"user{number}-{worker}", "email": f"{number}@example.com"})
            for worker in range(WORKERS)
        ]
        outcome(workers.each(commands), winner={"answer": None}, losers={"error": "EmailTakenError"})


def test_of_several_creations_of_one_role_one_wins_and_the_others_are_told(workers):
    for number in range(ROUNDS):
        outcome(
            workers.all("create_role", name=f"role{number}"),
            winner={"answer": None},
            losers={"error": "RoleTakenError"},
        )


def test_of_several_equal_grants_one_counts_and_none_fails(world, alice, workers):
    for number in range(ROUNDS):
        answers = workers.all("grant", name="alice", permissions=[f"a:{number}", f"b:{number}"])
        outcome(answers, winner={"answer": [f"a:{number}", f"b:{number}"]}, losers={"answer": []})
    world.db.session.rollback()
    assert len(world.users.permissions_of(alice)) == 2 * ROUNDS
    assert alice.policy_version == 1 + ROUNDS


def test_of_several_different_changes_each_is_counted(world, alice, workers):
    role = world.users.create_role("editor")
    for number in range(WORKERS):
        world.users.create_role(f"role{number}")
    world.db.session.commit()
    for number in range(ROUNDS):
        own = [("grant", {"name": "alice", "permissions": [f"p:{number}:{worker}"]}) for worker in range(WORKERS)]
        assert all("answer" in one for one in workers.each(own))
        of_role = [
            ("grant_role", {"name": "editor", "permissions": [f"p:{number}:{worker}"]})
            for worker in range(WORKERS)
        ]
        assert all("answer" in one for one in workers.each(of_role))
    assigned = workers.each([("assign", {"name": "alice", "role": f"role{worker}"}) for worker in range(WORKERS)])
    assert assigned == [{"answer": None}] * WORKERS
    world.db.session.rollback()
    assert alice.policy_version == 1 + WORKERS * ROUNDS + WORKERS
    assert role.policy_version == 1 + WORKERS * ROUNDS


def test_of_several_equal_revocations_one_removed_it(world, alice, workers):
    world.users.grant(alice, *[f"p:{number}" for number in range(ROUNDS)])
    world.db.session.commit()
    for number in range(ROUNDS):
        answers = workers.all("revoke", name="alice", permissions=[f"p:{number}"])
        outcome(answers, winner={"answer": [f"p:{number}"]}, losers={"answer": []})
    world.db.session.rollback()
    assert alice.policy_version == 2 + ROUNDS


def test_of_several_deletions_one_deletes_and_the_others_are_told(world, workers):
    for number in range(ROUNDS):
        world.users.create(f"user{number}", permissions=["a"])
    world.db.session.commit()
    for number in range(ROUNDS):
        # Who looks the user up after the deletion has nothing to delete, and is told by Python.
        answers = [
            one.get("error", "deleted").partition(":")[0] for one in workers.all("delete", name=f"user{number}")
        ]
        assert answers.count("deleted") == 1
        assert set(answers) <= {"deleted", "UnknownUserError", "TypeError"}


def test_a_refresh_storm_rotates_once_and_everybody_gets_the_same_successor(world, alice, workers):
    for number in range(ROUNDS):
        grant = world.sessions.open(alice.public_id, now=1000, lifetime=9000, opened_by="password")
        world.db.session.commit()
        arguments = {"session_id": grant.session_id, "subject": alice.public_id, "token_id": grant.token_id}
        answers = [one["answer"] for one in workers.all("rotate", **arguments, now=2000 + number, grace=10)]
        assert sorted(one["kind"] for one in answers) == ["Replayed"] * (WORKERS - 1) + ["Rotated"]
        assert len({json.dumps(one["successor"], sort_keys=True) for one in answers}) == 1


def test_without_a_grace_a_refresh_storm_ends_the_session_and_no_other(world, alice, workers):
    spared = world.sessions.open(alice.public_id, now=1000, lifetime=9000, opened_by="password")
    for number in range(ROUNDS):
        grant = world.sessions.open(alice.public_id, now=1000, lifetime=9000, opened_by="password")
        world.db.session.commit()
        arguments = {"session_id": grant.session_id, "subject": alice.public_id, "token_id": grant.token_id}
        answers = [one["answer"]["kind"] for one in workers.all("rotate", **arguments, now=2000 + number, grace=0)]
        assert sorted(answers) == ["Gone"] * (WORKERS - 2) + ["Reused", "Rotated"]
        world.db.session.rollback()
        assert world.row(grant.session_id).ended_at is not None
    assert world.row(spared.session_id).ended_at is None


def test_of_several_registrations_of_one_name_one_wins_and_the_others_are_told(world, workers):
    won, lost = {"answer": None}, {"error": "UsernameTakenError"}
    for number in range(ROUNDS):
        spellings = [f"USER{number}", f"user{number}", f"User{number}"]
        emails = [f"{letter}{number}@example.com" for letter in "abc"]
        commands = [
            ("register", {"name": name, "email": email}) for name, email in zip(spellings, emails, strict=True)
        ]
        outcome(workers.each(commands), winner=won, losers=lost)
    assert len(world.db.session.execute(world.models.user.__table__.select()).all()) == ROUNDS


def test_of_several_registrations_of_one_address_one_wins_and_the_others_are_told(workers):
    for number in range(ROUNDS):
        commands = [
            ("register", {"name": f"{letter}{number}", "email": f"user{number}@example.com"}) for letter in "abc"
        ]
        outcome(workers.each(commands), winner={"answer": None}, losers={"error": "EmailTakenError"})


@pytest.mark.parametrize("purpose", ["reset", "verify"])
def test_a_code_is_used_once_however_many_bring_it(world, workers, purpose):
    for number in range(ROUNDS):
        user = world.users.create(f"user{number}", email=f"user{number}@example.com")
        world.db.session.flush()
        detail = _binding(purpose, standing_of(user))
        code = world.codes.make(purpose, user.public_id, now=1900, lifetime=900, detail=detail)
        world.db.session.commit()
        password = {} if purpose == "verify" else {"password": "a password for the race"}
        answers = workers.all(purpose, code=code, **password)
        outcome(answers, winner={"answer": None}, losers={"error": "InvalidCodeError"})
        world.db.session.rollback()
        assert user.token_version == (1 if purpose == "verify" else 2)


def test_a_renewal_never_brings_an_ended_session_back(world, workers):
    for number in range(ROUNDS):
        user = world.users.create(f"user{number}")
        grant = world.sessions.open(user.public_id, now=1000, lifetime=9000, opened_by="password")
        world.db.session.commit()
        which = {"session_id": grant.session_id, "subject": user.public_id}
        answers = workers.each([("renew", which), ("renew", which), ("end", {**which, "after": 0.004 * number})])
        assert all("answer" in one for one in answers), answers
        *renewals, ended = [one["answer"] for one in answers]
        for begun, given in (one for found in renewals for one in found):
            assert not (given and begun > ended)
        world.db.session.rollback()
        assert world.row(grant.session_id).ended_at is not None
        assert [found[-1][1] for found in renewals] == [False, False]


def test_whoever_comes_first_a_session_of_a_disabled_user_is_over(world, workers):
    for number in range(ROUNDS):
        user = world.users.create(f"user{number}")
        grant = world.sessions.open(user.public_id, now=1000, lifetime=9000, opened_by="password")
        world.db.session.commit()
        rotate = {"session_id": grant.session_id, "subject": user.public_id, "token_id": grant.token_id}
        commands = [("rotate", {**rotate, "now": 2000, "grace": 10})] * (WORKERS - 1)
        answers = workers.each([*commands, ("disable", {"name": f"user{number}"})])
        assert all("answer" in one for one in answers), answers
        world.db.session.rollback()
        assert world.row(grant.session_id).ended_at is not None
        assert not user.active


def living(world, user):
    world.db.session.rollback()
    model = world.models.session
    mine = select(model.id).where(model.subject == user.public_id, model.ended_at.is_(None))
    return set(world.db.session.scalars(mine))


OLD, NEW = "correct horse battery staple", "an entirely new passphrase"


@pytest.mark.parametrize("change", ["set_password", "change", "log_out_everywhere"])
def test_of_logins_and_a_change_at_once_no_session_outlives_it_and_none_waits_for_ever(world, workers, change):
    for number in range(ROUNDS):
        user = world.users.create(f"user{number}", OLD)
        kept = world.sessions.open(user.public_id, now=1000, lifetime=9000, opened_by="password").session_id
        world.db.session.commit()
        commands = {
            "set_password": {"name": user.username, "password": NEW},
            "change": {"name": user.username, "old": OLD, "new": NEW, "session_id": kept},
            "log_out_everywhere": {"subject": user.public_id},
        }
        login = ("log_in", {"name": user.username, "password": OLD})
        *logins, changed = workers.each([login, login, (change, commands[change])])
        assert changed == {"answer": None}
        # One that came first was ended with the others, and one that came last was refused.
        assert all("answer" in one or one == {"error": "InvalidCredentialsError"} for one in logins), logins
        late = {one.get("answer") for one in logins} if change == "log_out_everywhere" else set()
        assert living(world, user) <= ({kept} if change == "change" else late)


def test_of_several_who_end_all_sessions_of_a_user_none_waits_for_another_that_waits_for_it(world, workers):
    for number in range(2 * ROUNDS):
        user = world.users.create(f"user{number}")
        subject = user.public_id
        ids = [
            world.sessions.open(subject, now=1000, lifetime=9000, opened_by="password").session_id
            for _ in range(6)
        ]
        world.db.session.commit()
        answers = workers.each(
            [
                ("log_out_everywhere", {"subject": subject, "keep": ids[0]}),
                ("log_out_everywhere", {"subject": subject, "keep": ids[-1]}),
                (
                    "log_out_everywhere" if number % 2 else "disable",
                    {"subject": subject} if number % 2 else {"name": user.username},
                ),
            ]
        )
        assert all(one == {"answer": None} for one in answers), answers
        assert living(world, user) == set()
