"""What the Redis contracts stand on: a family and its tokens to try, and a plain client to look and to interfere."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry

from service.sessions.families import Family, Outcome
from service.sessions.refresh_token import RefreshToken
from service.storage.redis import RedisRefreshFamilies
from service.storage.redis.keyspace import Keyspace

KEYS = Keyspace()
GRACE = timedelta(seconds=10)
IDLE = timedelta(days=7)
LIFE = timedelta(days=30)
MICROSECOND = timedelta(microseconds=1)


def make_family(**changes: Any) -> Family:
    """A family of a new user, at epochs 3 and 5."""
    now = datetime.now(UTC)
    family = Family(
        id=str(uuid4()),
        user_id=str(uuid4()),
        client_id="gp_client_shop",
        scopes=frozenset({"reports:read", "profile"}),
        epoch=3,
        client_epoch=5,
        auth_time=now - timedelta(seconds=7, microseconds=1),
        amr=("pwd", "otp"),
        acr=None,
        ends_at=now + LIFE,
    )
    return replace(family, **changes)


def peek(url: str) -> Any:
    """A plain client of the store, single or cluster."""
    if url.startswith("redis+cluster://"):
        nodes = [ClusterNode(*place.split(":")) for place in url.removeprefix("redis+cluster://").split(",")]
        return RedisCluster(startup_nodes=nodes)
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0))


@dataclass
class Held:
    """One family in the store under test."""

    store: RedisRefreshFamilies
    raw: Any
    family: Family = field(default_factory=make_family)

    @property
    def key(self) -> str:
        return KEYS.family(self.family.user_id, self.family.id)

    @property
    def epoch_key(self) -> str:
        return KEYS.user_epoch(self.family.user_id)

    async def open(self) -> "Held":
        await self.store.open(self.family, idle=IDLE)
        return self

    async def present(self, generation: int, **changes: Any) -> Outcome:
        """Present the token of this generation."""
        asked = {"client_id": self.family.client_id, "epoch": 0, "client_epoch": 0, "grace": GRACE, "idle": IDLE}
        token = RefreshToken(self.family.user_id, self.family.id, generation)
        return await self.store.rotate(token, **(asked | changes))

    async def advance(self, to: int) -> "Held":
        """Rotate until generation `to` is the current one."""
        for generation in range(to):
            await self.present(generation)
        return self

    async def restore(self, generation: int, *, reached_at: datetime | None = None, **changes: Any) -> None:
        """Write over it what SQL would say."""
        family = replace(self.family, **changes)
        await self.store.restore(family, generation=generation, reached_at=reached_at, idle=IDLE)

    def age(self, name: str, by: timedelta) -> None:
        """Make an instant in the stored family earlier."""
        self.raw.hincrby(self.key, name, -(by // MICROSECOND))

    def stored(self) -> dict[bytes, bytes]:
        """Every field as it lies in the store."""
        found: dict[bytes, bytes] = self.raw.hgetall(self.key)
        return found

    def instant(self, name: str) -> datetime:
        """An instant in the stored family."""
        return datetime(1970, 1, 1, tzinfo=UTC) + int(self.raw.hget(self.key, name)) * MICROSECOND

    def goes_at(self, key: str | None = None) -> datetime:
        """When the store will forget the family, or another key."""
        return datetime.fromtimestamp(self.raw.pexpiretime(key or self.key) / 1000, UTC)


Hold = Callable[..., Awaitable[Held]]
