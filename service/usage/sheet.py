"""The count in a worker's memory: one step in one dictionary for each request."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

NOBODY = "nobody"
"""The kind of caller who is not known."""

HOUR = timedelta(hours=1)
_PAST = datetime.min.replace(tzinfo=UTC)


class Key(NamedTuple):
    """What requests have in common that are counted together; empty is what there is none of. `hour` is in UTC, as
    `2026-11-03T08`. Nothing in it is a caller's choice but among what there is here: ids of ours, templates, words."""

    hour: str
    kind: str
    subject: str
    client_id: str
    api_key_id: str
    route: str
    outcome: str


Counted = tuple[str, str, str, str, str, str, str]
"""The members of a `Key`, without the price of making one."""


class Sheet:
    """Counts up to `most` rows. A request that would need one more is not counted but for `dropped`.

    `full` is called once each time that `early` rows have come together. Used from one event loop.
    """

    def __init__(
        self, *, now: Callable[[], datetime], full: Callable[[], None], early: int = 1_000, most: int = 50_000
    ) -> None:
        self._now = now
        self._full = full
        self._early = early
        self._most = most
        self._rows: dict[Counted, int] = {}
        self._hour = ""
        self._begins = self._ends = _PAST
        self.dropped = 0

    def __len__(self) -> int:
        """How many rows wait."""
        return len(self._rows)

    @property
    def requests(self) -> int:
        """How many requests wait."""
        return sum(self._rows.values())

    def count(self, kind: str, subject: str, client_id: str, api_key_id: str, route: str, outcome: str) -> None:
        """One more request, in the present hour."""
        now = self._now()
        if not self._begins <= now < self._ends:
            self._begins = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            self._ends = self._begins + HOUR
            self._hour = hour_text(now)
        row = (self._hour, kind, subject, client_id, api_key_id, route, outcome)
        known = self._rows.get(row)
        if known is None:
            self._admit(row)
        else:
            self._rows[row] = known + 1

    def take(self, most: int) -> list[tuple[Key, int]]:
        """The first rows, at most so many: they are somebody else's from now on. In the order in which every worker
        writes them."""
        taken = [(Key(*row), requests) for row, requests in islice(self._rows.items(), most)]
        if len(taken) == len(self._rows):
            self._rows = {}
        else:
            for key, _ in taken:
                del self._rows[key]
        return sorted(taken)

    def _admit(self, row: Counted) -> None:
        if len(self._rows) >= self._most:
            self.dropped += 1
            return
        self._rows[row] = 1
        if len(self._rows) == self._early:
            self._full()


def hour_text(moment: datetime) -> str:
    """The hour in which this moment lies, in UTC: sorts as time does, and begins with its day and its month."""
    return moment.astimezone(UTC).isoformat()[: len("2026-11-03T08")]
