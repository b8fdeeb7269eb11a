"""Logins by a provider: the use-cases once a provider has said who somebody is.

Users are found by issuer and subject, and by nothing else: whoever can write an e-mail address into an account
elsewhere would be its owner here. The use-cases join ``db.session`` and leave the commit to the caller, except
that users are created on a connection of its own.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from flask_permjwt.accounts.addresses import address_key
from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.codes import Codes
from flask_permjwt.accounts.identities import Identities, Linked, LocalUser, Made, new_name
from flask_permjwt.accounts.issuing import IssuedTokens
from flask_permjwt.accounts.names import check_email
from flask_permjwt.accounts.service import Accounts
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.accounts.standing import hold, is_verified
from flask_permjwt.accounts.store import UserStore
from flask_permjwt.accounts.throttle import Attempt, Check, Throttle
from flask_permjwt.errors import (
    EmailNotVerifiedError,
    EmailTakenError,
    IdentityRefusedError,
    InvalidAttemptError,
    InvalidCodeError,
    InvalidCredentialsError,
    InvalidNameError,
    InvalidTokenError,
    LastLoginError,
    RetryLaterError,
    UnknownProviderError,
)
from flask_permjwt.signals import (
    EmailLost,
    EmailVerified,
    Event,
    LoginFailed,
    SessionsEnded,
    Throttled,
)
from flask_permjwt.tokens.clock import Clock

CODE_LIFETIME: Final = 60
"""Seconds for which a code can be exchanged for tokens."""

_CODE: Final = "login"
_STATE: Final = "state"
_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as a provider knows them.

    Attributes:
        provider: its name.
        issuer: by which its subjects are known here.
        subject: who it is there; never given to anybody else.
        email: an e-mail address that the provider has verified, if any.
        authenticated_at: when they proved who they are, in seconds since 1970-01-01 UTC.
    """

    provider: str
    issuer: str
    subject: str
    email: str | None
    authenticated_at: int


