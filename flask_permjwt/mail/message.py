"""A message, and who can send one."""

import re
from dataclasses import dataclass, field
from typing import Final, Protocol

_CONTROLS: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_NOT_ONE_LINE: Final = re.compile(f"[{_CONTROLS}]")
# Without the specials of RFC 5322 section 3.2.3: with them, one text could be read as two addresses, or as
# a name and another address.
_PART: Final = rf'[^\s{_CONTROLS}()<>\[\]:;@\\,"]+'
_ADDRESS: Final = re.compile(f"{_PART}@{_PART}")


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
        # =? begins an encoded word (RFC 2047), which Python's e-mail parser decodes in an address: the mail
        # would go somewhere else than it seems (Heyes, "Splitting the email atom", 2024).
        if not isinstance(self.to, str) or not _ADDRESS.fullmatch(self.to) or "=?" in self.to:
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
