"""What the pages show in a shell is typed into one, and what is printed there is what they show.

The recipes, and the tutorial, have tests of their own in `tests/recipes`.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from callers import Caller
from pages import PAGES, ROOT, blocks, play, steps

ELSEWHERE = {"tutorial", "gunicorn", "flask-migrate"}
PLAYED = {page.stem: page for page in PAGES if blocks(page, "console") and page.stem not in ELSEWHERE}
USER = ["create-user", "alice", "--permission", "reports:read", "--password", "correct horse battery staple"]
_MAKE = re.compile(r"(?:\w+=\S+ )*make ([^#]*)")

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("bash", "curl", "make")), reason="needs bash, curl and make"
)


@pytest.fixture
def environment():
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLASK_", "MAKE", "PYTEST"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


@pytest.fixture
def venv(tmp_path):
    """A virtual environment as make finds it when all is installed: it runs this Python, and installs nothing."""
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    for stamp in (".demo", ".dev", ".bench", ".docs"):
        (folder / stamp).touch()
    return folder


@pytest.fixture
def serve():
    """Start a server with a command, and wait until it answers."""
    running = []

    def call(command, url, **how):
        server = subprocess.Popen(command, start_new_session=True, **how)
        running.append(server)
        for _ in range(300):
            try:
                urllib.request.urlopen(url, timeout=5).close()  # noqa: S310  # our own server
            except urllib.error.HTTPError as answer:
                answer.close()
            except OSError:
                assert server.poll() is None
                time.sleep(0.1)
                continue
            break

    yield call
    for server in running:
        server.terminate()
        server.wait(20)


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def instead(line):
    """Return what is typed in place of a line that installs, measures or tests this whole project."""
    if found := _MAKE.match(line):
        return f"make -n -C '{ROOT}' {found[1]} > /dev/null"  # that it is a target, and what it needs is there
    if line.startswith(".venv/bin/python -m benchmarks"):
        return """python -c 'from importlib.util import find_spec as find; assert find("benchmarks.__main__")'"""
    return line


def test_what_the_readme_types_gives_what_it_shows(tmp_path, environment, venv, serve, port):
    readme = PLAYED["README"]
    (tmp_path / "app.py").write_text(blocks(readme, "python")[0])
    assert len(steps(readme)) > 8
    [start] = [line for line, _ in steps(readme) if line.endswith("=tell-me-an-iris make demo")]
    home = {"VENV": str(venv), "PORT": str(port), "FLASK_EXAMPLE_INSTANCE_PATH": str(tmp_path / "instance")}
    where = f"http://127.0.0.1:{port}/public/info/"
    serve(["bash", "-c", f"exec env {start}"], where, cwd=ROOT, env=environment | home)
    here = f"127.0.0.1:{port}"
    play(steps(readme), tmp_path, environment, lambda line: instead(line).replace("127.0.0.1:8000", here))


@pytest.mark.parametrize("name", sorted(PLAYED.keys() - {"README"}))
def test_what_a_page_types_gives_what_it_shows(name, tmp_path, environment, serve, port, request):
    """Pages whose app is none for a shell are typed where the README's app is, which is served too."""
    lines = steps(PLAYED[name])
    (tmp_path / "app.py").write_text(blocks(PLAYED["README"], "python")[0])
    environment |= {"FLASK_SECRET_KEY": secrets.token_urlsafe(64)}
    url = f"http://127.0.0.1:{port}"

    def change(line):
        line = instead(line).replace("/var/lib/reports", str(tmp_path)).replace("https://api.example.com", url)
        if "redis://localhost:6379/0" in line:
            line = line.replace("redis://localhost:6379/0", request.getfixturevalue("redis_url"))
        if " client create " in line:
            line += " | tee made; read _ CLIENT_ID < <(grep _id made); read _ CLIENT_SECRET < <(grep _secret made)"
        return line

    if any(line.startswith(("flask", "curl")) for line, _ in lines):
        flask = [sys.executable, "-m", "flask"]
        subprocess.run([*flask, "permjwt", *USER], cwd=tmp_path, env=environment, check=True)
        serve([*flask, "run", "--port", str(port)], url, cwd=tmp_path, env=environment)
        guess = {"username": "alice", "password": "a guess"}
        assert Caller(port).ask("POST", "/auth/login", body=guess).status == 401
    play(lines, tmp_path, environment, change)


def test_every_page_with_a_shell_is_typed_somewhere():
    assert {page.stem for page in PAGES if blocks(page, "console")} == PLAYED.keys() | ELSEWHERE
    for name in ELSEWHERE:
        assert ".play(" in (ROOT / "tests" / "recipes" / f"test_{name.replace('-', '_')}.py").read_text()
