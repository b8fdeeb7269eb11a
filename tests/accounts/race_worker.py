"""A worker process for races: it does what the lines on its standard input say, and answers in lines.

It is started by path, as another process of the same app would be: with its own engine and connections.
"""

import json
import sys
from dataclasses import asdict

from argon2 import PasswordHasher
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt.accounts.models import build_models
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.accounts.sessions import Reused, Sessions
from flask_permjwt.accounts.sql_store import SQLUserStore
from flask_permjwt.errors import AuthError


class Worker:
    def __init__(self, url):
        self.db = SQLAlchemy()
        models = build_models(self.db)
        app = Flask("worker")
        app.config["SQLALCHEMY_DATABASE_URI"] = url
        self.db.init_app(app)
        self.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.users = SQLUserStore(self.db, models, self.passwords)
        self.sessions = Sessions(self.db, models.session)
        self.context = app.app_context()
        self.context.push()
        self.users.find("nobody")
        self.db.session.remove()

    def leave(self):
        self.db.session.remove()
        self.db.engine.dispose()
        self.context.pop()

    def create(self, name, email):
        self.users.create(name, email=email, permissions=["a"])

    def create_role(self, name):
        self.users.create_role(name, "a")

    def grant(self, name, permissions):
        return sorted(self.users.grant(self.users.find(name), *permissions))

    def grant_role(self, name, permissions):
        return sorted(self.users.grant(self.users.find_role(name), *permissions))

    def revoke(self, name, permissions):
        return sorted(self.users.revoke(self.users.find(name), *permissions))

    def assign(self, name, role):
        self.users.assign(self.users.find(name), role)

    def rotate(self, session_id, subject, token_id, now, grace):
        # A request that has read before: its snapshot, where the database keeps one, is older than the race.
        self.users.find("nobody")
        rotation = self.sessions.rotate(session_id, subject, token_id, now=now, grace=grace)
        if isinstance(rotation, Reused):
            return {"kind": "Reused"}
        successor = getattr(rotation, "successor", None)
        return {"kind": type(rotation).__name__, "successor": successor and asdict(successor)}

    def disable(self, name):
        self.users.set_active(self.users.find(name), False)

    def delete(self, name):
        self.users.delete(self.users.find(name))


def main():
    worker = None
    for line in sys.stdin:
        command, arguments = json.loads(line)
        if command == "enter":
            worker, answer = Worker(**arguments), {"answer": None}
        elif command == "leave":
            worker, answer = worker.leave(), {"answer": None}
        else:
            answer = run(worker, command, arguments)
        print(json.dumps(answer), flush=True)  # noqa: T201  # the answer


def run(worker, command, arguments):
    try:
        answer = {"answer": getattr(worker, command)(**arguments)}
        worker.db.session.commit()
    except AuthError as error:
        worker.db.session.rollback()
        answer = {"error": type(error).__name__}
    except Exception as error:  # noqa: BLE001  # whatever it is, the test must see it
        worker.db.session.rollback()
        answer = {"error": f"{type(error).__name__}: {error}"}
    worker.db.session.remove()
    return answer


main()
