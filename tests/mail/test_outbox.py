"""Mails leave off the way of the request: in order, bounded, once, and without a word about what they say."""

import logging
import smtplib
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from flask import Flask, current_app

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.mail.message import Message
from flask_permjwt.mail.outbox import Outbox

SECRET = "code-4711"


@pytest.fixture
def gate():
    """A gate that a mailer can be made to wait at; it opens when the test ends."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def at_work(mailer, gate):
    """Let the mailer wait at the gate, and tell when it is there."""
    there = threading.Event()

    def before(message):
        there.set()
        gate.wait(10)

    mailer.before = before
    return there


def failing(*errors):
    """Raise these, one at each attempt, and nothing afterwards."""
    left = list(errors)

    def before(message):
        if left:
            raise left.pop(0)

    return before


def test_a_message_is_sent_in_another_thread_inside_the_apps_context(outbox, mailer, app, make_message):
    threads = []
    mailer.before = lambda message: threads.append(threading.current_thread())
    outbox.put(app, make_message())
    assert outbox.flush()
    assert mailer.apps == [app]
    assert threads != [threading.current_thread()]
    assert threads[0].daemon


def test_put_does_not_wait_for_the_mailer(outbox, mailer, app, make_message, gate, at_work):
    outbox.put(app, make_message())
    assert at_work.wait(10)
    assert mailer.sent == []
    assert outbox.pending == 1
    gate.set()
    assert outbox.flush()
    assert outbox.pending == 0


def test_order_is_kept(outbox, mailer, app, make_message):
    subjects = [str(number) for number in range(200)]
    mailer.before = failing(OSError(), OSError())
    for subject in subjects:
        outbox.put(app, make_message(subject))
    assert outbox.flush()
    assert [message.subject for message in mailer.sent] == subjects


def test_many_threads_lose_nothing_and_share_one_worker(outbox, mailer, app, make_message):
    workers = set()
    mailer.before = lambda message: workers.add(threading.get_ident())
    start = threading.Barrier(8)

    def put():
        start.wait()
        for _ in range(50):
            outbox.put(app, make_message())

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outbox.flush()
    assert len(mailer.sent) == 400
    assert len(workers) == 1


def test_messages_of_two_apps_are_sent_in_their_own_contexts(outbox, mailer, make_message):
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        outbox.put(app, make_message())
    assert outbox.flush()
    assert mailer.apps == apps


def test_what_does_not_fit_is_dropped_and_logged(mailer, app, make_message, gate, at_work, caplog):
    outbox = Outbox(mailer, limit=2)
    outbox.put(app, make_message("in hand"))
    assert at_work.wait(10)
    for subject in ("first", "second", "third"):
        outbox.put(app, make_message(subject, text=SECRET))
    gate.set()
    assert outbox.flush()
    assert [message.subject for message in mailer.sent] == ["in hand", "first", "second"]
    assert caplog.messages == ["mail not sent to somebody at 'example.com': too many messages wait"]
    assert caplog.records[0].levelno == logging.ERROR


def test_without_a_mailer_every_message_is_logged_as_unsent(app, make_message, caplog):
    outbox = Outbox(None)
    outbox.put(app, make_message())
    assert outbox.flush(0)
    assert caplog.messages == ["mail not sent to somebody at 'example.com': there is no mailer"]


class TestFlush:
    def test_an_empty_outbox_is_flushed_at_once(self, outbox):
        assert outbox.flush(0)

    def test_it_waits_no_longer_than_asked(self, outbox, app, make_message, gate, at_work):
        outbox.put(app, make_message())
        assert outbox.flush(0.01) is False
        gate.set()
        assert outbox.flush()

    def test_it_waits_for_what_was_put_before_and_not_for_what_comes_after(
        self, outbox, mailer, app, make_message, gate
    ):
        flushed = threading.Event()

        def before(message):
            if message.subject == "first":
                while not outbox._condition._waiters:
                    time.sleep(0)  # until flush waits
                outbox.put(app, make_message("second"))
            else:
                assert flushed.wait(10)

        mailer.before = before
        outbox.put(app, make_message("first"))
        assert outbox.flush()
        assert outbox.pending == 1
        flushed.set()
        assert outbox.flush()
        assert [message.subject for message in mailer.sent] == ["first", "second"]


class TestAttempts:
    @pytest.mark.parametrize(
        "error",
        [
            ConnectionRefusedError(),
            TimeoutError(),
            OSError(),
            RuntimeError(),
            smtplib.SMTPServerDisconnected(),
            smtplib.SMTPResponseException(421, b"busy"),
            smtplib.SMTPRecipientsRefused({"a@b.c": (451, b""), "d@b.c": (550, b"")}),
        ],
        ids=repr,
    )
    def test_an_error_that_may_pass_is_tried_again(self, outbox, mailer, app, make_message, pauses, caplog, error):
        mailer.before = failing(error, error)
        outbox.put(app, make_message())
        assert outbox.flush()
        assert len(mailer.sent) == 1
        assert pauses.seen == [1, 5]
        assert caplog.records == []

    @pytest.mark.parametrize(
        "error",
        [
            ConfigurationError(""),
            ValueError(),
            TypeError(),
            ModuleNotFoundError(),
            smtplib.SMTPNotSupportedError(),
            smtplib.SMTPAuthenticationError(535, b"no"),
            smtplib.SMTPRecipientsRefused({"a@b.c": (550, b"")}),
        ],
        ids=repr,
    )
    def test_an_error_that_stays_holds_nobody_up(self, outbox, mailer, app, make_message, pauses, caplog, error):
        mailer.before = failing(error)
        outbox.put(app, make_message("first"))
        outbox.put(app, make_message("second"))
        assert outbox.flush()
        assert [message.subject for message in mailer.sent] == ["second"]
        assert pauses.seen == []
        assert len(caplog.records) == 1

    def test_a_message_is_given_up_after_three_attempts(self, outbox, mailer, app, make_message, pauses, caplog):
        mailer.before = failing(OSError(), OSError(), OSError())
        outbox.put(app, make_message("first"))
        outbox.put(app, make_message("second"))
        assert outbox.flush()
        assert [message.subject for message in mailer.sent] == ["second"]
        assert mailer.attempts == 4
        assert caplog.messages == ["mail not sent to somebody at 'example.com': OSError"]

    def test_a_teardown_that_fails_does_not_send_a_message_twice(self, outbox, mailer, app, make_message, caplog):
        @app.teardown_appcontext
        def fail(error):
            raise OSError(SECRET)

        outbox.put(app, make_message())
        assert outbox.flush()
        assert len(mailer.sent) == 1
        assert caplog.messages == ["a teardown function failed after a mail was sent: OSError"]

    @pytest.mark.parametrize(
        "error",
        [smtplib.SMTPRecipientsRefused("no dict"), smtplib.SMTPResponseException("no code", b"")],
        ids=repr,
    )
    def test_errors_filled_in_odd_ways_do_not_stop_the_worker(self, outbox, mailer, app, make_message, error):
        mailer.before = failing(error)
        outbox.put(app, make_message())
        assert outbox.flush()
        assert len(mailer.sent) == 1

    # The mailer of this test ends the thread, which pytest sees.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_worker_that_was_ended_is_replaced(self, outbox, mailer, app, make_message):
        mailer.before = failing(SystemExit())
        outbox.put(app, make_message("first"))
        assert outbox.flush()
        outbox._worker.join(10)
        outbox.put(app, make_message("second"))
        assert outbox.flush()
        assert [message.subject for message in mailer.sent] == ["second"]

    def test_a_worker_that_cannot_start_raises_nothing_and_is_tried_again(
        self, outbox, mailer, app, make_message, monkeypatch, caplog
    ):
        def start(thread):
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            outbox.put(app, make_message("first"))
        assert caplog.messages == ["the mail worker cannot start: RuntimeError"]
        outbox.put(app, make_message("second"))
        assert outbox.flush()
        assert [message.subject for message in mailer.sent] == ["first", "second"]


class TestSecrets:
    @pytest.mark.parametrize("testing", [False, True])
    def test_a_failure_is_logged_without_text_address_or_body(self, outbox, mailer, app, caplog, testing):
        app.testing = testing
        message = Message("alice.liddell@example.com", f"Reset {SECRET}", f"use {SECRET}\n")

        def before(message):
            raise smtplib.SMTPDataError(554, f"alice.liddell@example.com: {message.text}".encode())

        mailer.before = before
        with caplog.at_level(logging.DEBUG):
            outbox.put(app, message)
            assert outbox.flush()
        assert caplog.messages == ["mail not sent to somebody at 'example.com': SMTPDataError 554"]
        assert caplog.records[0].name == "flask_permjwt.mail"
        assert caplog.records[0].exc_info is None
        assert SECRET not in caplog.text
        assert "alice" not in caplog.text

    def test_a_message_is_not_kept_after_it_was_sent(self, mailer, app, make_message, pauses):
        class Forgetful:
            def send(self, message):
                pass

        outbox = Outbox(Forgetful(), sleep=pauses)
        message = make_message()
        before = sys.getrefcount(message)
        outbox.put(app, message)
        assert outbox.flush()
        deadline = time.monotonic() + 10
        while sys.getrefcount(message) > before and time.monotonic() < deadline:
            pass
        assert sys.getrefcount(message) == before


class TestTesting:
    """An app that is being tested sees its mails at once."""

    @pytest.fixture(autouse=True)
    def tested(self, app):
        app.testing = True

    def test_a_message_is_sent_before_put_returns_in_the_same_thread(self, outbox, mailer, app, make_message):
        threads = []
        mailer.before = lambda message: threads.append(threading.current_thread())
        outbox.put(app, make_message())
        assert len(mailer.sent) == 1
        assert threads == [threading.current_thread()]
        assert mailer.apps == [app]
        assert outbox.flush(0)

    def test_a_failure_is_logged_and_not_raised_and_not_waited_for(
        self, outbox, mailer, app, make_message, pauses, caplog
    ):
        mailer.before = failing(OSError())
        outbox.put(app, make_message())
        assert mailer.attempts == 1
        assert pauses.seen == []
        assert caplog.messages == ["mail not sent to somebody at 'example.com': OSError"]

    def test_the_request_keeps_its_own_context(self, outbox, app, make_message):
        with app.app_context():
            outer = current_app._get_current_object()
            outbox.put(app, make_message())
            assert current_app._get_current_object() is outer


PROLOGUE = """
import atexit, os, sys, threading, time
from flask import Flask
from flask_permjwt.mail import outbox as module
from flask_permjwt.mail.message import Message
from flask_permjwt.mail.outbox import Outbox

