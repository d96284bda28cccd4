"""Answers that hang on one question to a store, for who asks without a task that could wait (`web/edge.py`)."""

from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")
_NOTHING = object()


class Pending(Generic[T]):
    """A question that a store has been asked, and what is made of its answer, step by step.

    Whoever asks has it settled with what the store says. From then on call `at_once`, and where that gives None or
    raises anything, `in_time`, in a task: it goes on with the step that did so, and raises what has to be raised. The
    question is not asked again.
    """

    __slots__ = ("_context", "_done", "_steps", "_tell", "_value")

    def __init__(self) -> None:
        self._value: Any = _NOTHING
        self._steps: list[tuple[Callable[[Any], Any], Callable[[Any], Awaitable[Any]] | None]] = []
        self._done = 0
        self._tell: Callable[[], None] | None = None
        self._context: Context

    def settle(self, value: object) -> None:
        """The store has said this, the value of the first step; whoever waits is told within this call."""
        self._value = value
        if self._tell is not None:
            self._context.run(self._tell)

    def when_settled(self, tell: Callable[[], None]) -> None:
        """Have this called once, as soon as it is settled; in the context that is the present one, as whoever settles
        this has another."""
        self._context, self._tell = copy_context(), tell
        if self._value is not _NOTHING:
            tell()

    def then(self, make: Callable[[T], U | None], otherwise: Callable[[T], Awaitable[U]] | None = None) -> "Pending[U]":
        """This with one more step, which is `make` of what there is by then. Where that may give None or take waiting,
        `otherwise` does the same in its time."""
        self._steps.append((make, otherwise))
        more: Any = self
        pending: Pending[U] = more
        return pending

    def at_once(self) -> T | None:
        """The outcome, when no step takes waiting."""
        value, done = self._value, 0
        try:
            for make, _ in self._steps:
                made = make(value)
                if made is None:
                    return None
                value = made
                done += 1
        finally:
            self._value, self._done = value, done
        outcome: T = value
        return outcome

    async def in_time(self) -> T:
        """The outcome, whatever it takes. Raises a `Refusal`."""
        value = self._value
        for make, otherwise in self._steps[self._done :]:
            value = make(value) if otherwise is None else await otherwise(value)
        outcome: T = value
        return outcome
