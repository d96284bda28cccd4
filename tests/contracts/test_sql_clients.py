"""`Clients`, kept by SQL."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from service.clients.client import Client, ClientSecret
from service.clients.metadata import AUTHORIZATION_CODE, REFRESH_TOKEN, ClientMetadata
from service.limits import Rate
from service.limits.rate import UNLIMITED
from service.protocol.errors import Conflict, NotFound
from service.storage.sql import Database, SqlClients
from tests.contracts.sql_ground import DAY, NOW, SECOND, a_client

pytestmark = pytest.mark.anyio
FULL_METADATA = ClientMetadata(
    redirect_uris=("https://two.example/cb", "https://one.example/cb?to=ä"),
    post_logout_redirect_uris=("https://one.example/",),
    grant_types=frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
    auth_method="client_secret_post",
    resources=("https://api.example/", "urn:example:b"),
    access_life=timedelta(minutes=5),
    refresh_idle=timedelta(days=2),
    id_token_alg="ES256",
    skips_consent=True,
    client_uri="https://one.example/1",
    logo_uri="https://one.example/2",
    policy_uri="https://one.example/3",
    tos_uri="https://one.example/4",
    backchannel_logout_uri="https://one.example/5",
)


async def _kept(database: Database, client: Client) -> Client:
    async with database.begin() as tx:
        await SqlClients(database).add(tx, client)
    return client


@pytest.mark.parametrize(
    "client",
    [
        a_client(),
        a_client(confidential=False, secrets=(), scopes=frozenset(), epoch=2**40, disabled_at=NOW),
        a_client(metadata=FULL_METADATA, rate=Rate.parse("20/s")),
        a_client(rate=UNLIMITED),
    ],
    ids=["confidential", "public", "full", "unlimited"],
)
async def test_a_client_comes_back_as_it_was_kept_with_its_secrets_in_order(database: Database, client: Client) -> None:
    await _kept(database, client)

    assert await SqlClients(database).find(client.id) == client


async def test_an_id_is_compared_exactly(database: Database) -> None:
    client = await _kept(database, a_client(id="gp_client_abc"))
    clients = SqlClients(database)

    assert await clients.find("gp_client_abc") == client
    for other in ("gp_client_ABC", "gp_client_ab", "gp_client_abc ", "gp_client_ab_", "gp_client_abc\0", "\ud800", ""):
        assert await clients.find(other) is None


async def test_a_taken_id_is_a_conflict_that_leaves_the_first(database: Database) -> None:
    first = await _kept(database, a_client())

    with pytest.raises(Conflict):
        await _kept(database, a_client(id=first.id))

    assert await SqlClients(database).find(first.id) == first


async def test_pages_are_in_order_of_id_and_search_in_ids_and_names(database: Database) -> None:
    clients = SqlClients(database)
    late = await _kept(database, a_client(id="gp_client_2", name="ÉCOLE 100%"))
    early = await _kept(database, a_client(id="gp_client_1", name="Billing"))

    assert await clients.page(search="", after="", limit=9) == [early, late]
    assert await clients.page(search="", after="", limit=1) == [early]
    assert await clients.page(search="", after=early.id, limit=9) == [late]
    assert await clients.page(search="client_1", after="", limit=9) == [early]
    assert await clients.page(search="école", after="", limit=9) == [late]
    assert await clients.page(search="0%", after="", limit=9) == [late]
    for nothing in ("b%g", "client-1", "a\0", "\ud800", "x" * 100_000):
        assert await clients.page(search=nothing, after="", limit=9) in ([], ())
    assert await clients.page(search="", after="\ud800", limit=9) == ()


async def test_a_change_writes_and_raises_the_epoch_and_leaves_the_secrets(database: Database) -> None:
    clients = SqlClients(database)
    client = await _kept(database, a_client())

    async with database.begin() as tx:
        assert (
            await clients.change(
                tx,
                client.id,
                name="New",
                scopes=frozenset({"a"}),
                disabled_at=NOW,
                metadata=FULL_METADATA,
                rate=Rate(5, DAY),
            )
            == 2
        )

    assert await clients.find(client.id) == replace(
        client, name="New", scopes=frozenset({"a"}), disabled_at=NOW, epoch=2, metadata=FULL_METADATA, rate=Rate(5, DAY)
    )
    assert [found.id for found in await clients.page(search="new", after="", limit=9)] == [client.id]


async def test_new_secrets_take_the_place_of_all_old_ones(database: Database) -> None:
    clients = SqlClients(database)
    client = await _kept(database, a_client())
    fresh = (ClientSecret(b"\2" * 32, NOW + SECOND), ClientSecret(b"\3" * 32, NOW, NOW + DAY))

    async with database.begin() as tx:
        assert await clients.replace_secrets(tx, client.id, fresh) == 2

    assert await clients.find(client.id) == replace(client, secrets=fresh, epoch=2)


async def test_changing_an_unknown_client_is_not_found(database: Database) -> None:
    clients = SqlClients(database)

    with pytest.raises(NotFound):
        async with database.begin() as tx:
            await clients.change(
                tx,
                "gp_client_0",
                name="New",
                scopes=frozenset(),
                disabled_at=None,
                metadata=ClientMetadata(),
                rate=None,
            )
    with pytest.raises(NotFound):
        async with database.begin() as tx:
            await clients.replace_secrets(tx, "gp_client_0", ())


async def test_racing_changes_each_raise_the_epoch(database: Database, other_database: Database) -> None:
    client = await _kept(database, a_client())

    async def rotate(ledger: Database) -> int:
        async with ledger.begin() as tx:
            return await SqlClients(ledger).replace_secrets(tx, client.id, client.secrets)

    epochs = await asyncio.gather(*(rotate(ledger) for ledger in (database, other_database) * 10))

    assert sorted(epochs) == list(range(2, 22))


async def test_a_locked_client_is_held_still_so_that_no_racing_change_is_lost(
    database: Database, other_database: Database
) -> None:
    client = await _kept(database, a_client(scopes=frozenset()))

    async def grant(ledger: Database, scope: str) -> None:
        clients = SqlClients(ledger)
        async with ledger.begin() as tx:
            found = await clients.find_locked(tx, client.id)
            assert found is not None
            await clients.change(
                tx,
                client.id,
                name=found.name,
                scopes=found.scopes | {scope},
                disabled_at=found.disabled_at,
                metadata=found.metadata,
                rate=found.rate,
            )

    wanted = [f"scope:{number}" for number in range(10)]
    await asyncio.gather(*(grant((database, other_database)[number % 2], scope) for number, scope in enumerate(wanted)))

    assert await SqlClients(database).find(client.id) == replace(client, scopes=frozenset(wanted), epoch=11)
    async with database.begin() as tx:
        assert await SqlClients(database).find_locked(tx, "gp_client_0") is None
        assert await SqlClients(database).find_locked(tx, "a\0b") is None
