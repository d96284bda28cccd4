"""How a request ended, in five words."""

from enum import StrEnum


class Outcome(StrEnum):
    """What the caller got, by the status of the answer."""

    OK = "ok"
    """Below 400: what was asked for, or the way to it."""

    REFUSED = "refused"
    """401 and 403: no credential, a bad one, or one that may not."""

    LIMITED = "limited"
    """429: too many."""

    INVALID = "invalid"
    """Any other of 4xx: the request cannot be served as it is."""

    FAILED = "failed"
    """5xx: our side."""


def outcome_of(status: int) -> Outcome:
    """The outcome of an answer with this status."""
    if status < 400:
        return Outcome.OK
    if status in (401, 403):
        return Outcome.REFUSED
    if status == 429:
        return Outcome.LIMITED
    return Outcome.INVALID if status < 500 else Outcome.FAILED


OUTCOMES = tuple(outcome_of(status).value for status in range(1_000))
"""The same as plain text, by the status: looked up for every request."""
