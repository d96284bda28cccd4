"""The caller's own API keys. A key can make no keys: these routes take a signed-in person only."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from gatepost.principal import Principal
from service import clock
from service.api_keys.key import ApiKey
from service.web.paging import Cursor, Limit, paged
from service.web.rooms import House
from service.web.security import SESSION, Route, require
from service.web.shapes import Asked, Name, Page, Scopes, Shown

router = APIRouter(prefix="/users/me/api-keys", tags=["Your API keys"], route_class=Route)
Seconds = Annotated[int, Field(ge=0, le=10 * 365 * 86_400)]


class KeyAsked(Asked):
    """What the new key may do, from where and how long. `expires_in` counts seconds. No scopes means none."""

    name: Name
    scopes: Scopes = Field(default_factory=list)
    networks: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=32)] = Field(default_factory=list)
    expires_in: Annotated[int, Field(ge=1, le=10 * 365 * 86_400)] | None = None


class NameAsked(Asked):
    """A new name."""

    name: Name


class OverlapAsked(Asked):
    """How many seconds the old text works on."""

    overlap: Seconds = 0


class KeyShown(Shown):
    """A key without its secret; `hint` is the end of its text."""

    id: str
    name: str
    hint: str
    scopes: list[str]
    networks: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    previous_works_until: datetime | None
    rate: str | None

    @classmethod
    def of(cls, key: ApiKey) -> "KeyShown":
        """The key without anything secret."""
        return cls(
            id=key.id,
            name=key.name,
            hint=key.hint,
            scopes=sorted(key.scopes),
            networks=list(key.networks),
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            previous_works_until=key.previous_until,
            rate=None if key.rate is None else str(key.rate),
        )


class NewKeyShown(KeyShown):
    """A new key, with its text for the only time."""

    api_key: str


class NewTextShown(Shown):
    """The new text of a key, for the only time."""

    api_key: str


Reader = Annotated[Principal, require("account:read", schemes=SESSION)]
Owner = Annotated[Principal, require("account:write", schemes=SESSION)]


@router.get("", summary="List your API keys")
async def list_keys(house: House, caller: Reader, cursor: Cursor = "", limit: Limit = 50) -> Page[KeyShown]:
    """Your keys that are not revoked, oldest first."""
    return await paged(
        lambda after, most: house.api_keys.page(caller.subject, after=after, limit=most),
        KeyShown.of,
        cursor=cursor,
        limit=limit,
    )


@router.post("", summary="Make an API key", status_code=201, responses={409: {}})
async def make_key(body: KeyAsked, house: House, caller: Owner) -> NewKeyShown:
    """The text is shown now and never again. A key can have only scopes that the asking credential has."""
    made = await house.api_keys.create(
        caller.subject,
        body.name,
        scopes=body.scopes,
        within=caller.scopes,
        networks=body.networks,
        life=None if body.expires_in is None else timedelta(seconds=body.expires_in),
        now=clock.now(),
    )
    return NewKeyShown(**KeyShown.of(made.key).model_dump(), api_key=made.text)


@router.patch("/{key_id}", summary="Rename an API key", status_code=204)
async def rename_key(key_id: str, body: NameAsked, house: House, caller: Owner) -> None:
    """Only the name changes."""
    await house.api_keys.rename(key_id, body.name, user_id=caller.subject, now=clock.now())


@router.post("/{key_id}/rotate", summary="Give an API key a new text")
async def rotate_key(key_id: str, body: OverlapAsked, house: House, caller: Owner) -> NewTextShown:
    """The old text works on for `overlap` seconds, so that it can be replaced without an outage."""
    text = await house.api_keys.rotate(
        key_id, user_id=caller.subject, overlap=timedelta(seconds=body.overlap), now=clock.now()
    )
    return NewTextShown(api_key=text)


@router.delete("/{key_id}", summary="Revoke an API key", status_code=204)
async def revoke_key(key_id: str, house: House, caller: Owner) -> None:
    """Every worker refuses it at once."""
    await house.api_keys.revoke(key_id, user_id=caller.subject, now=clock.now())
