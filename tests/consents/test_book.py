"""What people allow applications: it grows, it is remembered, and its withdrawal ends all that rested on it."""

import asyncio
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from gatepost.encoding import encode_segment
from service import clock
from service.accounts.account import User
from service.app import House
from service.app.application import gate_of
from service.clients.client import Client
from service.clients.directory import DOCS_CLIENT_ID
from service.clients.metadata import AUTHORIZATION_CODE, NO_SECRET, REFRESH_TOKEN, ClientMetadata
from service.clients.registry import ClientChange
from service.codes.grant import AuthorizationGrant
from service.identifiers import new_id
from service.protocol.errors import InvalidClient, InvalidGrant, InvalidToken, NotFound
from service.protocol.form import parse_form
from service.settings import Settings
from service.web.oauth.form_body import SenderOf
from tests.rooms import HERE, add_user, sign_in, whoami

pytestmark = pytest.mark.anyio
CALLBACK = "https://shop.example/cb"
VERIFIER = "v" * 43
CHALLENGE = encode_segment(hashlib.sha256(VERIFIER.encode()).digest()).decode()


@pytest.fixture
async def ada(house: House) -> User:
    return await add_user(house, "ada")


@pytest.fixture
async def shop(house: House) -> Client:
    return await a_client(house, "Shop")


async def a_client(house: House, name: str, **more: object) -> Client:
    """A public client of the code grant that asks for consent."""
    metadata = ClientMetadata(
        redirect_uris=(CALLBACK,),
        grant_types=frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
        auth_method=NO_SECRET,
    )
    client, _ = await house.rooms.clients.create(
        name,
        confidential=False,
        scopes=["orders:read", "orders:write"],
        metadata=replace(metadata, **more),  # type: ignore[arg-type]  # names of ClientMetadata
        now=clock.now(),
    )
    return client


async def granted(house: House, user: User, client: Client, *, on_consent: bool = True) -> str:
    """A code for what the person has allowed."""
    now = clock.now()
    return await house.rooms.authorization._codes.issue(
        AuthorizationGrant(
            user_id=user.id,
            session_id=new_id(),
            client_id=client.id,
            redirect_uri=CALLBACK,
            code_challenge=CHALLENGE,
            scopes=frozenset({"openid", "orders:read", "orders:write"}),
            audience=(),
            nonce=None,
            auth_time=now,
            amr=("pwd",),
            acr=None,
            parent_id=None,
            epoch=user.epoch,
            on_consent=on_consent,
        )
    )


async def redeem(house: House, client: Client, code: str) -> dict[str, str]:
    """The tokens for a code."""
    sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return await ask(house, client, sent)


async def refresh(house: House, client: Client, token: str) -> dict[str, str]:
    """The tokens for a refresh token."""
    return await ask(house, client, {"grant_type": "refresh_token", "refresh_token": token})


async def ask(house: House, client: Client, sent: dict[str, str]) -> dict[str, str]:
    form = parse_form(urlencode({"client_id": client.id, **sent}).encode())
    gate = gate_of(Settings(), house)
    told = await house.rooms.tokens.answer(
        form, SenderOf({"headers": [], "client": (HERE.address, 1)}, gate), now=clock.now()
    )
    return {name: str(value) for name, value in json.loads(told).items()}


async def allow(house: House, user: User, client: Client, *scopes: str) -> None:
    wanted = scopes or ("openid", "orders:read", "orders:write")
    await house.rooms.consents.grant(user.id, client.id, wanted, (), clock.now())


async def test_a_consent_grows_and_knows_when_it_began(house: House, ada: User, shop: Client) -> None:
    book, began = house.rooms.consents, clock.now()
    assert await book.find(ada.id, shop.id) is None
    first = await book.grant(ada.id, shop.id, ["openid"], ["https://a.example/"], began)
    assert first.covers(["openid"], ["https://a.example/"])
    assert not first.covers(["openid", "orders:read"])
    assert not first.covers(["openid"], ["https://b.example/"])
    later = began + timedelta(days=1)
    wider = await book.grant(ada.id, shop.id, ["orders:read"], ["https://b.example/", "https://a.example/"], later)
    assert wider.scopes == {"openid", "orders:read"}
    assert wider.audience == ("https://a.example/", "https://b.example/")
    assert (wider.granted_at, wider.updated_at) == (began, later)
    assert await book.find(ada.id, shop.id) == wider


