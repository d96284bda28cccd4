"""Instants as people read them: how long ago, and when exactly."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.web.pages.language import Locale

_HOUR, _TWO_DAYS = timedelta(hours=1), timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant: `machine` for the attribute `datetime`, `around` in words, `exact` to the minute, in UTC."""

    machine: str
    around: str
    exact: str

    @classmethod
    def of(cls, at: datetime, now: datetime, locale: Locale) -> "Moment":
        """The instant as seen from `now`."""
        utc = at.astimezone(UTC)
        exact = f"{utc:%Y-%m-%d %H:%M} UTC"
        return cls(f"{utc:%Y-%m-%dT%H:%M:%SZ}", _around(at - now, locale), exact)


def _around(ahead: timedelta, locale: Locale) -> str:
    """Whole units, and never one day: words that need no plural but that of many days."""
    which, span = ("in", ahead) if ahead > timedelta(0) else ("ago", -ahead)
    if span < timedelta(minutes=1):
        return locale.strings[f"time.{which}.now"]
    if span < _HOUR:
        unit, count = "minutes", span // timedelta(minutes=1)
    elif span < _TWO_DAYS:
        unit, count = "hours", span // _HOUR
    else:
        unit, count = "days", span.days
    return locale.strings[f"time.{which}.{unit}"].format(count=count)
