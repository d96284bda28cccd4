"""`/auth/verify` where the engine is asked about each token: the connection asks by itself, and says the same."""

import asyncio
from datetime import timedelta
from typing import Any

import jwt
import pytest

from gatepost.revocation import Revocation, RevocationKind
from service import clock
from service.pending import Pending
from service.revocation.entry import Entry
from service.storage.redis import RedisLink, RedisRevocationEngine
from service.web.watch import CALLER
from tests.servers.valkey import ValkeyServer
from tests.settled import settled
from tests.web.running import Web, running_web

pytestmark = pytest.mark.anyio
STRICT = {"TOKENS__STRICT": "true", "LIMITS__VERIFY_RATE": "1000/h"}
VERIFY = "/auth/verify"
SCOPE = {"scope": "orders:write"}


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    return STRICT


def scope_of(fields: dict[str, str], query: bytes = b"") -> dict[str, Any]:
    headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    scope = {"type": "http", "method": "GET", "path": VERIFY, "query_string": query, "headers": headers}
    return {**scope, "client": ("127.0.0.1", 1), "scheme": "http"}


def asked(web: Web, fields: dict[str, str]) -> Any:
    """What the connection is given: what is pending where the engine is asked, else the answer or None."""
    return web.edge.at_hand(scope_of(fields), b"")


async def let_in(web: Web, username: str) -> dict[str, str]:
    """The Authorization field of a token that was let in before."""
    await web.add_user(username)
    fields = await web.token(username)
    assert (await web.client.get(VERIFY, headers=fields)).status_code == 200
    return fields


async def tell(web: Web, kind: RevocationKind, subject: str, owner: str) -> None:
    """Tell the engine, as another worker would, but for the stream by which this one would learn of it."""
    revocation = Revocation(kind, subject, clock.now() + timedelta(hours=1), 9)
    async with RedisLink.from_url(web.settings.redis_url.get_secret_value()) as link:
        for key, command in RedisRevocationEngine(link)._effects(Entry(revocation, owner, "test")):
            await link.ask(key, command)


async def test_the_connection_asks_the_engine_about_a_token_that_was_good(web: Web) -> None:
    fields = await let_in(web, "strict-a")
    answer = asked(web, fields)
    assert isinstance(answer, Pending)
    await settled(answer)
    assert len(answer._value) == 3
    assert asked(web, {**fields, "X-Api-Key": "x"}) is None
    assert asked(web, {**fields, "Cookie": "x=y"}) is None
    assert asked(web, {"Authorization": fields["Authorization"] + "x"}) is None
    assert asked(web, {"Authorization": "Digest " + fields["Authorization"].removeprefix("Bearer ")}) is None
    answers = [await web.client.get(VERIFY, headers=fields) for _ in range(4)]
    assert {answer.json()["sub"] for answer in answers} == {answers[0].json()["sub"]}
    left = [int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0]) for answer in answers]
    assert left == [*range(left[0], left[0] - 4, -1)]


async def test_who_lacks_a_scope_is_told_which(web: Web) -> None:
    fields = await let_in(web, "strict-scope")
    for _ in range(4):
        answer = await web.client.get(VERIFY, params=SCOPE, headers=fields)
        assert answer.status_code == 403
        assert 'scope="orders:write"' in answer.headers["www-authenticate"]
    scope = scope_of(fields, b"scope=orders%3Awrite")
    pending: Any = web.edge.at_hand(scope, b"")
    await settled(pending)
    assert web.edge.asked(scope) is None
    assert await asyncio.create_task(web.edge.later(scope, b"")) is None
    assert scope[CALLER].subject == (await web.client.get(VERIFY, headers=fields)).json()["sub"]


