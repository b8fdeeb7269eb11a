"""What they are told: messages, letters, and their way out. No SQL, no JWT; Flask-Mailman only when used."""

from flask_permjwt.mail.mailman import MailmanMailer
from flask_permjwt.mail.message import Mailer, Message

__all__ = ["Mailer", "MailmanMailer", "Message"]
