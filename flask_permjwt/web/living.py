"""Objects that can be listed as long as they live, and that nothing here keeps alive."""

from typing import Final, Generic, TypeVar
from weakref import ref

ObjectT = TypeVar("ObjectT")


class Living(Generic[ObjectT]):
    """Safe under threads without a lock, while objects come and go: each step is one operation on a set.

    ``weakref.WeakSet`` is gone through one by one, which meets what other threads do meanwhile.
    """

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: Final[set[ref[ObjectT]]] = set()

    def add(self, one: ObjectT) -> None:
        """Add an object, unless it is there."""
        self._references.add(ref(one, self._references.discard))

    def all(self) -> list[ObjectT]:
        """Return those that live, in no order."""
        return [one for reference in list(self._references) if (one := reference()) is not None]
