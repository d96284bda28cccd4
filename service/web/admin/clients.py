"""`/admin/clients`: the applications, what they are registered for, and their secrets."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from fastapi import APIRouter
from pydantic import Field

from gatepost.principal import Principal
from service import clock
from service.clients.client import Client
from service.clients.metadata import ClientMetadata
from service.clients.registry import ClientChange
from service.limits import AS_IT_IS, AsItIs, Rate
from service.web.admin.client_metadata import MetadataAsked, MetadataShown, shown_metadata
from service.web.paging import Cursor, Limit, Search, paged
from service.web.rooms import House
from service.web.security import Route, require
from service.web.shapes import Asked, LeftOut, Name, OwnRate, Page, Scopes, Shown

router = APIRouter(prefix="/admin/clients", tags=["Administration: clients"], route_class=Route)

ClientName = Annotated[Name, Field(examples=["Billing"])]
ClientScopes = Annotated[Scopes, Field(description="All that the client may do.", examples=[["revocations:read"]])]


class ClientAsked(MetadataAsked):
    """A new client. A public one, such as an application on a telephone, cannot keep a secret and gets none.

    Without `grant_types`, people sign in through a client that has a redirect URI, and another calls as itself.
    """

    name: ClientName
    confidential: bool = True
    scopes: ClientScopes = Field(default_factory=list)
    rate: OwnRate | None = None


class ClientChanged(MetadataAsked):
    """What to change about a client. A list replaces the old one as a whole."""

    CLEARABLE: ClassVar[frozenset[str]] = MetadataAsked.CLEARABLE | {"rate"}

    name: LeftOut[ClientName] = None
    scopes: LeftOut[ClientScopes] = None
    disabled: LeftOut[Annotated[bool, Field(description="Nothing is issued to it any more.")]] = None
    rate: OwnRate | None = None

    @property
    def new_rate(self) -> Rate | AsItIs | None:
        """The figure that was sent, None for null."""
        if "rate" not in self.model_fields_set:
            return AS_IT_IS
        return None if self.rate is None else Rate.parse(self.rate)


class SecretRotated(Asked):
    """How many seconds the old secret works on."""

    overlap: Annotated[int, Field(ge=0, le=30 * 86_400, examples=[3_600])] = 0


class SecretKnown(Shown):
    """When a secret was made and until when it works; null without end."""

    created_at: datetime
    expires_at: datetime | None


class ClientKnown(Shown):
    """Who a client is and what it may do."""

    id: str
    name: str
    confidential: bool
    scopes: list[str]
    secrets: list[SecretKnown]
    disabled: bool
    created_at: datetime
    rate: str | None


class ClientShown(MetadataShown, ClientKnown):
    """A client, without its secrets."""

    @classmethod
    def of(cls, client: Client) -> "ClientShown":
        """The client without anything secret."""
        return cls(
            id=client.id,
            name=client.name,
            confidential=client.confidential,
            scopes=sorted(client.scopes),
            secrets=[SecretKnown(created_at=one.created_at, expires_at=one.expires_at) for one in client.secrets],
            disabled=not client.active,
            created_at=client.created_at,
            rate=None if client.rate is None else str(client.rate),
            **shown_metadata(client.metadata),
        )


class NewClientShown(ClientShown):
    """A new client, with its secret for the only time; null for a public one."""

    client_secret: str | None


class NewSecretShown(Shown):
    """The new secret, for the only time."""

    client_secret: str


Reader = Annotated[Principal, require("admin:clients:read")]
Writer = Annotated[Principal, require("admin:clients:write")]


@router.post("", summary="Create a client", status_code=201)
async def create_client(body: ClientAsked, house: House, caller: Writer) -> NewClientShown:
    """The secret is shown now and never again. Scopes can be at most the caller's own; who holds all of Gatepost's
    scopes may grant any."""
    client, secret = await house.clients.create(
        body.name,
        confidential=body.confidential,
        scopes=body.scopes,
        now=clock.now(),
        within=caller.scopes,
        metadata=ClientMetadata.usual(body.given(), confidential=body.confidential),
        rate=None if body.rate is None else Rate.parse(body.rate),
    )
    return NewClientShown(**dict(ClientShown.of(client)), client_secret=secret)


@router.get("", summary="List clients")
async def list_clients(
    house: House, caller: Reader, search: Search = "", cursor: Cursor = "", limit: Limit = 50
) -> Page[ClientShown]:
    """In order of id; with `search`, those whose id or name contains it."""
    return await paged(
        lambda after, most: house.clients.page(search=search, after=after, limit=most),
        ClientShown.of,
        cursor=cursor,
        limit=limit,
    )


@router.get("/{client_id}", summary="Look at a client")
async def show_client(client_id: str, house: House, caller: Reader) -> ClientShown:
    """One client."""
    return ClientShown.of(await house.clients.get(client_id))


@router.patch("/{client_id}", summary="Change or disable a client")
async def change_client(client_id: str, body: ClientChanged, house: House, caller: Writer) -> ClientShown:
    """What was issued to it before is refused everywhere at once, unless `rate` is all that changes, which holds
    everywhere at once too. What is left out stays.

    Nobody changes a client that may do more than he himself, nor raises one above himself.
    """
    change = ClientChange(
        name=body.name, scopes=body.scopes, disabled=body.disabled, rate=body.new_rate, metadata=body.given()
    )
    return ClientShown.of(await house.clients.change(client_id, change, now=clock.now(), within=caller.scopes))


@router.post("/{client_id}/rotate-secret", summary="Give a client a new secret")
async def rotate_client_secret(client_id: str, body: SecretRotated, house: House, caller: Writer) -> NewSecretShown:
    """Shown now and never again. The newest old secret works on for `overlap` seconds, older ones end now."""
    secret = await house.clients.rotate_secret(
        client_id, overlap=timedelta(seconds=body.overlap), now=clock.now(), within=caller.scopes
    )
    return NewSecretShown(client_secret=secret)
