"""A flood of logins against a real server: memory stays bounded, and other requests are served."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

THREADS = 24
FLOOD = 160
MEBIBYTE = 1024
"""In the unit of /proc, kB."""

APP = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_permjwt import PermJWT, public

app = Flask(__name__)
app.config.update(
    SECRET_KEY="0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz",
    SQLALCHEMY_DATABASE_URI="sqlite:///{database}",
    # As if each came from another address: a bot net is what is left when addresses are limited.
    PERMJWT_RATELIMIT_ENABLED=False,
)
db = SQLAlchemy(app)
permjwt = PermJWT(app, db=db)
app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")

@app.get("/open")
@public(reason="is served meanwhile")
def served():
    return {{}}

with app.app_context():
    db.create_all()
    if permjwt.users.find("alice") is None:
        permjwt.users.create("alice", "correct horse battery staple")
        db.session.commit()
"""


@pytest.fixture
def server(tmp_path):
    """A gunicorn with one worker of many threads; returns its port and the worker's process id."""
    (tmp_path / "flooded.py").write_text(APP.format(database=tmp_path / "app.db"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = [str(tmp_path), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    arguments = ["-b", f"127.0.0.1:{port}", "-w", "1", "-k", "gthread", "--threads", str(THREADS), "flooded:app"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *arguments], env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            try:
                assert call(port, "GET", "/open")[0] == 200
                break
            except OSError:
                time.sleep(0.1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield port, int(children[0])
    finally:
        process.terminate()
        process.wait(20)


def call(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def most_memory(process):
    """Return the most that a process ever had in memory, in kB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def test_a_flood_of_logins_takes_no_memory_and_others_are_served(server):
    port, worker = server
    good = {"username": "alice", "password": "correct horse battery staple"}
    assert call(port, "POST", "/auth/login", good)[0] == 200
    before = most_memory(worker)

    def guess(number):
        return call(port, "POST", "/auth/login", {"username": f"user{number % 7}", "password": "wrong"})

    with ThreadPoolExecutor(THREADS) as flood, ThreadPoolExecutor(2) as others:
        guesses = [flood.submit(guess, number) for number in range(FLOOD)]
        served = [others.submit(call, port, "GET", "/open") for _ in range(50)]
        answers = [one.result() for one in guesses]
        assert {one.result()[0] for one in served} == {200}
    statuses = Counter(status for status, _, _ in answers)
    assert set(statuses) == {401, 503}, statuses
    for status, headers, body in answers:
        if status == 503:
            assert headers["Retry-After"] == "1"
            assert json.loads(body)["error"] == "temporarily_unavailable"
    # Unbounded, it would be one hash of 64 MiB for each thread.
    bound = min(4, os.cpu_count() or 1) * 64 * MEBIBYTE + 32 * MEBIBYTE
    assert most_memory(worker) - before < bound < (THREADS - 4) * 64 * MEBIBYTE
    assert call(port, "POST", "/auth/login", good)[0] == 200
