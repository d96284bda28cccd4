"""One refresh token used many times at once, over two workers; and what reuse ends."""

import asyncio
from itertools import cycle
from uuid import uuid4

import httpx2
import pytest

from tests.servers.gatepost import Fleet, bearer

pytestmark = pytest.mark.anyio
RACERS = 64
ROUNDS = 4


async def race(fleet: Fleet, token: str) -> list[httpx2.Response]:
    """The same token from all sides at once."""
    start = asyncio.Event()

    async def use(client: httpx2.AsyncClient) -> httpx2.Response:
        await start.wait()
        return await client.post("/auth/refresh", json={"refresh_token": token})

    racing = [asyncio.create_task(use(client)) for client, _ in zip(cycle(fleet.clients), range(RACERS), strict=False)]
    start.set()
    return await asyncio.gather(*racing)


@pytest.fixture(scope="module", params=["10s", "0s"], ids=["grace", "strict"])
def fleet_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """With the default window, and without any."""
    return {"TOKENS__REFRESH_GRACE": request.param}


async def signed_in(fleet: Fleet) -> dict[str, str]:
    """A new person's tokens."""
    name = f"u{uuid4().hex[:12]}"
    await fleet.add_user(name)
    return await fleet.sign_in(name)


@pytest.mark.timeout(1800)
@pytest.mark.spec("RFC 9700 §4.14.2")
async def test_racing_uses_agree_on_one_successor_or_end_the_family(fleet: Fleet, rounds: int) -> None:
    strict = not fleet.settings.tokens.refresh_grace
    for _ in range(rounds or ROUNDS):
        tokens = await signed_in(fleet)
        bystander = await signed_in(fleet)
        answers = await race(fleet, tokens["refresh_token"])
        good = [answer for answer in answers if answer.status_code == 200]
        successors = {answer.json()["refresh_token"] for answer in good}
        assert len(successors) == 1
        me = await fleet.clients[1].get("/users/me", headers=bearer(good[0].json()["access_token"]))
        again = await fleet.clients[0].post("/auth/refresh", json={"refresh_token": successors.pop()})
        if strict:
            assert len(good) == 1
            assert {answer.status_code for answer in answers} == {200, 401}
            assert (me.status_code, again.status_code) == (401, 401)
        else:
            assert len(good) == RACERS
            assert (me.status_code, again.status_code) == (200, 200)
        others = [
            (await client.get("/users/me", headers=bearer(bystander["access_token"]))).status_code
            for client in fleet.clients
        ]
        assert others == [200, 200]


@pytest.mark.spec("RFC 9700 §4.14.2")
async def test_every_older_generation_ends_that_family_and_no_other(fleet: Fleet) -> None:
    name = f"u{uuid4().hex[:12]}"
    await fleet.add_user(name)
    other_device = await fleet.sign_in(name, worker=1)
    for steps_back in (2, 3, 5):
        chain = [await fleet.sign_in(name)]
        for _ in range(5):
            answer = await fleet.clients[0].post("/auth/refresh", json={"refresh_token": chain[-1]["refresh_token"]})
            chain.append(answer.json())
        reused = await fleet.clients[1].post(
            "/auth/refresh", json={"refresh_token": chain[-1 - steps_back]["refresh_token"]}
        )
        newest = await fleet.clients[0].post("/auth/refresh", json={"refresh_token": chain[-1]["refresh_token"]})
        seen = [
            (await client.get("/users/me", headers=bearer(token["access_token"]))).status_code
            for client in fleet.clients
            for token in chain
        ]
        assert reused.status_code == 401
        assert reused.json()["code"] == "invalid_grant"
        assert newest.status_code == 401
        assert set(seen) == {401}
    alive = await fleet.clients[0].get("/users/me", headers=bearer(other_device["access_token"]))
    assert alive.status_code == 200
    refreshed = await fleet.clients[0].post("/auth/refresh", json={"refresh_token": other_device["refresh_token"]})
    assert refreshed.status_code == 200
