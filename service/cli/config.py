"""`gatepost config`: the settings."""

import os
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from service.cli.exits import say
from service.cli.output import Json, print_many

if TYPE_CHECKING:
    from service.settings import Knob, Settings

app = typer.Typer(name="config", help="The settings.", no_args_is_help=True)
_HEAD = """\
# Every setting of Gatepost, with its default. Copy this file to .env and take the # from the lines that you change;
# what the environment says counts more. Spans are written 250ms, 10s, 15m, 1h, 30d. A name that is not listed here is
# refused. Each secret can come from a file instead: GATEPOST_SECRET_KEY_FILE=/run/secrets/gatepost.
# Made by `gatepost config example`."""


@app.command("check")
def check() -> None:
    """Say whether the configuration can be used, with every reason why not. Asks a configured Redis too."""
    from service.cli.checked import checked_settings

    settings = checked_settings(os.environ)
    say(f"the configuration is good for {settings.mode} mode")


@app.command("show")
def show(as_json: Json = False) -> None:
    """Show every setting as it is now; secrets are masked."""
    from service.settings import knobs, load_settings

    settings = load_settings(os.environ)
    rows = [{"name": knob.name, "value": _shown(knob, settings), "default": knob.default} for knob in knobs()]
    print_many(rows, ("name", "value"), as_json=as_json)


@app.command("example")
def example() -> None:
    """Print `.env.example`: every setting with its default and what it is for."""
    print("\n".join(_example()))


@app.command("secret")
def secret() -> None:
    """Print a new random secret for GATEPOST_SECRET_KEY."""
    print(secrets.token_urlsafe(32))


def _example() -> Iterator[str]:
    from service.settings import Settings, knobs

    yield _HEAD
    group = None
    for knob in knobs():
        if knob.path[:-1] != group:
            group = knob.path[:-1]
            annotation = Settings.model_fields[group[0]].annotation if group else Settings
            yield f"\n# -- {(annotation.__doc__ or '').strip()}"
        yield f"\n# {knob.description}\n#{knob.name}={knob.default}"


def _shown(knob: "Knob", settings: "Settings") -> str:
    """The value as it would be written; of a secret, only that there is one."""
    from pydantic import SecretStr

    from service.settings import format_value

    value: object = settings
    for name in knob.path:
        value = getattr(value, name)
    if isinstance(value, SecretStr):
        return "(set)" if value else ""
    return format_value(value)
