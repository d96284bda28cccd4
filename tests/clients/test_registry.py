"""Applications: their secrets, the overlap of a rotation, and who may act on them."""

import asyncio
from datetime import timedelta

import pytest

from gatepost.revocation import RevocationKind
from service import clock
from service.app import House
from service.clients.client import CLIENT_ID_PREFIX, FIRST_PARTY, Client
from service.clients.registry import SECRET_PREFIX, ClientChange, ClientRegistry
from service.logs import redact
from service.protocol.errors import BeyondOwnScopes, Invalid, InvalidClient, NotFound
from tests.rooms import counted
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.fixture
def registry(house: House) -> ClientRegistry:
    return house.rooms.clients


@pytest.fixture
async def till(registry: ClientRegistry) -> tuple[Client, str]:
    """A confidential client and its secret."""
    client, secret = await registry.create("Till", confidential=True, scopes=["orders:read"], now=clock.now())
    assert secret is not None
    return client, secret


async def refused(registry: ClientRegistry, client_id: str, secret: str, **more: object) -> None:
    with pytest.raises(InvalidClient) as refusal:
        await registry.authenticate(client_id, secret, **{"now": clock.now(), **more})  # type: ignore[arg-type]  # now alone
    assert refusal.value.public == "Client authentication failed."


async def test_a_new_client_is_kept_without_its_secret(registry: ClientRegistry, till: tuple[Client, str]) -> None:
    client, secret = till
    assert await registry.get(client.id) == client
    assert (client.name, client.scopes, client.epoch, client.active) == ("Till", {"orders:read"}, 1, True)
    assert client.id.startswith(CLIENT_ID_PREFIX)
    assert len(secret) >= len(SECRET_PREFIX) + 43
    assert secret not in f"{client!r}"
    assert secret not in redact(f"sent {secret}")
    assert await registry.authenticate(client.id, secret, now=clock.now()) == client


@pytest.mark.spec("CL-01")
async def test_every_other_pair_is_refused_alike(registry: ClientRegistry, till: tuple[Client, str]) -> None:
    (client, secret), (other, other_secret) = (
        till,
        await registry.create("Other", confidential=True, scopes=(), now=clock.now()),
    )
    assert other_secret is not None
    for client_id, presented in (
        *((client.id, wrong) for wrong in ("", " ", secret[:-1], secret + " ", secret.swapcase(), other_secret, "\0")),
        *(
            (wrong, secret)
            for wrong in ("", other.id, client.id.upper(), client.id + " ", CLIENT_ID_PREFIX, FIRST_PARTY)
        ),
        (client.id, "\ud800"),
        ("\ud800", secret),
        (CLIENT_ID_PREFIX + "\0", secret),
        (client.id, client.secrets[0].digest.hex()),
    ):
        await refused(registry, client_id, presented)


async def test_what_is_no_client_id_costs_no_look_up(house: House, valkey_server: ValkeyServer) -> None:
    with counted(house, valkey_server) as asked:
        for client_id in ("alice", FIRST_PARTY, "", "GP_CLIENT_x"):
            await refused(house.rooms.clients, client_id, "secret")
    assert (asked.sql, asked.redis) == (0, 0)
    with counted(house, valkey_server) as asked:
        await refused(house.rooms.clients, CLIENT_ID_PREFIX + "x", "secret")
    assert asked.sql == 1


async def test_a_public_client_has_no_secret_and_cannot_authenticate(registry: ClientRegistry) -> None:
    client, secret = await registry.create("App", confidential=False, scopes=(), now=clock.now())
    assert (secret, client.secrets) == (None, ())
    await refused(registry, client.id, "")
    with pytest.raises(Invalid):
        await registry.rotate_secret(client.id, overlap=timedelta(0), now=clock.now())


@pytest.mark.spec("CL-12")
async def test_the_old_secret_works_to_the_end_of_the_overlap(
    registry: ClientRegistry, till: tuple[Client, str]
) -> None:
    (client, old), now = till, clock.now()
    new = await registry.rotate_secret(client.id, overlap=timedelta(minutes=5), now=now)
    end = now + timedelta(minutes=5)
    assert (await registry.authenticate(client.id, old, now=end - SECOND)).id == client.id
    for moment in (end, end + SECOND):
        await refused(registry, client.id, old, now=moment)
        assert (await registry.authenticate(client.id, new, now=moment)).id == client.id


async def test_of_several_rotations_the_newest_two_secrets_work(
    registry: ClientRegistry, till: tuple[Client, str]
) -> None:
    (client, first), now = till, clock.now()
    second = await registry.rotate_secret(client.id, overlap=timedelta(minutes=5), now=now)
    third = await registry.rotate_secret(client.id, overlap=DAY, now=now + SECOND)
    await refused(registry, client.id, first, now=now + SECOND)
    for secret in (second, third):
        await registry.authenticate(client.id, secret, now=now + SECOND)
    fourth = await registry.rotate_secret(client.id, overlap=timedelta(0), now=now + 2 * SECOND)
    for secret in (first, second, third):
        await refused(registry, client.id, secret, now=now)
    assert (await registry.authenticate(client.id, fourth, now=now)).epoch == 4


