"""A mailer that remembers, outboxes without waiting, and a real SMTP server on loopback."""

import asyncio
import email
import email.policy
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from flask import Flask, current_app
from flask_mailman import Mail
from flask_mailman.utils import DNS_NAME

from flask_permjwt.mail.letters import Letters, register_templates
from flask_permjwt.mail.mailman import MailmanMailer
from flask_permjwt.mail.message import Message
from flask_permjwt.mail.outbox import Outbox


class Recorder:
    """A mailer that keeps what it is given, after doing what it is told to do first."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.apps: list[Flask] = []
        self.attempts = 0
        self.before: Callable[[Message], object] = lambda message: None

    def send(self, message: Message) -> None:
        self.attempts += 1
        self.before(message)
        self.sent.append(message)
        self.apps.append(current_app._get_current_object())


@dataclass
class Pauses:
    """Stands in for time.sleep."""

    seen: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.seen.append(seconds)


@dataclass
class Server:
    """An SMTP server, and what it took. It refuses addresses named refused@ for good and later@ for now."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    asked: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.asked += 1
        if address.startswith("refused@"):
            return f"550 5.1.1 no {address} here"
        if address.startswith("later@"):
            return f"451 4.7.1 ask for {address} again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"


class Watched(Controller):
    """A controller that leaves no connection open."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.made: list[SMTP] = []

    def factory(self) -> SMTP:
        self.made.append(super().factory())
        return self.made[-1]

    async def hang_up(self) -> None:
        for one in self.made:
            if one.transport is not None:
                one.transport.abort()
        # The loop closes the sockets in its next turns.
        for _ in range(3):
            await asyncio.sleep(0)


@pytest.fixture
def mailer() -> Recorder:
    return Recorder()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def app() -> Flask:
    """An app that is not being tested, as far as it knows: mails go by the worker."""
    return Flask("served")


@pytest.fixture
def outbox(mailer: Recorder, pauses: Pauses) -> Outbox:
    return Outbox(mailer, sleep=pauses)


@pytest.fixture
def make_message() -> Callable[..., Message]:
    def make(subject: str = "Hello", to: str = "alice@example.com", text: str = "the secret\n") -> Message:
        return Message(to, subject, text)

    return make


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def smtp_server(free_port: int) -> Iterator[Server]:
    server = Server(free_port)
    controller = Watched(server, hostname="127.0.0.1", port=free_port)
    controller.start()
    yield server
    # aiosmtpd itself leaves those open whose end it has not seen yet.
    asyncio.run_coroutine_threadsafe(controller.hang_up(), controller.loop).result(10)
    controller.stop()


@pytest.fixture
def make_mailman_app(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Flask]:
    """Build an app whose Flask-Mailman talks to a port."""
    # Flask-Mailman looks its own host name up in the DNS, which may take seconds.
    monkeypatch.setattr(DNS_NAME, "_fqdn", "localhost", raising=False)

    def make(port: int, **config: object) -> Flask:
        app = Flask("mailing")
        app.config.update(
            MAIL_BACKEND="smtp",
            MAIL_SERVER="127.0.0.1",
            MAIL_PORT=port,
            MAIL_DEFAULT_SENDER="app@example.com",
            MAIL_TIMEOUT=5,
        )
        app.config.update(config)
        Mail(app)
        register_templates(app)
        return app

    return make


@pytest.fixture
def mailman_outbox(pauses: Pauses) -> Outbox:
    return Outbox(MailmanMailer(), sleep=pauses)


@pytest.fixture
def make_letters(outbox: Outbox) -> Callable[..., Letters]:
    def make(**urls: str) -> Letters:
        return Letters(outbox, urls=urls)

    return make
