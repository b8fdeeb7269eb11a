"""A whole rotation, under load, in real processes: nobody is refused, and everybody notices."""

import base64
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REFRESH, LEAD, ACCESS, SESSION = 0.5, 3, 5, 9
WORKERS = 3
TIMEOUT = 60


def flask(environment, *arguments):
    command = [sys.executable, "-m", "flask", "--app", "rotation_app:create_app", *arguments]
    ran = subprocess.run(command, env=environment, cwd=HERE, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


class Server:
    """gunicorn with several workers; everything that clients see of it."""

    def __init__(self, environment, port):
        self.environment = environment
        self.base = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}"),
                *("--log-level", "warning", "rotation_app:create_app()"),
            ],
            env=environment,
            cwd=HERE,
        )

    def ask(self, path, body=None, token=None, headers=None):
        request = urllib.request.Request(  # noqa: S310  # our own server
            self.base + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})}
            | ({"Authorization": f"Bearer {token}"} if token else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # likewise
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def log_in(self):
        status, tokens = self.ask("/auth/login", {"username": "alice", "password": "correct horse battery"})
        assert status == 200, tokens
        return tokens

    def kids(self):
        return {one["kid"] for one in self.ask("/.well-known/jwks.json")[1]["keys"]}


class Load(threading.Thread):
    """A client that uses its token, refreshes it in time, and logs in anew before its session ends."""

    def __init__(self, server):
        super().__init__()
        self.server, self.over = server, threading.Event()
        self.seen = Counter()
        self.kids = set()
        self.refused = []
        self.workers = set()

    def run(self):
        while not self.over.is_set():
            tokens, opened = self.server.log_in(), time.monotonic()
            self.seen["logins"] += 1
            while not self.over.is_set() and time.monotonic() - opened < SESSION - 5:
                self.note(tokens["access_token"])
                refreshed = time.monotonic()
                while not self.over.is_set() and time.monotonic() - refreshed < 1:
                    status, said = self.server.ask("/reports", token=tokens["access_token"])
                    self.seen["requests"] += 1
                    if status == 200:
                        self.workers.add(said["worker"])
                    else:
                        self.refused.append(("request", status, said))
                status, said = self.server.ask("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
                self.seen["refreshes"] += 1
                if status != 200:
                    self.refused.append(("refresh", status, said))
                    break
                tokens = said

    def note(self, token):
        header = token.split(".")[0]
        self.kids.add(json.loads(base64.urlsafe_b64decode(header + "=="))["kid"])


@pytest.fixture
def serve(tmp_path, make_database_url, free_port):
    """Serve the app with a first key of an algorithm."""
    servers = []

    def start(algorithm, access=ACCESS, session=SESSION):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("FLASK_")}
        environment |= {
            "FLASK_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ",
            "FLASK_SQLALCHEMY_DATABASE_URI": make_database_url("postgresql"),
            "FLASK_PERMJWT_KEYS_DIR": str(tmp_path / "keys"),
            "FLASK_PERMJWT_KEYS_REFRESH": str(REFRESH),
            "FLASK_PERMJWT_KEYS_LEAD": str(LEAD),
            "FLASK_PERMJWT_REVOCATION_INTERVAL": "0.25",
            "FLASK_PERMJWT_ACCESS_TOKEN_EXPIRES": str(access),
            "FLASK_PERMJWT_REFRESH_TOKEN_EXPIRES": str(session),
            "FLASK_PERMJWT_ALGORITHM": algorithm,
        }
        flask(environment, "permjwt", "keys", "generate")
        setup = (
            "from rotation_app import *\napp = create_app()\nwith app.app_context():\n    db.create_all()\n"
            "    permjwt.users.create('alice', 'correct horse battery', permissions=['reports:read'])\n"
            "    db.session.commit()\n"
        )
        subprocess.run([sys.executable, "-c", setup], env=environment, cwd=HERE, check=True)
        server = Server(environment, free_port)
        servers.append(server)
        for _ in range(600):
            try:
                server.kids()
                break
            except OSError:
                assert server.process.poll() is None
                time.sleep(0.1)
        return server

    yield start
    for server in servers:
        server.process.terminate()
        server.process.wait(TIMEOUT)


def listed(environment):
    return json.loads(flask(environment, "permjwt", "keys", "list", "--json"))["keys"]


ROTATIONS = [("HS256", "HS512"), ("RS256", "ES256"), ("HS256", "EdDSA")]


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("before", "after"), ROTATIONS, ids=[f"{before}-to-{after}" for before, after in ROTATIONS]
)
def test_through_a_whole_rotation_no_request_is_refused(serve, before, after):
    server = serve(before)
    [old] = [one["kid"] for one in listed(server.environment)]
    clients = [Load(server) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        time.sleep(1)
        printed = flask(server.environment, "permjwt", "keys", "rotate", "--algorithm", after)
        [new] = [one["kid"] for one in listed(server.environment) if one["kid"] != old]
        assert old in printed
        assert new in printed
        dropped_at = next(one["verifies_until"] for one in listed(server.environment) if one["kid"] == old)
        while time.time() < dropped_at + 1:
            time.sleep(0.1)
    finally:
        for client in clients:
            client.over.set()
        for client in clients:
            client.join(TIMEOUT)
    seen = sum((client.seen for client in clients), Counter())
    refused = [one for client in clients for one in client.refused]
    assert not refused, f"{len(refused)} of {dict(seen)}"
    assert seen["requests"] > 200
    assert seen["refreshes"] > 5
    # Tokens of both keys were used, and every worker served.
    assert set.union(*(client.kids for client in clients)) == {old, new}
    assert len(set.union(*(client.workers for client in clients))) == WORKERS
    states = {one["kid"]: one["state"] for one in listed(server.environment)}
    assert states == {old: "gone", new: "active"}
    published = server.kids()
    assert published == (set() if after.startswith("HS") else {new})


@pytest.mark.postgresql
def test_in_an_emergency_every_token_of_a_key_is_void_in_all_workers_within_the_refresh_time(serve):
    server = serve("ES256", access=300, session=600)
    [old] = [one["kid"] for one in listed(server.environment)]
    tokens = server.log_in()
    workers = set()
    for _ in range(300):
        workers.add(server.ask("/reports", token=tokens["access_token"])[1]["worker"])
        if len(workers) == WORKERS:
            break
    assert len(workers) == WORKERS
    flask(server.environment, "permjwt", "keys", "retire", "--now", old)
    retired, last_accepted, refused, renewed = time.monotonic(), 0.0, Counter(), Counter()
    while time.monotonic() < retired + 4 * REFRESH:
        asked = time.monotonic()
        status, said = server.ask("/reports", token=tokens["access_token"])
        if status == 200:
            last_accepted = asked - retired
        else:
            refused[json.loads(said)["error"]] += 1
        # A worker that does not know yet signs with the void key; whoever asks it logs in again.
        renewed[server.ask("/reports", token=server.log_in()["access_token"])[0]] += 1
    # The interval of revocations is when keys are thought of, and a busy machine takes its time.
    assert last_accepted <= REFRESH + 0.25 + 0.5
    assert refused["invalid_token"] > WORKERS
    assert set(renewed) <= {200, 401}
    assert renewed[401] <= renewed[200] / 10
    assert old not in server.kids()
    states = {one["kid"]: one["state"] for one in listed(server.environment)}
    assert states.pop(old) == "gone"
    assert list(states.values()) == ["active"]
    for _ in range(4 * WORKERS):
        assert server.ask("/reports", token=tokens["access_token"])[0] == 401
        assert server.ask("/auth/refresh", {"refresh_token": tokens["refresh_token"]})[0] == 401
        assert server.ask("/reports", token=server.log_in()["access_token"])[0] == 200
