"""`gatepost sessions`: sign-ins."""

from typing import TYPE_CHECKING, Annotated

import typer

from service import clock
from service.cli.house import in_house
from service.cli.output import Json, collect, print_many, print_one

if TYPE_CHECKING:
    from service.app import House
    from service.web.admin.users import UserSessionShown

app = typer.Typer(name="sessions", help="Sign-ins: one on each device.", no_args_is_help=True)
Owner = Annotated[str, typer.Option("--user", help="Whose: user name, e-mail address or id.")]
COLUMNS = ("id", "client_id", "address", "user_agent", "created_at", "last_used_at", "ends_at")


@app.command("list")
def list_(user: Owner, as_json: Json = False) -> None:
    """List a person's sessions that are alive, oldest first."""

    async def work(house: "House") -> "list[UserSessionShown]":
        from service.web.admin.users import UserSessionShown

        owner, now = await house.rooms.directory.get_named(user), clock.now()
        sessions = house.rooms.sessions
        return await collect(
            lambda after, limit: sessions.page(user_id=owner.id, after=after, limit=limit, now=now),
            UserSessionShown.of,
        )

    print_many(in_house(work), COLUMNS, as_json=as_json)


@app.command("end")
def end(session_id: Annotated[str, typer.Argument(metavar="SESSION_ID")], as_json: Json = False) -> None:
    """End one session; its tokens are refused everywhere at once. Prints which it was."""

    async def work(house: "House") -> "UserSessionShown":
        from service.protocol.errors import NotFound
        from service.web.admin.users import UserSessionShown

        standing = await house.rooms.sessions.find_standing(session_id)
        if standing is None:
            raise NotFound(public="There is no such session.")
        await house.rooms.directory.end_sessions(standing.user.id, only=session_id, now=clock.now())
        return UserSessionShown.of(standing.session)

    print_one(in_house(work), as_json=as_json)


@app.command("end-all")
def end_all(user: Owner, as_json: Json = False) -> None:
    """End all sessions of a person. Prints how many there were."""

    async def work(house: "House") -> dict[str, object]:
        directory = house.rooms.directory
        owner = await directory.get_named(user)
        return {"user": owner.username, "ended": await directory.end_sessions(owner.id, now=clock.now())}

    print_one(in_house(work), as_json=as_json)
