"""Proofs: every check of a password, wherever it happens, on one count by name and by address."""

import logging
from dataclasses import dataclass, field
from typing import Any, Final

from flask_permjwt.accounts.addresses import address_key
from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.names import compare_key
from flask_permjwt.accounts.own_reads import OwnReads
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.accounts.standing import Standing, hold, standing_of
from flask_permjwt.accounts.store import Account
from flask_permjwt.accounts.throttle import Check, Throttle
from flask_permjwt.errors import EmailNotVerifiedError, InvalidCredentialsError, RetryLaterError
from flask_permjwt.signals import LoginFailed, Throttled

_ROUNDS: Final = 3
"""So often another login may make a hash anew while one is under way."""

_log = logging.getLogger("flask_permjwt.accounts")


@dataclass(frozen=True, slots=True)
class Limits:
    """How often somebody may try, in the notation of ``limits``, such as ``"10 per 15 minutes"``.

    Attributes:
        by_name: wrong passwords for one user, from addresses that never logged in as this user together, and
            from each address that did apart: strangers cannot lock anybody out of where they work. Also in one
            session, from wherever.
        by_address: wrong passwords from one address, whatever the name.
        register: registrations from one address.
        mail: mails that one address asks for, and that one mailbox gets.
    """

    by_name: str = "10 per 15 minutes"
    by_address: str = "100 per 15 minutes"
    register: str = "20 per hour"
    mail: str = "5 per hour"


@dataclass(frozen=True, slots=True)
class Proof:
    """A password that was right a moment ago.

    Attributes:
        subject: the public id of the user.
        standing: what the user's row said.
        password: as typed.
        method: where it was asked for.
        address: the client's address.
    """

    subject: str
    standing: Standing
    password: str = field(repr=False)
    method: str
    address: str | None


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

    def prove(
        self,
        user: Any,
        password: str,
        *,
        name: str,
        method: str,
        address: str | None,
        reads: OwnReads,
        session_id: str | None = None,
    ) -> Proof:
        """Pass when the password is this user's and the user may log in.

        No connection is held while it is verified, if none was before. So much can happen meanwhile: whoever acts
        on the proof calls ``uphold`` in the same transaction, first.

        Args:
            user: who is meant; None when nobody has the name: the same work is done.
            password: as typed.
            name: as typed.
            method: where it is asked for: ``"password"``, ``"confirm"`` or ``"change"``.
            address: the client's address.
            reads: what the use-case has read.
            session_id: the session in which it is asked for, if any; attempts are counted by it too.

        Raises:
            InvalidCredentialsError: the user is unknown or disabled, has no password, or it is another one: in
                the same words, after the same work.
            EmailNotVerifiedError: the password is right, but the address must be verified first.
            ThrottledError: there were too many attempts.
            BusyError: more passwords are being checked than the machine can bear.
        """
        account: Account | None = user
        subject = None if account is None else account.public_id
        standing = None if account is None else standing_of(account)
        # One count however the name was spelled: a user name and an e-mail address are the same user.
        who = f"?{compare_key(name)}" if subject is None else f"={subject}"
        seen = self._sessions.was_seen_at(who[1:], address)
        key = address_key(address)
        by_name = Check("seen" if seen else "name", f"{who} {key if seen else ''}", self._limits.by_name)
        checks = [by_name, Check("address", key, self._limits.by_address)]
        if session_id is not None:
            checks.append(Check("session", session_id, self._limits.by_name))
        reads.end()
        try:
            attempt = self._throttle.attempt(checks)
        except RetryLaterError:
            _log.warning("login throttled: address %s", ascii(address))
            self._recorder.announce(Throttled(subject=subject, method=method, address=address))
            raise
        try:
            matches = self._passwords.verify(None if standing is None else standing.password_hash, password)
        except RetryLaterError:
            attempt.give_back()
            raise
        if subject is None or standing is None or not matches or not standing.active:
            self._fail(subject, _reason(standing), method, address)
            raise InvalidCredentialsError
        if self._require_verified and not standing.verified:
            # Counted like a wrong one: who cannot log in must not learn by trying which password it is.
            self._fail(subject, "not verified", method, address)
            raise EmailNotVerifiedError
        attempt.give_back()
        if seen:
            self._throttle.clear(by_name)
        return Proof(subject, standing, password, method, address)

    def uphold(self, store: Any, proof: Proof, reads: OwnReads, *, to_change: bool = False) -> None:
        """Make sure that a proof still holds, and will until the transaction ends.

        It comes before anything is written.

        Args:
            store: where users live.
            proof: what ``prove`` returned.
            reads: what the use-case has read.
            to_change: the user's row is about to be changed.

        Raises:
            InvalidCredentialsError: meanwhile the user was deleted or disabled, or got another password.
            BusyError: as ``prove``.
        """
        password_hash = proof.standing.password_hash
        for _ in range(_ROUNDS):
            now = hold(store, proof.subject, to_change=to_change)
            if now is None or not self._may_go_on(now, proof):
                break
            if now.password_hash == password_hash:
                return
            # Another password, or another login made the hash of this one anew: that takes time to tell.
            reads.end()
            if not self._passwords.verify(now.password_hash, proof.password):
                break
            password_hash = now.password_hash
        self._fail(proof.subject, "changed meanwhile", proof.method, proof.address)
        raise InvalidCredentialsError

    def _may_go_on(self, now: Standing, proof: Proof) -> bool:
        return (
            now.active
            and now.token_version == proof.standing.token_version
            and (now.verified or not self._require_verified)
        )

    def _fail(self, subject: str | None, reason: str, method: str, address: str | None) -> None:
        # Not the name that was typed: who is in the wrong field types a password there.
        _log.warning("login failed: %s, user %s, address %s", reason, subject, ascii(address))
        self._recorder.record(LoginFailed(subject=subject, reason=reason, method=method))


def _reason(standing: Standing | None) -> str:
    if standing is None:
        return "unknown user"
    if not standing.active:
        return "disabled"
    return "no password" if standing.password_hash is None else "wrong password"
