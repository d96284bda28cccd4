"""What a person tells applications, in JSON: the standard claims by their names (OpenID Connect Core §5.1)."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from service.accounts.profile import ADDRESS_MEMBERS, MAX_LINES, MAX_TEXT, MAX_URL, PROFILE_CLAIMS
from service.web.shapes import Change

Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Lines = Annotated[str, Field(min_length=1, max_length=MAX_LINES)]
Url = Annotated[str, Field(min_length=1, max_length=MAX_URL, examples=["https://ada.example.com/"])]
ProfileShown = Annotated[
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


class ProfileAsked(Change):
    """The standard claims to put in. Null takes one away, what is left out stays."""

    CLEARABLE: ClassVar[frozenset[str]] = frozenset(PROFILE_CLAIMS)

    name: Text | None = None
    given_name: Text | None = None
    family_name: Text | None = None
    middle_name: Text | None = None
    nickname: Text | None = None
    preferred_username: Text | None = None
    gender: Text | None = None
    profile: Url | None = None
    picture: Url | None = None
    website: Url | None = None
    birthdate: Annotated[Text, Field(examples=["1815-12-10"])] | None = None
    zoneinfo: Annotated[Text, Field(examples=["Europe/London"])] | None = None
    locale: Annotated[Text, Field(examples=["en-GB"])] | None = None
    phone_number: Annotated[Text, Field(examples=["+44 20 7946 0000"])] | None = None
    phone_number_verified: bool | None = None
    address: AddressAsked | None = None

    def given(self) -> dict[str, Any]:
        """The members that were sent."""
        return self.model_dump(exclude_unset=True)
