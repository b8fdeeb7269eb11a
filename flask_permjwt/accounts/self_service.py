"""Self-service: what people do with their own account - register, verify, change or reset the password.

The use-cases join ``db.session`` and leave the commit to the caller. Mails go out after it: never for what was
rolled back. Where an answer must not tell whether an address is known, the same work is done for one that is not.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any, Final, Protocol

from flask_sqlalchemy import SQLAlchemy

from flask_permjwt.accounts.addresses import address_key
from flask_permjwt.accounts.afterwards import on_commit
from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.codes import Code, Codes
from flask_permjwt.accounts.identities import Identities
from flask_permjwt.accounts.names import compare_key
from flask_permjwt.accounts.password_rules import PasswordRules
from flask_permjwt.accounts.proofs import Limits, PasswordProofs
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.accounts.standing import Standing, hold, is_verified, joined, standing_of
from flask_permjwt.accounts.store import Account, ManagedUserStore
from flask_permjwt.accounts.throttle import Attempt, Check, Throttle
from flask_permjwt.errors import EmailTakenError, InvalidCodeError, InvalidTokenError, ThrottledError
from flask_permjwt.policy.principal import Principal
from flask_permjwt.signals import PasswordResetRequested, Registered, SessionsEnded
from flask_permjwt.tokens.clock import Clock


class Letters(Protocol):
    """Writes letters and posts them."""

    def send(self, kind: str, to: str | None, **values: object) -> None:
        """Write a letter and post it; to None, write it and throw it away."""
        ...


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long codes are good, in seconds."""

    reset: int = 30 * 60
    verify: int = 24 * 3600


