"""Lists with opaque cursors: the same for every resource."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Protocol, TypeVar

from fastapi import Query

from service.protocol.errors import Invalid
from service.web.shapes import Page

_VERSION = b"1:"
_LONGEST = 350
Cursor = Annotated[str, Query(max_length=512, description="The `next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items in one page.")]
Search = Annotated[str, Query(max_length=100, description="Part of a name.")]


class HasId(Protocol):
    """Anything that is listed in order of its id."""

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=HasId)
S = TypeVar("S")


async def paged(
    fetch: Callable[[str, int], Awaitable[Sequence[R]]], show: Callable[[R], S], *, cursor: str, limit: int
) -> Page[S]:
    """One page: asks for one more than is shown, to know whether there is another. Raises `Invalid` for `cursor`."""
    found = await fetch(_after(cursor), limit + 1)
    more = len(found) > limit
    return Page(items=[show(row) for row in found[:limit]], next=_cursor(found[limit - 1].id) if more else None)


def _cursor(last_id: str) -> str:
    return urlsafe_b64encode(_VERSION + last_id.encode()).rstrip(b"=").decode()


def _after(cursor: str) -> str:
    if not cursor:
        return ""
    try:
        raw = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        text = raw.removeprefix(_VERSION).decode()
    except ValueError:
        raise Invalid("cursor", "This is not a cursor of ours.") from None
    if not raw.startswith(_VERSION) or not text.isprintable() or len(text) > _LONGEST:
        raise Invalid("cursor", "This is not a cursor of ours.")
    return text
