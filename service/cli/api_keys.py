"""`gatepost api-keys`: people's API keys."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from service import clock
from service.cli.house import in_house
from service.cli.output import Json, collect, print_many, print_one
from service.cli.rates import Figure, SomeFigure, rate_of
from service.cli.spans import span

if TYPE_CHECKING:
    from service.app import House
    from service.web.api_keys import KeyShown, NewKeyShown, NewTextShown

app = typer.Typer(name="api-keys", help="API keys of people.", no_args_is_help=True)
Owner = Annotated[str, typer.Option("--user", help="Whose: user name, e-mail address or id.")]
KeyId = Annotated[str, typer.Argument(metavar="KEY_ID")]
COLUMNS = ("id", "name", "hint", "scopes", "networks", "created_at", "expires_at", "last_used_at", "rate")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    user: Owner,
    scope: Annotated[list[str] | None, typer.Option(help="A scope that the owner has; may be repeated.")] = None,
    network: Annotated[list[str] | None, typer.Option(help="Where it works from; anywhere without.")] = None,
    expires_in: Annotated[
        timedelta | None, typer.Option(parser=span, metavar="SPAN", help="Its life; the configured one without.")
    ] = None,
    rate: Figure = None,
    as_json: Json = False,
) -> None:
    """Make a key. Its text is shown now and never again."""

    async def work(house: "House") -> "NewKeyShown":
        from service.web.api_keys import KeyShown, NewKeyShown

        owner = await house.rooms.directory.get_named(user)
        scopes = frozenset(scope or ())
        made = await house.rooms.api_keys.create(
            owner.id,
            name,
            scopes=scopes,
            within=scopes,
            networks=network or (),
            life=expires_in,
            now=clock.now(),
            rate=rate_of(rate),
        )
        return NewKeyShown(**dict(KeyShown.of(made.key)), api_key=made.text)

    print_one(in_house(work), as_json=as_json)


@app.command("list")
def list_(user: Owner, as_json: Json = False) -> None:
    """List a person's keys that are not revoked, oldest first."""

    async def work(house: "House") -> "list[KeyShown]":
        from service.web.api_keys import KeyShown

        owner = await house.rooms.directory.get_named(user)
        keys = house.rooms.api_keys
        return await collect(lambda after, limit: keys.page(owner.id, after=after, limit=limit), KeyShown.of)

    print_many(in_house(work), COLUMNS, as_json=as_json)


@app.command("change")
def change(key_id: KeyId, rate: SomeFigure, as_json: Json = False) -> None:
    """Say how much may be asked with a key. Holds everywhere at once."""

    async def work(house: "House") -> "KeyShown":
        from service.web.api_keys import KeyShown

        keys = house.rooms.api_keys
        key = await keys.get(key_id)
        await keys.set_rate(key.id, rate_of(rate), user_id=key.user_id, now=clock.now())
        return KeyShown.of(await keys.get(key_id))

    print_one(in_house(work), as_json=as_json)


@app.command("rotate")
def rotate(
    key_id: KeyId,
    overlap: Annotated[
        timedelta, typer.Option(parser=span, metavar="SPAN", help="How long the old text works on, 30d at most.")
    ] = "0s",  # type: ignore[assignment]  # read by `parser`
    as_json: Json = False,
) -> None:
    """Give a key a new text, shown now and never again."""

    async def work(house: "House") -> "NewTextShown":
        from service.web.api_keys import NewTextShown

        keys = house.rooms.api_keys
        key = await keys.get(key_id)
        text = await keys.rotate(key.id, user_id=key.user_id, overlap=overlap, now=clock.now())
        return NewTextShown(api_key=text)

    print_one(in_house(work), as_json=as_json)


@app.command("revoke")
def revoke(key_id: KeyId, as_json: Json = False) -> None:
    """Refuse a key everywhere at once. Prints which it was."""

    async def work(house: "House") -> "KeyShown":
        from service.web.api_keys import KeyShown

        keys = house.rooms.api_keys
        key = await keys.get(key_id)
        await keys.revoke(key.id, user_id=key.user_id, now=clock.now())
        return KeyShown.of(key)

    print_one(in_house(work), as_json=as_json)
