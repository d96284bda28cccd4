"""The providers that administrators add: listing, adding, changing, removing."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from service.access.catalogue import BUILT_IN
from service.audit.event import Event, Kind
from service.federation.checks import mistakes_in
from service.federation.directory import ProviderDirectory, StoredProvider, StoredProviders
from service.federation.kinds import completed
from service.federation.provider import ProviderConfig
from service.protocol.errors import BeyondOwnScopes, Conflict, Invalid, NotFound
from service.revocation.acts import Act, Acts


@dataclass(frozen=True, slots=True)
class ProviderChange:
    """What to change; None leaves a field as it is. Kind and issuer stay: another issuer is another provider."""

    client_id: str | None = None
    client_secret: str | None = None
    label: str | None = None
    scopes: tuple[str, ...] | None = None
    trusts_email: bool | None = None
    keeps_tokens: bool | None = None
    disabled: bool | None = None


class ProviderRegistry:
    """Every act on the providers of the ledger; those of the settings are beyond it.

    `within` is the scopes of the administrator who acts, None the operator at the machine itself. Whoever may say which
    provider vouches for addresses may say who people are: only an administrator without bounds adds, changes or removes
    one whose word about addresses counts. `local` allows providers on this machine.
    """

    def __init__(self, acts: Acts, stored: StoredProviders, directory: ProviderDirectory, *, local: bool) -> None:
        self._acts = acts
        self._stored = stored
        self._directory = directory
        self._local = local

    @property
    def preset(self) -> Sequence[ProviderConfig]:
        """Those of the settings."""
        return self._directory.preset

    async def all(self) -> Sequence[StoredProvider]:
        """Those of the ledger, in order of name; disabled ones too."""
        return await self._stored.all()

    async def get(self, name: str) -> StoredProvider:
        """One of the ledger. Raises `NotFound`."""
        found = await self._stored.find(name)
        if found is None:
            raise NotFound(public="There is no such provider.")
        return found

    async def add(
        self, config: ProviderConfig, *, now: datetime, within: frozenset[str] | None = None
    ) -> StoredProvider:
        """A new one; what is left empty is as usual for its kind. Raises `Invalid`, `Conflict`, `BeyondOwnScopes`."""
        added = StoredProvider(self._checked(completed(config)), now)
        _check_trust(added.config, within)
        if any(preset.name == config.name for preset in self.preset):
            raise Conflict(public="A provider of the settings has this name.")
        async with self._acts.begin(now) as act:
            await self._stored.add(act.tx, added)
            detail: dict[str, object] = {"issuer": added.config.issuer, "trusts_email": added.config.trusts_email}
            await act.note(Event(Kind.PROVIDER_ADDED, target=f"provider:{config.name}", detail=detail))
        self._directory.forget()
        return added

    async def change(
        self, name: str, change: ProviderChange, *, now: datetime, within: frozenset[str] | None = None
    ) -> StoredProvider:
        """Apply a change. Raises `NotFound`, `Invalid`, `BeyondOwnScopes`."""
        async with self._acts.begin(now) as act:
            before = await self._locked(act, name, within)
            after = self._changed(before, change, now)
            _check_trust(after.config, within)
            await self._stored.replace(act.tx, after)
            changed = [field.name for field in fields(change) if getattr(change, field.name) is not None]
            detail: dict[str, object] = {"changed": changed, "trusts_email": after.config.trusts_email}
            await act.note(Event(Kind.PROVIDER_CHANGED, target=f"provider:{name}", detail=detail))
        self._directory.forget()
        return after

    async def remove(self, name: str, *, now: datetime, within: frozenset[str] | None = None) -> None:
        """Nobody signs in with it any more; the identities that are linked to accounts count again if it comes back.

        Raises `NotFound`, `BeyondOwnScopes`.
        """
        async with self._acts.begin(now) as act:
            await self._locked(act, name, within)
            await self._stored.remove(act.tx, name)
            await act.note(Event(Kind.PROVIDER_REMOVED, target=f"provider:{name}"))
        self._directory.forget()

    async def _locked(self, act: Act, name: str, within: frozenset[str] | None) -> StoredProvider:
        """The provider, held still until the act ends."""
        found = await self._stored.find_locked(act.tx, name)
        if found is None:
            raise NotFound(public="There is no such provider.")
        _check_trust(found.config, within)
        return found

    def _changed(self, before: StoredProvider, change: ProviderChange, now: datetime) -> StoredProvider:
        told = {field.name: getattr(change, field.name) for field in fields(change) if field.name != "disabled"}
        config = replace(before.config, **{name: value for name, value in told.items() if value is not None})
        disabled_at = before.disabled_at
        if change.disabled is not None:
            disabled_at = (disabled_at or now) if change.disabled else None
        return replace(before, config=self._checked(config), disabled_at=disabled_at)

    def _checked(self, config: ProviderConfig) -> ProviderConfig:
        for field, wrong in mistakes_in(config, local=self._local):
            raise Invalid(field, f"{wrong[0].upper()}{wrong[1:]}.")
        return config


def _check_trust(config: ProviderConfig, within: frozenset[str] | None) -> None:
    if within is not None and config.trusts_email and not within.issuperset(BUILT_IN):
        raise BeyondOwnScopes(detail=f"about provider {config.name}")
