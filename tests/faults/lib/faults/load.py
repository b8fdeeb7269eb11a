"""A steady load of requests over real connections, every answer of which is written down with its time."""

import http.client
import random
import time
from dataclasses import dataclass
from threading import Event, Thread

from faults.machine import Login

_PAUSE = 0.01


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request was answered.

    Attributes:
        login: whose token it carried.
        sent: before the connection was made, by the monotonic clock.
        got: when the answer was read.
        status: of the answer; 0 where there was none.
        worker: the process that gave it.
        retry_after: the header of that name.
    """

    login: Login
    sent: float
    got: float
    status: int
    worker: str | None = None
    retry_after: str | None = None


class Load:
    """Threads that ask for a guarded view with the tokens of all, until the block ends."""

    def __init__(self, service, logins, *, threads=4):
        self.service = service
        self.logins = list(logins)
        self.answers = []
        self._stop = Event()
        self._threads = [Thread(target=self._run) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def add(self, logins):
        """Let the load carry these tokens too."""
        self.logins = [*self.logins, *logins]
        return logins

    def go_on(self, seconds):
        """Let it run for so long, and until every token was answered since."""
        began = time.monotonic()
        until = began + seconds
        while time.monotonic() < until or not self._all_answered(began):
            time.sleep(0.02)
            if time.monotonic() > until + 60:
                raise TimeoutError("the load stands still")

    def _all_answered(self, since):
        answered = {id(one.login) for one in reversed(self.answers[-2000:]) if one.sent >= since}
        return answered >= {id(login) for login in self.logins}

    def workers(self):
        """Return the process ids of those who answered lately, the most recent first."""
        return list(dict.fromkeys(one.worker for one in reversed(self.answers[-500:]) if one.worker))

    def _run(self):
        while not self._stop.is_set():
            logins = self.logins
            for login in random.sample(logins, len(logins)):
                self.answers.append(ask(self.service, login))
                if self._stop.wait(_PAUSE):
                    break


def ask(service, login, path="/reports"):
    """Make one request."""
    sent = time.monotonic()
    try:
        status, worker, retry_after = service.ask("GET", path, login.text)
    except (OSError, http.client.HTTPException):
        return Answer(login, sent, time.monotonic(), 0)
    return Answer(login, sent, time.monotonic(), status, worker, retry_after)
