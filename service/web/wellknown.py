"""What other services read: the public keys, and the feed of revocations."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from gatepost.principal import Principal
from service.protocol.errors import Invalid
from service.web.rooms import House
from service.web.security import Route, public, require
from service.web.shapes import Shown

router = APIRouter(tags=["For services"], route_class=Route)
_PAGE = 1_000
_LARGEST = 2**63 - 1
_OVERLAP = 100
"""How many numbers an answer goes back: more transactions than are ever in flight at once."""


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

    Entries may come more than once: rows become visible out of the order of their numbers, so each answer goes back a
    little behind the cursor.
    """
    number = _number(after)
    found = await house.revocations.after(max(0, number - _OVERLAP), limit=_PAGE)
    newest = max((item.number for item in found), default=number)
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
        cursor=_cursor(max(number, newest)),
        more=len(found) == _PAGE,
    )


def _cursor(number: int) -> str:
    return urlsafe_b64encode(str(number).encode()).rstrip(b"=").decode()


def _number(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        number = int(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode("ascii"))
    except ValueError:
        raise Invalid("after", "This is not a cursor of ours.") from None
    if not 0 <= number <= _LARGEST:
        raise Invalid("after", "This is not a cursor of ours.")
    return number
