"""Subjects take turns under the same load; what each costs is held against another of the same run."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench.load import Source, load
from bench.workers import Worker

_WARM_UP = 0.3


@dataclass
class Subject:
    """One way to answer. `source` makes the requests of one turn; `of` names the subject that it is measured by."""

    name: str
    worker: Worker
    source: Callable[[int], Source]
    of: str = ""
    goal: str = ""
    cpu: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    async def take_turn(self, number: int, seconds: float) -> None:
        """One turn under load; notes processor microseconds per request."""
        before = self.worker.cpu()
        done = await load(self.worker.port, self.source(number), seconds=seconds)
        spent = self.worker.cpu() - before
        self.cpu.append(spent * 1e6 / len(done.latencies))
        self.rates.append(len(done.latencies) / done.seconds)
        self.latencies += done.latencies


async def race(subjects: list[Subject], *, rounds: int, seconds: float) -> None:
    """Warm each up, then let them take turns: A B C A B C, so that a noisy moment hits all alike."""
    for subject in subjects:
        await load(subject.worker.port, subject.source(0), seconds=min(_WARM_UP, seconds))
    for number in range(1, rounds + 1):
        for subject in subjects:
            await subject.take_turn(number, seconds)
            await asyncio.sleep(0.02)


def table(subjects: list[Subject]) -> list[str]:
    """The result as a Markdown table. A share is the other's processor time by this one's: 1 is as cheap, 2 half."""
    named = {subject.name: subject for subject in subjects}
    lines = [
        "| what | CPU µs | best | per CPU-second | p50 ms | p99 ms | share | of | goal |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for subject in subjects:
        cpu, cuts = median(subject.cpu), quantiles(subject.latencies, n=100)
        share = ""
        if subject.of:
            pairs = zip(named[subject.of].cpu, subject.cpu, strict=True)
            share = f"{median(other / own for other, own in pairs):.2f}"
        lines.append(
            f"| {subject.name} | {cpu:.1f} | {min(subject.cpu):.1f} | {1e6 / cpu:,.0f} "
            f"| {cuts[49] * 1e3:.2f} | {cuts[98] * 1e3:.2f} | {share} | {subject.of} | {subject.goal} |"
        )
    return lines
