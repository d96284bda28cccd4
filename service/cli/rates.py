"""Rates as options: `5000/h`, as in the settings."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from service.limits import Rate


def _checked(text: str) -> str:
    rate_of(text)
    return text


_OPTION = typer.Option(
    "--rate", parser=_checked, metavar="RATE", help='How much it may ask: 5000/h, unlimited; "" for the policy\'s own.'
)
Figure = Annotated[str | None, _OPTION]
SomeFigure = Annotated[str, _OPTION]


def rate_of(text: str | None) -> "Rate | None":
    """The figure; None for what is empty, the policy's own. Anything else is wrong usage."""
    from service.limits import Rate

    try:
        return Rate.parse(text) if text else None
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from None
