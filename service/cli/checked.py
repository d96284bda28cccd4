"""The configuration, judged with what settings alone cannot know: how URLs are read, and what the servers say."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from service.cli.exits import say
from service.protocol.errors import StoreUnavailable
from service.settings import PREFIX, Settings, SettingsRefused, read_settings
from service.storage.breached_file import BreachedFile
from service.storage.redis import RedisLink
from service.storage.redis.address import parse_address
from service.storage.sql.engine import parse_database_url


def usable_settings(environ: Mapping[str, str]) -> Settings:
    """The settings. Raises `SettingsRefused` with every mistake at once."""
    settings, mistakes = _read(environ)
    if mistakes:
        raise SettingsRefused(mistakes)
    return settings


def checked_settings(environ: Mapping[str, str]) -> Settings:
    """The settings, and in production a Redis that evicts nothing. Raises `SettingsRefused` with every mistake at once.

    A Redis that does not answer is no mistake of the configuration: the service starts without it, and says so.
    """
    settings, mistakes = _read(environ)
    url = settings.redis_url.get_secret_value()
    if settings.mode == "production" and url and not any(line.startswith(f"{PREFIX}REDIS_URL") for line in mistakes):
        mistakes += asyncio.run(_evicting(url))
    if mistakes:
        raise SettingsRefused(mistakes)
    return settings


def _read(environ: Mapping[str, str]) -> tuple[Settings, list[str]]:
    settings, mistakes = read_settings(environ)
    parsers: dict[str, Callable[[str], object]] = {"database_url": parse_database_url, "redis_url": parse_address}
    if file := settings.passwords.breached_file:
        try:
            BreachedFile(Path(file)).close()
        except ValueError as problem:
            mistakes.append(f"{PREFIX}PASSWORDS__BREACHED_FILE: {problem}")
    for name, parse in parsers.items():
        variable, url = f"{PREFIX}{name.upper()}", getattr(settings, name).get_secret_value()
        try:
            if url and not any(line.startswith(variable) for line in mistakes):
                parse(url)
        except ValueError as problem:
            mistakes.append(f"{variable}: {problem}")
    return settings, mistakes


async def _evicting(url: str) -> list[str]:
    async with RedisLink.from_url(url) as link:
        try:
            facts = await link.facts()
        except StoreUnavailable as refusal:
            say(f"could not ask Redis for its eviction policy ({refusal.detail})")
            return []
    return [
        f"{PREFIX}REDIS_URL: {one.server} evicts keys (maxmemory-policy {one.eviction}); set it to noeviction"
        for one in facts
        if one.evicts
    ]
