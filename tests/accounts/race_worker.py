"""A worker process for races: it does what the lines on its standard input say, and answers in lines.

It is started by path, as another process of the same app would be: with its own engine and connections.
"""

import json
import sys
import time
from dataclasses import asdict

from argon2 import PasswordHasher
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, Principal, extension
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.accounts.sessions import Reused, Sessions
from flask_permjwt.errors import AuthError

NOW = 2000
SECRET = "the same in every worker, and 64 bytes long or a little bit more, as asked"

extension.Passwords = lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


class Mailer:
    def send(self, message):
        pass


class Worker:
    def __init__(self, url):
        self.db = SQLAlchemy()
        app = Flask("worker")
        app.config.update(TESTING=True, SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=url)
        app.config.update(PERMJWT_RATELIMIT_ENABLED=False)
        self.db.init_app(app)
        permjwt = PermJWT(app, db=self.db, mailer=Mailer(), clock=lambda: NOW)
        self.users = permjwt.users
        self.sessions = Sessions(self.db, permjwt.models)
        self.state = app.extensions["permjwt"]
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

    def register(self, name, email):
        self.state.self_service.register(name, "a password for the race", email=email, address=None)

    def log_in(self, name, password):
        return self.state.accounts.log_in(name, password, bind_csrf=False).session_id

    def change(self, name, old, new, session_id):
        user = self.users.find(name)
        principal = Principal(subject=user.public_id, session_id=session_id, claims={"ver": 1})
        self.state.self_service.change_password(principal, user, old, new, address=None)

    def set_password(self, name, password):
        self.users.set_password(self.users.find(name), password)

    def log_out_everywhere(self, subject, keep=None):
        self.state.accounts.log_out_everywhere(subject, keep=keep)

    def reset(self, code, password):
        self.users.find("nobody")
        self.state.self_service.reset_password(code, password)

    def verify(self, code):
        self.users.find("nobody")
        self.state.self_service.verify_email(code)

    def renew(self, session_id, subject):
        """Renew again and again; tell when each began, and whether it gave a token."""
        principal = Principal(subject=subject, session_id=session_id, claims={"ver": 1})
        found = []
        deadline = time.monotonic() + 20
        while (begun := time.monotonic()) < deadline:
            given = self.state.accounts.renew(principal) is not None
            found.append([begun, given])
            if not given:
                break
        return found

    def end(self, session_id, subject, after):
        """End a session after so many seconds; tell when it was done."""
        time.sleep(after)
        with self.state.accounts.transaction():
            self.state.accounts.end_session(session_id, owner=subject)
        return time.monotonic()

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