@pytest.mark.parametrize("overlap", [-SECOND, 30 * DAY + SECOND])
async def test_an_overlap_is_0_to_30_days(
    registry: ClientRegistry, till: tuple[Client, str], overlap: timedelta
) -> None:
    with pytest.raises(Invalid) as refusal:
        await registry.rotate_secret(till[0].id, overlap=overlap, now=clock.now())
    assert refusal.value.field == "overlap"
    assert await registry.get(till[0].id) == till[0]


async def test_racing_rotations_leave_two_secrets_and_each_answer_was_true_for_a_while(
    house: House, other_house: House, till: tuple[Client, str]
) -> None:
    client, first = till
    made = await asyncio.gather(
        *(one.rooms.clients.rotate_secret(client.id, overlap=DAY, now=clock.now()) for one in (house, other_house) * 3)
    )
    kept = await house.rooms.clients.get(client.id)
    assert (len(kept.secrets), kept.epoch) == (2, 7)
    works = []
    for secret in [first, *made]:
        try:
            works.append((await house.rooms.clients.authenticate(client.id, secret, now=clock.now())).id)
        except InvalidClient:
            continue
    assert len(works) == 2


async def test_a_disabled_client_is_refused_until_it_is_enabled(
    house: House, registry: ClientRegistry, till: tuple[Client, str]
) -> None:
    (client, secret), now = till, clock.now()
    disabled = await registry.change(client.id, ClientChange(disabled=True), now=now)
    assert (disabled.disabled_at, disabled.epoch) == (now, 2)
    assert house.feed.revoked.client_epoch(client.id) == 2
    await refused(registry, client.id, secret)
    again = await registry.change(client.id, ClientChange(disabled=True), now=now + SECOND)
    assert again.disabled_at == now
    enabled = await registry.change(client.id, ClientChange(disabled=False), now=now)
    assert await registry.authenticate(client.id, secret, now=now) == enabled


async def test_a_change_leaves_what_it_does_not_name(registry: ClientRegistry, till: tuple[Client, str]) -> None:
    client, secret = till
    changed = await registry.change(client.id, ClientChange(name=" New till ", scopes=[]), now=clock.now())
    assert (changed.name, changed.scopes, changed.secrets) == ("New till", frozenset(), client.secrets)
    assert await registry.authenticate(client.id, secret, now=clock.now()) == changed
    for change in (
        ClientChange(name=""),
        ClientChange(name="a\nb"),
        ClientChange(scopes=["a b"]),
        ClientChange(scopes=["admin:x"]),
    ):
        with pytest.raises(Invalid):
            await registry.change(client.id, change, now=clock.now())
    assert await registry.get(client.id) == changed


@pytest.mark.spec("AUTHZ-06")
async def test_an_administrator_neither_hands_out_nor_commands_more_than_he_has(
    house: House, registry: ClientRegistry, till: tuple[Client, str]
) -> None:
    (client, secret), now, within = till, clock.now(), frozenset({"admin:clients:write"})
    for act in (
        registry.create("Other", confidential=True, scopes=["orders:read"], now=now, within=within),
        registry.change(client.id, ClientChange(disabled=True), now=now, within=within),
        registry.rotate_secret(client.id, overlap=timedelta(0), now=now, within=within),
    ):
        with pytest.raises(BeyondOwnScopes):
            await act
    equal = within | {"orders:read"}
    with pytest.raises(BeyondOwnScopes):
        await registry.change(client.id, ClientChange(scopes=["orders:read", "stock:read"]), now=now, within=equal)
    assert await registry.authenticate(client.id, secret, now=now) == client
    assert len(house.feed.revoked) == 0
    assert (await registry.change(client.id, ClientChange(scopes=[]), now=now, within=equal)).epoch == 2


async def test_nobody_is_not_found(house: House, registry: ClientRegistry) -> None:
    for client_id in ("", FIRST_PARTY, CLIENT_ID_PREFIX, "\0", "\ud800"):
        for act in (
            registry.get(client_id),
            registry.change(client_id, ClientChange(name="x"), now=clock.now()),
            registry.rotate_secret(client_id, overlap=timedelta(0), now=clock.now()),
        ):
            with pytest.raises(NotFound):
                await act
    assert house.feed.revoked.secret_epoch(FIRST_PARTY) == 0
    assert not house.feed.revoked.has(RevocationKind.CLIENT, FIRST_PARTY)
