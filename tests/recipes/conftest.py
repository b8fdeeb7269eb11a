"""The apps of the recipes, as the pages have them, in a folder of their own."""

import json
import os
import secrets
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from callers import PASSWORD, Caller
from pages import PAGES, ROOT, files, play, steps
from werkzeug.serving import make_server


class Recipe:
    """A page's files, and the environment in which they run.

    Args:
        name: of the page.
        folder: where its files are put.
    """

    def __init__(self, name, folder):
        self.page = next(page for page in PAGES if page.stem == name)
        self.folder = folder
        for file, content in files(self.page).items():
            (folder / file).write_text(content, encoding="utf-8")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLASK_", "GUNICORN_"))}
        self.environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "COLUMNS": "200",
            "FLASK_SECRET_KEY": secrets.token_urlsafe(64),
            "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder / 'app.db'}",
        }

    def run(self, *command, fails=False, without=()):
        """Run a command of Python's, which fails or not (or, with None, either); return all that it printed."""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", *command],
            cwd=self.folder,
            env={key: value for key, value in self.environment.items() if key not in without},
            capture_output=True,
            text=True,
            check=False,
        )
        assert fails in (None, done.returncode != 0), done.stdout + done.stderr
        return done.stdout + done.stderr

    def play(self, change=lambda command: command):
        """Type what the page's console blocks type, and compare what is printed."""
        assert steps(self.page)
        play(steps(self.page), self.folder, self.environment, change)

    def make_users(self, **users):
        """Make the tables, and users with their permissions."""
        script = self.folder / "make_users.py"
        script.write_text(
            "import sys, json, app\n"
            "with app.create_app().app_context():\n"
            "    app.db.create_all()\n"
            "    for name, permissions in json.loads(sys.argv[2]).items():\n"
            "        app.permjwt.users.create(name, sys.argv[1], permissions=permissions)\n"
            "    app.db.session.commit()\n"
        )
        self.run("make_users", PASSWORD, json.dumps(users))


@pytest.fixture
def recipe(tmp_path):
    """Return the recipe of a name; one for each test."""
    return lambda name: Recipe(name, tmp_path)


class Served(Caller):
    """The app of a page in this process, behind Werkzeug's server with its threads."""

    def __init__(self, module, app, port):
        super().__init__(port)
        self.module, self.app = module, app


@pytest.fixture
def load(monkeypatch):
    """Load the app of a page, make its tables and users, and serve it."""
    running = []

    def make(page, users, *, factory="create_app", **settings):
        for key, value in page.environment.items():
            if key.startswith("FLASK_"):
                monkeypatch.setenv(key, value)
        for key, value in settings.items():
            monkeypatch.setenv(f"FLASK_{key}", json.dumps(value))
        module = types.ModuleType(f"recipe_{secrets.token_hex(4)}")
        module.__file__ = str(page.folder / "app.py")
        # Flask looks for the folder of the module by its name.
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile((page.folder / "app.py").read_text(), module.__file__, "exec"), module.__dict__)  # noqa: S102  # our own page
        app = getattr(module, factory)()
        with app.app_context():
            module.db.create_all()
            for name, permissions in users.items():
                module.permjwt.users.create(name, PASSWORD, permissions=permissions)
            module.db.session.commit()
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread, module, app))
        return Served(module, app, server.server_port)

    yield make
    for server, thread, module, app in running:
        server.shutdown()
        thread.join()
        server.server_close()
        with app.app_context():
            module.db.engine.dispose()
