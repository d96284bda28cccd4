"""What a person tells applications, in JSON: the standard claims by their names (OpenID Connect Core §5.1)."""

from typing import Annotated, Any, ClassVar

from fastapi import APIRouter
from pydantic import Field

from gatepost.principal import Principal
from service import clock
from service.accounts.account import User
from service.accounts.profile import ADDRESS_MEMBERS, MAX_LINES, MAX_TEXT, MAX_URL, PROFILE_CLAIMS
from service.protocol.errors import CredentialNotAllowed
from service.web.rooms import House
from service.web.security import SESSION, Route, is_application, require
from service.web.shapes import Change, Shown

router = APIRouter(prefix="/users/me/profile", tags=["Your account"], route_class=Route)

Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Lines = Annotated[str, Field(min_length=1, max_length=MAX_LINES)]
Url = Annotated[str, Field(min_length=1, max_length=MAX_URL, examples=["https://ada.example.com/"])]
Claims = Annotated[
    dict[str, str | bool | dict[str, str]],
    Field(description="Standard claims by their names.", examples=[{"name": "Ada Lovelace", "locale": "en-GB"}]),
]


class AddressAsked(Change):
    """A postal address (§5.1.1). Null takes a member away."""

    CLEARABLE: ClassVar[frozenset[str]] = frozenset(ADDRESS_MEMBERS)

    formatted: Lines | None = None
    street_address: Lines | None = None
    locality: Text | None = None
    region: Text | None = None
    postal_code: Text | None = None
    country: Text | None = None


class OwnProfileAsked(Change):
    """The claims to put in that are a person's own to make. Null takes one away, what is left out stays."""

    CLEARABLE: ClassVar[frozenset[str]] = frozenset(PROFILE_CLAIMS)

    name: Text | None = None
    given_name: Text | None = None
    family_name: Text | None = None
    middle_name: Text | None = None
    nickname: Text | None = None
    gender: Text | None = None
    profile: Url | None = None
    picture: Url | None = None
    website: Url | None = None
    birthdate: Annotated[Text, Field(examples=["1815-12-10"])] | None = None
    zoneinfo: Annotated[Text, Field(examples=["Europe/London"])] | None = None
    locale: Annotated[Text, Field(examples=["en-GB"])] | None = None
    phone_number: Annotated[Text, Field(examples=["+44 20 7946 0000"])] | None = None
    address: AddressAsked | None = None

    def given(self) -> dict[str, Any]:
        """The members that were sent."""
        return self.model_dump(exclude_unset=True)


class ProfileShown(Shown):
    """The account as its owner sees it."""

    username: str
    email: str | None
    email_verified: bool
    profile: Claims

    @classmethod
    def of(cls, user: User) -> "ProfileShown":
        """The person without anything secret."""
        return cls(
            username=user.username,
            email=user.email,
            email_verified=user.email_verified_at is not None,
            profile=dict(user.profile),
        )


@router.get("", summary="Look at your profile")
async def show_profile(
    house: House, caller: Annotated[Principal, require("account:read", schemes=SESSION)]
) -> ProfileShown:
    """Your account, and what applications are told of you once you let them. They ask at `/userinfo`; here is a 403
    for them."""
    return ProfileShown.of(await house.directory.get(_person(caller)))


@router.patch("", summary="Change your profile")
async def change_profile(
    body: OwnProfileAsked, house: House, caller: Annotated[Principal, require("account:write", schemes=SESSION)]
) -> ProfileShown:
    """Claim by claim; signs nobody out. Your user name, and whether your number is verified, are for an administrator
    to say."""
    return ProfileShown.of(await house.own_profile.change(_person(caller), body.given(), now=clock.now()))


def _person(caller: Principal) -> str:
    """Who calls, when it is the person. Raises `CredentialNotAllowed` for an application in their name."""
    if is_application(caller):
        raise CredentialNotAllowed(detail="an application at the profile")
    return caller.subject
