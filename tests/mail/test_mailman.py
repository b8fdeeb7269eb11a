"""Flask-Mailman against a real SMTP server: what arrives, and what happens when nothing does."""

import logging
import smtplib
import socket
import sys
import time

import pytest
from flask import Flask
from flask_mailman import Mail
from flask_mailman.backends.smtp import EmailBackend

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.mail import MailmanMailer, Message
from flask_permjwt.mail.letters import Letters

SECRET = "code-4711"


class Watching(EmailBackend):
    """Keeps its time-out, and sends nothing."""

    seen: list = []  # noqa: RUF012  # Flask-Mailman makes the instances

    def send_messages(self, messages):
        self.seen.append(self.timeout)
        return len(messages)


def test_a_message_arrives_as_it_was_written(smtp_server, make_mailman_app):
    app = make_mailman_app(smtp_server.port)
    with app.app_context():
        MailmanMailer().send(Message("alice@example.com", "Grüße aus Köln", "Schöner Text\nin zwei Zeilen\n"))
    (mail,) = smtp_server.mails
    assert smtp_server.recipients == [["alice@example.com"]]
    assert mail["To"] == "alice@example.com"
    assert mail["From"] == "app@example.com"
    assert mail["Subject"] == "Grüße aus Köln"
    assert mail.get_content().replace("\r\n", "\n") == "Schöner Text\nin zwei Zeilen\n"


def test_a_message_says_that_nobody_wrote_it(smtp_server, make_mailman_app):
    with make_mailman_app(smtp_server.port).app_context():
        MailmanMailer().send(Message("alice@example.com", "s", "t"))
    assert smtp_server.mails[0]["Auto-Submitted"] == "auto-generated"


def test_html_comes_as_the_alternative_of_the_text(smtp_server, make_mailman_app):
    with make_mailman_app(smtp_server.port).app_context():
        MailmanMailer().send(Message("alice@example.com", "s", "the text\n", "<p>the page</p>\n"))
    (mail,) = smtp_server.mails
    assert mail.get_content_type() == "multipart/alternative"
    assert "the text" in mail.get_body(("plain",)).get_content()
    assert "<p>the page</p>" in mail.get_body(("html",)).get_content()


def test_a_long_subject_arrives_whole(smtp_server, make_mailman_app):
    subject = "word " * 60 + "end"
    with make_mailman_app(smtp_server.port).app_context():
        MailmanMailer().send(Message("alice@example.com", subject, "t"))
    (mail,) = smtp_server.mails
    assert mail["Subject"] == subject


def test_a_letter_goes_the_whole_way_by_the_worker(smtp_server, make_mailman_app, mailman_outbox):
    app = make_mailman_app(smtp_server.port)
    letters = Letters(mailman_outbox, urls={"reset": "https://app.example/reset?token={token}"})
    with app.app_context():
        letters.send("reset", "alice@example.com", username="Alice", token=SECRET, expires_in=1800)
    assert mailman_outbox.flush()
    (mail,) = smtp_server.mails
    assert mail["Subject"] == "Choose a new password"
    assert f"https://app.example/reset?token={SECRET}" in mail.get_content()