@pytest.mark.spec("RFC 8707 §2")
async def test_a_yes_at_one_resource_is_none_at_another(house: House, ada: User, shop: Client) -> None:
    book, one, other = house.rooms.consents, "https://a.example/", "https://b.example/"
    await book.grant(ada.id, shop.id, ["orders:write"], [one], clock.now())
    found = await book.grant(ada.id, shop.id, ["orders:read"], [other], clock.now())
    assert found.covers(["orders:write"], [one])
    assert found.covers(["orders:read"], [other])
    for scopes, audience in (
        (["orders:write"], [other]),
        (["orders:read"], [one]),
        (["orders:read"], [one, other]),
        (["orders:read"], []),
        (["orders:write"], []),
    ):
        assert not found.covers(scopes, audience), (scopes, audience)
    assert (found.scopes, found.audience) == ({"orders:read", "orders:write"}, (one, other))


@pytest.mark.spec("SCOPE-06")
async def test_a_consent_is_to_one_client_by_one_person(house: House, ada: User, shop: Client) -> None:
    bob, other = await add_user(house, "bob"), await a_client(house, "Other")
    await allow(house, ada, shop)
    assert await house.rooms.consents.find(ada.id, other.id) is None
    assert await house.rooms.consents.find(bob.id, shop.id) is None


async def test_racing_consents_on_two_workers_add_up(house: House, other_house: House, ada: User, shop: Client) -> None:
    houses = (house, other_house) * 4
    await asyncio.gather(*(allow(one, ada, shop, f"s:{number}") for number, one in enumerate(houses)))
    found = await house.rooms.consents.find(ada.id, shop.id)
    assert found is not None
    assert found.scopes == {f"s:{number}" for number in range(len(houses))}


async def test_a_withdrawal_ends_what_rested_on_it_and_nothing_else(
    house: House, other_house: House, ada: User, shop: Client
) -> None:
    other, bob = await a_client(house, "Other"), await add_user(house, "bob")
    own = await sign_in(house, ada)
    for user, client in ((ada, shop), (ada, other), (bob, shop)):
        await allow(house, user, client)
    lost = [await redeem(house, shop, await granted(house, ada, shop)) for _ in range(2)]
    kept = [
        (other, await redeem(house, other, await granted(house, ada, other))),
        (shop, await redeem(house, shop, await granted(house, bob, shop))),
    ]

    await house.rooms.consents.withdraw(ada.id, shop.id, clock.now())
    await other_house.feed.reconcile()

    for worker in (house, other_house):
        for tokens in lost:
            with pytest.raises(InvalidToken):
                await whoami(worker, f"Bearer {tokens['access_token']}")
            with pytest.raises(InvalidGrant):
                await refresh(worker, shop, tokens["refresh_token"])
        assert (await whoami(worker, f"Bearer {own.access.token}")).subject == ada.id
    for client, tokens in kept:
        assert (await whoami(other_house, f"Bearer {tokens['access_token']}")).client_id == client.id
        assert await refresh(house, client, tokens["refresh_token"])
    assert await house.rooms.consents.find(ada.id, shop.id) is None
    assert await house.rooms.consents.find(bob.id, shop.id) is not None
    with pytest.raises(NotFound):
        await house.rooms.consents.withdraw(ada.id, shop.id, clock.now())


