"""What a client is registered for, as options: the same for making one and for changing one."""

import inspect
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Annotated, Any

import typer

from service.cli.spans import span

_OTHER_NAMES = {
    "redirect_uri": "redirect_uris",
    "post_logout_redirect_uri": "post_logout_redirect_uris",
    "grant": "grant_types",
    "resource": "resources",
}


def _many(text: str) -> Any:
    return Annotated[list[str] | None, typer.Option(help=f'{text}; may be repeated, "" for none.')]


def _link(text: str) -> Any:
    return Annotated[str | None, typer.Option(metavar="URI", help=f'{text}; "" for none.')]


def _life(text: str) -> Any:
    return Annotated[
        timedelta | None, typer.Option(parser=span, metavar="SPAN", help=f"{text}; 0s for the service's own.")
    ]


OPTIONS = {
    "redirect_uri": _many("Where people are sent back to"),
    "post_logout_redirect_uri": _many("Where people are sent after signing out"),
    "grant": _many("A grant type that it uses"),
    "auth_method": Annotated[
        str | None, typer.Option(help="client_secret_basic or client_secret_post; none for a public one.")
    ],
    "resource": _many("An audience that it may ask tokens for"),
    "access_life": _life("Life of its access tokens"),
    "refresh_idle": _life("How long its refresh tokens may lie unused"),
    "id_token_alg": Annotated[str | None, typer.Option(help="RS256 or ES256.")],
    "skips_consent": Annotated[
        bool | None, typer.Option("--skips-consent/--asks-consent", help="For your own applications.")
    ],
    "client_uri": _link("Its home page"),
    "logo_uri": _link("Its logo"),
    "policy_uri": _link("Its privacy policy"),
    "tos_uri": _link("Its terms of service"),
    "backchannel_logout_uri": _link("Where it is told that a session has ended"),
}


def with_metadata(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all of `OPTIONS`; it gets as `metadata` those that were used, by the names and in the types of
    `ClientMetadata`."""

    @wraps(command)
    def run(**given: Any) -> None:
        used = {name: given.pop(name) for name in OPTIONS}
        command(
            **given,
            metadata={
                _OTHER_NAMES.get(name, name): _value(name, text) for name, text in used.items() if text is not None
            },
        )

    own = [one for one in inspect.signature(command).parameters.values() if one.name != "metadata"]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in OPTIONS.items()
    ]
    own = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    run.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {one.name: one.annotation for one in [*own, *more]}
    return run


def _value(name: str, given: Any) -> Any:
    if name == "grant":
        return frozenset(filter(None, given))
    if isinstance(given, list):
        return tuple(filter(None, given))
    return given if given or given is False else None
