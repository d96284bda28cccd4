"""The occasion of an act: the request it came with, from where, and who was found to be calling.

It travels beside the call, as the request id of the log does: no room has to hand it on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from service.audit.event import NOBODY, SYSTEM, Actor


@dataclass(slots=True)
class Occasion:
    """One request, or one command. `source` gives address and user agent; asked only when there is an act."""

    request_id: str = ""
    source: Callable[[], tuple[str, str]] = lambda: ("", "")
    actor: Actor = NOBODY


_SYSTEM = Occasion(actor=SYSTEM)
_OCCASION: ContextVar[Occasion | None] = ContextVar("occasion", default=None)


def begin_occasion(of: Occasion) -> None:
    """What the present task does from now on, it does on this occasion."""
    _OCCASION.set(of)


@contextmanager
def occasion(of: Occasion) -> Iterator[Occasion]:
    """What happens inside, tasks that it starts included, happens on this occasion."""
    held = _OCCASION.set(of)
    try:
        yield of
    finally:
        _OCCASION.reset(held)


def caller_is(actor: Actor) -> None:
    """Who is calling has been found out."""
    present = _OCCASION.get()
    if present is not None:
        present.actor = actor


def present_occasion() -> Occasion:
    """The present one; the service itself, where there is none."""
    return _OCCASION.get() or _SYSTEM
