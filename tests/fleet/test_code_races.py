"""One code redeemed many times at once, over two workers; and codes whose spending the engine has forgotten."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import httpx2
import pytest

from service import clock
from service.clients.client import Client
from service.clients.metadata import AUTHORIZATION_CODE, DEVICE_CODE, NO_SECRET, REFRESH_TOKEN, ClientMetadata
from service.codes.desk import CodeDesk
from tests.contracts.redis_ground import peek
from tests.servers.gatepost import Fleet, bearer
from tests.servers.valkey import ValkeyServer
from tests.web.oauth.browsing import REDIRECT, VERIFIER, Surfer, returned
from tests.web.running import basic

pytestmark = pytest.mark.anyio
RACERS = 50
ROUNDS = 3
INACTIVE = {"active": False}
Form = dict[str, str]


@dataclass
class Stage:
    """A person in a browser, an application that needs no consent and may run on devices, and a resource server."""

    fleet: Fleet
    browser: Surfer
    application: Client
    resource_server: dict[str, str]

    async def code(self) -> Form:
        """A request that redeems a new authorization code."""
        code = returned(await self.browser.authorize(self.application))["code"]
        return {
            "grant_type": AUTHORIZATION_CODE,
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            "client_id": self.application.id,
        }

    async def device_code(self) -> Form:
        """The same for a device that the person has let in."""
        form = {"client_id": self.application.id, "scope": "openid orders:read"}
        started = (await self.fleet.clients[1].post("/oauth2/device_authorization", data=form)).json()
        page = await self.browser.submit(await self.browser.get("/device"), user_code=started["user_code"])
        allowed = await self.browser.submit(page, user_code=started["user_code"], choice="allow")
        assert allowed.headers["location"] == "/device/allowed"
        return {
            "grant_type": DEVICE_CODE,
            "device_code": started["device_code"],
            "client_id": self.application.id,
        }

    async def new(self, kind: str) -> Form:
        """A request of this kind."""
        return await (self.code() if kind == "code" else self.device_code())

    async def token(self, form: Form, *, worker: int = 0) -> httpx2.Response:
        """Ask the token endpoint."""
        return await self.fleet.clients[worker].post("/oauth2/token", data=form)

    async def redeemed(self, form: Form) -> dict[str, Any]:
        """The tokens."""
        answer = await self.token(form)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def refreshed(self, tokens: dict[str, Any], *, worker: int = 0) -> httpx2.Response:
        """Trade the refresh token in."""
        form = {"grant_type": REFRESH_TOKEN, "refresh_token": tokens["refresh_token"], "client_id": self.application.id}
        return await self.token(form, worker=worker)

    async def told(self, token: str) -> list[dict[str, Any]]:
        """What each worker tells a resource server about a token."""
        return [
            (await client.post("/oauth2/introspect", data={"token": token}, headers=self.resource_server)).json()
            for client in self.fleet.clients
        ]

    async def assert_dead(self, tokens: dict[str, Any]) -> None:
        """No worker takes any of these tokens; one that did not end them itself hears of it by the stream."""
        deadline = time.monotonic() + 5
        while await self.told(tokens["access_token"]) != [INACTIVE] * 2:
            assert time.monotonic() < deadline, "a worker still takes the access token"
            await asyncio.sleep(0.01)
        assert await self.told(tokens["refresh_token"]) == [INACTIVE] * 2
        for worker, client in enumerate(self.fleet.clients):
            for path in ("/users/me", "/userinfo"):
                assert (await client.get(path, headers=bearer(tokens["access_token"]))).status_code == 401
            assert_refused(await self.refreshed(tokens, worker=worker))

    async def assert_alive(self, tokens: dict[str, Any]) -> None:
        """Every worker takes the access token."""
        assert [document["active"] for document in await self.told(tokens["access_token"])] == [True] * 2


@pytest.fixture(scope="module")
async def stage(fleet: Fleet) -> AsyncIterator[Stage]:
    """Over the two workers."""
    now = clock.now()
    await fleet.add_user("ada")
    metadata = ClientMetadata(
        redirect_uris=(REDIRECT,),
        grant_types=frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE}),
        auth_method=NO_SECRET,
        skips_consent=True,
    )
    clients = fleet.house.rooms.clients
    application, _ = await clients.create(
        "Orders", confidential=False, scopes=("orders:read",), now=now, metadata=metadata
    )
    server, secret = await clients.create("Server", confidential=True, scopes=("tokens:introspect",), now=now)
    assert secret is not None
    async with httpx2.AsyncClient(base_url=fleet.workers[0].url, timeout=10) as client:
        browser = await Surfer(client).signed_in("ada")
        yield Stage(fleet, browser, application, basic(server.id, secret))


def assert_refused(answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), answer.text


async def race(stage: Stage, form: Form) -> list[httpx2.Response]:
    """The same code from all sides at once."""
    start = asyncio.Event()

    async def redeem(client: httpx2.AsyncClient) -> httpx2.Response:
        await start.wait()
        return await client.post("/oauth2/token", data=form)

    racing = [
        asyncio.create_task(redeem(client))
        for client, _ in zip(cycle(stage.fleet.clients), range(RACERS), strict=False)
    ]
    start.set()
    return await asyncio.gather(*racing)


@contextmanager
def forgotten(valkey: ValkeyServer) -> Iterator[None]:
    """What the engine learns in this block, it has forgotten afterwards: all its keys are as before."""
    with peek(valkey.url) as raw:
        kept = [(key, max(raw.pexpiretime(key), 0), raw.dump(key)) for key in set(raw.scan_iter())]
        yield
        with raw.pipeline(transaction=True) as at_once:  # the workers never see it empty
            at_once.flushall()
            for key, until, packed in kept:
                if packed is not None:  # it has not expired while we looked
                    at_once.restore(key, until, packed, absttl=True)
            at_once.execute()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["code", "device"])
@pytest.mark.spec("RACE-02")
@pytest.mark.spec("DEV-11")
@pytest.mark.spec("RFC 6749 §4.1.2")
async def test_of_many_racing_redemptions_one_succeeds_and_what_it_got_is_dead(
    stage: Stage, rounds: int, kind: str
) -> None:
    bystander = await stage.redeemed(await stage.new(kind))
    own = await stage.fleet.sign_in("ada")
    for _ in range(rounds or ROUNDS):
        answers = await race(stage, await stage.new(kind))
        good = [answer.json() for answer in answers if answer.status_code == 200]
        assert len(good) <= 1
        for answer in answers:
            if answer.status_code != 200:
                assert_refused(answer)
        for tokens in good:
            await stage.assert_dead(tokens)
        await stage.assert_alive(bystander)
        bystander = (await stage.refreshed(bystander)).json()
        me = [await client.get("/users/me", headers=bearer(own["access_token"])) for client in stage.fleet.clients]
        assert [answer.status_code for answer in me] == [200, 200]


@pytest.mark.parametrize("kind", ["code", "device"])
@pytest.mark.spec("CODE-02")
@pytest.mark.spec("CODE-03")
@pytest.mark.spec("RED-07")
async def test_the_ledger_knows_a_redemption_that_the_engine_has_forgotten(
    stage: Stage, fleet_valkey: ValkeyServer, kind: str
) -> None:
    form = await stage.new(kind)
    with forgotten(fleet_valkey):
        tokens = await stage.redeemed(form)
        await stage.assert_alive(tokens)
    assert_refused(await stage.token(form, worker=1))
    await stage.assert_dead(tokens)


@pytest.mark.parametrize("kind", ["code", "device"])
@pytest.mark.spec("RED-07")
async def test_a_session_that_has_ended_is_not_opened_again_by_a_code_that_came_back(
    stage: Stage, fleet_valkey: ValkeyServer, kind: str
) -> None:
    form = await stage.new(kind)
    with forgotten(fleet_valkey):
        tokens = await stage.redeemed(form)
        revoked = {"token": tokens["refresh_token"], "client_id": stage.application.id}
        assert (await stage.fleet.clients[0].post("/oauth2/revoke", data=revoked)).status_code == 200
    assert_refused(await stage.token(form, worker=1))
    await stage.assert_dead(tokens)


@pytest.mark.parametrize("kind", ["code", "device"])
@pytest.mark.spec("RACE-09")
async def test_a_code_with_which_a_worker_has_died_is_dead(stage: Stage, kind: str) -> None:
    form, now = await stage.new(kind), clock.now()
    rooms = stage.fleet.house.rooms  # a third worker, which goes no further
    if kind == "code":
        desk = rooms.authorization._codes
        assert isinstance(desk, CodeDesk)
        grant = await desk.take(form["code"], now=now)
    else:
        grant = await rooms.devices.poll(form["device_code"], client_id=form["client_id"], now=now)
    for worker in (0, 1):
        assert_refused(await stage.token(form, worker=worker))
    assert await rooms.sessions.find_standing(grant.session_id) is None


@pytest.mark.spec("CODE-10")
async def test_a_code_that_the_engine_has_lost_redeems_nothing(stage: Stage, fleet_valkey: ValkeyServer) -> None:
    code, device_code = await stage.code(), await stage.device_code()
    fleet_valkey.flush()
    for worker in (0, 1):
        assert_refused(await stage.token(code, worker=worker))
        expired = await stage.token(device_code, worker=worker)
        assert (expired.status_code, expired.json()["error"]) == (400, "expired_token")
    await stage.assert_alive(await stage.redeemed(await stage.code()))
