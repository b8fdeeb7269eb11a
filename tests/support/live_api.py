"""An app on a port of its own, and who talks to it."""

import requests

PASSWORD = "correct horse battery staple"


class Api:
    """An app on a port of its own.

    ``errors`` holds what was logged with a traceback, which nothing that is refused should leave.
    """

    def __init__(self, app, permjwt, db, clock):
        self.app, self.permjwt, self.db, self.clock = app, permjwt, db, clock
        self.users = permjwt.users
        self.url = self.ws = ""

    def within(self, work):
        with self.app.app_context():
            result = work()
            self.db.session.commit()
            return result

    def change(self, method, *arguments, name="alice"):
        self.within(lambda: getattr(self.users, method)(self.users.find(name), *arguments))

    def log_in(self, name="alice", **body):
        """Return a client of ``requests`` that is logged in, by header unless asked for cookies."""
        session = requests.Session()
        answer = session.post(f"{self.url}/auth/login", json={"username": name, "password": PASSWORD, **body})
        assert answer.status_code == 200, answer.text
        if not body:
            session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        else:
            session.headers["X-CSRF-TOKEN"] = session.cookies["csrf_access_token"]
        return session

    def ticket(self, session, path, **body):
        answer = session.post(f"{self.url}/auth/ticket", json={"path": path, **body})
        assert answer.status_code == 200, answer.text
        return answer.json()["ticket"]


def cookie_of(session):
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in session.cookies.items())}


def header_of(session):
    return {"Authorization": session.headers["Authorization"]}