async def test_a_code_of_before_the_withdrawal_opens_nothing(
    house: House, other_house: House, ada: User, shop: Client
) -> None:
    await allow(house, ada, shop)
    code = await granted(house, ada, shop)
    await other_house.rooms.consents.withdraw(ada.id, shop.id, clock.now())
    with pytest.raises(InvalidGrant):
        await redeem(house, shop, code)
    assert await house.rooms.sessions.page(user_id=ada.id, after="", limit=9, now=clock.now()) == []
    await allow(house, ada, shop, "openid")  # less than the code was for
    code = await granted(house, ada, shop)
    with pytest.raises(InvalidGrant):
        await redeem(house, shop, code)


async def test_redemptions_that_race_with_the_withdrawal_leave_no_session(
    house: House, other_house: House, ada: User, shop: Client
) -> None:
    await allow(house, ada, shop)
    codes = [await granted(house, ada, shop) for _ in range(6)]
    attempts = [redeem(house, shop, code) for code in codes]
    withdrawal = other_house.rooms.consents.withdraw(ada.id, shop.id, clock.now())
    await asyncio.gather(*attempts[:3], withdrawal, *attempts[3:], return_exceptions=True)
    assert await house.rooms.consents.find(ada.id, shop.id) is None
    assert await house.rooms.sessions.page(user_id=ada.id, after="", limit=9, now=clock.now()) == []


async def test_a_client_that_asks_nobody_needs_no_consent(house: House, ada: User) -> None:
    own = await a_client(house, "Own", skips_consent=True)
    tokens = await redeem(house, own, await granted(house, ada, own, on_consent=False))
    assert set(tokens["scope"].split()) == {"openid", "orders:read", "orders:write"}


async def test_a_code_of_a_client_gives_no_more_than_the_client_may_have_by_then(
    house: House, ada: User, shop: Client
) -> None:
    await allow(house, ada, shop)
    code, second = await granted(house, ada, shop), await granted(house, ada, shop)
    change = ClientChange(scopes=["orders:read"])
    await house.rooms.clients.change(shop.id, change, now=clock.now())
    tokens = await redeem(house, shop, code)
    assert set(tokens["scope"].split()) == {"openid", "orders:read"}
    change = ClientChange(metadata={"redirect_uris": ("https://moved.example/cb",)})
    await house.rooms.clients.change(shop.id, change, now=clock.now())
    with pytest.raises(InvalidGrant):
        await redeem(house, shop, second)


async def test_a_disabled_client_redeems_and_refreshes_nothing_on_any_worker(
    house: House, other_house: House, ada: User, shop: Client
) -> None:
    await allow(house, ada, shop)
    tokens = await redeem(house, shop, await granted(house, ada, shop))
    code = await granted(house, ada, shop)
    assert await refresh(other_house, shop, tokens["refresh_token"])  # so that the other worker remembers the client
    await house.rooms.clients.change(shop.id, ClientChange(disabled=True), now=clock.now())
    await other_house.feed.reconcile()
    for worker in (house, other_house):
        with pytest.raises(InvalidClient):
            await redeem(worker, shop, code)
        with pytest.raises(InvalidClient):
            await refresh(worker, shop, tokens["refresh_token"])
        with pytest.raises(InvalidToken):
            await whoami(worker, f"Bearer {tokens['access_token']}")


async def test_the_docs_client_is_consented_to_like_any_other(house: House, ada: User) -> None:
    docs = await house.rooms.client_directory.find(DOCS_CLIENT_ID)
    assert docs is not None
    await allow(house, ada, docs)
    [listed] = await house.rooms.consents.page(ada.id, after="", limit=9)
    assert listed.client_id == DOCS_CLIENT_ID
    await house.rooms.consents.withdraw(ada.id, DOCS_CLIENT_ID, clock.now())
    assert await house.rooms.consents.page(ada.id, after="", limit=9) == []


async def test_nobody_consents_for_somebody_who_is_not_there(house: House, shop: Client) -> None:
    for user_id in (new_id(), "", "\0"):
        with pytest.raises(NotFound):
            await house.rooms.consents.grant(user_id, shop.id, ["openid"], (), clock.now())
        with pytest.raises(NotFound):
            await house.rooms.consents.withdraw(user_id, shop.id, clock.now())
