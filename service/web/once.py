"""What is made of an object that stays the same for many requests."""

from collections.abc import Callable
from typing import Generic, TypeVar

from service.bounded import Bounded

K = TypeVar("K")
V = TypeVar("V")


class OncePerObject(Generic[K, V]):
    """Makes a value of each object once, and remembers the last 10,000. Goes by which object it is, not by what it
    equals: remembered credentials give the same object on every request, and a new one as soon as anything has changed.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make
        self._made: Bounded[int, tuple[K, V]] = Bounded()

    def __call__(self, of: K) -> V:
        """The value. Raises what making it raises."""
        known = self._made.get(id(of))
        if known is None:  # an object that is remembered lives, so that no other can have its id
            known = (of, self._make(of))
            self._made.keep(id(of), known)
        return known[1]
