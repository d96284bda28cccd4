"""`gatepost users`: people."""

from typing import TYPE_CHECKING, Annotated

import typer

from service import clock
from service.cli.ask import PasswordStdin, new_password
from service.cli.house import in_house
from service.cli.output import Json, collect, print_many, print_one

if TYPE_CHECKING:
    from service.accounts.change import UserChange
    from service.app import House
    from service.web.admin.users import UserShown

app = typer.Typer(name="users", help="People: accounts, roles, passwords.", no_args_is_help=True)
Who = Annotated[str, typer.Argument(metavar="USER", help="User name, e-mail address or id.")]
COLUMNS = ("id", "username", "email", "roles", "scopes", "disabled", "created_at")


@app.command("create")
def create(
    username: Annotated[str, typer.Argument(help="How the person signs in.")],
    admin: Annotated[bool, typer.Option("--admin", help="Give the role `admin`.")] = False,
    role: Annotated[list[str] | None, typer.Option(help="A role; may be repeated.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="A scope beside those of the roles; may be repeated.")] = None,
    email: Annotated[str | None, typer.Option(help="E-mail address.")] = None,
    password_stdin: PasswordStdin = False,
    as_json: Json = False,
) -> None:
    """Add a person. `--admin` makes a new administrator when the only one is lost."""
    password = new_password(from_stdin=password_stdin)
    roles = [*(role or ()), *(["admin"] if admin else ())]

    async def work(house: "House") -> "UserShown":
        from service.web.admin.users import UserShown

        directory = house.rooms.directory
        user = await directory.create(username, password, email=email, roles=roles, scopes=scope or (), now=clock.now())
        return UserShown.of(user)

    print_one(in_house(work), as_json=as_json)


@app.command("invite")
def invite(
    email: Annotated[str, typer.Argument(help="Where the letter goes.")],
    role: Annotated[list[str] | None, typer.Option(help="A role that they will have; may be repeated.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="A scope beside those of the roles; may be repeated.")] = None,
    language: Annotated[str, typer.Option(help="Language of the letter: en or ar.")] = "en",
    as_json: Json = False,
) -> None:
    """Have a letter sent by whose link somebody makes their own account. The running server sends it."""
    from service.addresses import Invitation

    invitation = Invitation(frozenset(role or ()), frozenset(scope or ()))

    async def work(house: "House") -> None:
        await house.rooms.registration.invite(email, invitation, locale=language, now=clock.now())

    in_house(work)
    said = {"email": email, "roles": sorted(invitation.roles), "scopes": sorted(invitation.scopes), "locale": language}
    print_one(said, as_json=as_json)


@app.command("list")
def list_(
    search: Annotated[str, typer.Option(help="Part of a user name or e-mail address.")] = "", as_json: Json = False
) -> None:
    """List people, oldest first."""

    async def work(house: "House") -> "list[UserShown]":
        from service.web.admin.users import UserShown

        directory = house.rooms.directory
        return await collect(lambda after, limit: directory.page(search=search, after=after, limit=limit), UserShown.of)

    print_many(in_house(work), COLUMNS, as_json=as_json)


@app.command("show")
def show(who: Who, as_json: Json = False) -> None:
    """Look at a person."""

    async def work(house: "House") -> "UserShown":
        from service.web.admin.users import UserShown

        return UserShown.of(await house.rooms.directory.get_named(who))

    print_one(in_house(work), as_json=as_json)


@app.command("set-roles")
def set_roles(
    who: Who,
    roles: Annotated[list[str] | None, typer.Argument(help="All roles; none takes them all away.")] = None,
    as_json: Json = False,
) -> None:
    """Replace a person's roles. Takes effect at once, on every credential."""
    from service.accounts.change import UserChange

    _change(who, UserChange(roles=roles or []), as_json=as_json)


@app.command("set-scopes")
def set_scopes(
    who: Who,
    scopes: Annotated[list[str] | None, typer.Argument(help="All scopes; none takes them away.")] = None,
    as_json: Json = False,
) -> None:
    """Replace a person's own scopes, those beside the roles. Takes effect at once."""
    from service.accounts.change import UserChange

    _change(who, UserChange(scopes=scopes or []), as_json=as_json)


@app.command("set-email")
def set_email(
    who: Who,
    email: Annotated[str | None, typer.Argument(help="The new address; the old one stays without.")] = None,
    verified: Annotated[
        bool | None, typer.Option("--verified/--unverified", help="Whether it is known to be the person's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Replace a person's e-mail address, or say whether it is verified. A new one is not, unless you say so."""
    from service.accounts.change import UserChange

    if email is None and verified is None:
        raise typer.BadParameter("say an address, --verified or --unverified", param_hint="EMAIL")
    _change(who, UserChange(email=email, email_verified=verified), as_json=as_json)


@app.command("set-profile")
def set_profile(
    who: Who,
    claims: Annotated[
        list[str], typer.Argument(metavar="CLAIM=VALUE...", help="Such as name='Ada Lovelace' or address.country=GB.")
    ],
    as_json: Json = False,
) -> None:
    """Change what applications are told about a person, by the names of OpenID Connect. CLAIM= takes one away."""
    from service.accounts.change import UserChange

    _change(who, UserChange(profile=parse_claims(claims)), as_json=as_json)


@app.command("disable")
def disable(who: Who, as_json: Json = False) -> None:
    """Refuse a person: no sign-in, all sessions ended, all keys and tokens refused."""
    from service.accounts.change import UserChange

    _change(who, UserChange(disabled=True), as_json=as_json)


@app.command("enable")
def enable(who: Who, as_json: Json = False) -> None:
    """Let a person sign in again."""
    from service.accounts.change import UserChange

    _change(who, UserChange(disabled=False), as_json=as_json)


@app.command("set-password")
def set_password(who: Who, password_stdin: PasswordStdin = False, as_json: Json = False) -> None:
    """Replace a person's password and end all their sessions."""
    password = new_password(from_stdin=password_stdin)

    async def work(house: "House") -> "UserShown":
        from service.web.admin.users import UserShown

        directory = house.rooms.directory
        user = await directory.get_named(who)
        await directory.set_password(user.id, password, now=clock.now())
        return UserShown.of(user)

    print_one(in_house(work), as_json=as_json)


def parse_claims(texts: list[str]) -> dict[str, object]:
    """`name=value` as a change of a profile, `address.member=value` for a part of the address."""
    found: dict[str, object] = {}
    address: dict[str, object] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise typer.BadParameter(f"{text!r} is not CLAIM=VALUE", param_hint="CLAIM=VALUE")
        claims, name = (address, name[8:]) if name.startswith("address.") else (found, name)
        claims[name] = {"true": True, "false": False}.get(value, value) if name.endswith("_verified") else value or None
    return {**found, "address": address} if address else found


def _change(who: str, change: "UserChange", *, as_json: bool) -> None:
    async def work(house: "House") -> "UserShown":
        from service.web.admin.users import UserShown

        directory = house.rooms.directory
        user = await directory.get_named(who)
        return UserShown.of(await directory.change(user.id, change, now=clock.now()))

    print_one(in_house(work), as_json=as_json)