@pytest.mark.spec("RED-04")
@pytest.mark.parametrize("what", ["user", "client", "session"])
async def test_the_engines_word_is_enough(sqlite_url: str, valkey_server: ValkeyServer, what: str) -> None:
    valkey_server.flush()
    async with running_web(sqlite_url, valkey_server.url, **STRICT) as web:
        fields, other = await let_in(web, "strict-b"), await let_in(web, "strict-c")
        told = (await web.client.get(VERIFY, headers=fields)).json()
        assert (await web.client.get(VERIFY, params=SCOPE, headers=fields)).status_code == 403
        match what:
            case "user":
                await tell(web, RevocationKind.USER, told["sub"], told["sub"])
            case "client":
                await tell(web, RevocationKind.CLIENT, told["client_id"], told["client_id"])
            case "session":
                await tell(web, RevocationKind.SESSION, told["session_id"], told["sub"])
        for _ in range(3):
            answer = await web.client.get(VERIFY, params=SCOPE, headers=fields)
            assert answer.status_code == 401
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]
            assert 'scope="orders:write"' in answer.headers["www-authenticate"]
        expected = 401 if what == "client" else 200
        assert (await web.client.get(VERIFY, headers=other)).status_code == expected


@pytest.mark.spec("RED-04")
async def test_the_engines_word_is_enough_about_a_token_that_is_new_here(web: Web) -> None:
    user = await web.add_user("strict-new")
    revoked, good = await web.sign_in("strict-new"), await web.sign_in("strict-new")
    session = jwt.decode(revoked["access_token"], options={"verify_signature": False})["sid"]
    await tell(web, RevocationKind.SESSION, session, user.id)
    for pair, status in ((good, 200), (revoked, 401)) * 2:  # a permit is at hand for the second
        fields = {"Authorization": f"Bearer {pair['access_token']}"}
        assert (await web.client.get(VERIFY, headers=fields)).status_code == status


async def test_an_engine_that_is_away_lets_nobody_in(sqlite_url: str, own_valkey: ValkeyServer) -> None:
    async with running_web(sqlite_url, own_valkey.url, **STRICT) as web:
        fields = await let_in(web, "strict-away")
        own_valkey.freeze()
        answers = await asyncio.gather(*(web.client.get(VERIFY, headers=fields) for _ in range(3)))
        own_valkey.resume()
        assert {answer.status_code for answer in answers} == {503}
        assert all("retry-after" in answer.headers for answer in answers)


async def test_a_memory_that_no_store_has_confirmed_lets_nobody_in(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = await let_in(web, "strict-untrusted")
    feed = web.app.state.rooms.feed
    monkeypatch.setattr(feed, "_trusted_until", 0.0)
    assert asked(web, fields) is None


async def test_what_cannot_be_read_in_the_engine_lets_nobody_in(web: Web, valkey_server: ValkeyServer) -> None:
    fields = await let_in(web, "strict-garbage")
    told = (await web.client.get(VERIFY, headers=fields)).json()
    with valkey_server.client() as raw:
        raw.set(f"gp:{{{told['sub']}}}:e", "x")
    for _ in range(3):
        assert (await web.client.get(VERIFY, headers=fields)).status_code == 503


@pytest.mark.spec("RFC 6750 §2")
@pytest.mark.parametrize("strict", ["true", "false"])
async def test_a_key_in_the_query_beside_a_token_is_a_second_credential(
    sqlite_url: str, valkey_url: str, strict: str
) -> None:
    async with running_web(sqlite_url, valkey_url, TOKENS__STRICT=strict, API_KEYS__ALLOW_IN_QUERY="true") as web:
        fields = await let_in(web, "strict-query")
        key = await web.client.post("/users/me/api-keys", json={"name": "x", "scopes": []}, headers=fields)
        by_key = await web.client.get(VERIFY, params={"api_key": key.json()["api_key"]})
        assert by_key.status_code == 200
        for _ in range(3):
            both = await web.client.get(VERIFY, params={"api_key": key.json()["api_key"]}, headers=fields)
            assert (both.status_code, both.json()["code"]) == (400, "invalid_request")
