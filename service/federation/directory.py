"""The providers that there are: those of the settings, and those that administrators have added."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from service.federation.kinds import KINDS
from service.federation.provider import Calls, Provider, ProviderConfig
from service.ledger import Transaction
from service.protocol.errors import NotFound

READ_ANEW_AFTER = timedelta(seconds=1)
"""What an administrator changes counts everywhere by then."""


@dataclass(frozen=True, slots=True)
class StoredProvider:
    """A provider that an administrator has added; a disabled one is not offered, and nobody comes back from it."""

    config: ProviderConfig
    created_at: datetime
    disabled_at: datetime | None = None


class StoredProviders(Protocol):
    """The providers in the ledger, their secrets sealed. Every method raises `StoreUnavailable`."""

    async def all(self) -> Sequence[StoredProvider]:
        """Every one, in order of name; disabled ones too."""

    async def find(self, name: str) -> StoredProvider | None:
        """One by its name, compared exactly."""

    async def find_locked(self, tx: Transaction, name: str) -> StoredProvider | None:
        """The same, as this transaction sees it; nobody else changes it before it ends."""

    async def add(self, tx: Transaction, provider: StoredProvider) -> None:
        """Keep a new one. Raises `Conflict` for a name that is taken."""

    async def replace(self, tx: Transaction, provider: StoredProvider) -> None:
        """Keep one in place of that of its name. Raises `NotFound`."""

    async def remove(self, tx: Transaction, name: str) -> bool:
        """Forget one; whether there was one."""


class ProviderDirectory:
    """Finds providers by name. One of the settings counts more than a stored one of its name. A provider stays the same
    object, with what it has fetched, until its configuration changes."""

    def __init__(self, preset: Sequence[ProviderConfig], stored: StoredProviders, calls: Calls) -> None:
        self.preset = tuple(preset)
        self._stored = stored
        self._calls = calls
        self._known: dict[str, Provider] = {}
        self._read_at: datetime | None = None

    async def offered(self, *, now: datetime) -> Sequence[ProviderConfig]:
        """All of them, those of the settings first. Raises `StoreUnavailable`."""
        return [provider.config for provider in (await self._current(now)).values()]

    async def get(self, name: str, *, now: datetime) -> Provider:
        """One by its name. Raises `NotFound`, `StoreUnavailable`."""
        found = (await self._current(now)).get(name)
        if found is None:
            raise NotFound(public="There is no such provider.")
        return found

    def forget(self) -> None:
        """Read the ledger before anybody is told anything: it has been changed here."""
        self._read_at = None

    async def _current(self, now: datetime) -> dict[str, Provider]:
        if self._read_at is None or not timedelta(0) <= now - self._read_at < READ_ANEW_AFTER:
            usable = [stored.config for stored in await self._stored.all() if stored.disabled_at is None]
            configs = {config.name: config for config in self.preset}
            configs |= {config.name: config for config in usable if config.name not in configs}
            self._known = {name: self._made(config) for name, config in configs.items() if config.kind in KINDS}
            self._read_at = now
        return self._known

    def _made(self, config: ProviderConfig) -> Provider:
        known = self._known.get(config.name)
        if known is not None and known.config == config:
            return known
        return KINDS[config.kind].make(config, self._calls)
