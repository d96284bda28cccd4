"""Nothing secret stays behind: no dump of SQL or Redis, no log at DEBUG, no metric, no span and no row of the audit
or of usage holds what was sent."""

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
from tests.servers.mail import MailServer, running_mail_server
from tests.servers.valkey import ValkeyServer
from tests.telemetry.spans import Spans, collecting

pytestmark = pytest.mark.anyio
_number = count(1)
CSRF = {"X-Gatepost-CSRF": "1"}


@pytest.fixture
async def spans() -> AsyncIterator[Spans]:
    """Where spans go."""
    async with collecting() as spans:
        yield spans


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    """Where letters go."""
    async with running_mail_server() as mail:
        yield mail


@pytest.fixture
async def watched(
    server_folder: Path, own_valkey: ValkeyServer, empty_sqlite_url: str, spans: Spans, mail: MailServer
) -> AsyncIterator[Fleet]:
    """One worker over SQLite and a Valkey with its writes on disk, everything logged, counted and traced."""
    environ = settings_for(
        empty_sqlite_url,
        own_valkey.url,
        API_KEYS__ALLOW_IN_QUERY="true",
        TOKENS__STRICT="true",
        ACCOUNTS__REGISTRATION="open",
        MAIL__SMTP_URL=mail.url,
        TELEMETRY__TRACES=spans.url,
        USAGE__FLUSH_EVERY="1s",
    )
    async with running_fleet(server_folder / f"canary{next(_number)}", environ, workers=1) as fleet:
        yield fleet


async def use_everything(fleet: Fleet, mail: MailServer) -> set[str]:
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
    secrets |= await use_letters(client, headers, mail)
    secrets |= await use_oauth(client, headers)
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


async def use_letters(client: httpx2.AsyncClient, headers: dict[str, str], mail: MailServer) -> set[str]:
    """Registration, an invitation, a lost password and a new address, each by its link, rightly and wrongly."""
    links, word = set(), "canary of a letter %d"
    for number, (path, at) in enumerate(
        [("/auth/register", "new@example.org"), ("/admin/invitations", "asked@example.org")]
    ):
        asked = await client.post(path, headers=headers if "admin" in path else None, json={"email": at})
        assert asked.status_code in (202, 204), asked.text
        link = await mail.link_to(at)
        account = {"token": link, "username": f"by.letter{number}", "password": word % number}
        for _ in range(2):
            await client.post("/auth/register/complete", json=account)
        links.add(link)
    assert (await client.post("/auth/password/forgot", json={"email": "new@example.org"})).status_code == 202
    links.add(link := await mail.link_to("new@example.org", "password"))
    for _ in range(2):
        await client.post("/auth/password/reset", json={"token": link, "new_password": word % 9})
    signed_in = await client.post("/auth/login", json={"username": "new@example.org", "password": word % 9})
    assert signed_in.status_code == 200, signed_in.text
    change = {"email": "newer@example.org", "current_password": word % 9}
    owner = bearer(signed_in.json()["access_token"])
    assert (await client.post("/users/me/email", headers=owner, json=change)).status_code == 202
    links.add(link := await mail.link_to("newer@example.org"))
    await client.post("/auth/email/confirm", json={"token": link})
    return {*links, *(word % number for number in (0, 1, 9)), signed_in.json()["refresh_token"]}


