"""Failures in a row, and what they cost: the one rule behind every lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from service.tally import Tally

SHUT_OUT = Tally("attempts_refused", "Attempts at secrets that a closed door refused", "door")


@dataclass(frozen=True, slots=True)
class Meter:
    """How one kind of failure is answered.

    The first `free` cost nothing. That one, and each after it, closes the door: for `first`, then twice as long each
    time, at most `longest`. With `stop` of them it stays closed until somebody opens it. A counter is forgotten
    `memory` after its first failure, twice as long after each further one, at most `longest_memory`.

    `reserves`: attempts under way count as failures until they have shown otherwise, so that racing guesses do not get
    more tries than patient ones. `resets`: a success forgets the failures before it. `pace`: one failure is forgotten
    this often, however many there are; a place with many people in it always has some.
    """

    name: str
    free: int
    first: timedelta
    longest: timedelta
    memory: timedelta
    longest_memory: timedelta
    stop: int = 0
    reserves: bool = False
    resets: bool = False
    pace: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Counter:
    """Whose failures: of `who`, and where that matters from `where`. Any text; stores keep a digest of it."""

    meter: Meter
    who: str
    where: str = ""


class Step(StrEnum):
    """What can happen to a counter."""

    BEGIN = "begin"
    """Somebody wants to try: an open counter that reserves counts the attempt as under way."""
    FAIL = "fail"
    RELEASE = "release"
    """The attempt was none: nothing was learnt by it."""
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Count:
    """How a counter stands after a step. `is_busy`: attempts under way take all the room that there is."""

    failures: int
    closed_for: timedelta
    is_busy: bool = False


class Failures(Protocol):
    """The counters, in the engine. Each step of a counter is atomic; its life is set with it, by the engine's clock."""

    async def step(self, step: Step, counters: Sequence[Counter]) -> Sequence[Count]:
        """Take one step with each, in one round trip. Raises `StoreUnavailable`."""
