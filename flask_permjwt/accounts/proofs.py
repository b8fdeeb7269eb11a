"""Proofs: every check of a password, wherever it happens, on one count by name and by address."""

import logging
from dataclasses import dataclass
from typing import Any, Final

from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.names import compare_key
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.accounts.store import Account
from flask_permjwt.accounts.throttle import Check, Throttle, address_key
from flask_permjwt.errors import EmailNotVerifiedError, InvalidCredentialsError, RetryLaterError
from flask_permjwt.signals import LoginFailed, Throttled

_log = logging.getLogger("flask_permjwt.accounts")


@dataclass(frozen=True, slots=True)
class Limits:
    """How often somebody may try, in the notation of ``limits``, such as ``"10 per 15 minutes"``.

    Attributes:
        by_name: wrong passwords for one user, from addresses that never logged in as this user together, and
            from each address that did apart: strangers cannot lock anybody out of where they work.
        by_address: wrong passwords from one address, whatever the name.
        register: registrations from one address.
        mail: mails that one address asks for, and that one mailbox gets.
    """

    by_name: str = "10 per 15 minutes"
    by_address: str = "100 per 15 minutes"
    register: str = "20 per hour"
    mail: str = "5 per hour"


class PasswordProofs:
    """Checks passwords.

    Args:
        sessions: tell which addresses a user logged in from.
        passwords: verifies.
        throttle: counts the attempts.
        recorder: writes failures down.
        limits: how often somebody may try.
        require_verified: refuse users whose e-mail address is not verified.
    """

    def __init__(
        self,
        sessions: Sessions,
        passwords: Passwords,
        throttle: Throttle,
        recorder: Recorder,
        *,
        limits: Limits,
        require_verified: bool = False,
    ) -> None:
        self._sessions: Final = sessions
        self._passwords: Final = passwords
        self._throttle: Final = throttle
        self._recorder: Final = recorder
        self._limits: Final = limits
        self._require_verified: Final = require_verified

    def prove(self, user: Any, password: str, *, name: str, method: str, address: str | None) -> None:
        """Pass when the password is this user's and the user may log in.

        Args:
            user: who is meant; None when nobody has the name: the same work is done.
            password: as typed.
            name: as typed.
            method: where it is asked for: ``"password"``, ``"confirm"`` or ``"change"``.
            address: the client's address.

        Raises:
            InvalidCredentialsError: the user is unknown or disabled, has no password, or it is another one: in
                the same words, after the same work.
            EmailNotVerifiedError: the password is right, but the address must be verified first.
            ThrottledError: there were too many attempts.
            BusyError: more passwords are being checked than the machine can bear.
        """
        account: Account | None = user
        # One count however the name was spelled: a user name and an e-mail address are the same user.
        who = f"={account.public_id}" if account is not None else f"?{compare_key(name)}"
        seen = self._sessions.was_seen_at(who[1:], address)
        by_name = Check("seen" if seen else "name", f"{who} {address if seen else ''}", self._limits.by_name)
        by_address = Check("address", address_key(address), self._limits.by_address)
        try:
            attempt = self._throttle.attempt([by_name, by_address])
        except RetryLaterError:
            _log.warning("login throttled: address %s", ascii(address))
            subject = None if account is None else account.public_id
            self._recorder.announce(Throttled(subject=subject, method=method, address=address))
            raise
        try:
            matches = self._passwords.verify(None if account is None else account.password_hash, password)
        except RetryLaterError:
            attempt.give_back()
            raise
        if account is None or not matches or not account.active:
            self._fail(account, _reason(account), method, address)
            raise InvalidCredentialsError
        attempt.give_back()
        if self._require_verified and not is_verified(account):
            self._fail(account, "not verified", method, address)
            raise EmailNotVerifiedError
        if seen:
            self._throttle.clear(by_name)

    def _fail(self, user: Account | None, reason: str, method: str, address: str | None) -> None:
        # Not the name that was typed: who is in the wrong field types a password there.
        subject = None if user is None else user.public_id
        _log.warning("login failed: %s, user %s, address %s", reason, subject, ascii(address))
        self._recorder.record(LoginFailed(subject=subject, reason=reason, method=method))


def is_verified(user: Account) -> bool:
    """Tell whether the user's e-mail address is verified."""
    return getattr(user, "email_verified_at", None) is not None


def _reason(user: Account | None) -> str:
    if user is None:
        return "unknown user"
    if not user.active:
        return "disabled"
    return "no password" if user.password_hash is None else "wrong password"
