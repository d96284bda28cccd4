"""Questions about usage: totals over a range of hours, grouped as somebody wants to see or bill them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from service.protocol.errors import Invalid
from service.usage.sheet import HOUR, hour_text

_EARLIEST, _LATEST = 1970, 9000
_MARK = "="  # begins every id: what says nothing has a place too, and an empty one is none


class Dimension(StrEnum):
    """What totals can be told apart by."""

    PRINCIPAL = "principal"
    CLIENT = "client"
    API_KEY = "api_key"
    ROUTE = "route"
    OUTCOME = "outcome"


class Period(StrEnum):
    """How long the time is that has a total of its own, in UTC."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


_COLUMNS = {
    Dimension.PRINCIPAL: ("kind", "subject"),
    Dimension.CLIENT: ("client_id",),
    Dimension.API_KEY: ("api_key_id",),
    Dimension.ROUTE: ("route",),
    Dimension.OUTCOME: ("outcome",),
}


@dataclass(frozen=True, slots=True)
class Question:
    """Totals by which dimensions, for each period or all at once, of what. A filter that is empty lets all pass. Hours
    count that begin at `since` or later and before `until`."""

    by: frozenset[Dimension] = frozenset()
    per: Period | None = None
    kind: str = ""
    subject: str = ""
    client_id: str = ""
    api_key_id: str = ""
    route: str = ""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The members of a row that totals are told apart by, in the order in which they are sorted."""
        return tuple(column for dimension, of in _COLUMNS.items() if dimension in self.by for column in of)

    @property
    def filters(self) -> dict[str, str]:
        """What rows must say."""
        asked = {
            "kind": self.kind,
            "subject": self.subject,
            "client_id": self.client_id,
            "api_key_id": self.api_key_id,
            "route": self.route,
            "outcome": self.outcome,
        }
        return {name: value for name, value in asked.items() if value}

    @property
    def hours(self) -> tuple[str, str]:
        """The first hour that counts and the first that does not any more, empty where there is no end."""
        return _first_hour(self.since), _first_hour(self.until)

    def place(self, after: str) -> tuple[str, ...]:
        """What the last total that was seen said, out of its `id`. Raises `Invalid` for one of another question."""
        mark, *said = after.split(" ")
        if mark != _MARK or len(said) != len(self.columns) + (self.per is not None):
            raise Invalid("cursor", "This cursor belongs to another question.")
        return tuple(said)


@dataclass(frozen=True, slots=True)
class Total:
    """So many requests. What was not asked for is None; empty is what these requests had none of. `period` is the
    beginning of an hour's text."""

    requests: int
    period: str | None = None
    kind: str | None = None
    subject: str | None = None
    client_id: str | None = None
    api_key_id: str | None = None
    route: str | None = None
    outcome: str | None = None

    @property
    def id(self) -> str:
        """Its place among the totals of its question, never empty: none of what it says has a space."""
        said = (self.period, self.kind, self.subject, self.client_id, self.api_key_id, self.route, self.outcome)
        return " ".join([_MARK, *(value for value in said if value is not None)])


class FindsTotals(Protocol):
    """The rows, to be added up."""

    async def totals(self, question: Question, *, after: str, limit: int) -> Sequence[Total]:
        """In order of what they say, oldest period first; those behind the total with the id `after` if that is not
        empty, at most `limit`. Raises `Invalid` for an `after` of another question, `StoreUnavailable`."""


def _first_hour(moment: datetime | None) -> str:
    if moment is None:
        return ""
    if not _EARLIEST <= moment.year < _LATEST:  # not an hour that was ever counted, and too near the ends of a clock
        return f"{moment.year:04}"
    begins = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour_text(begins if begins == moment else begins + HOUR)
