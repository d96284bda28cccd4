"""Every command, as one tree. Only what is asked for is loaded: `gatepost --help` knows no store and no framework."""

from typing import Annotated

import typer

from service import __version__
from service.cli import (
    api_keys,
    audit,
    clients,
    config,
    consents,
    db,
    doctor,
    identity_providers,
    keys,
    serve,
    sessions,
    usage,
    users,
)
from service.cli.exits import leave_for

app = typer.Typer(
    name="gatepost",
    help="Gatepost: tells a fleet of services who is calling and what they may do.",
    epilog="Ends with 0 ok, 1 refused, 2 wrong usage, 3 a store is away, 4 configuration refused, 5 cannot start.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
for noun in (users, clients, identity_providers, consents, api_keys, keys, sessions, audit, db, config):
    app.add_typer(noun.app)
app.command("usage")(usage.usage)
app.command("doctor")(doctor.doctor)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.", is_eager=True)] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def run() -> None:
    """Run what the arguments ask for, and end the process."""
    from service.cli.environment import read_env_file

    try:
        read_env_file()
        app(prog_name="gatepost")
    except Exception as error:
        leave_for(error)
