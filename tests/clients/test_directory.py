"""The memory of clients: a minute long, and forgotten as soon as the feed tells of a change."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from service import clock
from service.app import House
from service.clients.client import FIRST_PARTY, Client
from service.clients.directory import DOCS_CLIENT_ID, ClientDirectory
from service.clients.registry import ClientChange
from service.protocol.errors import InvalidClient, NotFound
from service.storage.sql import SqlClients
from tests.rooms import counted
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)


@dataclass
class Hand:
    """A clock that is set by hand."""

    at: datetime

    def now(self) -> datetime:
        return self.at


@pytest.fixture
async def shop(house: House) -> Client:
    client, _ = await house.rooms.clients.create("Shop", confidential=True, scopes=["orders:read"], now=clock.now())
    return client


async def test_a_client_is_read_once_a_minute(house: House, valkey_server: ValkeyServer, shop: Client) -> None:
    hand = Hand(clock.now())
    directory = ClientDirectory(SqlClients(house.database), house.feed, now=hand.now)
    assert await directory.find(shop.id) == shop
    began = hand.at
    for after, questions in ((0 * SECOND, 0), (59 * SECOND, 0), (60 * SECOND, 1), (61 * SECOND, 0)):
        hand.at = began + after
        with counted(house, valkey_server) as asked:
            assert await directory.find(shop.id) == shop
        assert (asked.sql, asked.redis) == (questions, 0), after


async def test_what_another_worker_has_changed_is_read_anew_when_the_feed_tells(
    house: House, other_house: House, shop: Client
) -> None:
    directory = other_house.rooms.client_directory
    assert await directory.find(shop.id) == shop
    changed = await house.rooms.clients.change(shop.id, ClientChange(name="Market"), now=clock.now())
    assert await house.rooms.client_directory.find(shop.id) == changed
    assert await directory.find(shop.id) == shop  # what it has not been told it cannot know
    await other_house.feed.reconcile()
    assert await directory.find(shop.id) == changed
    assert await directory.find(shop.id) == changed


@pytest.mark.spec("CL-12")
async def test_a_secret_that_another_worker_has_replaced_is_out_when_the_feed_tells(
    house: House, other_house: House
) -> None:
    client, old = await house.rooms.clients.create("Till", confidential=True, scopes=(), now=clock.now())
    registry = other_house.rooms.clients
    assert old is not None
    assert await registry.authenticate(client.id, old, now=clock.now()) == client
    new = await house.rooms.clients.rotate_secret(client.id, overlap=timedelta(0), now=clock.now())
    await other_house.feed.reconcile()
    with pytest.raises(InvalidClient):
        await registry.authenticate(client.id, old, now=clock.now())
    assert (await registry.authenticate(client.id, new, now=clock.now())).id == client.id


async def test_a_worker_that_cannot_know_what_has_changed_asks_each_time(
    house: House, valkey_server: ValkeyServer, shop: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = house.rooms.client_directory
    assert await directory.find(shop.id) == shop
    monkeypatch.setattr(house.feed, "_trusted_until", 0.0)
    for _ in range(2):
        with counted(house, valkey_server) as asked:
            assert await directory.find(shop.id) == shop
        assert asked.sql == 1


async def test_who_is_unknown_is_not_remembered_as_unknown(
    house: House, valkey_server: ValkeyServer, shop: Client
) -> None:
    directory = house.rooms.client_directory
    unknown = shop.id[:-1] + ("0" if shop.id[-1] != "0" else "1")
    for _ in range(2):
        with counted(house, valkey_server) as asked:
            assert await directory.find(unknown) is None
        assert asked.sql == 1
    with counted(house, valkey_server) as asked:
        for nobody in ("", FIRST_PARTY, "alice", shop.id.upper()):
            assert await directory.find(nobody) is None
    assert asked.sql == 0


async def test_the_memory_has_a_bound_and_forgets_the_oldest(house: House, valkey_server: ValkeyServer) -> None:
    house.rooms.client_directory._known._bound = 2
    made = [
        (await house.rooms.clients.create(name, confidential=True, scopes=(), now=clock.now()))[0] for name in "abc"
    ]
    directory = house.rooms.client_directory
    for client in made:
        assert await directory.find(client.id) == client
    with counted(house, valkey_server) as asked:
        for client in made[1:]:
            assert await directory.find(client.id) == client
    assert asked.sql == 0
    with counted(house, valkey_server) as asked:
        assert await directory.find(made[0].id) == made[0]
    assert asked.sql == 1


async def test_the_docs_client_is_there_without_a_row_and_nobody_can_change_it(
    house: House, valkey_server: ValkeyServer
) -> None:
    with counted(house, valkey_server) as asked:
        docs = await house.rooms.client_directory.find(DOCS_CLIENT_ID)
    assert asked.sql == 0
    assert docs is not None
    assert (docs.confidential, docs.active, docs.metadata.skips_consent) == (False, True, False)
    assert docs.metadata.redirect_uris == ("http://localhost:8000/docs/oauth2-redirect",)
    registry = house.rooms.clients
    for act in (
        registry.get(DOCS_CLIENT_ID),
        registry.change(DOCS_CLIENT_ID, ClientChange(disabled=True), now=clock.now()),
        registry.rotate_secret(DOCS_CLIENT_ID, overlap=timedelta(0), now=clock.now()),
    ):
        with pytest.raises(NotFound):
            await act
    assert [client.id for client in await registry.page(search="", after="", limit=9)] == []
    with pytest.raises(InvalidClient):
        await registry.authenticate(DOCS_CLIENT_ID, "", now=clock.now())