class ProviderLogins:
    """Logs people in whom a provider has vouched for, and links what is theirs.

    Args:
        accounts: opens sessions.
        store: where users live.
        identities: finds users.
        sessions: the session rows.
        codes: the one-time codes.
        throttle: counts what is begun, and what fails.
        recorder: writes down what happens.
        limit: how often one address may begin, and fail.
        require_verified: users log in only when their e-mail address is verified.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        accounts: Accounts,
        store: UserStore[Any],
        identities: Identities,
        sessions: Sessions,
        codes: Codes,
        throttle: Throttle,
        recorder: Recorder,
        *,
        limit: str,
        require_verified: bool = False,
        clock: Clock = time.time,
    ) -> None:
        self._accounts: Final = accounts
        self._store: Final = store
        self._identities: Final = identities
        self._sessions: Final = sessions
        self._codes: Final = codes
        self._throttle: Final = throttle
        self._recorder: Final = recorder
        self._limit: Final = limit
        self._require_verified: Final = require_verified
        self._clock: Final = clock

    def count(self, step: str, method: str, address: str | None) -> Attempt:
        """Count an attempt by the address that it comes from.

        Args:
            step: what is attempted; each has a count of its own.
            method: the name of the provider, for whoever listens.
            address: the client's address.

        Raises:
            ThrottledError: 429, there were too many.
            BusyError: 503, nobody can count.
        """
        try:
            return self._throttle.attempt([Check(f"provider {step}", address_key(address), self._limit)])
        except RetryLaterError:
            self._recorder.announce(Throttled(method=method, address=address))
            raise

    def spend(self, state: str, *, lifetime: int) -> None:
        """Use an attempt up, before anything is done for it.

        Raises:
            InvalidAttemptError: it was used before.
        """
        if not self._codes.spend(_STATE, state, now=int(self._clock()), lifetime=lifetime):
            raise InvalidAttemptError

    def log_in(
        self,
        person: Person,
        *,
        create: bool,
        bind_csrf: bool,
        user_agent: str | None = None,
        address: str | None = None,
    ) -> IssuedTokens:
        """Find or create the user that somebody is, and open a session.

        Args:
            person: who it is.
            create: make a user for somebody unknown.
            bind_csrf: bind CSRF values to the tokens, for cookies.
            user_agent: what the client calls itself.
            address: the client's address.

        Raises:
            IdentityRefusedError: 403, nobody here is linked to them, and none is made.
            EmailNotVerifiedError: 403, addresses must be verified, and theirs is not.
            EmailTakenError: 409, another user has their address: they log in as that one, and link the provider.
            InvalidCredentialsError: the user was disabled or deleted.
        """
        subject = self._user_of(person, create=create).public_id
        self._check(subject, person.provider, _known_as(person.issuer, person.subject))
        return self._accounts.open_session(
            subject,
            opened_by=person.provider,
            authenticated_at=person.authenticated_at,
            bind_csrf=bind_csrf,
            user_agent=user_agent,
            address=address,
        )

    def make_code(self, person: Person, *, create: bool, challenge: str) -> str:
        """Find or create the user that somebody is, and make a code for a session of theirs.

        Args:
            person: who it is.
            create: make a user for somebody unknown.
            challenge: what belongs to the verifier that the client keeps (RFC 7636 section 4.2).

        Raises:
            IdentityRefusedError, EmailNotVerifiedError, EmailTakenError, InvalidCredentialsError: as ``log_in``.
        """
        user = self._user_of(person, create=create)
        bound = {
            "p": person.provider,
            "c": challenge,
            "a": person.authenticated_at,
            "v": user.token_version,
            "i": _known_as(person.issuer, person.subject),
        }
        detail = json.dumps(bound, separators=(",", ":"))
        now = int(self._clock())
        return self._codes.make(_CODE, user.public_id, now=now, lifetime=CODE_LIFETIME, detail=detail)

    def exchange(
        self, code: str, challenge: str, *, user_agent: str | None = None, address: str | None = None
    ) -> IssuedTokens:
        """Exchange a code for the tokens of a new session.

        Args:
            code: what came back to the client.
            challenge: what belongs to the verifier that it shows.
            user_agent: what the client calls itself.
            address: the client's address.

        Raises:
            InvalidCodeError: the code is wrong, used up or too old, or another client's.
            InvalidCredentialsError, EmailNotVerifiedError: as ``log_in``.
        """
        found = self._codes.find(_CODE, code, now=int(self._clock()))
        if found is None:
            raise InvalidCodeError
        bound = json.loads(found.detail or "{}")
        if not hmac.compare_digest(str(bound["c"]).encode(), challenge.encode()) or not self._codes.use_up(found):
            raise InvalidCodeError
        method = str(bound["p"])
        self._check(found.subject, method, str(bound.get("i")), version=int(bound["v"]))
        return self._accounts.open_session(
            found.subject,
            opened_by=method,
            authenticated_at=int(bound["a"]),
            bind_csrf=False,
            user_agent=user_agent,
            address=address,
        )

    def link(self, person: Person, subject: str, session_id: str) -> None:
        """Note that somebody is the user in whose session that was asked for.

        Raises:
            InvalidAttemptError: the session has ended.
            IdentityTakenError: 409, it is another user already.
        """
        standing = hold(self._store, subject, to_change=True)
        living = self._sessions.is_living(session_id, subject, now=int(self._clock()))
        if standing is None or not standing.active or not living:
            raise InvalidAttemptError
        user, provider = self._store.get(subject), person.provider
        self._identities.link(
            user, person.issuer, person.subject, provider=provider, actor=subject, session_id=session_id
        )

    def note_refusal(self, reason: str, provider: str) -> None:
        """Write down that somebody whom a provider vouched for was not let in."""
        self._recorder.record(LoginFailed(reason=reason, method=provider))

    def linked(self, subject: str) -> list[Linked]:
        """Return the identities of a user."""
        return self._identities.of(subject)

    def has_password(self, subject: str) -> bool:
        """Tell whether a user can log in with a password."""
        user = self._store.get(subject)
        return user is not None and user.password_hash is not None

    def unlink(
        self,
        subject: str,
        session_id: str | None,
        provider: str,
        is_its: Callable[[str], bool],
        others: Iterable[Callable[[str], bool]],
    ) -> None:
        """Take back what links a user to a provider. All other sessions of the user end, as for a new password.

        Args:
            subject: the public id of the user.
            session_id: the session that lives on.
            provider: its name.
            is_its: tells whether an issuer is this provider's.
            others: tell whether it is another one's, by which people can still log in.

        Raises:
            UnknownProviderError: 404, it is not linked.
            LastLoginError: 409, the user could never log in again.
        """
        # The row of the user is locked: of two who unlink at once, the second sees what the first has left.
        standing = hold(self._store, subject, to_change=True)
        mine = self._identities.of(subject, to_change=True)
        gone = [one for one in mine if is_its(one.issuer)]
        if not gone:
            raise UnknownProviderError("This provider is not linked.")
        ways = [one for one in mine if one not in gone and any(other(one.issuer) for other in others)]
        if not ways and (standing is None or standing.password_hash is None):
            raise LastLoginError
        user = self._store.get(subject)
        for one in gone:
            self._identities.unlink(user, one.issuer, one.subject, provider=provider, session_id=session_id)
        ended = self._sessions.end_all(subject, now=self._clock(), except_id=session_id)
        if ended:
            over = SessionsEnded(subject=subject, session_id=session_id, count=ended, kept=session_id)
            self._recorder.record(over)

    def _check(self, subject: str, method: str, known_as: str, *, version: int | None = None) -> None:
        """Make sure that a user may log in, and will until the transaction ends.

        Raises:
            InvalidCredentialsError: the user was disabled or deleted, or voided all tokens since ``version``, or
                is linked to that identity no more.
            EmailNotVerifiedError: the user's e-mail address must be verified first.
        """
        standing = hold(self._store, subject)
        if standing is None or not standing.active or version not in (None, standing.token_version):
            self._recorder.record(LoginFailed(subject=subject, reason="disabled", method=method))
            raise InvalidCredentialsError("This user cannot log in.")
        # As it is now: whoever unlinks it ends the sessions that there are, and this one is not among them yet.
        linked = self._identities.of(subject, to_change=True)
        if known_as not in {_known_as(one.issuer, one.subject) for one in linked}:
            self._recorder.record(LoginFailed(subject=subject, reason="not linked", method=method))
            raise InvalidCredentialsError("This account is not linked any more.")
        if self._require_verified and not standing.verified:
            self._recorder.record(LoginFailed(subject=subject, reason="not verified", method=method))
            raise EmailNotVerifiedError

    def _user_of(self, person: Person, *, create: bool) -> LocalUser:
        try:
            user = self._identities.user_of(
                person.issuer, person.subject, create=create, make=lambda store: self._make(store, person)
            )
        except EmailNotVerifiedError:
            self._recorder.record(LoginFailed(reason="not verified", method=person.provider))
            raise
        except InvalidTokenError:
            # Of a bearer's token, that is what it would be called.
            self._recorder.record(LoginFailed(reason="disabled", method=person.provider))
            raise InvalidCredentialsError("This user cannot log in.") from None
        if user is None:
            raise IdentityRefusedError("No user here is linked to this account.")
        return user

    def _make(self, store: Any, person: Person) -> Made:
        """Create a user who may do nothing yet, with an address only where the provider has verified it."""
        events: tuple[Event, ...] = ()
        email = _acceptable(person.email)
        owner = None if email is None else store.find(email)
        if owner is not None and not is_verified(owner):
            # Anybody may have registered with it. Where it names nobody until it is verified, it is free now.
            if self._require_verified and store.free_email(email, created_before=int(self._clock())):
                events, owner = (EmailLost(subject=owner.public_id),), None
            else:
                email = owner = None
        if owner is not None:
            raise EmailTakenError(
                "Another user has the e-mail address of this account: log in as that one, and link the provider."
            )
        if email is None and self._require_verified:
            raise EmailNotVerifiedError("The provider does not say that your e-mail address is verified.")
        user = store.create(new_name(person.issuer), None, email)
        if email is not None:
            store.mark_email_verified(user)
            events = (*events, EmailVerified(subject=user.public_id))
        return user, events


def _known_as(issuer: str, subject: str) -> str:
    """Return what tells an identity from all others, short enough for the row of a code."""
    return hashlib.sha256(json.dumps([issuer, subject]).encode()).hexdigest()[:_DIGITS]


def _acceptable(email: str | None) -> str | None:
    """Return an address, unless it could be nobody's here."""
    if email is None:
        return None
    try:
        check_email(email)
    except InvalidNameError:
        return None
    return email
