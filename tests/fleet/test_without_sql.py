"""SQL away: what the architecture's table promises, each answer in time, and the return."""

import asyncio

import pytest

from tests.fleet.stand import HOW, Stand
from tests.servers.gatepost import PASSWORD

pytestmark = pytest.mark.anyio


@HOW
async def test_without_sql_the_common_refresh_goes_on_and_nothing_is_acknowledged(stand: Stand, how: str) -> None:
    kept, dropped = await stand.fleet.sign_in("ada"), await stand.fleet.sign_in("ada")
    await stand.sql.leave(how)
    login = {"username": "ada", "password": PASSWORD}
    for _ in range(2):
        assert (await stand.post("/auth/login", login)).status_code == 503
        refreshed = await stand.post("/auth/refresh", {"refresh_token": kept["refresh_token"]})
        assert refreshed.status_code == 200
        kept = refreshed.json()
        assert await stand.verify(kept["access_token"]) == 200
        assert (await stand.post("/auth/logout", {"refresh_token": dropped["refresh_token"]})).status_code == 503
    await asyncio.sleep(4.5)
    assert await stand.verify(kept["access_token"]) == 200
    assert (await stand.ask(stand.client.get("/.well-known/jwks.json"))).status_code == 200
    assert (await stand.ask(stand.client.get("/livez"))).status_code == 200
    assert (await stand.ask(stand.client.get("/readyz"))).json() == {
        "status": "degraded",
        "sql": False,
        "redis": True,
        "keys": True,
    }
    await stand.sql.come_back(how)
    await stand.works_again(kept)
