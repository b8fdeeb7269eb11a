"""Flask-Mailman as the mailer: the extra ``flask-permjwt[mail]``."""

from importlib import import_module
from typing import Any, Final

from flask import Flask, current_app

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.mail.message import Message

# Not a reply, and nobody's machine should answer it (RFC 3834 section 5).
_HEADERS: Final = {"Auto-Submitted": "auto-generated"}
_TIMEOUT: Final = 30.0


class MailmanMailer:
    """Sends by the Flask-Mailman that the current app has set up, with its ``MAIL_*`` settings."""

    def check(self, app: Flask) -> None:
        """Refuse an app that could not send.

        Raises:
            ConfigurationError: Flask-Mailman is not installed or not set up, or there is no sender; tests do
                without one, because Flask-Mailman then keeps the mails to itself.
        """
        _library()
        _state(app)

    def send(self, message: Message) -> None:
        """Send one message.

        Raises:
            ConfigurationError: as ``check``.
            ValueError: the name before the @ is not ASCII, which Flask-Mailman cannot send (RFC 6531).
            OSError: the server cannot be reached, or refuses (``smtplib.SMTPException``).
        """
        if not message.to.partition("@")[0].isascii():
            # Flask-Mailman would write it as an encoded word, which names another mailbox.
            raise ValueError("The name of the mailbox is not ASCII.")
        library = _library()
        connection = _state(current_app).get_connection()
        if getattr(connection, "timeout", _TIMEOUT) is None:
            # MAIL_TIMEOUT's default: one server that hangs would hold up all mail for ever.
            connection.timeout = _TIMEOUT
        mail = library.EmailMultiAlternatives(
            message.subject, message.text, to=[message.to], headers=_HEADERS, connection=connection
        )
        if message.html is not None:
            mail.attach_alternative(message.html, "text/html")
        try:
            mail.send()
        finally:
            # Flask-Mailman leaves it open when the server refuses.
            connection.close()


def _library() -> Any:
    try:
        return import_module("flask_mailman")
    except ImportError as error:
        raise ConfigurationError(
            "Flask-Mailman is not installed: pip install 'flask-permjwt[mail]', or pass a mailer of your own."
        ) from error


def _state(app: Flask) -> Any:
    state = app.extensions.get("mailman")
    if state is None:
        raise ConfigurationError(
            "Flask-Mailman is not set up for this app: call Mail(app), or mail.init_app(app), first."
        )
    if not state.default_sender and not app.testing:
        # It would write "From: None".
        raise ConfigurationError(
            "Mails need a sender: set MAIL_DEFAULT_SENDER to an address before Flask-Mailman is set up."
        )
    return state
