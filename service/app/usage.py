"""How usage is joined: what counts, and what answers questions about it."""

from functools import cached_property

from service import clock
from service.app.federation import FederationJoinery
from service.storage.sql import SqlUsage
from service.usage import Recorder


class UsageJoinery(FederationJoinery):
    """The rooms, with that of usage."""

    @cached_property
    def usage(self) -> SqlUsage:
        return SqlUsage(self.database)

    @cached_property
    def recorder(self) -> Recorder | None:
        """None where nothing is to be counted."""
        asked = self.settings.usage
        if not asked.count:
            return None
        return Recorder(self.database, self.usage, every=asked.flush_every, keep=asked.keep or None, now=clock.now)
