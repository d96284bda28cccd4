"""The metrics of all workers together, in Prometheus' text form."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import structlog
from prometheus_client import Counter, Histogram, disable_created_metrics, exposition, generate_latest, values
from prometheus_client import Gauge as PrometheusGauge
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.values import MultiProcessValue, MutexValue

from service.tally import BOUNDS, Spread, Tally
from service.telemetry.folder import Folder
from service.telemetry.requests import RequestFigures

_log = structlog.get_logger("gatepost.metrics")
CONTENT_TYPE = exposition.CONTENT_TYPE_PLAIN_0_0_4
_NAMESPACE = "gatepost"
_STARTED = Tally("worker_starts", "Worker processes that were started")
_EVERY = 1.0  # seconds; a worker that is killed takes at most so much of its counts along


class Gauge(NamedTuple):
    """What stands at a moment, and how that of several workers is put together."""

    name: str
    about: str
    mode: Literal["livesum", "livemax", "livemin"]
    labels: tuple[str, ...] = ()


class Level(NamedTuple):
    """Where a gauge stands."""

    gauge: str
    value: float
    labels: tuple[str, ...] = ()


GAUGES = (
    Gauge("build_info", "1; version and Python are the labels", "livemax", ("version", "python")),
    Gauge("workers", "Worker processes that live", "livesum"),
    Gauge("process_start_time_seconds", "Unix time at which the oldest worker started", "livemin"),
    Gauge("process_resident_memory_bytes", "Resident memory of all workers; Linux alone tells", "livesum"),
    Gauge("near_cache_entries", "Revocations in the near-cache of the worker that knows most", "livemax"),
    Gauge("feed_age_seconds", "Since a store confirmed the near-cache, in the worker that waits longest", "livemax"),
    Gauge("signing_key_age_seconds", "For how long the present key has signed", "livemax", ("algorithm",)),
    Gauge("store_up", "1 while every worker can use the store, else 0", "livemin", ("store",)),
    Gauge("password_hashes_pending", "Password hashes that are computed or wait for it", "livesum"),
)
"""What each worker tells of itself."""

BACKLOG = (
    Gauge("audit_unsealed_rows", "Rows of the audit that have no place in the chain yet", "livemax"),
    Gauge("outbox_rows", "What waits in the ledger to be sent", "livemax", ("outbox",)),
)
"""What the ledger is asked for when somebody reads the metrics; missing while it does not answer."""


class Metrics:
    """Takes over what was counted, each second, and tells it for all workers.

    Without a folder this process tells of itself alone. `levels` says where `GAUGES` stand here, `backlog` where
    `BACKLOG` does, for everybody; it may come up empty, and must not raise. `requests` has to be told of requests.
    """

    def __init__(
        self,
        folder: Folder | None,
        levels: Callable[[], Iterable[Level]],
        backlog: Callable[[], Awaitable[Sequence[Level]]],
    ) -> None:
        self._folder = folder
        self._levels = levels
        self._backlog = backlog
        self.requests = RequestFigures()
        self._own = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, _Histogram] = {}
        self._gauges: dict[str, PrometheusGauge] = {}
        self._cpu_told = 0.0
        self._telling = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take a place in the folder and begin."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # this and the next two are left untyped there
        if self._folder is not None:
            place = self._folder.take_place()
            values.ValueClass = MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]
        else:
            values.ValueClass = MutexValue
        self._cpu = Counter("process_cpu", "Processor time of all workers", unit="seconds", **self._where)
        _STARTED.add()
        for gauge in GAUGES:
            self._gauges[gauge.name] = PrometheusGauge(
                gauge.name, gauge.about, gauge.labels, multiprocess_mode=gauge.mode, **self._where
            )
        self._gauges["process_start_time_seconds"].set(time.time())
        self._gauges["workers"].set(1)
        self.beat()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, with everything told."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._try_beat()

    def beat(self) -> None:
        """Take over what was counted since the last time, and where everything stands."""
        self.requests.hand_over()
        for tally in Tally.known:
            counter = self._count(tally.name, tally.about, tally.labels)
            for kind, times in tally.take().items():
                (counter.labels(*kind) if kind else counter).inc(times)
        for spread in Spread.known:
            histogram = self._spread(spread)
            for kind, spans in spread.take().items():
                histogram.labels(*kind).take_over(spans)
        for level in self._levels():
            gauge = self._gauges[level.gauge]
            (gauge.labels(*level.labels) if level.labels else gauge).set(level.value)
        spent = time.process_time()
        self._cpu.inc(spent - self._cpu_told)
        self._cpu_told = spent
        with suppress(OSError):
            self._gauges["process_resident_memory_bytes"].set(_resident())

    async def text(self) -> bytes:
        """All metrics of all workers. One reader at a time; the others wait for their turn."""
        async with self._telling:
            self.beat()
            return await asyncio.to_thread(self._written, await self._backlog())

    def _written(self, backlog: Sequence[Level]) -> bytes:
        registry = self._own
        if self._folder is not None:
            self._folder.forget_dead()
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(self._folder.path))  # type: ignore[no-untyped-call]
        return generate_latest(registry) + generate_latest(_Backlog(backlog))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            self._try_beat()

    def _try_beat(self) -> None:
        try:
            self.beat()
        except Exception:  # a loop that ends would keep this worker's figures as they are until its restart
            _log.exception("metrics could not be told")

    @property
    def _where(self) -> dict[str, Any]:
        return {"namespace": _NAMESPACE, "registry": self._own}

    def _count(self, name: str, about: str, labels: Sequence[str]) -> Counter:
        if name not in self._counters:
            self._counters[name] = Counter(name, about, labels, **self._where)
        return self._counters[name]

    def _spread(self, spread: Spread) -> "_Histogram":
        if spread.name not in self._histograms:
            self._histograms[spread.name] = _Histogram(
                spread.name, spread.about, spread.labels, buckets=BOUNDS, **self._where
            )
        return self._histograms[spread.name]


class _Histogram(Histogram):
    """A histogram that takes many observations at once."""

    def take_over(self, spans: Sequence[float]) -> None:
        """Add what a `Spread` has counted."""
        *counts, seconds = spans
        self._sum.inc(seconds)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class _Backlog(Collector):
    def __init__(self, levels: Sequence[Level]) -> None:
        self._levels = levels

    def collect(self) -> Iterator[Metric]:
        for gauge in BACKLOG:
            family = GaugeMetricFamily(f"{_NAMESPACE}_{gauge.name}", gauge.about, labels=gauge.labels)
            for level in self._levels:
                if level.gauge == gauge.name:
                    family.add_metric(level.labels, level.value)
            if family.samples:
                yield family


def _resident() -> int:
    """Bytes. Raises `OSError` where nobody tells."""
    if sys.platform != "linux":
        raise OSError("only Linux tells")
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
