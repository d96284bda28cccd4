"""Nothing secret stays behind: no dump of SQL or Redis and no log at DEBUG holds what was sent."""

import asyncio
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import httpx2
import pytest

from service import clock
from service.api_keys.text import PREFIX as KEY_PREFIX
from service.sessions.refresh_token import PREFIX as REFRESH_PREFIX
from tests.altered import altered
from tests.servers.gatepost import PASSWORD, Fleet, bearer, running_fleet, settings_for
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
_number = count(1)
CSRF = {"X-Gatepost-CSRF": "1"}


@pytest.fixture
async def watched(server_folder: Path, own_valkey: ValkeyServer, empty_sqlite_url: str) -> AsyncIterator[Fleet]:
    """One worker over SQLite and a Valkey with its writes on disk, everything logged."""
    environ = settings_for(empty_sqlite_url, own_valkey.url, API_KEYS__ALLOW_IN_QUERY="true", TOKENS__STRICT="true")
    async with running_fleet(server_folder / f"canary{next(_number)}", environ, workers=1) as fleet:
        yield fleet


async def use_everything(fleet: Fleet) -> set[str]:
    """Every operation that takes or gives a secret; the secrets."""
    client, secrets = fleet.clients[0], {PASSWORD}
    await fleet.add_user("root", roles=["admin", "clerk"])
    tokens = await fleet.sign_in("root")
    headers = bearer(tokens["access_token"])
    secrets |= {tokens["access_token"], tokens["refresh_token"]}
    secrets |= await use_passwords(client, headers)
    secrets |= await use_api_keys(client, headers)
    secrets |= await use_clients(client, headers)
    secrets |= await use_cookies(client)
    link = await fleet.house.rooms.directory.offer_setup(now=clock.now())
    assert link is None
    for token in (tokens["refresh_token"], altered(tokens["refresh_token"])):
        for _ in range(2):
            answer = await client.post("/auth/refresh", json={"refresh_token": token})
            if answer.status_code == 200:
                secrets |= {answer.json()["access_token"], answer.json()["refresh_token"]}
    for forged in ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.", altered(tokens["access_token"])):
        assert (await client.get("/users/me", headers=bearer(forged))).status_code == 401
        secrets.add(forged)
    return secrets


async def use_passwords(client: httpx2.AsyncClient, headers: dict[str, str]) -> set[str]:
    made = await client.post(
        "/admin/users", headers=headers, json={"username": "bob", "password": "canary password of bob", "scopes": []}
    )
    assert made.status_code == 201, made.text
    tried = "canary wrong password"
    assert (await client.post("/auth/login", json={"username": "bob", "password": tried})).status_code == 401
    assert (await client.post("/auth/login", json={"username": tried, "password": [tried]})).status_code == 422
    assert (await client.post("/auth/login", content=f'{{"password": "{tried}'.encode())).status_code == 415
    assert (await client.get("/users/me", auth=("bob", tried))).status_code == 401
    assert (await client.get("/users/me", auth=("bob", "canary password of bob"))).status_code == 200
    change = {"current_password": "canary password of bob", "new_password": "canary successor of bob"}
    signed_in = await client.post("/auth/login", json={"username": "bob", "password": "canary password of bob"})
    changed = await client.post("/users/me/password", headers=bearer(signed_in.json()["access_token"]), json=change)
    assert changed.status_code == 204, changed.text
    basic = b64encode(b"bob:canary password of bob").decode()
    return {tried, *change.values(), basic, signed_in.json()["access_token"], signed_in.json()["refresh_token"]}


async def use_api_keys(client: httpx2.AsyncClient, headers: dict[str, str]) -> set[str]:
    body = {"name": "canary", "scopes": ["orders:read"]}
    made = (await client.post("/users/me/api-keys", headers=headers, json=body)).json()
    key: str = made["api_key"]
    assert (await client.get("/users/me", headers={"X-API-Key": key})).status_code == 200
    assert (await client.get("/users/me", headers=bearer(key))).status_code == 200
    assert (await client.get("/users/me", params={"api_key": key})).status_code == 200
    assert (await client.get(f"/auth/verify?api_key={key}&scope=nothing")).status_code == 403
    assert (await client.get(f"/nowhere?api_key={key}")).status_code == 404
    path = f"/users/me/api-keys/{made['id']}"
    rotated = (await client.post(f"{path}/rotate", headers=headers, json={"overlap": 60})).json()["api_key"]
    assert (await client.delete(path, headers=headers)).status_code == 204
    return {key, rotated}


async def use_clients(client: httpx2.AsyncClient, headers: dict[str, str]) -> set[str]:
    made = (await client.post("/admin/clients", headers=headers, json={"name": "canary", "scopes": []})).json()
    client_id, secret = made["id"], made["client_secret"]
    assert (await client.get("/users/me", auth=(client_id, secret))).status_code == 200
    path = f"/admin/clients/{client_id}/rotate-secret"
    rotated = (await client.post(path, headers=headers, json={"overlap": 60})).json()["client_secret"]
    assert (await client.get("/users/me", auth=(client_id, rotated))).status_code == 200
    return {secret, rotated}


async def use_cookies(client: httpx2.AsyncClient) -> set[str]:
    body = {"username": "root", "password": PASSWORD}
    async with httpx2.AsyncClient(base_url=client.base_url) as browser:
        answer = await browser.post("/auth/login?mode=cookie", headers=CSRF, json=body)
        assert answer.status_code == 200, answer.text
        given = set(answer.cookies.values())
        assert len(given) == 3
        assert (await browser.post("/auth/refresh", headers=CSRF, json={})).status_code == 200
        given |= set(browser.cookies.values())
        assert (await browser.post("/auth/logout", headers=CSRF)).status_code == 204
    return given


def parts(secret: str) -> set[str]:
    """The secret, and what of it would be enough for a thief."""
    found = {secret, secret.removeprefix(KEY_PREFIX).removeprefix(REFRESH_PREFIX)}
    return found | ({secret.rsplit(".", 1)[1]} if secret.count(".") == 2 and secret[-1] != "." else set())


async def test_no_secret_is_left_in_sql_redis_or_logs(watched: Fleet, own_valkey: ValkeyServer) -> None:
    secrets = await use_everything(watched)
    assert len(secrets) > 15
    await asyncio.sleep(1.2)  # what is written behind
    places = {"log": watched.workers[0].log.read_bytes(), "sql": dump_of_sql(watched), "redis": b""}
    with own_valkey.client() as redis:
        redis.execute_command("DEBUG", "RELOAD")
    places["redis"] = b"".join(file.read_bytes() for file in own_valkey.log.parent.rglob("*.aof*") if file.is_file())
    assert b"gp:" in places["redis"]
    assert b"canary" in places["sql"]
    assert b"refused" in places["log"]
    for secret in secrets:
        for part in parts(secret):
            for place, content in places.items():
                assert part.encode() not in content, f"{part} is left in {place}"


def dump_of_sql(fleet: Fleet) -> bytes:
    """Every row as text and as the bytes of the file."""
    file = fleet.settings.database_url.get_secret_value().removeprefix("sqlite+aiosqlite:///")
    with sqlite3.connect(file) as connection:
        rows = "\n".join(connection.iterdump())
    return rows.encode() + b"".join(part.read_bytes() for part in Path(file).parent.glob(f"{Path(file).name}*"))
