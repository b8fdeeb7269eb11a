"""The first requests of an app, which may come together: what they find out once is found out whole."""

from threading import Barrier, Thread

from flask import Flask
from werkzeug.exceptions import NotFound

from flask_permjwt.web.refusals import handles_errors

ROUNDS = 300


class Searched(dict):
    """A dictionary; while somebody goes through it, another thread comes."""

    def __init__(self, other):
        super().__init__()
        self.other = other

    def items(self):
        self.other()
        return super().items()


def bare():
    app = Flask(__name__, static_folder=None)
    app._got_first_request = True
    return app


def together(make, *work):
    """Make something new for each round, and let threads work on it at the same moment; return what was raised."""
    barrier, current, raised = Barrier(len(work)), [], []

    def run(one):
        for _ in range(ROUNDS):
            if barrier.wait(30) == 0:
                current[:] = [make()]
            barrier.wait(30)
            try:
                one(*current)
            except Exception as error:  # noqa: BLE001  # whatever it is
                raised.append(error)

    threads = [Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def test_a_refusal_is_answered_while_flask_looks_for_a_handler_in_another_thread():
    app = bare()
    spec = app.error_handler_spec
    spec["pages"] = Searched(lambda: app._find_error_handler(NotFound(), ["other", "another"]))
    assert handles_errors(app) is False


def test_first_requests_that_come_together_raise_nothing():
    def ask(app):
        app._find_error_handler(NotFound(), ["one", "another"])
        handles_errors(app)

    assert together(bare, *[ask] * 4) == []
