"""`gatepost clients`: applications, what they are registered for, their secrets."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service import clock
from service.cli.client_options import with_metadata
from service.cli.house import in_house
from service.cli.output import Json, collect, print_many, print_one
from service.cli.rates import Figure, rate_of
from service.cli.spans import span

if TYPE_CHECKING:
    from service.app import House
    from service.clients.registry import ClientChange
    from service.web.admin.clients import ClientShown, NewClientShown, NewSecretShown

app = typer.Typer(name="clients", help="Applications: registration, secrets, scopes.", no_args_is_help=True)
ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID")]
COLUMNS = ("id", "name", "confidential", "scopes", "disabled", "created_at", "rate")


@app.command("create")
@with_metadata
def create(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    metadata: dict[str, Any],
    scope: Annotated[list[str] | None, typer.Option(help="A scope; may be repeated.")] = None,
    public: Annotated[bool, typer.Option("--public", help="It cannot keep a secret and gets none.")] = False,
    rate: Figure = None,
    as_json: Json = False,
) -> None:
    """Add a client. Its secret is shown now and never again.

    Without --grant, people sign in through a client that has a redirect URI, and another calls as itself.
    """

    async def work(house: "House") -> "NewClientShown":
        from service.clients.metadata import ClientMetadata
        from service.web.admin.clients import ClientShown, NewClientShown

        client, secret = await house.rooms.clients.create(
            name,
            confidential=not public,
            scopes=scope or (),
            now=clock.now(),
            metadata=ClientMetadata.usual(metadata, confidential=not public),
            rate=rate_of(rate),
        )
        return NewClientShown(**dict(ClientShown.of(client)), client_secret=secret)

    print_one(in_house(work), as_json=as_json)


@app.command("show")
def show(client_id: ClientId, as_json: Json = False) -> None:
    """Look at a client."""

    async def work(house: "House") -> "ClientShown":
        from service.web.admin.clients import ClientShown

        return ClientShown.of(await house.rooms.clients.get(client_id))

    print_one(in_house(work), as_json=as_json)


@app.command("change")
@with_metadata
def change(
    client_id: ClientId,
    metadata: dict[str, Any],
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help='All its scopes; may be repeated, "" for none.')] = None,
    rate: Figure = None,
    as_json: Json = False,
) -> None:
    """Change a client. What is left out stays; a list replaces the old one as a whole."""
    from service.clients.registry import ClientChange
    from service.limits import AS_IT_IS

    scopes = None if scope is None else [one for one in scope if one]
    figure = AS_IT_IS if rate is None else rate_of(rate)
    _change(client_id, ClientChange(name=name, scopes=scopes, rate=figure, metadata=metadata), as_json=as_json)


@app.command("list")
def list_(search: Annotated[str, typer.Option(help="Part of an id or name.")] = "", as_json: Json = False) -> None:
    """List clients."""

    async def work(house: "House") -> "list[ClientShown]":
        from service.web.admin.clients import ClientShown

        registry = house.rooms.clients
        return await collect(
            lambda after, limit: registry.page(search=search, after=after, limit=limit), ClientShown.of
        )

    print_many(in_house(work), COLUMNS, as_json=as_json)


@app.command("rotate-secret")
def rotate_secret(
    client_id: ClientId,
    overlap: Annotated[
        timedelta, typer.Option(parser=span, metavar="SPAN", help="How long the old secret works on, 30d at most.")
    ] = "0s",  # type: ignore[assignment]  # read by `parser`
    as_json: Json = False,
) -> None:
    """Give a client a new secret, shown now and never again."""

    async def work(house: "House") -> "NewSecretShown":
        from service.web.admin.clients import NewSecretShown

        secret = await house.rooms.clients.rotate_secret(client_id, overlap=overlap, now=clock.now())
        return NewSecretShown(client_secret=secret)

    print_one(in_house(work), as_json=as_json)


@app.command("disable")
def disable(client_id: ClientId, as_json: Json = False) -> None:
    """Refuse a client and all that was issued to it."""
    from service.clients.registry import ClientChange

    _change(client_id, ClientChange(disabled=True), as_json=as_json)


@app.command("enable")
def enable(client_id: ClientId, as_json: Json = False) -> None:
    """Take a client's credentials again."""
    from service.clients.registry import ClientChange

    _change(client_id, ClientChange(disabled=False), as_json=as_json)


def _change(client_id: str, change: "ClientChange", *, as_json: bool) -> None:
    async def work(house: "House") -> "ClientShown":
        from service.web.admin.clients import ClientShown

        return ClientShown.of(await house.rooms.clients.change(client_id, change, now=clock.now()))

    print_one(in_house(work), as_json=as_json)
