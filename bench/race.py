"""Subjects take turns under the same load; what each costs is held against others of the same run."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench.load import Source, load
from bench.workers import Worker

_WARM_UP = 1.0
"""Seconds; a compiler that works while a program runs needs them."""


@dataclass
class Subject:
    """One way to answer. `source` makes the requests of one turn; `measured_by` maps the names of other subjects to
    goals, which may be empty."""

    name: str
    worker: Worker
    source: Callable[[int], Awaitable[Source]]
    measured_by: Mapping[str, str] = field(default_factory=dict)
    cpu: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    async def take_turn(self, number: int, seconds: float) -> None:
        """One turn under load; notes processor microseconds per request."""
        source = await self.source(number)
        before = self.worker.cpu()
        done = await load(self.worker.port, source, seconds=seconds)
        spent = self.worker.cpu() - before
        self.cpu.append(spent * 1e6 / len(done.latencies))
        self.rates.append(len(done.latencies) / done.seconds)
        self.latencies += done.latencies


def always(source: Source) -> Callable[[int], Awaitable[Source]]:
    """The same source on every turn."""

    async def each(_turn: int) -> Source:
        return source

    return each


async def race(subjects: list[Subject], *, rounds: int, seconds: float) -> None:
    """Warm each up, then let them take turns: A B C A B C, so that a noisy moment hits all alike."""
    for subject in subjects:
        await load(subject.worker.port, await subject.source(0), seconds=min(_WARM_UP, 3 * seconds))
    for number in range(1, rounds + 1):
        for subject in subjects:
            await subject.take_turn(number, seconds)
            await asyncio.sleep(0.02)


def costs(subjects: list[Subject]) -> list[str]:
    """What each costs, as a Markdown table."""
    lines = [
        "| what | CPU µs | best | per CPU-second | p50 ms | p99 ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for subject in subjects:
        cpu, cuts = median(subject.cpu), quantiles(subject.latencies, n=100)
        lines.append(
            f"| {subject.name} | {cpu:.1f} | {min(subject.cpu):.1f} | {1e6 / cpu:,.0f} "
            f"| {cuts[49] * 1e3:.2f} | {cuts[98] * 1e3:.2f} |"
        )
    return lines


def shares(subjects: list[Subject]) -> list[str]:
    """What each costs beside others, as a Markdown table. A share is the other's processor time by this one's, turn by
    turn: 1 is as cheap, 2 half. The middle half of the turns lies between the two numbers behind the median; `best` is
    that of the best turn of each."""
    named = {subject.name: subject for subject in subjects}
    lines = ["| what | beside | share | middle half | best | goal |", "| --- | --- | ---: | ---: | ---: | --- |"]
    for subject in subjects:
        for other, goal in subject.measured_by.items():
            turns = [theirs / own for theirs, own in zip(named[other].cpu, subject.cpu, strict=True)]
            low, middle, high = quantiles(turns, n=4, method="inclusive") if len(turns) > 1 else turns * 3
            best = min(named[other].cpu) / min(subject.cpu)
            lines.append(f"| {subject.name} | {other} | {middle:.2f} | {low:.2f} to {high:.2f} | {best:.2f} | {goal} |")
    return lines


def surplus(subjects: list[Subject], name: str, other: str) -> float:
    """How many microseconds the one costs more than the other, in the median of their turns."""
    named = {subject.name: subject for subject in subjects}
    return median(own - theirs for own, theirs in zip(named[name].cpu, named[other].cpu, strict=True))
