"""What is told of one worker: joined here, and nowhere known to those of whom it is told."""

import platform
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from service import __version__, clock
from service.app.house import House
from service.protocol.errors import StoreUnavailable
from service.settings import Settings
from service.storage.sql.backlog import SqlBacklog
from service.telemetry import CONTENT_TYPE, Folder, Level, Metrics
from service.web.management import MetricsText
from service.web.watch import Watch


class Telemetry:
    """The metrics of this worker, if they are wanted."""

    def __init__(self, settings: Settings, house: House) -> None:
        self._house = house
        self._backlog = SqlBacklog(house.database)
        wanted = settings.telemetry.metrics
        self._metrics = Metrics(Folder.handed_down(), self._levels, self._waiting) if wanted else None
        self.watches: tuple[Watch, ...] = () if self._metrics is None else (self._metrics.requests,)
        self.text = None if self._metrics is None else MetricsText(self._metrics.text, CONTENT_TYPE)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Tell for as long as the block runs; what was counted in it is told at the end."""
        if self._metrics is None:
            yield
            return
        await self._metrics.start()
        try:
            yield
        finally:
            await self._metrics.stop()

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
