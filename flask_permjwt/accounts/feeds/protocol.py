"""The feed: what carries changes from the process that made them to all others, as a protocol to implement."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from flask_permjwt.tokens.revocation import Change


class FeedError(Exception):
    """The feed cannot be reached, or says what cannot be understood; the message holds no secret."""


class Feed(Protocol):
    """Carries changes. One object serves one process; one thread at a time reads.

    What is promised: a change that was committed before ``read`` began is given by it, unless an earlier ``read``
    gave it; the first one gives everything that still matters. A change may be given more than once, and in any
    order. A transaction that commits late is not missed, nor is anything when the feed lost its data.
    """

    def read(self, *, urgent: bool = False) -> Iterator[Sequence[Change]]:
        """Give what is new, in portions. What was not consumed to the end is given again.

        Args:
            urgent: another process of this machine says that it committed a change.

        Raises:
            FeedError: that cannot be done now.
        """
        ...

    def announce(self) -> str | None:
        """Tell other processes that a change is being written which is not committed yet, and may never be.

        It raises nothing, and returns what ``publish`` is to be given.
        """
        ...

    def publish(self, changes: Sequence[Change], announced: str | None = None) -> None:
        """Tell other processes of changes that were just committed; where that fails, they find them in time.

        It raises nothing.
        """
        ...

    def start_over(self) -> None:
        """Let the next ``read`` give everything that still matters."""
        ...
