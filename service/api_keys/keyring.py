"""A person's own API keys: making, listing, renaming, rotating with an overlap, revoking."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network

from gatepost.revocation import RevocationSet
from service.access.catalogue import Catalogue
from service.accounts.account import Users
from service.api_keys.key import ApiKey, ApiKeys
from service.api_keys.text import new_key_text
from service.audit.event import Event, Kind
from service.identifiers import new_id
from service.limits import Rate, told_rate
from service.protocol.errors import Conflict, Invalid, NotFound
from service.revocation.acts import Acts

MAX_NAME = 100
MAX_NETWORKS = 32
MAX_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key and its text, which is shown now and never again."""

    key: ApiKey
    text: str = field(repr=False)


class ApiKeyring:
    """Every act on API keys. `default_life` and `longest_life` bound when a key ends; `at_most` keys a person."""

    def __init__(
        self,
        acts: Acts,
        keys: ApiKeys,
        users: Users,
        catalogue: Catalogue,
        revoked: RevocationSet,
        *,
        default_life: timedelta,
        longest_life: timedelta,
        at_most: int,
    ) -> None:
        self._acts = acts
        self._keys = keys
        self._users = users
        self._catalogue = catalogue
        self._revoked = revoked
        self.default_life = default_life
        self.longest_life = longest_life
        self.at_most = at_most

    async def get(self, key_id: str) -> ApiKey:
        """One key, whoever owns it. Raises `NotFound`."""
        found = await self._keys.find_with_owner(key_id)
        if found is None:
            raise NotFound(public="There is no such API key.")
        return found[0]

    async def page(self, user_id: str, *, after: str, limit: int) -> Sequence[ApiKey]:
        """A person's living keys in order of id, past `after`."""
        return await self._keys.page(user_id=user_id, after=after, limit=limit)

    async def create(
        self,
        user_id: str,
        name: str,
        *,
        scopes: Iterable[str],
        within: frozenset[str],
        networks: Iterable[str],
        life: timedelta | None,
        now: datetime,
        key_id: str | None = None,
        rate: Rate | None = None,
    ) -> NewApiKey:
        """A new key with at most the scopes that its owner has and that are in `within` (the asking credential's).

        `key_id` is a new id that was fixed when the key was asked for: of all calls with it one makes the key. Raises
        `Invalid` for a scope, network, life or name; `NotFound`; `Conflict` past the number of keys, for a key that
        there is already, and when the account has changed meanwhile: what ends its keys ends this one too.
        """
        owner = await self._users.find(user_id)
        if owner is None or not owner.active:
            raise NotFound(public="There is no such user.")
        wanted = frozenset(scopes)
        if not wanted <= self._catalogue.effective(owner.roles, owner.scopes) & within:
            raise Invalid("scopes", "A key cannot have scopes that its maker does not have.", rule="not_held")
        span = self.default_life if life is None else life
        if not timedelta(0) < span <= self.longest_life:
            raise Invalid("expires_in", f"A key lives at most {self.longest_life.days} days.")
        key_id = key_id or new_id()
        text, digest, hint = new_key_text(key_id)
        key = ApiKey(
            id=key_id,
            user_id=user_id,
            name=_checked_name(name),
            hint=hint,
            digest=digest,
            scopes=wanted,
            networks=_checked_networks(networks),
            created_at=now,
            expires_at=now + span,
            rate=rate,
        )
        async with self._acts.begin(now) as act:
            await self._keys.add(act.tx, key, at_most=self.at_most)
            if not await self._users.is_current(act.tx, user_id, owner.epoch):
                raise Conflict(public="The account has just changed.", detail="another epoch than was read")
            told = {} if rate is None else {"rate": str(rate)}
            event = _event(Kind.API_KEY_CREATED, key_id, user_id, scopes=sorted(wanted), days=span.days, **told)
            await act.note(event)
        return NewApiKey(key, text)

    async def rename(self, key_id: str, name: str, *, user_id: str, now: datetime) -> None:
        """Raises `NotFound`, `Invalid`."""
        async with self._acts.begin(now) as act:
            await self._keys.rename(act.tx, key_id, user_id=user_id, name=_checked_name(name))
            await act.note(_event(Kind.API_KEY_RENAMED, key_id, user_id))

    async def rotate(self, key_id: str, *, user_id: str, overlap: timedelta, now: datetime) -> str:
        """A new text for the same key, shown once; the old one works on for `overlap`. Raises `NotFound`, `Invalid`."""
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            raise Invalid("overlap", "The overlap is between 0 and 30 days.")
        try:
            text, digest, hint = new_key_text(key_id)
        except ValueError:
            raise NotFound(public="There is no such API key.") from None
        epoch = self._next_epoch(key_id, now)
        async with self._acts.begin(now) as act:
            await self._keys.replace_secret(
                act.tx, key_id, user_id=user_id, digest=digest, hint=hint, old_until=now + overlap if overlap else None
            )
            await act.raise_secret_epoch(key_id, epoch, why="API key rotated")
            seconds = int(overlap.total_seconds())
            await act.note(_event(Kind.API_KEY_ROTATED, key_id, user_id, overlap_seconds=seconds))
        return text

    async def set_rate(self, key_id: str, rate: Rate | None, *, user_id: str, now: datetime) -> None:
        """How much may be asked with this key from now on, everywhere at once; None is each policy's own figure.
        Whoever calls this has seen to it that an administrator asks. Raises `NotFound`."""
        async with self._acts.begin(now) as act:
            before = await self._keys.set_rate(act.tx, key_id, user_id=user_id, rate=rate)
            await act.raise_secret_epoch(key_id, self._next_epoch(key_id, now), why="rate of an API key changed")
            told = {"rate_before": told_rate(before), "rate": told_rate(rate)}
            await act.note(_event(Kind.API_KEY_RATE_SET, key_id, user_id, **told))

    async def revoke(self, key_id: str, *, user_id: str, now: datetime) -> None:
        """End a key everywhere at once. Raises `NotFound`."""
        async with self._acts.begin(now) as act:
            if not await self._keys.revoke(act.tx, key_id, user_id=user_id, now=now):
                raise NotFound(public="There is no such API key.")
            await act.revoke_api_key(key_id, user_id=user_id, why="API key revoked")
            await act.note(_event(Kind.API_KEY_REVOKED, key_id, user_id))

    def _next_epoch(self, key_id: str, now: datetime) -> int:
        """Rises also when the clock of the worker that raised it last was ahead of ours."""
        return max(int(now.timestamp() * 1_000_000), self._revoked.secret_epoch(key_id) + 1)


def _event(kind: Kind, key_id: str, user_id: str, **detail: object) -> Event:
    return Event(kind, subject=user_id, target=f"api_key:{key_id}", detail=detail)


def _checked_name(name: str) -> str:
    if not 0 < len(name.strip()) <= MAX_NAME or not name.isprintable():
        raise Invalid("name", f"A name is 1 to {MAX_NAME} printable characters.")
    return name.strip()


def _checked_networks(networks: Iterable[str]) -> tuple[str, ...]:
    found = tuple(networks)
    if len(found) > MAX_NETWORKS:
        raise Invalid("networks", f"A key has at most {MAX_NETWORKS} networks.")
    try:
        return tuple(str(ip_network(network)) for network in found)
    except ValueError:
        raise Invalid("networks", "A network is an address or a prefix such as 192.0.2.0/24.") from None