app = Flask("served")

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def mail(subject):
    return Message("alice@example.com", subject, "the secret")
"""


def run(code, *, timeout=60):
    """Run a program in an interpreter of its own; return its output and its errors."""
    program = PROLOGUE + textwrap.dedent(code)
    # Forking with a running worker is what is tried here; Python 3.12 and later warn of it.
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1], done.stderr


class TestProcesses:
    def test_a_fork_has_a_worker_of_its_own_and_sends_nothing_of_its_parent(self):
        lines, errors = run("""
            gate = threading.Event()
            there = threading.Event()

            class Mailer:
                def send(self, message):
                    if message.subject == "held":
                        there.set()
                        gate.wait(20)
                    say(message.subject, "parent" if os.getpid() == parent else "child")

            parent = os.getpid()
            outbox = Outbox(Mailer())
            outbox.put(app, mail("held"))
            there.wait(20)
            outbox.put(app, mail("waiting"))
            child = os.fork()
            if not child:
                assert outbox.pending == 0
                outbox.put(app, mail("own"))
                assert outbox.flush(20)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            gate.set()
            assert outbox.flush(20)
        """)
        assert lines == ["own child", "held parent", "waiting parent"]
        assert errors == ""

    def test_a_fork_is_not_stopped_by_a_lock_that_was_held(self):
        lines, _ = run("""
            class Mailer:
                def send(self, message):
                    say(message.subject)

            outbox = Outbox(Mailer())
            held, done = threading.Event(), threading.Event()

            def hold():
                with outbox._condition:
                    held.set()
                    done.wait(20)

            threading.Thread(target=hold).start()
            held.wait(20)
            child = os.fork()
            if not child:
                outbox.put(app, mail("own"))
                assert outbox.flush(20)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            done.set()
        """)
        assert lines == ["own"]

    def test_what_waits_is_sent_when_the_interpreter_exits(self):
        lines, errors = run("""
            end = threading.Event()

            class Mailer:
                def send(self, message):
                    end.wait(20)
                    say(message.subject)

            outbox = Outbox(Mailer())
            for subject in "abc":
                outbox.put(app, mail(subject))
            say("end")
            atexit.register(end.set)
        """)
        assert lines == ["end", "a", "b", "c"]
        assert errors == ""

    def test_the_exit_waits_for_a_bounded_time_and_says_what_was_lost(self):
        lines, errors = run("""
            module._AT_EXIT = 0.05

            class Mailer:
                def send(self, message):
                    threading.Event().wait()

            outboxes = [Outbox(Mailer()), Outbox(Mailer())]
            for outbox in outboxes:
                outbox.put(app, mail("a"))
                outbox.put(app, mail("b"))
            say("end")
        """)
        assert lines == ["end"]
        assert errors.splitlines() == ["the process ends with mails unsent: 2"] * 2

    def test_a_message_put_while_the_interpreter_exits_raises_nothing(self):
        _, errors = run("""
            class Mailer:
                def send(self, message):
                    say(message.subject)

            module._AT_EXIT = 0.05
            outbox = Outbox(Mailer())
            atexit.unregister(module._flush_all)
            atexit.register(lambda: say(outbox.flush(0.5)))
            atexit.register(lambda: outbox.put(app, mail("late")))
        """)
        assert "Traceback" not in errors