class SelfService:
    """What people do with their own account.

    Args:
        db: the app's Flask-SQLAlchemy object.
        store: where users live.
        sessions: the session rows.
        codes: the one-time codes.
        proofs: checks old passwords.
        rules: judges new ones.
        throttle: counts registrations and mails.
        recorder: writes down what happens.
        letters: writes to people; None where there is no mailer.
        identities: what users are elsewhere.
        limits: how often somebody may try.
        lifetimes: how long codes are good.
        require_verified: users log in only when their e-mail address is verified.
        reset: people may reset a forgotten password; None where there is a mailer.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(  # noqa: PLR0913  # what it brings together
        self,
        db: SQLAlchemy,
        store: ManagedUserStore[Any],
        sessions: Sessions,
        codes: Codes,
        proofs: PasswordProofs,
        rules: PasswordRules,
        throttle: Throttle,
        recorder: Recorder,
        letters: Letters | None,
        identities: Identities,
        *,
        limits: Limits,
        lifetimes: Lifetimes,
        require_verified: bool = False,
        reset: bool | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._db: Final = db
        self._store: Final = store
        self._sessions: Final = sessions
        self._codes: Final = codes
        self._proofs: Final = proofs
        self._rules: Final = rules
        self._throttle: Final = throttle
        self._recorder: Final = recorder
        self._letters: Final = letters
        self._identities: Final = identities
        self._limits: Final = limits
        self._lifetimes: Final = lifetimes
        self._require_verified: Final = require_verified
        self._reset: Final = reset
        self._clock: Final = clock

    @property
    def resets_passwords(self) -> bool:
        """Whether a forgotten password can be reset."""
        return self._letters is not None and self._reset is not False

    @property
    def sends_mail(self) -> bool:
        """Whether there is a mailer."""
        return self._letters is not None

    @property
    def require_verified(self) -> bool:
        """Whether users log in only when their e-mail address is verified."""
        return self._require_verified

    def register(self, username: str, password: str, *, email: str | None, address: str | None) -> None:
        """Create a user who may do nothing yet.

        Where addresses must be verified, one that is taken is not told here but to its owner, by mail; the new
        user is created without it, so that nothing else tells either. A user who has not verified an address
        within the lifetime of a code loses it to whoever registers with it next.

        The letter is counted for its mailbox like one that is asked for; where that is used up, none is sent.

        Args:
            username: as typed.
            password: as typed.
            email: as typed.
            address: the client's address.

        Raises:
            UsernameTakenError: the name is taken.
            EmailTakenError: the address is, and may be told.
            InvalidNameError: the name or the address can be nobody's.
            WeakPasswordError: the password is too easy to guess.
            ThrottledError: there were too many registrations from this address.
            BusyError: more passwords are being hashed than the machine can bear, or the rules cannot tell now.
        """
        self._throttle.attempt([Check("register", address_key(address), self._limits.register)])
        self._rules.check(password, username=username, email=email)
        secret = self._hashed(password)
        writes = email is not None and self._letters is not None
        counted = self._count_letter(email) if writes and email is not None else None
        try:
            user, owner = self._create(username, secret, email)
        except BaseException:
            if counted is not None:
                counted.give_back()
            raise
        self._recorder.record(Registered(subject=user.public_id))
        if writes:
            self._send_verification(user if owner is None and counted is not None else None)
            if self._require_verified:
                told = owner if counted is not None else None
                self._post("registered_already", told, None if told is None else told.email)

    def send_verification(self, email: str, *, address: str | None) -> None:
        """Send the code for verifying an address again; the same happens, as far as one can see, for any other.

        Raises:
            ThrottledError: too many mails were asked for from this address.
        """
        user = self._addressee(email, address)
        self._send_verification(user if user is not None and not is_verified(user) else None)

    def verify_email(self, code: str) -> None:
        """Take an address for verified.

        Raises:
            InvalidCodeError: the code is wrong, used up or too old, or the user has another address by now.
        """
        found = self._find("verify", code)
        self._hold(found)
        self._use_up(found)
        self._store.mark_email_verified(self._store.get(found.subject))
        self._codes.forget("verify", found.subject)

    def change_password(
        self, principal: Principal, user: Account, old: str, new: str, *, address: str | None
    ) -> None:
        """Set another password; all other sessions of the user end, this one lives on.

        Args:
            principal: who asks, by an access token.
            user: the same as a user.
            old: the password until now.
            new: the one from now on.
            address: the client's address.

        Raises:
            InvalidCredentialsError, EmailNotVerifiedError, ThrottledError, BusyError: as ``PasswordProofs.prove``.
            WeakPasswordError: the new one is too easy to guess.
            InvalidTokenError: the session has ended.
        """
        reads = self._sessions.reads()
        session_id, username, email = principal.session_id or "", user.username, user.email
        proof = self._proofs.prove(
            user, old, name=username, method="change", address=address, reads=reads, session_id=session_id
        )
        self._rules.check(new, username=username, email=email)
        secret = self._hashed(new)
        self._proofs.uphold(self._store, proof, reads, to_change=True)
        subject, now = proof.subject, int(self._clock())
        # Locks the row: whoever is ending this session comes before or after, not in between.
        if self._sessions.renew(session_id, subject, now=now) is None:
            raise InvalidTokenError("The session has ended.")
        self._store.change_password(user, secret)
        ended = self._sessions.end_all(subject, now=now, except_id=session_id)
        self._recorder.record(SessionsEnded(subject=subject, session_id=session_id, count=ended, kept=session_id))
        self._post("password_changed", user, user.email)

    def forget_password(self, email: str, *, address: str | None) -> None:
        """Send a code for a new password to the user with this address; as far as one can see, to any other too.

        Raises:
            ThrottledError: too many mails were asked for from this address.
        """
        user = self._addressee(email, address)
        code = self._make("reset", user, self._lifetimes.reset)
        self._recorder.record(PasswordResetRequested(subject=None if user is None else user.public_id))
        self._post(
            "reset",
            user,
            None if user is None else user.email,
            token=code,
            expires_in=self._lifetimes.reset,
        )

    def reset_password(self, code: str, new: str) -> None:
        """Set another password with a code; everything that was ever issued to the user is void.

        Whoever has the code has the mailbox: its address is verified by that. Where it was not verified before,
        whatever was linked to the user until then is unlinked: it may be somebody else's.

        Raises:
            InvalidCodeError: the code is wrong, used up or too old, or the user has another address or another
                password by now.
            WeakPasswordError: the password is too easy to guess; the code stays good.
            BusyError: more passwords are being hashed than the machine can bear; likewise.
        """
        reads = self._sessions.reads()
        found = self._find("reset", code)
        user = self._store.get(found.subject)
        if user is None or not self._is_bound(found, standing_of(user)):
            raise InvalidCodeError
        username, email = user.username, user.email
        reads.end()
        self._rules.check(new, username=username, email=email)
        secret = self._hashed(new)
        standing = self._hold(found)
        self._use_up(found)
        self._codes.forget("reset", found.subject)
        self._store.reset_password(user, secret)
        # Those that the store has not ended itself.
        ended = self._sessions.end_all(found.subject, now=self._clock())
        if ended:
            self._recorder.record(SessionsEnded(subject=found.subject, count=ended))
        if not standing.verified:
            self._store.mark_email_verified(user)
            # Whoever registered with an address that was not theirs may have left themselves a way in.
            self._identities.unlink_all(user)
        self._write("password_changed", email, username=username)

    def check_password(self, password: str, *, username: str | None = None, email: str | None = None) -> None:
        """Judge a new password.

        Raises:
            WeakPasswordError: it is too easy to guess.
        """
        self._rules.check(password, username=username, email=email)

    def _hashed(self, password: str) -> str:
        """Hash a new password while no connection is held; a store that cannot take that hashes it itself."""
        ours = joined(self._store)
        return password if ours is None else ours.hash_password(password)

    def _create(self, username: str, password: str, email: str | None) -> tuple[Any, Any]:
        """Create a user; return the one whose address it is too, if the new one could not have it."""
        if not self._require_verified or self._letters is None or email is None:
            return self._store.create(username, password, email), None
        ours, owner = joined(self._store), self._store.find(email)
        over = int(self._clock()) - self._lifetimes.verify
        if owner is not None and not is_verified(owner) and ours and ours.free_email(email, created_before=over):
            owner = None
        if owner is None:
            try:
                return self._store.create(username, password, email), None
            except EmailTakenError:
                # Read as it is now: a snapshot of the database does not show who came first.
                owner = self._store.find(email) if ours is None else ours.find_current(email)
        return self._store.create(username, password, None), owner

    def _count_letter(self, email: str) -> Attempt | None:
        """Count a letter to a mailbox; None when there were too many, told to nobody: it tells of the owner."""
        try:
            return self._throttle.attempt([Check("mailbox", str(compare_key(email)), self._limits.mail)])
        except ThrottledError:
            return None

    def _addressee(self, email: str, address: str | None) -> Any:
        """Count a mail that is asked for, and return the user who gets it."""
        self._throttle.attempt([Check("mail", address_key(address), self._limits.mail)])
        counted = self._count_letter(email)
        user = self._store.find(email) if "@" in email else None
        return user if counted is not None and user is not None and user.active and user.email else None

    def _send_verification(self, user: Account | None) -> None:
        lifetime = self._lifetimes.verify
        code = self._make("verify", user, lifetime)
        self._post("verify", user, None if user is None else user.email, token=code, expires_in=lifetime)

    def _make(self, purpose: str, user: Account | None, lifetime: int) -> str:
        subject = "" if user is None else user.public_id
        detail = _binding(purpose, _NOBODY if user is None else standing_of(user))
        return self._codes.make(purpose, subject, now=int(self._clock()), lifetime=lifetime, detail=detail)

    def _find(self, purpose: str, code: str) -> Code:
        found = self._codes.find(purpose, code, now=int(self._clock()))
        if found is None:
            raise InvalidCodeError
        return found

    def _hold(self, code: Code) -> Standing:
        """Keep the user's row as it is until the transaction ends, if the code is good for it.

        Raises:
            InvalidCodeError: it is not.
        """
        standing = hold(self._store, code.subject, to_change=True)
        if standing is None or not self._is_bound(code, standing):
            raise InvalidCodeError
        return standing

    def _is_bound(self, code: Code, standing: Standing) -> bool:
        return standing.active and _binding(code.purpose, standing) == code.detail

    def _use_up(self, code: Code) -> None:
        if not self._codes.use_up(code):
            raise InvalidCodeError

    def _post(self, kind: str, user: Account | None, to: str | None, **values: object) -> None:
        self._write(kind, to, username="" if user is None else user.username, **values)

    def _write(self, kind: str, to: str | None, **values: object) -> None:
        letters = self._letters
        if letters is not None:
            on_commit(self._db.session, lambda: letters.send(kind, to, **values))


_NOBODY: Final = Standing(active=False, token_version=0, password_hash=None, email=None, verified=False)


def _binding(purpose: str, standing: Standing) -> str | None:
    """Return what a code is bound to: the address, and for a new password also what that replaces."""
    if purpose == "verify":
        return compare_key(standing.email or "")
    bound = json.dumps([standing.email, standing.password_hash, standing.token_version])
    return hashlib.sha256(bound.encode()).hexdigest()
