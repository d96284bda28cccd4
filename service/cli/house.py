"""Doing one thing in the house: the stores of the configuration, the rooms over them, then all closed again."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from service.app import House
    from service.settings import Settings

T = TypeVar("T")


def in_house(work: "Callable[[House], Awaitable[T]]") -> T:
    """Run `work` beside the server, whether it is running or not. A local database is migrated first."""
    import service.app  # noqa: F401 - loaded before a Valkey is held that others may wait for
    from service.cli.checked import usable_settings
    from service.cli.local import borrowed_stores
    from service.logs import configure_logs

    settings = usable_settings(os.environ)
    configure_logs(level="warning", form="console")
    with borrowed_stores(settings) as whole:
        return asyncio.run(_in_house(whole, work))


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user of a container, who has no name there
        return str(os.getuid())


async def _in_house(settings: "Settings", work: "Callable[[House], Awaitable[T]]") -> T:
    from service.app import build_house
    from service.audit import Actor, Occasion, occasion
    from service.storage.sql.revision import is_current

    if settings.mode == "local" and not await is_current(settings.database_url.get_secret_value()):
        from service.cli.migrating import migrate

        await migrate(settings)
    house = build_house(settings)
    operator = Occasion(actor=Actor("operator", _operator(), "command line"))
    async with house.open():
        with occasion(operator):
            return await work(house)