@pytest.mark.parametrize("cut", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b", "\x00"])
def test_a_user_name_adds_neither_headers_nor_paragraphs(smtp_server, make_mailman_app, mailman_outbox, cut):
    name = f"x{cut}Bcc: mallory@example.com{cut}{cut}Pay here"
    app = make_mailman_app(smtp_server.port)
    with app.app_context():
        Letters(mailman_outbox, urls={}).send("password_changed", "alice@example.com", username=name)
    assert mailman_outbox.flush()
    (mail,) = smtp_server.mails
    assert smtp_server.recipients == [["alice@example.com"]]
    assert "Bcc" not in mail
    assert "Hello x Bcc: mallory@example.com Pay here," in mail.get_content()


@pytest.mark.parametrize(
    "to",
    [
        "alice@example.com\r\nBcc: mallory@example.com",
        "alice@example.com,mallory@example.com",
        "=?utf-8?q?mallory=40evil.example=3e?=@example.com",
        "alice@example.com>\r\nRCPT TO:<mallory@example.com",
    ],
)
def test_a_recipient_who_is_more_than_one_gets_nothing(smtp_server, make_mailman_app, mailman_outbox, caplog, to):
    with make_mailman_app(smtp_server.port).app_context():
        Letters(mailman_outbox, urls={}).send("password_changed", to, username="Alice")
    assert mailman_outbox.flush()
    assert smtp_server.mails == []
    assert smtp_server.asked == 0
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "mallory" not in caplog.text


def test_a_mailbox_that_would_become_another_one_is_refused(smtp_server, make_mailman_app):
    with make_mailman_app(smtp_server.port).app_context(), pytest.raises(ValueError, match="not ASCII"):
        MailmanMailer().send(Message("müller@example.com", "s", "t"))
    assert smtp_server.mails == []


def test_a_domain_with_umlauts_is_sent_to(smtp_server, make_mailman_app):
    with make_mailman_app(smtp_server.port).app_context():
        MailmanMailer().send(Message("alice@köln.example", "s", "t"))
    assert smtp_server.recipients == [["alice@xn--kln-sna.example"]]


class TestFailures:
    """Nothing is raised into the caller, and nothing secret is logged."""

    @pytest.fixture
    def post(self, mailman_outbox, caplog):
        def post(app, to="alice@example.com"):
            with caplog.at_level(logging.DEBUG, logger="flask_permjwt"):
                mailman_outbox.put(app, Message(to, "s", f"{SECRET}\n"))
                assert mailman_outbox.flush()
            name = to.partition("@")[0]
            ours = [record for record in caplog.records if record.name == "flask_permjwt.mail"]
            text = "\n".join(record.getMessage() for record in ours)
            assert SECRET not in caplog.text
            assert f"{name}@" not in caplog.text
            assert not any(record.exc_info for record in ours)
            assert [record.levelname for record in ours] == ["ERROR"]
            return text

        return post

    def test_a_server_that_is_down_is_tried_three_times(self, make_mailman_app, free_port, post, pauses):
        assert post(make_mailman_app(free_port)) == (
            "mail not sent to somebody at 'example.com': ConnectionRefusedError"
        )
        assert pauses.seen == [1, 5]

    def test_a_server_that_hangs_is_given_up(self, make_mailman_app, post, pauses):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            log = post(make_mailman_app(silent.getsockname()[1], MAIL_TIMEOUT=0.05))
        assert "SMTPServerDisconnected" in log or "TimeoutError" in log
        assert pauses.seen == [1, 5]

    def test_a_recipient_who_is_refused_for_good_is_tried_once(self, smtp_server, make_mailman_app, post, pauses):
        log = post(make_mailman_app(smtp_server.port), "refused@example.com")
        assert log.endswith("SMTPRecipientsRefused 550")
        assert smtp_server.asked == 1
        assert pauses.seen == []

    def test_a_recipient_who_is_refused_for_now_is_tried_again(self, smtp_server, make_mailman_app, post, pauses):
        log = post(make_mailman_app(smtp_server.port), "later@example.com")
        assert log.endswith("SMTPRecipientsRefused 451")
        assert smtp_server.asked == 3

    def test_a_wrong_password_of_the_app_is_not_tried_again(self, smtp_server, make_mailman_app, post, pauses):
        app = make_mailman_app(smtp_server.port, MAIL_USERNAME="app", MAIL_PASSWORD=SECRET)
        assert "SMTPNotSupportedError" in post(app)
        assert pauses.seen == []

    def test_an_app_without_flask_mailman_is_not_tried_again(self, app, post, pauses):
        assert "ConfigurationError" in post(app)
        assert pauses.seen == []

    def test_an_app_without_sender_is_not_tried_again(self, smtp_server, make_mailman_app, post, pauses):
        assert "ConfigurationError" in post(make_mailman_app(smtp_server.port, MAIL_DEFAULT_SENDER=None))
        assert smtp_server.mails == []
        assert pauses.seen == []

    def test_a_domain_that_cannot_be_is_not_tried_again(self, smtp_server, make_mailman_app, post, pauses):
        post(make_mailman_app(smtp_server.port), f"alice@{'ä' * 70}.example")
        assert pauses.seen == []

    def test_the_request_does_not_wait_for_a_server_that_hangs(self, make_mailman_app, mailman_outbox):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            app = make_mailman_app(silent.getsockname()[1], MAIL_TIMEOUT=0.3)
            before = time.perf_counter()
            mailman_outbox.put(app, Message("alice@example.com", "s", "t"))
            taken = time.perf_counter() - before
            assert mailman_outbox.pending == 1
            assert mailman_outbox.flush()
        assert taken < 0.3


def test_a_connection_is_closed_whatever_happened(smtp_server, make_mailman_app, monkeypatch):
    closed = []
    monkeypatch.setattr(smtplib.SMTP, "close", lambda self, close=smtplib.SMTP.close: closed.append(close(self)))
    app = make_mailman_app(smtp_server.port)
    with app.app_context(), pytest.raises(smtplib.SMTPRecipientsRefused):
        MailmanMailer().send(Message("refused@example.com", "s", "t"))
    assert closed


@pytest.mark.parametrize(("configured", "used"), [(None, 30), (3, 3)])
def test_no_server_is_waited_for_for_ever(make_mailman_app, monkeypatch, configured, used):
    monkeypatch.setattr(Watching, "seen", [])
    app = make_mailman_app(1, MAIL_BACKEND=Watching, MAIL_TIMEOUT=configured)
    with app.app_context():
        MailmanMailer().send(Message("alice@example.com", "s", "t"))
    assert Watching.seen == [used]


@pytest.mark.parametrize("backend", ["locmem", "console", "dummy"])
def test_every_backend_of_flask_mailman_serves(make_mailman_app, backend, capsys):
    with make_mailman_app(1, MAIL_BACKEND=backend).app_context():
        MailmanMailer().send(Message("alice@example.com", "s", "t"))


class TestCheck:
    """An app that could not send is refused, and told the remedy."""

    def test_an_app_with_flask_mailman_passes(self, make_mailman_app):
        MailmanMailer().check(make_mailman_app(25))

    def test_an_app_without_flask_mailman_is_refused(self, app):
        with pytest.raises(ConfigurationError, match=r"Mail\(app\)"):
            MailmanMailer().check(app)

    def test_an_app_without_a_sender_is_refused(self, make_mailman_app):
        with pytest.raises(ConfigurationError, match="MAIL_DEFAULT_SENDER"):
            MailmanMailer().check(make_mailman_app(25, MAIL_DEFAULT_SENDER=None))

    def test_a_test_needs_no_sender(self):
        app = Flask("tested")
        app.testing = True
        mail = Mail(app)
        MailmanMailer().check(app)
        with app.app_context():
            MailmanMailer().send(Message("alice@example.com", "s", "t"))
        assert [sent.to for sent in mail.outbox] == [["alice@example.com"]]

    def test_without_the_package_the_extra_is_named(self, app, monkeypatch):
        monkeypatch.setitem(sys.modules, "flask_mailman", None)
        for use in (lambda: MailmanMailer().check(app), lambda: MailmanMailer().send(Message("a@b.c", "s", "t"))):
            with pytest.raises(ConfigurationError, match=r"pip install 'flask-permjwt\[mail\]'"):
                use()
