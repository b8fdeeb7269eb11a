"""The cache: tokens that verified once, so that the next request costs a look-up.

Remembered is what does not change about a token: that its signature was right, and what it says. Whether it is
expired, revoked or allowed to do something is judged on every request.
"""

from typing import Final

from flask_permjwt.tokens.codec import VerifiedToken


class TokenCache:
    """Remembers verified tokens by their text, so many at most.

    There are two generations, each of half the size. What is asked for moves to the younger one; when that is
    full, it becomes the older one, and what stood there is forgotten. So a flood of tokens that come once costs each of
    them one insertion and nothing else, whatever the size, and does not push out what is in use.

    Every step is one operation on a dictionary: of threads that meet here, one may verify a token again, and none
    sees anything but a verified token. A forked process goes on with a copy.

    Args:
        size: tokens at most; 0 remembers nothing.
    """

    __slots__ = ("_half", "_older", "_two", "_younger")

    def __init__(self, size: int) -> None:
        self._half: Final = size // 2 if size > 1 else size
        self._two: Final = size > 1
        self._younger: dict[str, VerifiedToken] = {}
        self._older: dict[str, VerifiedToken] = {}

    def __len__(self) -> int:
        return len(self._younger) + len(self._older)

    def get(self, text: str) -> VerifiedToken | None:
        """Return what is remembered of a token."""
        found = self._younger.get(text)
        if found is None:
            found = self._older.pop(text, None)
            if found is not None:
                self.put(text, found)
        return found

    def put(self, text: str, token: VerifiedToken) -> None:
        """Remember a token that was verified."""
        younger = self._younger
        if len(younger) >= self._half:
            if not self._half:
                return
            younger = {}
            self._older = self._younger if self._two else {}
            self._younger = younger
        younger[text] = token

    def forget(self, text: str) -> None:
        """Forget a token, because its time is over."""
        self._younger.pop(text, None)
        self._older.pop(text, None)

    def clear(self) -> None:
        """Forget all tokens, because a key is gone."""
        self._younger, self._older = {}, {}
