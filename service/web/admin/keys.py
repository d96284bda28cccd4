"""`/admin/keys`: the keys that access tokens are signed with."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from gatepost.principal import Principal
from service import clock
from service.keys.signing_key import SigningKey
from service.web.rooms import House
from service.web.security import Route, require
from service.web.shapes import Asked, Page, Shown

router = APIRouter(prefix="/admin/keys", tags=["Administration: signing keys"], route_class=Route)


class RotationAsked(Asked):
    """Which algorithm gets a new key, and whether it signs at once instead of being published first."""

    algorithm: Annotated[str, Field(min_length=1, max_length=16, examples=["ES256"])]
    at_once: Annotated[bool, Field(description="Verifiers may not have the new key yet: for emergencies.")] = False


class SigningKeyShown(Shown):
    """A signing key without its private part. It is published from `created_at` and signs from `signs_from`; null for
    an end means that it is open."""

    kid: str
    algorithm: str
    signs: bool
    verifies: bool
    created_at: datetime
    signs_from: datetime
    signs_until: datetime | None
    verifies_until: datetime | None
    compromised_at: datetime | None

    @classmethod
    def of(cls, key: SigningKey, *, now: datetime) -> "SigningKeyShown":
        """The key as it stands at `now`."""
        return cls(
            kid=key.kid,
            algorithm=key.algorithm,
            signs=key.signs(now),
            verifies=key.verifies(now),
            created_at=key.created_at,
            signs_from=key.signs_from,
            signs_until=key.signs_until,
            verifies_until=key.verifies_until,
            compromised_at=key.compromised_at,
        )


Reader = Annotated[Principal, require("admin:keys:read")]
Writer = Annotated[Principal, require("admin:keys:write")]


@router.get("", summary="List signing keys")
async def list_signing_keys(house: House, caller: Reader) -> Page[SigningKeyShown]:
    """All that are kept, oldest first, in one page."""
    now = clock.now()
    return Page(items=[SigningKeyShown.of(key, now=now) for key in await house.keyring.listed()])


@router.post("/rotate", summary="Rotate signing keys", status_code=201)
async def rotate_signing_key(body: RotationAsked, house: House, caller: Writer) -> SigningKeyShown:
    """Makes the successor of an algorithm's key. Tokens of the old one stay good until they expire."""
    now = clock.now()
    return SigningKeyShown.of(await house.keyring.rotate(body.algorithm, now=now, at_once=body.at_once), now=now)


@router.post("/{kid}/retire", summary="Retire a compromised signing key")
async def retire_signing_key(kid: str, house: House, caller: Writer) -> SigningKeyShown:
    """Every token that it has signed is refused at once, the caller's own too if it is one. Answers with the key that
    signs now."""
    now = clock.now()
    return SigningKeyShown.of(await house.keyring.retire_compromised(kid, now=now), now=now)
