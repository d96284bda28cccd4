"""What answered requests are counted by. It stands in the way of each of them: one look into a dictionary."""

from bisect import bisect_left
from time import perf_counter
from typing import Any

from service.tally import BOUNDS, Spread, Tally

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SIZE = len(BOUNDS) + 2

REQUESTS = Tally("http_requests", "Answered requests", "route", "method", "status")
TOOK = Spread("http_request_duration_seconds", "From a request to its answer, whole", "route")


def known_method(method: str, other: str) -> str:
    """The method, or `other` for one that somebody made up."""
    return method if method in _METHODS else other


class RequestFigures:
    """A `Watch` that counts by route, method and status; a method that somebody made up is `other`."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, str, int], list[float]] = {}

    def answered(self, scope: Any, method: str, route: str, status: int, began: float) -> None:
        """One more."""
        seconds = perf_counter() - began
        spans = self._spans.get((route, method, status))
        if spans is None:
            known = (route, known_method(method, "other"), status)
            spans = self._spans.setdefault(known, [0.0] * _SIZE)
        spans[bisect_left(BOUNDS, seconds)] += 1
        spans[-1] += seconds

    def hand_over(self) -> None:
        """Give what was counted to those who are read."""
        taken, self._spans = self._spans, {}
        for (route, method, status), spans in taken.items():
            REQUESTS.add(route, method, str(status), times=int(sum(spans[:-1])))
            TOOK.merge(spans, route)
