"""The app under gunicorn, with several workers, on a port of its own."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_LIB = Path(__file__).parents[1]
_ROOT = Path(__file__).parents[4]


class Service:
    """gunicorn and its workers.

    Args:
        url: of the database, as the workers are told it.
        settings: ``PERMJWT_*``.
        log: where gunicorn and the app may write.
        workers: how many processes.
        threads: of each; with 1, they are sync workers.
    """

    def __init__(self, url, settings, log, *, workers=3, threads=1):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        kind = ["--worker-class", "gthread", "--threads", str(threads)] if threads > 1 else []
        folder = str(Path(log).parent)  # for gunicorn's own files too
        path = os.pathsep.join([str(_ROOT), str(_LIB), os.environ.get("PYTHONPATH", "")])
        self.log = Path(log)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn", "faults.app:create_app()", "--preload"),
                    *("--bind", f"fd://{self.listener.fileno()}", "--workers", str(workers), *kind),
                    *("--graceful-timeout", "1", "--log-level", "warning"),
                ],
                env={
                    **os.environ,
                    "PYTHONPATH": path,
                    "HOME": folder,
                    "XDG_RUNTIME_DIR": folder,
                    "FAULTS_URL": url,
                    "FAULTS_SETTINGS": json.dumps(settings),
                },
                start_new_session=True,
                pass_fds=[self.listener.fileno()],
                stdout=out,
                stderr=out,
            )
        # Forked workers take requests from the same socket.
        self.listener.close()
        self._wait()

    def _wait(self):
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            try:
                self.ask("GET", "/nowhere", None)
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"gunicorn does not serve: {self.log.read_text()[-2000:]}")

    def ask(self, method, path, token):
        """Return the status of a request on a connection of its own, its worker, and Retry-After."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, headers={} if token is None else {"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            response.read()
        finally:
            connection.close()
        return response.status, response.headers.get("X-Worker"), response.headers.get("Retry-After")

    def kill(self, worker):
        """Kill one worker by its process id; gunicorn starts another."""
        os.kill(int(worker), signal.SIGKILL)

    def close(self):
        """End it at once, with its workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
