"""The first requests of an app, which may come together: what they find out once is found out whole."""

from threading import Barrier, Thread

from flask import Flask
from werkzeug.exceptions import NotFound

from flask_permjwt.web.finish import Finisher, finish_response
from flask_permjwt.web.refusals import handles_errors

ROUNDS = 300


class Meeting(list):
    """A list; while somebody looks whether it is empty, another thread comes."""

    def __init__(self, other):
        super().__init__([lambda response: response])
        self.other = other

    def __len__(self):
        other, self.other = self.other, lambda: None
        other()
        return 1


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


def test_of_two_first_requests_neither_fails_and_responses_are_finished_once():
    app = bare()
    finisher = Finisher(app)
    app.after_request_funcs["pages"] = Meeting(finisher.prepare)
    finisher.prepare()
    assert app.after_request_funcs[None] == [finish_response]


def test_who_sees_that_responses_are_finished_may_rely_on_it():
    app, seen = bare(), []
    finisher = Finisher(app)

    class Watched(dict):
        def __setitem__(self, key, value):
            seen.append((finisher.is_prepared, finisher._is_registered))
            super().__setitem__(key, value)

    app.after_request_funcs = Watched(pages=[lambda response: response])
    finisher = Finisher(app)
    finisher.prepare()
    assert seen == [(False, False)]
    assert (finisher.is_prepared, finisher._is_registered) == (True, True)


def test_a_refusal_is_answered_while_flask_looks_for_a_handler_in_another_thread():
    app = bare()
    spec = app.error_handler_spec
    spec["pages"] = Searched(lambda: app._find_error_handler(NotFound(), ["other", "another"]))
    assert handles_errors(app) is False


def test_first_requests_that_come_together_raise_nothing():
    def make():
        app = bare()
        for number in range(20):
            app.after_request_funcs[f"pages{number}"] = []
        app.after_request_funcs["last"] = [lambda response: response]
        return app, Finisher(app)

    def ask(pair):
        app, finisher = pair
        finisher.prepare()
        app._find_error_handler(NotFound(), ["one", "another"])
        handles_errors(app)

    assert together(make, *[ask] * 4) == []
