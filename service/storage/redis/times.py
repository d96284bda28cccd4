"""Instants and spans as Redis scripts count them: whole microseconds, exact up to the year 2255."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST = 2**53 - 1


def to_micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The inverse. Raises `OverflowError` past the year 9999."""
    return _EPOCH + timedelta(microseconds=micros)


def for_script(at: datetime) -> int:
    """Microseconds since 1970 in the range that a script counts exactly; what lies beyond is as good as for ever."""
    return min(max(to_micros(at), 0), _LARGEST)


@lru_cache
def span_for_script(span: timedelta) -> int:
    """Microseconds of a span, as above."""
    return min(max(span // _MICROSECOND, 0), _LARGEST)
