"""`gatepost keys`: the keys that access tokens are signed with."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from service import clock
from service.cli.house import in_house
from service.cli.output import Json, print_many, print_one

if TYPE_CHECKING:
    from service.app import House
    from service.web.admin.keys import SigningKeyShown

app = typer.Typer(name="keys", help="Signing keys: rotation and emergencies.", no_args_is_help=True)
COLUMNS = ("kid", "algorithm", "signs", "verifies", "created_at", "signs_from", "verifies_until", "compromised_at")


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all keys that are kept, oldest first."""

    async def work(house: "House") -> "list[SigningKeyShown]":
        from service.web.admin.keys import SigningKeyShown

        now = clock.now()
        return [SigningKeyShown.of(key, now=now) for key in await house.rooms.keyring.listed()]

    print_many(in_house(work), COLUMNS, as_json=as_json)


@app.command("rotate")
def rotate(
    algorithm: Annotated[str, typer.Option(help="Which one's key; the algorithm of access tokens without.")] = "",
    at_once: Annotated[
        bool, typer.Option("--now", help="Sign with it at once; verifiers may not have it yet.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish a successor. Tokens of the old key stay good until they expire."""
    from service.settings import load_settings

    wanted = algorithm or load_settings(os.environ).tokens.algorithms[0]

    async def work(house: "House") -> "SigningKeyShown":
        from service.web.admin.keys import SigningKeyShown

        now = clock.now()
        return SigningKeyShown.of(await house.rooms.keyring.rotate(wanted, now=now, at_once=at_once), now=now)

    print_one(in_house(work), as_json=as_json)


@app.command("retire")
def retire(
    kid: Annotated[str, typer.Argument(metavar="KID")],
    compromised: Annotated[
        bool, typer.Option("--compromised", help="Say that you mean it: everyone signed in by this key is signed out.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Refuse every token of a key that was lost, at once, and show the key that signs now."""
    if not compromised:
        raise typer.BadParameter(
            "a healthy key goes by `keys rotate`; a lost one needs --compromised", param_hint="KID"
        )

    async def work(house: "House") -> "SigningKeyShown":
        from service.web.admin.keys import SigningKeyShown

        now = clock.now()
        return SigningKeyShown.of(await house.rooms.keyring.retire_compromised(kid, now=now), now=now)

    print_one(in_house(work), as_json=as_json)
