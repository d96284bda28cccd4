"""Which of the presented credentials counts, and what each kind becomes."""

from base64 import b64encode
from itertools import combinations_with_replacement

import pytest

from gatepost.principal import Principal
from service import clock
from service.accounts.account import User
from service.app import House
from service.credentials.resolver import Presented
from service.protocol.errors import InvalidRequest, InvalidToken, NotAuthenticated
from service.sessions.pairs import TokenPair
from tests.rooms import add_user, counted, sign_in
from tests.servers.gatepost import PASSWORD
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def alice(house: House) -> User:
    return await add_user(house, "alice")


@pytest.fixture
async def pair(house: House, alice: User) -> TokenPair:
    return await sign_in(house, alice)


async def resolve(house: House, presented: Presented) -> Principal:
    return await house.resolver.resolve(presented, address=lambda: "192.0.2.7", now=clock.now())


async def new_key(house: House, alice: User) -> str:
    made = await house.rooms.api_keys.create(
        alice.id,
        "Till",
        scopes=["orders:read"],
        within=frozenset({"orders:read"}),
        networks=(),
        life=None,
        now=clock.now(),
    )
    return made.text


def basic(pair: str) -> bytes:
    return b"Basic " + b64encode(pair.encode())


async def test_each_kind_becomes_a_principal_of_its_own(house: House, alice: User, pair: TokenPair) -> None:
    key = await new_key(house, alice)
    token = pair.access.token
    client, secret = await house.rooms.clients.create("Till", confidential=True, scopes=["stock:read"], now=clock.now())
    held = {"account:read", "account:write", "orders:read", "orders:write"}
    bearer = await resolve(house, Presented([f"Bearer {token}".encode()]))
    cookie = await resolve(house, Presented(cookies=[token]))
    for caller, scheme in ((bearer, "bearer"), (cookie, "cookie")):
        assert (caller.subject, caller.kind, caller.scheme, caller.scopes) == (alice.id, "user", scheme, held)
        assert (caller.session_id, caller.client_id, caller.credential_id) == (
            pair.session_id,
            "gatepost",
            pair.access.jti,
        )
    for presented in (Presented([f"Bearer {key}".encode()]), Presented(api_keys=[key.encode()])):
        caller = await resolve(house, presented)
        assert (caller.subject, caller.kind, caller.scheme, caller.scopes) == (
            alice.id,
            "user",
            "api_key",
            {"orders:read"},
        )
        assert (caller.session_id, caller.client_id) == (None, None)
        assert caller.credential_id is not None
        assert caller.credential_id not in key
    person = await resolve(house, Presented([basic(f"ALICE:{PASSWORD}")]))
    assert (person.subject, person.kind, person.scheme, person.scopes) == (alice.id, "user", "basic", held)
    machine = await resolve(house, Presented([basic(f"{client.id}:{secret}")]))
    assert (machine.subject, machine.kind, machine.scheme) == (client.id, "client", "basic")
    assert (machine.scopes, machine.client_id, machine.session_id) == ({"stock:read"}, client.id, None)


@pytest.mark.spec("RFC 6750 §3")
async def test_without_a_credential_nobody_calls(house: House) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        await resolve(house, Presented())
    assert type(refused.value) is NotAuthenticated


@pytest.mark.spec("RFC 6750 §2")
@pytest.mark.spec("BAS-05")
async def test_two_credentials_are_refused_even_when_both_are_good_and_no_store_is_asked(
    house: House, alice: User, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    key, bearer = await new_key(house, alice), f"Bearer {pair.access.token}".encode()
    kinds = [
        Presented(authorizations=[bearer]),
        Presented(authorizations=[basic(f"alice:{PASSWORD}")]),
        Presented(authorizations=[b""]),
        Presented(api_keys=[key.encode()]),
        Presented(api_keys=[b""]),
        Presented(cookies=[pair.access.token]),
        Presented(cookies=[""]),
    ]
    with counted(house, valkey_server) as asked:
        for one, other in combinations_with_replacement(kinds, 2):
            both = Presented(
                [*one.authorizations, *other.authorizations],
                [*one.api_keys, *other.api_keys],
                [*one.cookies, *other.cookies],
            )
            with pytest.raises(InvalidRequest):
                await resolve(house, both)
    assert (asked.sql, asked.redis) == (0, 0)


@pytest.mark.spec("TOK-10")
@pytest.mark.spec("JWT-50")
async def test_a_credential_of_one_kind_is_none_of_another(
    house: House, alice: User, pair: TokenPair, valkey_server: ValkeyServer
) -> None:
    key = await new_key(house, alice)
    with counted(house, valkey_server) as asked:
        for presented in (
            Presented([f"Bearer {pair.refresh_token}".encode()]),
            Presented(cookies=[pair.refresh_token]),
            Presented(cookies=[key]),
            Presented(cookies=[""]),
            Presented(cookies=["\xe9"]),
            Presented(api_keys=[pair.access.token.encode()]),
            Presented(api_keys=[pair.refresh_token.encode()]),
            Presented(api_keys=[b""]),
            Presented(api_keys=["gp_key_é".encode()]),
            Presented(api_keys=[f"Bearer {key}".encode()]),
            Presented([b"Bearer " + b64encode(f"alice:{PASSWORD}".encode())]),
        ):
            with pytest.raises(InvalidToken):
                await resolve(house, presented)
    assert (asked.sql, asked.redis) == (0, 0)


async def test_nothing_presented_shows_in_a_repr(pair: TokenPair) -> None:
    presented = Presented([pair.access.token.encode()], [b"gp_key_x"], [pair.refresh_token])
    assert repr(presented) == "Presented()"
