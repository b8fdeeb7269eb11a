"""Revocation state: what was revoked or changed and still matters, as one process knows it.

Pure: where changes come from, and when they are asked for, is decided elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from threading import Lock
from typing import Final

from flask_permjwt.tokens.claims import USER_VERSION
from flask_permjwt.tokens.codec import VerifiedToken
from flask_permjwt.tokens.keyset import KeySet


class Kind(StrEnum):
    """What a change is about; the first three void tokens, the last two make their permissions stale."""

    TOKEN = "token"  # noqa: S105  # a word, no secret
    """One token, by its ``jti``."""

    SESSION = "session"
    """The tokens of one session, by its ``sid``."""

    USER = "user"
    """The tokens of one user whose ``ver`` is less than the change's version."""

    RIGHTS = "rights"
    """What was granted or assigned to one user, who counts it."""

    ROLE = "role"
    """What was granted to one role, by its public id, which counts it."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that voids tokens or makes their permissions stale.

    Attributes:
        kind: what it is about.
        target: which token, session, user or role.
        version: the count since then, where users and roles count.
        expires_at: when the last token that it touches has expired, in seconds since 1970-01-01 UTC.
        lasts: the same in seconds from when it was made, for processes whose clock is another.
    """

    kind: Kind
    target: str
    version: int
    expires_at: float
    lasts: float


class Standing(Enum):
    """What is known about a token."""

    CURRENT = "current"
    STALE = "stale"
    VOID = "void"


class _Slice:
    """The changes that were learnt of in one stretch of time, to be forgotten together.

    Attributes:
        opened_at: when, by a clock that only goes forward.
        kept_until: when they may be forgotten, by that clock.
        matters_until: likewise, by the clock that tokens are judged by. Both must have passed: a clock that was
            set brings tokens back that had expired.
    """

    __slots__ = ("kept_until", "keys", "matters_until", "opened_at", "versions")

    def __init__(self, opened_at: float) -> None:
        self.opened_at: Final = opened_at
        self.kept_until = self.matters_until = 0.0
        self.keys: Final = {Kind.TOKEN: KeySet(), Kind.SESSION: KeySet()}
        self.versions: Final[dict[Kind, dict[str, int]]] = {Kind.USER: {}, Kind.RIGHTS: {}, Kind.ROLE: {}}


class RevocationState:
    """What was revoked or changed. Safe under threads: those who look never wait.

    Args:
        lasts: how long changes usually matter, in seconds.
    """

    def __init__(self, *, lasts: float) -> None:
        self._stretch: Final = lasts / 4
        self._slices: tuple[_Slice, ...] = ()
        self._latest = 0.0
        self._lock = Lock()
        self.epoch = 0
        """Rises with whatever is learnt: what was judged at an epoch stands while it lasts."""

    def __len__(self) -> int:
        return sum(sum(map(len, one.keys.values())) + sum(map(len, one.versions.values())) for one in self._slices)

    def apply(self, changes: Iterable[Change], *, now: float, monotonic: float) -> None:
        """Learn of changes; those that are known already change nothing.

        Args:
            changes: in any order, and as often as one likes.
            now: seconds since 1970-01-01 UTC, by the clock that tokens are judged by.
            monotonic: seconds, by a clock that only goes forward.
        """
        with self._lock:
            self._latest = max(self._latest, now)
            learnt = False
            for change in changes:
                if not self._knows(change):
                    self._learn(change, monotonic)
                    learnt = True
            if learnt:
                # Last: whoever sees the new epoch sees what it stands for.
                self.epoch += 1

    def start_over_after_fork(self) -> None:
        """Forget who held the lock, and let every token be judged anew: that thread may have been half-way."""
        self._lock = Lock()
        self.epoch += 1

    def doubt(self) -> None:
        """Have every token judged anew: something else than a change of these concerns them."""
        with self._lock:
            self.epoch += 1

    def forget(self, *, now: float, monotonic: float) -> None:
        """Forget what can concern no living token any more."""
        if any(one.kept_until < monotonic and one.matters_until < now for one in self._slices):
            with self._lock:
                self._slices = tuple(
                    one for one in self._slices if one.kept_until >= monotonic or one.matters_until >= now
                )

    def judge(self, token: VerifiedToken) -> Standing:
        """Tell what is known about a token."""
        for one in self._slices:
            if (
                token.session_id in one.keys[Kind.SESSION]
                or token.token_id in one.keys[Kind.TOKEN]
                or token.version < one.versions[Kind.USER].get(token.subject, 0)
            ):
                return Standing.VOID
        if token.rights_in_store or not self.is_current(token.subject, token.rights_versions):
            return Standing.STALE
        return Standing.CURRENT

    def has_ended(self, link: str) -> bool:
        """Tell whether a link to a user here, or that there is none, was taken back."""
        return any(link in one.keys[Kind.SESSION] for one in self._slices)

    def is_current(self, subject: str, versions: Mapping[str, int]) -> bool:
        """Tell whether nothing is known that is newer than these rights of a user.

        Args:
            subject: the public id of the user.
            versions: what was counted when the rights were read: of the user at ``"u"``, of roles at their ids.
        """
        for one in self._slices:
            if one.versions[Kind.RIGHTS].get(subject, 0) > versions.get(USER_VERSION, 0):
                return False
            roles = one.versions[Kind.ROLE]
            if roles and any(roles.get(role, 0) > version for role, version in versions.items()):
                return False
        return True

    def _knows(self, change: Change) -> bool:
        kind, target = change.kind, change.target
        if kind in _BY_KEY:
            return any(target in one.keys[kind] for one in self._slices)
        return any(one.versions[kind].get(target, 0) >= change.version for one in self._slices)

    def _learn(self, change: Change, monotonic: float) -> None:
        if not self._slices or monotonic - self._slices[-1].opened_at > self._stretch:
            self._slices = (*self._slices, _Slice(monotonic))
        one = self._slices[-1]
        one.kept_until = max(one.kept_until, monotonic + change.lasts)
        # Tokens may have been issued by the latest that this clock ever said.
        one.matters_until = max(one.matters_until, change.expires_at, self._latest + change.lasts)
        if change.kind in _BY_KEY:
            one.keys[change.kind].add(change.target)
        else:
            one.versions[change.kind][change.target] = change.version


_BY_KEY: Final = frozenset({Kind.TOKEN, Kind.SESSION})
