"""Threads that meet in one process: who asks, who forges, who revokes and who changes permissions, all at once.

On a free-threaded build of Python they run at the same moment; elsewhere they take turns, as often as can be.
"""

import random
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Semaphore

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, current_principal, current_user, requires_permissions

PASSWORD = "correct horse battery staple"
ASKING = 4


@pytest.fixture
def world(tmp_path, monkeypatch, fast_passwords):
    """An app with a small cache, so that what is remembered is forgotten all the time."""
    monkeypatch.setattr("flask_permjwt.shared.Passwords", lambda: fast_passwords)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    app = Flask(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=secrets.token_urlsafe(64),
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'app.db'}",
        PERMJWT_TOKEN_CACHE_SIZE=8,
        PERMJWT_RATELIMIT_ENABLED=False,
    )
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")

    @app.get("/reports")
    @requires_permissions("reports:read")
    def reports():
        return {"subject": current_principal.subject, "user": current_user.username}

    app.extensions["test_db"], app.extensions["test_permjwt"] = db, permjwt
    with app.app_context():
        db.create_all()
    yield app
    sys.setswitchinterval(interval)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def log_in(world):
    permjwt, db = world.extensions["test_permjwt"], world.extensions["test_db"]

    def call(name):
        with world.app_context():
            user = permjwt.users.find(name) or permjwt.users.create(name, PASSWORD, permissions=["reports:read"])
            subject = user.public_id
            db.session.commit()
        answer = world.test_client().post("/auth/login", json={"username": name, "password": PASSWORD})
        return subject, answer.json["access_token"]

    return call


def ask(app, token):
    response = app.test_client().get("/reports", headers={"Authorization": f"Bearer {token}"})
    return response.status_code, response.json


def together(*work):
    """Let functions begin at the same moment, each in a thread of its own; return what they return."""
    begin = Barrier(len(work))

    def run(one):
        begin.wait(30)
        return one()

    with ThreadPoolExecutor(len(work)) as pool:
        return [done.result(120) for done in [pool.submit(run, one) for one in work]]


def ending(event, work):
    """Return work that sets an event when it ends, however it ends."""

    def run():
        try:
            return work()
        finally:
            event.set()

    return run


def test_nobody_is_ever_taken_for_somebody_else(world, log_in):
    tokens = {f"user-{number}": log_in(f"user-{number}") for number in range(12)}

    def ask_often(seed):
        dice = random.Random(seed)  # noqa: S311  # a choice that can be made again
        wrong = []
        for _ in range(150):
            name = dice.choice(sorted(tokens))
            subject, token = tokens[name]
            told = ask(world, token)
            if told != (200, {"subject": subject, "user": name}):
                wrong.append((name, told))
        return wrong

    assert together(*(lambda seed=seed: ask_often(seed) for seed in range(ASKING))) == [[]] * ASKING


def test_whoever_asks_after_a_revocation_was_answered_is_refused_in_every_thread(world, log_in):
    rounds = [log_in(f"user-{number}") for number in range(10)]
    ended = [Event() for _ in rounds]

    def end_all():
        answers = []
        for (_, token), event in zip(rounds, ended, strict=True):
            response = world.test_client().post("/auth/logout", headers={"Authorization": f"Bearer {token}"})
            answers.append(response.status_code)
            event.set()
        return answers

    def ask_on():
        wrong = []
        for (_, token), event in zip(rounds, ended, strict=True):
            was_over = False
            while not was_over:
                was_over = event.is_set()  # before the question: what is asked now must be refused
                status, told = ask(world, token)
                if status not in ({401} if was_over else {200, 401}):
                    wrong.append((status, told))
        return wrong

    assert together(end_all, *[ask_on] * ASKING) == [[204] * len(rounds), *[[]] * ASKING]


def test_permissions_that_come_and_go_are_those_of_now_in_every_thread(world, log_in):
    permjwt, db = world.extensions["test_permjwt"], world.extensions["test_db"]
    _, token = log_in("alice")
    state = {"may": True, "count": 0}  # the count is odd while a change is under way
    judged, over = Semaphore(0), Event()

    def change():
        changed = []
        for _ in range(15):
            while judged.acquire(blocking=False):
                pass
            waited = all(judged.acquire(timeout=30) for _ in range(ASKING))
            with world.app_context():
                alice = permjwt.users.find("alice")
                state["count"] += 1
                (permjwt.users.revoke if state["may"] else permjwt.users.grant)(alice, "reports:read")
                db.session.commit()
                state["may"] = not state["may"]
                state["count"] += 1
            changed.append(waited)
        return changed

    def ask_on():
        wrong = []
        while not over.is_set():
            before, may = state["count"], state["may"]
            status, told = ask(world, token)
            if before % 2 == 0 and state["count"] == before:
                judged.release()
                if status != (200 if may else 403):
                    wrong.append((may, status, told))
        return wrong

    assert together(ending(over, change), *[ask_on] * ASKING) == [[True] * 15, *[[]] * ASKING]


def test_a_flood_of_forged_tokens_harms_nobody_who_asks_meanwhile(world, log_in):
    subject, token = log_in("alice")
    head, body, signature = token.split(".")
    over = Event()

    def forge(seed):
        dice = random.Random(seed)  # noqa: S311  # a choice that can be made again
        statuses = set()
        for _ in range(200):
            parts = [head, body, signature]
            place = dice.randrange(3)
            at = dice.randrange(len(parts[place]) - 1)
            parts[place] = parts[place][:at] + ("A" if parts[place][at] != "A" else "B") + parts[place][at + 1 :]
            statuses.add(ask(world, ".".join(parts))[0])
        return statuses

    def ask_on():
        wrong = []
        while not over.is_set():
            told = ask(world, token)
            if told != (200, {"subject": subject, "user": "alice"}):
                wrong.append(told)
        return wrong

    forgers = [ending(over, lambda seed=seed: forge(seed)) for seed in range(2)]
    assert together(*forgers, ask_on, ask_on) == [{401}, {401}, [], []]


def test_the_first_requests_of_all_threads_find_a_table_that_is_whole(tmp_path):
    for _ in range(20):
        app = Flask(__name__, static_folder=None)
        app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
        PermJWT(app, db=SQLAlchemy(app))
        for number in range(30):
            app.get(f"/{number}", endpoint=f"view{number}")(requires_permissions("x:y")(lambda: "in"))

        def ask_all(app=app):
            client = app.test_client()
            return {client.get(f"/{number}").status_code for number in range(30)}

        assert together(*[ask_all] * ASKING) == [{401}] * ASKING
