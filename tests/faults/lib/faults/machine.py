"""Another machine: the app in the test's own process, and shares nothing with the workers."""

import secrets
import time
from dataclasses import dataclass

from faults.app import PASSWORD, create_app


@dataclass(eq=False)
class Login:
    """A token, and what became of it.

    Attributes:
        name: of its user.
        text: the token.
        session_id: its session.
        fate: what it is answered once the change is known: 200 for one that stays good.
        began: when the change was begun, by the monotonic clock that all processes of a machine share.
        done: when it was committed.
    """

    name: str
    text: str
    session_id: str
    fate: int = 200
    began: float = float("inf")
    done: float = float("inf")


class Machine:
    """Makes users, logs them in, and takes away what they had."""

    def __init__(self, url, settings):
        self.app = create_app(url, {**settings, "PERMJWT_REVOCATION_EPOCH_FILE": "off"})
        self.permjwt, self.db = self.app.extensions["faults"]
        with self.app.app_context():
            self.db.create_all()

    def close(self):
        with self.app.app_context():
            self.db.session.remove()
            self.db.engine.dispose()

    def log_in(self, number=1):
        """Return logins of as many new users."""
        names = [f"user-{secrets.token_hex(6)}" for _ in range(number)]
        accounts, users = self.app.extensions["permjwt"].accounts, self.permjwt.users
        with self.app.app_context():
            for name in names:
                users.create(name, PASSWORD, permissions=["reports:read"])
            issued = [accounts.log_in(name, PASSWORD, bind_csrf=False) for name in names]
            self.db.session.commit()
        return [Login(name, one.access_token, one.session_id) for name, one in zip(names, issued, strict=True)]

    def end_session(self, login):
        self._change(login, 401, lambda: self.permjwt.revocations.revoke_session(login.session_id))

    def revoke_token(self, login):
        self._change(login, 401, lambda: self.permjwt.revocations.revoke_token(login.text))

    def disable(self, login):
        users = self.permjwt.users
        self._change(login, 401, lambda: users.set_active(users.find(login.name), active=False))

    def take_permission(self, login):
        users = self.permjwt.users
        self._change(login, 403, lambda: users.revoke(users.find(login.name), "reports:read"))

    def take_from(self, logins):
        """Take something from each, every time in another way."""
        ways = self.end_session, self.take_permission, self.revoke_token, self.disable
        for number, login in enumerate(logins):
            ways[number % len(ways)](login)

    def _change(self, login, fate, work):
        login.fate, login.began = fate, time.monotonic()
        with self.app.app_context():
            work()
            self.db.session.commit()
        login.done = time.monotonic()
