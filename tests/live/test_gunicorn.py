"""The same under gunicorn, in two processes: what one ends, the other closes; a ticket is good in one."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import live_gunicorn
import pytest
import requests
import socketio
from live_api import PASSWORD, Api, header_of
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

SUPPORT = Path(live_gunicorn.__file__).parent


class Service(Api):
    """gunicorn with the app; users are changed by this process, as by another machine."""

    def __init__(self, folder, url):
        secret = secrets.token_urlsafe(64)
        path = os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1])])
        environment = {**os.environ, "PYTHONPATH": path, "LIVE_URL": url, "LIVE_SECRET": secret}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LIVE_URL", url)
            patch.setenv("LIVE_SECRET", secret)
            self.app = live_gunicorn.create_app()
        self.users, self.db = self.app.extensions["live_users"], self.app.extensions["live_db"]
        with self.app.app_context():
            self.db.create_all()
            self.users.create("alice", PASSWORD, permissions=["chat:*", "reports:read"])
            self.db.session.commit()
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        port = listener.getsockname()[1]
        self.url, self.ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
        self.log = Path(folder) / "gunicorn.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn", "live_gunicorn:create_app()"),
                    *("--bind", f"fd://{listener.fileno()}", "--workers", "2"),
                    *("--worker-class", "gthread", "--threads", "16", "--access-logfile", "-"),
                    *("--graceful-timeout", "1"),
                ],
                env=environment,
                pass_fds=[listener.fileno()],
                stdout=out,
                stderr=out,
            )
        listener.close()
        for _ in range(600):
            try:
                requests.get(f"{self.url}/auth/me", timeout=5)
                break
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        with self.app.app_context():
            self.db.session.remove()
            self.db.engine.dispose()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gunicorn")
    running = Service(folder, f"sqlite:///{folder / 'live.db'}")
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text()


@pytest.mark.parametrize("path", ["plain", "ours"])
def test_what_one_worker_ends_every_worker_closes_at_the_next_event(service, path):
    alice = service.log_in()
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(connect(f"{service.ws}/{path}", additional_headers=header_of(alice)))
            for _ in range(6)
        ]
        for one in sockets:
            one.send("hello")
            assert one.recv(timeout=10) == "hello"
        assert alice.post(f"{service.url}/auth/logout").status_code == 204
        for one in sockets:
            one.send("again")
            with pytest.raises(ConnectionClosed) as caught:
                one.recv(timeout=10)
            found = caught.value.rcvd.code, caught.value.rcvd.reason
            assert found == (1008, "invalid_token: The token was revoked.")


def test_a_socketio_connection_is_disconnected_when_its_session_has_ended(service):
    alice = service.log_in()
    client = socketio.Client(reconnection=False)
    # Polling needs one process for all requests of a connection; a WebSocket is one request.
    client.connect(service.url, headers=header_of(alice), transports=["websocket"], wait_timeout=10)
    assert client.call("write", "hello", timeout=10) == "hello"
    alice.post(f"{service.url}/auth/logout")
    client.emit("write", "again")
    client.wait()  # until the server has ended the connection
    assert not client.connected


def test_of_many_requests_with_one_ticket_to_two_workers_one_is_answered(service):
    alice = service.log_in()
    for _ in range(5):
        ticket = service.ticket(alice, "/exports/report.txt")
        address = f"{service.url}/exports/report.txt?ticket={ticket}"
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda address: requests.get(address, timeout=20).status_code, [address] * 8))
        assert sorted(found) == [200] + [401] * 7


def test_curl_downloads_with_a_ticket_and_no_header(service, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    ticket = service.ticket(service.log_in(), "/exports/report.txt")
    address = f"{service.url}/exports/report.txt?ticket={ticket}"
    command = ["curl", "-sS", "--fail", "-OJ", address]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=30)
    assert (tmp_path / "report.txt").read_bytes() == Path(live_gunicorn.__file__).read_bytes()
    assert subprocess.run(command, cwd=tmp_path, check=False, timeout=30, capture_output=True).returncode == 22


def test_a_ticket_opens_a_websocket_once(service):
    ticket = service.ticket(service.log_in(), "/ours")
    with connect(f"{service.ws}/ours?ticket={ticket}") as socket_:
        for message in ("one", "two"):
            socket_.send(message)
            assert socket_.recv(timeout=10) == message
    with pytest.raises(InvalidStatus, match="401"), connect(f"{service.ws}/ours?ticket={ticket}"):
        pass
