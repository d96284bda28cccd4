"""What the Redis contracts stand on: a family and its tokens to try, and a plain client to look and to interfere."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot
from redis.retry import Retry

from service.sessions.families import Family, Outcome, Terms
from service.sessions.refresh_token import RefreshToken
from service.storage.redis import RedisLink, RedisRefreshFamilies
from service.storage.redis.keyspace import Keyspace
from tests.servers.valkey import ValkeyCluster, connected
from tests.settled import settled

KEYS = Keyspace()
GRACE = timedelta(seconds=10)
IDLE = timedelta(days=7)
LIFE = timedelta(days=30)
PATIENT = timedelta(seconds=2)
"""For tests that are not about time: a busy machine may stall a server for longer than the service would wait."""
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


def make_token(owner: str, **changes: Any) -> Any:
    """What the strict question is about."""
    said = {"subject": owner, "session_id": "sid-1", "jti": "jti-1", "epoch": 3, "client_id": "shop", "client_epoch": 5}
    return SimpleNamespace(**(said | changes))


def peek(url: str) -> Any:
    """A plain client of the store, single or cluster."""
    if url.startswith("redis+cluster://"):
        nodes = [ClusterNode(*place.split(":")) for place in url.removeprefix("redis+cluster://").split(",")]
        return RedisCluster(startup_nodes=nodes, require_full_coverage=False)
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0))


@dataclass
class Held:
    """One family in the store under test."""

    store: RedisRefreshFamilies
    raw: Any
    family: Family = field(default_factory=make_family)
    is_begun: bool = False

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
        """Present the token of this generation; every other time as who cannot wait does."""
        asked: dict[str, Any] = {"epoch": 0, "client_epoch": 0, "grace": GRACE, "idle": IDLE}
        token = RefreshToken(self.family.user_id, self.family.id, generation)
        terms = Terms(**({"client_id": self.family.client_id} | asked | changes))
        self.is_begun = not self.is_begun
        pending = self.store.begin(token, terms) if self.is_begun else None
        if pending is None:
            return await self.store.rotate(token, terms)
        await settled(pending)
        return pending.at_once() or await pending.in_time()

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


def move_slot(cluster: ValkeyCluster, key: str, *, halfway: Callable[[], None] = lambda: None) -> None:
    """Hand the slot of `key` to the next node, keys and all, as an operator would."""
    slot = key_slot(key.encode())
    clients = [node.client() for node in cluster.nodes]
    names = [client.execute_command("CLUSTER MYID") for client in clients]
    owner = next(place for place, client in enumerate(clients) if holds(client, slot))
    target = (owner + 1) % len(clients)
    clients[target].execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[owner])
    clients[owner].execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[target])
    halfway()
    while keys := clients[owner].execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
        place = ("127.0.0.1", cluster.nodes[target].port, "", 0, 1000, "KEYS")
        clients[owner].execute_command("MIGRATE", *place, *keys)
    for client in (clients[target], clients[owner], *clients):
        client.execute_command("CLUSTER SETSLOT", slot, "NODE", names[target])
    for client in clients:
        client.close()


def holds(client: redis.Redis, slot: int) -> bool:
    try:
        return client.execute_command("CLUSTER COUNTKEYSINSLOT", slot) > 0
    except redis.ResponseError:
        return False


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[RedisLink]:
    """A patient link that has had its first answer from every server, closed at the end."""
    async with RedisLink.from_url(url, patience=PATIENT) as link:
        await connected(link)
        yield link
