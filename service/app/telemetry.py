"""What is told of one worker: joined here, and nowhere known to those of whom it is told."""

import platform
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from service import __version__, clock
from service.app.house import House
from service.protocol.errors import StoreUnavailable
from service.settings import Settings
from service.storage import figures
from service.storage.sql.backlog import SqlBacklog
from service.telemetry import CONTENT_TYPE, Folder, Level, Metrics
from service.web.management import MetricsText
from service.web.watch import Watch

if TYPE_CHECKING:
    from service.telemetry.collector import Collector
    from service.telemetry.traces import Traces


class Telemetry:
    """The metrics and the traces of this worker, as far as they are wanted."""

    def __init__(self, settings: Settings, house: House) -> None:
        self._house = house
        self._backlog = SqlBacklog(house.database)
        wanted = settings.telemetry.metrics
        self._metrics = Metrics(Folder.handed_down(), self._levels, self._waiting) if wanted else None
        self.watches: tuple[Watch, ...] = () if self._metrics is None else (self._metrics.requests,)
        self.text = None if self._metrics is None else MetricsText(self._metrics.text, CONTENT_TYPE)
        self._collector: Collector | None = None
        self.traces: Traces | None = None
        if settings.telemetry.traces:
            self._trace(settings.telemetry.traces, settings.telemetry.trace_ratio)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Tell for as long as the block runs; what was counted or traced in it is told at the end."""
        async with AsyncExitStack() as stack:
            if self._metrics is not None:
                await self._metrics.start()
                stack.push_async_callback(self._metrics.stop)
            if self._collector is not None and self.traces is not None:
                stack.push_async_callback(self._collector.close)
                figures.TOOK.heard = self.traces.store_answered
                stack.callback(setattr, figures.TOOK, "heard", None)
            yield

    def _trace(self, address: str, ratio: float) -> None:
        from service.telemetry.collector import Collector
        from service.telemetry.traces import Traces

        self._collector = Collector(address, ratio=ratio, version=__version__)
        sql = "postgresql" if self._house.database.postgresql else "sqlite"
        self.traces = Traces(self._collector.provider, {"sql": sql, "redis": "redis"})
        self._house.outgoing.sending = self.traces.sending

    def _levels(self) -> Iterator[Level]:
        house = self._house
        yield Level("build_info", 1, (__version__, platform.python_version()))
        yield Level("near_cache_entries", len(house.feed.revoked))
        if house.feed.age is not None:
            yield Level("feed_age_seconds", house.feed.age)
        for algorithm, age in house.rooms.keyring.ages(clock.now()).items():
            yield Level("signing_key_age_seconds", age.total_seconds(), (algorithm,))
        yield Level("store_up", house.database.is_up, ("sql",))
        yield Level("store_up", house.link.is_up, ("redis",))
        yield Level("password_hashes_pending", house.passwords.pending)

    async def _waiting(self) -> Sequence[Level]:
        try:
            counts = dict(await self._backlog.count())
        except StoreUnavailable:
            return ()
        unsealed = Level("audit_unsealed_rows", counts.pop("audit"))
        return (unsealed, *(Level("outbox_rows", count, (outbox,)) for outbox, count in counts.items()))
