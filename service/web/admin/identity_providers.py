"""`/admin/identity-providers`: the services that people sign in with."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from gatepost.principal import Principal
from service import clock
from service.federation import ProviderChange, ProviderConfig
from service.federation.directory import StoredProvider
from service.federation.kinds import KINDS
from service.web.rooms import House
from service.web.security import Route, require
from service.web.shapes import Asked, Change, LeftOut, Page, Scopes, Shown

router = APIRouter(prefix="/admin/identity-providers", tags=["Administration: identity providers"], route_class=Route)

ProviderName = Annotated[
    str, Field(min_length=1, max_length=32, description="What it is called in addresses.", examples=["github"])
]
Kind = Annotated[str, Field(min_length=1, max_length=32, examples=[*KINDS])]
Text = Annotated[str, Field(max_length=1_024)]
Issuer = Annotated[
    str,
    Field(
        max_length=1_024,
        description="Its identifier, exactly; for `github` and `facebook` the place of another installation.",
        examples=["https://id.example.com"],
    ),
]
Label = Annotated[str, Field(max_length=64, description="What its button says.", examples=["GitHub"])]
Trusts = Annotated[bool, Field(description="Whether its word that an e-mail address is verified counts here.")]
Keeps = Annotated[bool, Field(description="Whether its tokens are kept, sealed, after a sign-in.")]


class IdentityProviderAsked(Asked):
    """A new provider. What is left out is as usual for its kind."""

    name: ProviderName
    kind: Kind
    client_id: Text
    client_secret: Text = ""
    issuer: Issuer = ""
    label: Label = ""
    scopes: Scopes = Field(default_factory=list)
    trust_email: Trusts = True
    keep_tokens: Keeps = False

    def config(self) -> ProviderConfig:
        """What is asked for."""
        return ProviderConfig(
            name=self.name,
            kind=self.kind,
            client_id=self.client_id,
            client_secret=self.client_secret,
            issuer=self.issuer,
            label=self.label,
            scopes=tuple(self.scopes),
            trusts_email=self.trust_email,
            keeps_tokens=self.keep_tokens,
        )


class IdentityProviderChanged(Change):
    """What to change about a provider. A list replaces the old one as a whole."""

    client_id: LeftOut[Text] = None
    client_secret: LeftOut[Text] = None
    label: LeftOut[Label] = None
    scopes: LeftOut[Scopes] = None
    trust_email: LeftOut[Trusts] = None
    keep_tokens: LeftOut[Keeps] = None
    disabled: LeftOut[Annotated[bool, Field(description="Nobody signs in with it any more.")]] = None


class IdentityProviderShown(Shown):
    """A provider without its secret. One of the settings has no `created_at`, and cannot be changed here."""

    name: str
    kind: str
    issuer: str
    label: str
    client_id: str
    scopes: list[str]
    trust_email: bool
    keep_tokens: bool
    disabled: bool
    from_settings: bool
    created_at: datetime | None

    @classmethod
    def of(cls, stored: StoredProvider) -> "IdentityProviderShown":
        """One of the ledger."""
        return cls._of(stored.config, disabled=stored.disabled_at is not None, created_at=stored.created_at)

    @classmethod
    def preset(cls, config: ProviderConfig) -> "IdentityProviderShown":
        """One of the settings."""
        return cls._of(config, disabled=False, created_at=None)

    @classmethod
    def _of(cls, config: ProviderConfig, *, disabled: bool, created_at: datetime | None) -> "IdentityProviderShown":
        return cls(
            name=config.name,
            kind=config.kind,
            issuer=config.issuer,
            label=config.label,
            client_id=config.client_id,
            scopes=list(config.scopes),
            trust_email=config.trusts_email,
            keep_tokens=config.keeps_tokens,
            disabled=disabled,
            from_settings=created_at is None,
            created_at=created_at,
        )


Reader = Annotated[Principal, require("admin:identity-providers:read")]
Writer = Annotated[Principal, require("admin:identity-providers:write")]


@router.post("", summary="Add an identity provider", status_code=201, responses={409: {}})
async def add_identity_provider(body: IdentityProviderAsked, house: House, caller: Writer) -> IdentityProviderShown:
    """It is offered within a second, by every worker. One whose word about addresses counts says who people are: only
    who holds all of Gatepost's scopes may add it."""
    added = await house.identity_providers.add(body.config(), now=clock.now(), within=caller.scopes)
    return IdentityProviderShown.of(added)


@router.get("", summary="List identity providers")
async def list_identity_providers(house: House, caller: Reader) -> Page[IdentityProviderShown]:
    """All of them in one page, those of the settings first."""
    registry = house.identity_providers
    preset = [IdentityProviderShown.preset(config) for config in registry.preset]
    return Page(items=[*preset, *map(IdentityProviderShown.of, await registry.all())])


@router.get("/{name}", summary="Look at an identity provider")
async def show_identity_provider(name: str, house: House, caller: Reader) -> IdentityProviderShown:
    """One that an administrator has added."""
    return IdentityProviderShown.of(await house.identity_providers.get(name))


@router.patch("/{name}", summary="Change or disable an identity provider")
async def change_identity_provider(
    name: str, body: IdentityProviderChanged, house: House, caller: Writer
) -> IdentityProviderShown:
    """What is left out stays. Kind and issuer never change: another issuer is another provider."""
    change = ProviderChange(
        client_id=body.client_id,
        client_secret=body.client_secret,
        label=body.label,
        scopes=None if body.scopes is None else tuple(body.scopes),
        trusts_email=body.trust_email,
        keeps_tokens=body.keep_tokens,
        disabled=body.disabled,
    )
    changed = await house.identity_providers.change(name, change, now=clock.now(), within=caller.scopes)
    return IdentityProviderShown.of(changed)


@router.delete("/{name}", summary="Remove an identity provider", status_code=204)
async def remove_identity_provider(name: str, house: House, caller: Writer) -> None:
    """Nobody signs in with it any more. Accounts stay, and are linked to it again should it come back."""
    await house.identity_providers.remove(name, now=clock.now(), within=caller.scopes)
