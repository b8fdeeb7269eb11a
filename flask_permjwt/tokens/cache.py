"""The cache: tokens that verified once, so that the next request costs a look-up.

Remembered is what does not change about a token: that its signature was right, and what it says. Whether it is
expired, revoked or allowed to do something is judged on every request.
"""

import sys
from typing import Final, Generic, TypeVar

LONGEST: Final = 8 * 1024
ANY_LENGTH: Final = sys.maxsize

ValueT = TypeVar("ValueT")


class BoundedCache(Generic[ValueT]):
    """Remembers values by text, so many at most.

    There are two generations, each of half the size. What is asked for moves to the younger one; when that is
    full, it becomes the older one, and what stood there is forgotten. So a flood of texts that come once costs
    each of them one insertion and nothing else, whatever the size, and pushes out nothing that is in use.

    Every step is one operation on a dictionary: of threads that meet here, one may do its work again, and none
    sees anything but what was put. What one forgets, another may be just moving, and bring back: to forget all for
    good, take another cache. A forked process goes on with a copy.

    Args:
        size: values at most; 0 remembers nothing.
        longest: characters of a text that is remembered, at most: around one good token, what comes in a request
            may be of any length and differ each time.
    """

    __slots__ = ("_half", "_longest", "_older", "_two", "younger")

    def __init__(self, size: int, *, longest: int = LONGEST) -> None:
        self._longest: Final = longest
        self._half: Final = size // 2 if size > 1 else size
        self._two: Final = size > 1
        self.younger: dict[str, ValueT] = {}
        """What was asked for lately: whoever finds it here needs no call."""
        self._older: dict[str, ValueT] = {}

    def __len__(self) -> int:
        return len(self.younger) + len(self._older)

    def get(self, text: str) -> ValueT | None:
        """Return what is remembered under a text."""
        found = self.younger.get(text)
        if found is None:
            found = self._older.pop(text, None)
            if found is not None:
                self.put(text, found)
        return found

    def put(self, text: str, value: ValueT) -> None:
        """Remember a value, unless its text is too long."""
        if len(text) > self._longest:
            return
        younger = self.younger
        if len(younger) >= self._half:
            if not self._half:
                return
            younger = {}
            self._older = self.younger if self._two else {}
            self.younger = younger
        younger[text] = value

    def forget(self, text: str) -> None:
        """Forget one, because its time is over."""
        self.younger.pop(text, None)
        self._older.pop(text, None)
