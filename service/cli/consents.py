"""`gatepost consents`: what people have allowed applications to do."""

from typing import TYPE_CHECKING, Annotated

import typer

from service import clock
from service.cli.house import in_house
from service.cli.output import Json, collect, print_many, print_one

if TYPE_CHECKING:
    from service.app import House
    from service.web.consents import ConsentShown

app = typer.Typer(name="consents", help="What people allow applications.", no_args_is_help=True)
Owner = Annotated[str, typer.Option("--user", help="Whose: user name, e-mail address or id.")]
COLUMNS = ("client_id", "client_name", "scopes", "audience", "granted_at", "updated_at")


@app.command("list")
def list_(user: Owner, as_json: Json = False) -> None:
    """List what a person has allowed applications to do."""

    async def work(house: "House") -> "list[ConsentShown]":
        from service.web.consents import shown_page

        owner = await house.rooms.directory.get_named(user)
        return await collect(lambda after, limit: shown_page(house.rooms, owner.id, after, limit), lambda shown: shown)

    print_many(in_house(work), COLUMNS, as_json=as_json)


@app.command("withdraw")
def withdraw(
    client_id: Annotated[str, typer.Argument(metavar="CLIENT_ID")], user: Owner, as_json: Json = False
) -> None:
    """Forget a consent, and end all that the application was given on it. Prints what had been allowed."""

    async def work(house: "House") -> "ConsentShown":
        from service.web.consents import ConsentShown

        rooms, now = house.rooms, clock.now()
        owner, client = await rooms.directory.get_named(user), await rooms.client_directory.find(client_id)
        why = "consent withdrawn by an administrator"
        withdrawn = await rooms.consents.withdraw(owner.id, client_id, now, why=why)
        return ConsentShown.of(withdrawn, None if client is None else client.name)

    print_one(in_house(work), as_json=as_json)
