"""The outbox: mails leave in a thread of their own, off the way of the request.

An answer that waited for the mail server would tell by its time who has an account, and a slow server would
slow the app.
"""

import atexit
import logging
import smtplib
import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import Final
from weakref import WeakSet

from flask import Flask

from flask_permjwt.errors import PermJWTError
from flask_permjwt.mail.message import Mailer, Message
from flask_permjwt.tokens.forks import after_fork

_log = logging.getLogger("flask_permjwt.mail")

# Seconds before each attempt. The messages behind wait too, so that order is kept.
_PAUSES: Final = (0.0, 1.0, 5.0)
_AT_ONCE: Final = (0.0,)
_AT_EXIT: Final = 10.0
_PERMANENT: Final = 500
"""From here on, an SMTP server means: do not try again (RFC 5321 section 4.2.1)."""


class Outbox:
    """Messages on their way out, in order, and in memory only: what a crash leaves unsent is lost.

    The worker starts with the first message. A forked process begins with an empty outbox and a worker of its
    own; what waited before the fork is sent by its parent. Failures are logged as ``flask_permjwt.mail`` and
    never raised; the log names the kind of error and the recipient's domain, but no address, no body, and no
    error's text, which could repeat them.

    Args:
        mailer: sends; None when the app has none: every message is logged as unsent.
        limit: so many messages wait at most; what comes then is dropped and logged.
        sleep: waits for some seconds between two attempts.
    """

    def __init__(
        self, mailer: Mailer | None, *, limit: int = 1000, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._mailer: Final = mailer
        self._limit: Final = limit
        self._sleep: Final = sleep
        self._start_afresh()
        # Not by comparing process ids when a message comes: two threads of the child could do that at once.
        after_fork(self._start_afresh)
        _outboxes.add(self)

    def _start_afresh(self) -> None:
        """Forget everything: in a forked process, where no other thread lives on and any lock may be held."""
        self._condition = Condition()
        self._waiting: deque[tuple[Flask, Message]] = deque()
        self._pending = 0
        self._accepted = 0
        self._worker: Thread | None = None

    @property
    def pending(self) -> int:
        """The number of messages that wait or are being sent."""
        return self._pending

    def put(self, app: Flask, message: Message) -> None:
        """Send a message soon, inside an application context of the app; return at once.

        While the app is being tested, it is sent before this returns, in one attempt, so that a test sees it.
        """
        if app.testing or self._mailer is None:
            self._deliver(app, message, _AT_ONCE)
        elif not self._accept(app, message):
            _report("too many messages wait", message)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything that was put so far is sent or given up.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether that was so in time.
        """
        with self._condition:
            if self._waiting:
                self._ensure_worker()
            target = self._accepted
            return self._condition.wait_for(lambda: self._accepted - self._pending >= target, timeout)

    def _accept(self, app: Flask, message: Message) -> bool:
        with self._condition:
            if len(self._waiting) >= self._limit:
                return False
            self._waiting.append((app, message))
            self._accepted += 1
            self._pending += 1
            self._ensure_worker()
            self._condition.notify_all()
        return True

    def _ensure_worker(self) -> None:
        if self._worker is not None and self._worker.is_alive():
            return
        # A daemon: an interpreter that ends waits in _flush_all, and not for ever.
        worker = Thread(target=self._work, name="flask_permjwt.mail", daemon=True)
        try:
            worker.start()
        except RuntimeError as error:
            # No thread to be had, or the interpreter is ending: the next message tries again.
            _log.error("the mail worker cannot start: %s", type(error).__name__)
        else:
            self._worker = worker

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting)
                app, message = self._waiting.popleft()
            try:
                self._deliver(app, message, _PAUSES)
            finally:
                # Not kept while the next one is waited for: the message holds secrets.
                del app, message
                with self._condition:
                    self._pending -= 1
                    self._condition.notify_all()

    def _deliver(self, app: Flask, message: Message, pauses: tuple[float, ...]) -> None:
        if self._mailer is None:
            _report("there is no mailer", message)
            return
        error: Exception | None = None
        for pause in pauses:
            if pause:
                self._sleep(pause)
            error = _attempt(self._mailer, app, message)
            if error is None or _is_permanent(error):
                break
        if error is not None:
            _report(_name(error), message)


_outboxes: WeakSet[Outbox] = WeakSet()


def _attempt(mailer: Mailer, app: Flask, message: Message) -> Exception | None:
    sent = False
    try:
        with app.app_context():
            mailer.send(message)
            sent = True
    except Exception as error:  # noqa: BLE001  # the app's mailer may raise whatever
        if not sent:
            return error
        # A second attempt would send it twice.
        _log.error("a teardown function failed after a mail was sent: %s", _name(error))
    return None


def _report(reason: str, message: Message) -> None:
    _log.error("mail not sent to somebody at %s: %s", ascii(message.domain), reason)


def _name(error: Exception) -> str:
    codes = " ".join(map(str, _smtp_codes(error)))
    return f"{type(error).__name__} {codes}".rstrip()


def _is_permanent(error: Exception) -> bool:
    codes = _smtp_codes(error)
    if codes:
        return min(codes) >= _PERMANENT
    return isinstance(error, PermJWTError | TypeError | ValueError | ImportError | smtplib.SMTPNotSupportedError)


def _smtp_codes(error: Exception) -> list[int]:
    try:
        match error:
            case smtplib.SMTPRecipientsRefused():
                return sorted({int(code) for code, _ in error.recipients.values()})
            case smtplib.SMTPResponseException():
                return [int(error.smtp_code)]
    except (AttributeError, TypeError, ValueError):
        # Raised by the app's mailer, and not filled as smtplib does.
        pass
    return []


def _flush_all() -> None:
    deadline = time.monotonic() + _AT_EXIT
    for outbox in list(_outboxes):
        if not outbox.flush(max(0.0, deadline - time.monotonic())):
            _log.error("the process ends with mails unsent: %d", outbox.pending)


atexit.register(_flush_all)
