"""A process that is forked while threads are at work: the child waits for none of them, as they are not there."""

import os
import secrets
import signal
import threading
import time

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, requires_permissions
from flask_permjwt.web import marks

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def served(tmp_path):
    app = Flask(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'app.db'}"
    )
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.docs_blueprint)
    app.get("/reports")(requires_permissions("reports:read")(lambda: "in"))
    with app.app_context():
        db.create_all()
        db.engine.dispose()
    return app


def in_child(work):
    """Tell whether work ends in a forked process, and returns what is true."""
    child = os.fork()
    if not child:
        status = 1
        try:
            signal.alarm(10)
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def held(lock):
    """Let another thread hold a lock, and return how to let it go on."""
    has, go_on = threading.Event(), threading.Event()

    def hold():
        with lock:
            has.set()
            go_on.wait(30)

    threading.Thread(target=hold, daemon=True).start()
    assert has.wait(30)
    return go_on


def test_a_forked_process_answers_whatever_lock_another_thread_held(served):
    state = served.extensions["permjwt"]
    documents = next(
        cell.cell_contents
        for cell in served.view_functions["permjwt_docs.document"].__closure__
        if hasattr(cell.cell_contents, "answer")
    )
    released = [held(lock) for lock in (state.table._lock, state.recorder._lock, documents._lock)]
    try:
        assert in_child(lambda: served.test_client().get("/reports").status_code == 401)
        assert in_child(lambda: served.test_client().get("/docs/openapi.json").status_code == 200)
    finally:
        for one in released:
            one.set()


def test_a_fork_waits_for_who_is_just_declaring_something():
    go_on = held(marks._lock)
    threading.Timer(0.2, go_on.set).start()
    began = time.monotonic()

    def declare():
        return requires_permissions("reports:read")(lambda: None) is not None

    assert in_child(declare)
    assert time.monotonic() - began >= 0.1
    declare()  # and the parent goes on
