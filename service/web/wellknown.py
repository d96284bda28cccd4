"""What other services read: the public keys, and the feed of revocations."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from gatepost.principal import Principal
from service.protocol.errors import Invalid
from service.web.refusals import CursorAhead
from service.web.rooms import House
from service.web.security import Route, public, require
from service.web.shapes import Shown

router = APIRouter(tags=["For services"], route_class=Route)
_PAGE = 1_000
_LARGEST = 2**63 - 1


class RevocationShown(Shown):
    """One revocation. `until` is a NumericDate after which it no longer matters; `epoch` is 0 but for epochs."""

    kind: str
    subject: str
    until: int
    epoch: int


class Feed(Shown):
    """A piece of the feed; ask again with `after=cursor`, at once when there is `more`."""

    entries: list[RevocationShown]
    cursor: str
    more: bool


@router.get("/.well-known/jwks.json", summary="Public signing keys", dependencies=[public])
async def jwks(response: Response, house: House) -> dict[str, Any]:
    """The JWK Set (RFC 7517 §5) that access tokens verify with. Answers from memory, also while stores are away."""
    response.headers["Cache-Control"] = "public, max-age=300"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return house.keyring.jwks()


@router.get("/auth/revocations", summary="Follow revocations")
async def revocations(
    house: House,
    caller: Annotated[Principal, require("revocations:read")],
    after: Annotated[str, Query(max_length=64, description="The `cursor` of the answer before.")] = "",
) -> Feed:
    """Everything revoked that still matters; from a cursor on, what was revoked since.

    Entries may come more than once: rows become visible out of the order of their numbers, so what is younger than
    every transaction that may still be open is told again. A cursor that the ledger has not reached is a 410: the
    ledger was put back to an older state, and is to be followed anew.
    """
    again_from, number = _parse_cursor(after)
    settled = house.feed.settled()
    found = await house.revocations.after(number, limit=_PAGE)
    if not found and max(again_from, number) > await house.revocations.highest():
        raise CursorAhead(detail=f"cursor {again_from}:{number}")
    if number == again_from:
        again_from = max(again_from, settled)
    more = len(found) == _PAGE
    return Feed(
        entries=[
            RevocationShown(
                kind=item.entry.revocation.kind,
                subject=item.entry.revocation.subject,
                until=int(item.entry.revocation.until.timestamp()),
                epoch=item.entry.revocation.epoch,
            )
            for item in found
        ],
        cursor=_cursor(again_from, found[-1].number if more else again_from),
        more=more,
    )


def _cursor(again_from: int, number: int) -> str:
    """Where the next reading begins, and where this one, which may take several answers, has come to."""
    return urlsafe_b64encode(f"{again_from}:{number}".encode()).rstrip(b"=").decode()


def _parse_cursor(cursor: str) -> tuple[int, int]:
    if not cursor:
        return 0, 0
    try:
        again_from, number = map(int, urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).split(b":"))
    except ValueError:
        raise Invalid("after", "This is not a cursor of ours.") from None
    if not (0 <= again_from <= _LARGEST and 0 <= number <= _LARGEST):
        raise Invalid("after", "This is not a cursor of ours.")
    return again_from, number
