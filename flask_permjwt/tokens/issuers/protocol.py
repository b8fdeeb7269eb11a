"""What is passed in: how documents are fetched, and where keys are found."""

from dataclasses import dataclass, field
from typing import Protocol

from flask_permjwt.tokens.issuers.jwks import PublicKey, PublishedKeys


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document.

    Attributes:
        body: its bytes.
        lifetime: for how many seconds its server says that it may be kept; None when it says nothing.
    """

    body: bytes = field(repr=False)
    lifetime: float | None = None


class Fetcher(Protocol):
    """Fetches documents."""

    def fetch(self, url: str) -> Fetched:
        """Fetch a document.

        Raises:
            KeysError: it cannot be had; the message says why, for the log.
        """
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """Keys, as they were published just now.

    Attributes:
        keys: the keys.
        lifetime: for how many seconds they are to be taken for current.
    """

    keys: PublishedKeys
    lifetime: float


class Loader(Protocol):
    """Gets the keys of one issuer."""

    def load(self) -> Loaded:
        """Get them, however long it takes.

        Raises:
            KeysError: they cannot be had.
        """
        ...


class Keys(Protocol):
    """The keys of one issuer, as one process knows them."""

    def find(self, kid: str | None, algorithm: str) -> tuple[PublicKey | None, float]:
        """Return the key that a token means, if there is one, and for how many seconds that holds.

        Raises:
            KeysUnavailableError: 503, it cannot be told now.
        """
        ...
