"""`gatepost identity-providers`: the services that people sign in with."""

from typing import TYPE_CHECKING, Annotated

import typer

from service import clock
from service.cli.ask import secret
from service.cli.house import in_house
from service.cli.output import Json, print_many, print_one

if TYPE_CHECKING:
    from service.app import House
    from service.federation import ProviderChange
    from service.web.admin.identity_providers import IdentityProviderShown

app = typer.Typer(name="identity-providers", help="Services that people sign in with.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is called in addresses.")]
COLUMNS = ("name", "kind", "issuer", "label", "client_id", "trust_email", "disabled", "from_settings")


@app.command("add")
def add(
    name: Name,
    kind: Annotated[str, typer.Option(help="oidc, google, github or facebook.")],
    client_id: Annotated[str, typer.Option(help="What the provider calls us.")],
    issuer: Annotated[str, typer.Option(help="Its identifier, exactly; needed for oidc.")] = "",
    label: Annotated[str, typer.Option(help="What its button says.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="A scope to ask for; may be repeated.")] = None,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the client secret from standard input instead of asking.")
    ] = False,
    public: Annotated[bool, typer.Option("--public", help="The provider has given out no client secret.")] = False,
    distrust_email: Annotated[
        bool, typer.Option("--distrust-email", help="Its word that an e-mail address is verified does not count.")
    ] = False,
    keep_tokens: Annotated[
        bool, typer.Option("--keep-tokens", help="Keep its tokens, sealed, after a sign-in.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add a provider. It is offered within a second. Its client secret is asked for, and never shown."""
    client_secret = "" if public else secret("Client secret", from_stdin=secret_stdin, option="--secret-stdin")

    async def work(house: "House") -> "IdentityProviderShown":
        from service.federation import ProviderConfig
        from service.web.admin.identity_providers import IdentityProviderShown

        config = ProviderConfig(
            name=name,
            kind=kind,
            client_id=client_id,
            client_secret=client_secret,
            issuer=issuer,
            label=label,
            scopes=tuple(scope or ()),
            trusts_email=not distrust_email,
            keeps_tokens=keep_tokens,
        )
        added = await house.rooms.identity_providers.add(config, now=clock.now())
        return IdentityProviderShown.of(added)

    print_one(in_house(work), as_json=as_json)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List providers, those of the settings first."""

    async def work(house: "House") -> "list[IdentityProviderShown]":
        from service.web.admin.identity_providers import IdentityProviderShown

        registry = house.rooms.identity_providers
        preset = [IdentityProviderShown.preset(config) for config in registry.preset]
        return [*preset, *map(IdentityProviderShown.of, await registry.all())]

    print_many(in_house(work), COLUMNS, as_json=as_json)


@app.command("disable")
def disable(name: Name, as_json: Json = False) -> None:
    """Offer a provider no longer."""
    from service.federation import ProviderChange

    _change(name, ProviderChange(disabled=True), as_json=as_json)


@app.command("enable")
def enable(name: Name, as_json: Json = False) -> None:
    """Offer a provider again."""
    from service.federation import ProviderChange

    _change(name, ProviderChange(disabled=False), as_json=as_json)


@app.command("remove")
def remove(name: Name, as_json: Json = False) -> None:
    """Forget a provider, and print what it was. Accounts stay, and are linked to it again should it come back."""

    async def work(house: "House") -> "IdentityProviderShown":
        from service.web.admin.identity_providers import IdentityProviderShown

        removed = await house.rooms.identity_providers.get(name)
        await house.rooms.identity_providers.remove(name, now=clock.now())
        return IdentityProviderShown.of(removed)

    print_one(in_house(work), as_json=as_json)


def _change(name: str, change: "ProviderChange", *, as_json: bool) -> None:
    async def work(house: "House") -> "IdentityProviderShown":
        from service.web.admin.identity_providers import IdentityProviderShown

        return IdentityProviderShown.of(await house.rooms.identity_providers.change(name, change, now=clock.now()))

    print_one(in_house(work), as_json=as_json)
