"""gunicorn with several workers: forked from one that was loaded, or each loaded by itself."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from callers import Caller

# The page's app, with the worker's number on each answer: what the test asks, and no app needs.
SEEN = """
import os
from app import create_app as make


def create_app():
    app = make()

    @app.after_request
    def name_worker(response):
        response.headers["X-Worker"] = str(os.getpid())
        return response

    return app
"""


class Served(Caller):
    def __init__(self, recipe, **settings):
        (recipe.folder / "seen.py").write_text(SEEN)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            super().__init__(free.getsockname()[1])
        self.log = recipe.folder / "gunicorn.log"
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "seen:create_app()", "--bind", f"127.0.0.1:{self.port}"],
                cwd=recipe.folder,
                env={**recipe.environment, **settings},
                start_new_session=True,
                stdout=out,
                stderr=out,
            )
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            try:
                self.ask("GET", "/nowhere")
            except OSError:
                time.sleep(0.05)
            else:
                break

    def ask_all(self, token, status):
        """Ask at once until every worker has answered, and assert that all said the same."""
        seen = Counter()
        with ThreadPoolExecutor(8) as pool:
            for _ in range(100):
                for answer in pool.map(lambda _: self.get("/reports", token), range(8)):
                    assert answer.status == status
                    seen[answer.headers["X-Worker"]] += 1
                if len(seen) == 4:
                    return set(seen)
        raise AssertionError(seen)

    def close(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)


@pytest.fixture
def served(recipe):
    started = []

    def start(*, preload=True, **settings):
        page = recipe("gunicorn")
        conf = page.folder / "gunicorn.conf.py"
        assert "preload_app = True" in conf.read_text()
        conf.write_text(conf.read_text().replace("preload_app = True", f"preload_app = {preload}"))
        page.make_users(alice=["reports:read"])
        started.append(Served(page, **settings))
        return started[-1]

    yield start
    for one in started:
        one.close()


def check(served):
    """Log out at one worker, assert that all others refuse the token, and return the workers."""
    for _ in range(5):
        token, other = served.log_in("alice"), served.log_in("alice")
        workers = served.ask_all(token, 200)
        answer = served.ask("POST", "/auth/logout", token)
        assert answer.status == 204
        assert answer.headers["X-Worker"] in workers
        assert served.ask_all(token, 401) == workers
        served.ask_all(other, 200)
    return workers


# So seldom that nothing but what the workers share can tell them in time.
SELDOM = {"FLASK_PERMJWT_REVOCATION_INTERVAL": "60", "FLASK_PERMJWT_REVOCATION_MAX_STALENESS": "600"}


@pytest.mark.parametrize("preload", [True, False], ids=["forked from a loaded app", "each loaded by itself"])
def test_what_one_worker_revokes_the_others_refuse_with_their_next_request(served, preload):
    server = served(preload=preload, **SELDOM)
    assert str(server.process.pid) not in check(server)


def wrong_passwords(server):
    """Try wrong passwords, from several threads at once, and return how many were checked."""
    wrong = {"username": "alice", "password": "a wrong one, whatever it is"}
    with ThreadPoolExecutor(4) as pool:
        statuses = Counter(pool.map(lambda _: server.ask("POST", "/auth/login", body=wrong).status, range(24)))
    assert set(statuses) <= {401, 429}
    return statuses[401]


LIMIT = {"FLASK_PERMJWT_RATELIMIT_LOGIN": "2 per 15 minutes"}


@pytest.mark.redis
def test_with_redis_wrong_passwords_are_counted_once_for_all_workers(served, redis_url):
    settings = {
        "FLASK_PERMJWT_RATELIMIT_STORAGE_URI": redis_url,
        "FLASK_PERMJWT_REVOCATION_URL": redis_url,
        # The Redis is shared with other tests, which come from the same address.
        "FLASK_PERMJWT_RATELIMIT_LOGIN_ADDRESS": "1000000 per 15 minutes",
    }
    server = served(**SELDOM, **LIMIT, **settings)
    check(server)
    # The address is one that alice logged in from, and has a count of its own.
    assert wrong_passwords(server) == 2
    assert wrong_passwords(server) == 0


def test_without_redis_each_worker_counts_for_itself(served):
    server, checked = served(**LIMIT), 0
    # Which worker takes a request is for the system to say, and one may take many in turn.
    for _ in range(50):
        checked += wrong_passwords(server)
        if checked > 2:
            break
    assert checked > 2


@pytest.mark.redis
def test_the_console_gives_what_it_shows(recipe, redis_url):
    page = recipe("gunicorn")
    page.play(lambda line: line.replace("redis://localhost:6379/0", redis_url))


def test_nothing_is_opened_and_no_thread_is_started_before_the_fork(recipe):
    page = recipe("gunicorn")
    (page.folder / "look.py").write_text(
        "import threading\n"
        "from sqlalchemy import event\n"
        "from sqlalchemy.pool import Pool\n"
        "opened = []\n"
        "event.listen(Pool, 'connect', lambda *_: opened.append(1))\n"
        "import app\n"
        "made = app.create_app()\n"
        "print('opened', len(opened), 'threads', threading.active_count())\n"
        "with made.app_context():\n"
        "    app.db.create_all()\n"
        "print('then', len(opened))\n"
    )
    said = page.run("look")
    assert "opened 0 threads 1\n" in said
    assert "then 1" in said
