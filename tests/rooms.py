"""The rooms of one worker over real stores, without its loops: what a test does not do by hand does not happen."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import event

from gatepost.principal import Principal
from service import clock
from service.accounts.account import User
from service.app import House, build_house
from service.clients.client import FIRST_PARTY
from service.credentials.resolver import Presented
from service.crypto.passwords import Argon2Passwords
from service.identifiers import new_id
from service.limits import Source
from service.sessions.pairs import Device, TokenPair
from service.settings import Settings
from service.storage.sql import SqlUsers
from tests.servers.gatepost import PASSWORD
from tests.servers.valkey import ValkeyServer, connected

NO_DEVICE = Device()
HERE = Source("192.0.2.7")


@asynccontextmanager
async def quiet_house(settings: Settings) -> AsyncIterator[House]:
    """One worker that has read its keys and revocations once, and reads them again only when it is told to."""
    house = build_house(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(house.database.close)
        stack.push_async_callback(house.link.close)
        stack.callback(house.passwords.close)
        await house.feed.reconcile()
        await house.rooms.keyring.make_missing()
        await connected(house.link)
        yield house


@cache
def password_hash() -> str:
    """The argon2id hash of `PASSWORD`, made once: it takes its time."""
    passwords = Argon2Passwords(threads=1)
    passwords.close()
    return str(passwords._context.hash(PASSWORD))


async def add_user(house: House, username: str, **more: Any) -> User:
    """A person with the role `clerk` and `PASSWORD`."""
    user = User(
        id=new_id(),
        username=username,
        email=None,
        password_hash=password_hash(),
        roles=frozenset({"clerk"}),
        scopes=frozenset(),
        epoch=1,
        created_at=clock.now(),
    )
    user = User(**{name: getattr(user, name) for name in User.__slots__} | more)
    async with house.database.begin() as tx:
        await SqlUsers(house.database).add(tx, user)
    return user


async def sign_in(house: House, user: User, **more: Any) -> TokenPair:
    """A new session of a person whose password was right."""
    options: dict[str, Any] = {"asked": None, "amr": ("pwd",), "device": NO_DEVICE, "now": clock.now(), **more}
    return await house.rooms.pairs.open(user, **options)


async def refresh(house: House, token: str, **more: Any) -> TokenPair:
    """Trade a refresh token in."""
    options: dict[str, Any] = {"client_id": FIRST_PARTY, "asked": None, "now": clock.now(), **more}
    return await house.rooms.pairs.refresh(token, **options)


def authorization(value: str) -> Presented:
    """A request with this Authorization field."""
    return Presented(authorizations=[value.encode()])


@dataclass
class Asked:
    """How many questions went to each store."""

    sql: int = 0
    redis: int = 0


@contextmanager
def counted(house: House, valkey: ValkeyServer) -> Iterator[Asked]:
    """What the house asks inside the block; valid once the block has ended."""
    asked = Asked()

    def count(*_: object) -> None:
        asked.sql += 1

    engine = house.database._engine.sync_engine
    before = _commands(valkey)
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", count)
        asked.redis = _commands(valkey) - before


def _commands(valkey: ValkeyServer) -> int:
    with valkey.client() as client:
        stats = client.info("commandstats")
    return sum(stat["calls"] for name, stat in stats.items() if name.split("|")[0] not in _OUR_OWN)


_OUR_OWN = frozenset({"cmdstat_info", "cmdstat_client", "cmdstat_hello", "cmdstat_select"})


async def whoami(house: House, value: str, **more: Any) -> Principal:
    """Whom the house takes for the sender of this Authorization field."""
    options: dict[str, Any] = {"address": lambda: "192.0.2.7", "now": clock.now(), **more}
    return await house.resolver.resolve(authorization(value), **options)
