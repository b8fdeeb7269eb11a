"""A message, and who can send one."""

import re
from dataclasses import dataclass, field
from typing import Final, Protocol

from flask_permjwt.accounts.names import is_plain_address

_NOT_ONE_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """One mail to one person. That it exists means that it cannot add a header or a recipient.

    Attributes:
        to: the address: ``name@domain`` and nothing else.
        subject: one line.
        text: the body. It holds codes that open accounts, so it is kept out of the repr.
        html: the same as HTML; None when there is only the text.

    Raises:
        ValueError: the recipient is not one plain address, or the subject not one line; neither is repeated.
    """

    to: str
    subject: str
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.to, str) or not is_plain_address(self.to):
            raise ValueError("The recipient is not one plain e-mail address.")
        if _NOT_ONE_LINE.search(self.subject):
            raise ValueError("The subject is not one line.")

    @property
    def domain(self) -> str:
        """What may be logged of the recipient."""
        return self.to.rpartition("@")[2]


class Mailer(Protocol):
    """Whatever sends a message: Flask-Mailman by ``MailmanMailer``, or the app's own."""

    def send(self, message: Message) -> None:
        """Send it, inside an application context, and raise whatever when that fails.

        It is called in a thread of its own, one message at a time, and again for the same message after an
        error that may pass: so it must not wait for ever.
        """
        ...
