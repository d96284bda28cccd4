"""Answers that hang on one question to a store, for who asks without a task that could wait (`web/edge.py`)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Pending(Generic[T]):
    """A question that a store has been asked, and what is made of its answer, step by step.

    Once `future` is done call `at_once`, and where that gives None or raises anything, `in_time`, in a task: it goes on
    with the step that did so, and raises what has to be raised. The question is not asked again.
    """

    __slots__ = ("_done", "_steps", "_value", "future")

    def __init__(self: "Pending[asyncio.Future[U]]", future: asyncio.Future[U]) -> None:
        self.future: asyncio.Future[Any] = future
        self._value: Any = future
        self._steps: list[tuple[Callable[[Any], Any], Callable[[Any], Awaitable[Any]] | None]] = []
        self._done = 0

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
