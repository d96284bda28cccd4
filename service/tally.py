"""Counting what happens: rooms count under a few words, whoever tells operators reads (docs/telemetry.md)."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from operator import add
from typing import ClassVar

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds up to which durations are counted together."""


class Tally:
    """How often each of a few kinds of something has happened in this process since it was last read.

    `labels` are what the kinds are told apart by. What is counted under comes from the code or the settings, never from
    a caller: each is a time series for ever. Used from one event loop.
    """

    known: ClassVar[list["Tally"]] = []

    def __init__(self, name: str, about: str, *labels: str) -> None:
        self.name = name
        self.about = about
        self.labels = labels
        self._counts: dict[tuple[str, ...], int] = {}
        self.known.append(self)

    def add(self, *kind: str, times: int = 1) -> None:
        """It has happened."""
        counts = self._counts
        counts[kind] = counts.get(kind, 0) + times

    def take(self) -> dict[tuple[str, ...], int]:
        """What was counted since the last time."""
        taken, self._counts = self._counts, {}
        return taken


class Spread:
    """How long each of a few kinds of something took, as a `Tally` counts."""

    known: ClassVar[list["Spread"]] = []

    def __init__(self, name: str, about: str, *labels: str) -> None:
        self.name = name
        self.about = about
        self.labels = labels
        self.heard: Callable[[float, tuple[str, ...]], None] | None = None
        """Is told of each, as it is counted."""
        self._spans: dict[tuple[str, ...], list[float]] = {}
        self.known.append(self)

    def add(self, seconds: float, *kind: str) -> None:
        """It has taken so long."""
        spans = self._spans.get(kind)
        if spans is None:
            spans = self._spans[kind] = [0.0] * (len(BOUNDS) + 2)
        spans[bisect_left(BOUNDS, seconds)] += 1
        spans[-1] += seconds
        if self.heard is not None:
            self.heard(seconds, kind)

    def merge(self, more: Sequence[float], *kind: str) -> None:
        """Many have; `more` is as `take` gives it."""
        self._spans[kind] = [*map(add, self._spans.get(kind) or [0.0] * len(more), more)]

    def take(self) -> dict[tuple[str, ...], list[float]]:
        """What was counted since the last time: how many took up to each of `BOUNDS` and not up to the one before, how
        many took longer, and the seconds of all together."""
        taken, self._spans = self._spans, {}
        return taken