async def use_oauth(client: httpx2.AsyncClient, headers: dict[str, str]) -> set[str]:
    """A client's own token, asked about and given back, and what is forged or guessed. The flows of people are in
    `tests/web/oauth/test_secrets_at_rest.py`, those with other services in `tests/web/federation`."""
    made = {"name": "canary service", "scopes": ["orders:read"], "grant_types": ["client_credentials"]}
    service = (await client.post("/admin/clients", headers=headers, json=made)).json()
    proof = (service["id"], service["client_secret"])
    form = {"grant_type": "client_credentials"}
    token = (await client.post("/oauth2/token", auth=proof, data=form)).json()["access_token"]
    for path in ("/oauth2/introspect", "/oauth2/revoke", "/oauth2/introspect"):
        for said in (token, f"{token}canary-tail"):
            assert (await client.post(path, auth=proof, data={"token": said})).status_code == 200
    guessed = "canary guess of a client secret"
    assert (await client.post("/oauth2/token", auth=(proof[0], guessed), data=form)).status_code == 401
    query = {"code": "canary-code", "state": "canary-state", "token": "canary-token-in-query"}
    await client.get("/oauth2/authorize", params=query)
    await client.get("/reset-password", params=query)
    traced = {
        "tracestate": "vendor=canary-tracestate",
        "baggage": "canary-baggage=1",
        "cookie": "gp_session=canary-cookie",
    }
    await client.get("/users/me", headers=traced)
    return {
        token,
        proof[1],
        guessed,
        "canary-tail",
        *query.values(),
        "canary-tracestate",
        "canary-baggage",
        "canary-cookie",
    }


def parts(secret: str) -> set[str]:
    """The secret, and what of it would be enough for a thief."""
    found = {secret, secret.removeprefix(KEY_PREFIX).removeprefix(REFRESH_PREFIX)}
    return found | ({secret.rsplit(".", 1)[1]} if secret.count(".") == 2 and secret[-1] != "." else set())


@pytest.mark.spec("TIM-03")
@pytest.mark.spec("TIM-04")
async def test_no_secret_is_left_in_sql_redis_logs_metrics_traces_audit_or_usage(
    watched: Fleet, own_valkey: ValkeyServer, spans: Spans, mail: MailServer
) -> None:
    secrets = await use_everything(watched, mail)
    assert len(secrets) > 30
    await asyncio.sleep(1.2)  # what is written behind
    async with asyncio.timeout(30):
        while b'INSERT INTO "usage" ' not in dump_of_sql(watched):
            await asyncio.sleep(0.1)
    shown = await shown_to_operators(watched)
    places = {"log": watched.workers[0].log.read_bytes(), "sql": dump_of_sql(watched), "redis": b"", **shown}
    places["traces"] = await spans.until(b"/metrics")
    with own_valkey.client() as redis:
        redis.execute_command("DEBUG", "RELOAD")
    places["redis"] = b"".join(file.read_bytes() for file in own_valkey.log.parent.rglob("*.aof*") if file.is_file())
    assert b"gp:" in places["redis"]
    assert b"canary" in places["sql"]
    assert b"refused" in places["log"]
    assert b"trace_id" in places["log"]
    assert b'gatepost_sign_ins_total{outcome="refused",way="password"}' in places["metrics"]
    assert b"password.reset" in places["audit"]
    assert b"/auth/password/reset" in places["traces"]
    for secret in secrets:
        for part in parts(secret):
            for place, content in places.items():
                assert part.encode() not in content, f"{part} is left in {place}"


async def shown_to_operators(fleet: Fleet) -> dict[str, bytes]:
    """The audit as an administrator reads it, then the metrics."""
    headers, audit = bearer((await fleet.sign_in("root"))["access_token"]), b""
    cursor: str | None = ""
    while cursor is not None:
        asked = {"limit": "100", "cursor": cursor}
        answer = await fleet.clients[0].get("/admin/audit", params=asked, headers=headers)
        audit, cursor = audit + answer.content, answer.json().get("next")
    metrics = await fleet.clients[0].get("/metrics", headers=headers)
    assert metrics.status_code == 200, metrics.text
    return {"audit": audit, "metrics": metrics.content}


def dump_of_sql(fleet: Fleet) -> bytes:
    """Every row as text and as the bytes of the file."""
    file = fleet.settings.database_url.get_secret_value().removeprefix("sqlite+aiosqlite:///")
    with sqlite3.connect(file) as connection:
        rows = "\n".join(connection.iterdump())
    return rows.encode() + b"".join(part.read_bytes() for part in Path(file).parent.glob(f"{Path(file).name}*"))
