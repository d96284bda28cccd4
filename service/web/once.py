"""What is made of an object that stays the same for many requests."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
_REMEMBERED = 10_000


class OncePerObject(Generic[K, V]):
    """Makes a value of each object once, and remembers the last 10,000. Goes by which object it is, not by what it
    equals: remembered credentials give the same object on every request, and a new one as soon as anything has changed.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make
        self._made: OrderedDict[int, tuple[K, V]] = OrderedDict()

    def __call__(self, of: K) -> V:
        """The value. Raises what making it raises."""
        known = self._made.get(id(of))
        if known is None:  # an object that is remembered lives, so that no other can have its id
            known = self._made[id(of)] = (of, self._make(of))
            if len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)
        return known[1]
