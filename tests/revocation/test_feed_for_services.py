"""`/auth/revocations`: what other services follow, missing nothing."""

from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import text

from gatepost.revocation import Revocation, RevocationKind
from service import clock
from service.app import create_app
from service.revocation.entry import Entry
from service.settings import load_settings
from service.storage.sql import Database, SqlRevocations
from service.storage.sql.database import SqlTransaction
from service.web import wellknown
from tests.servers.gatepost import settings_for
from tests.web.running import Web, assert_problem, basic

pytestmark = pytest.mark.anyio


@pytest.fixture
async def web(sql_url: str, valkey_url: str) -> AsyncIterator[Web]:
    """The shipped application over an empty ledger."""
    settings = load_settings(settings_for(sql_url, valkey_url))
    edge = create_app(settings)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(edge), base_url=settings.public_url) as client:
        running = Web(settings, edge, client)
        async with running.app.router.lifespan_context(running.app):
            yield running


@pytest.fixture
async def database(sql_url: str) -> AsyncIterator[Database]:
    """The same ledger, for another worker's transactions."""
    other = Database(sql_url)
    yield other
    await other.close()


@pytest.fixture
async def follower(web: Web) -> dict[str, str]:
    """The Authorization field of a service that may follow."""
    client, secret = await web.add_client("Orders", "revocations:read")
    return basic(client.id, secret)


async def follow(web: Web, field: dict[str, str], cursor: str = "") -> tuple[list[str], str]:
    """One reading to its end: the subjects told, and where the next begins."""
    told: list[str] = []
    while True:
        answer = await web.client.get("/auth/revocations", params={"after": cursor}, headers=field)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        told += [entry["subject"] for entry in page["entries"]]
        cursor = page["cursor"]
        if not page["more"]:
            return told, cursor


async def record(database: Database, tx: SqlTransaction, *subjects: str) -> None:
    for subject in subjects:
        revocation = Revocation(RevocationKind.SESSION, subject, clock.now() + timedelta(hours=1))
        await SqlRevocations(database).add(tx, [Entry(revocation, "u1", "test")])


def age(web: Web) -> None:
    """Let eleven seconds pass since the worker has read the ledger."""
    feed = web.rooms.feed
    feed._highest = deque((at - 11, number) for at, number in feed._highest)


async def test_an_entry_says_what_is_refused_and_until_when(web: Web, follower: dict[str, str]) -> None:
    now = clock.now()
    async with web.rooms.acts.begin(now) as act:
        await act.revoke_sessions(["s1"], user_id="u1", why="not for others")
        await act.raise_user_epoch("u1", 7, why="not for others")
    answer = await web.client.get("/auth/revocations", headers=follower)
    until = int((now + timedelta(days=1, minutes=1)).timestamp())
    assert answer.json()["entries"] == [
        {"kind": "sid", "subject": "s1", "until": until, "epoch": 0},
        {"kind": "user", "subject": "u1", "until": until, "epoch": 7},
    ]
    assert answer.headers["cache-control"] == "no-store"


async def test_what_is_young_is_told_again_and_what_is_settled_is_not(
    web: Web, follower: dict[str, str], database: Database
) -> None:
    async with database.begin() as tx:
        await record(database, tx, "s1", "s2")
    told, cursor = await follow(web, follower)
    assert told == ["s1", "s2"]
    told, cursor = await follow(web, follower, cursor)
    assert told == ["s1", "s2"]
    await web.rooms.feed.reconcile()
    age(web)
    told, cursor = await follow(web, follower, cursor)
    async with database.begin() as tx:
        await record(database, tx, "s3")
    told, cursor = await follow(web, follower, cursor)
    assert told == ["s3"]


async def test_a_long_list_comes_in_pages_and_whole(
    web: Web, follower: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wellknown, "_PAGE", 4)
    names = [f"s{number}" for number in range(10)]
    async with database.begin() as tx:
        await record(database, tx, *names)
    for _ in range(2):
        await web.rooms.feed.reconcile()
        age(web)
        assert (await follow(web, follower))[0] == names


@pytest.mark.parametrize("sql_url", ["postgres"], indirect=True)
async def test_what_a_long_transaction_shows_late_is_told_however_much_came_before(
    web: Web, follower: dict[str, str], database: Database
) -> None:
    async with database.begin() as late:
        await record(database, late, "late")
        async with database.begin() as early:
            await record(database, early, *(f"s{number}" for number in range(150)))
        await web.rooms.feed.reconcile()
        told, cursor = await follow(web, follower)
        assert (len(told), "late" in told) == (150, False)
    told, _ = await follow(web, follower, cursor)
    assert "late" in told


@pytest.mark.parametrize("sql_url", ["postgres"], indirect=True)
async def test_what_becomes_visible_between_two_pages_is_told_at_the_next_reading(
    web: Web, follower: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wellknown, "_PAGE", 4)
    async with database.begin() as late:
        await record(database, late, "late")
        async with database.begin() as early:
            await record(database, early, *(f"s{number}" for number in range(6)))
        first = (await web.client.get("/auth/revocations", headers=follower)).json()
        assert (len(first["entries"]), first["more"]) == (4, True)
    await web.rooms.feed.reconcile()
    age(web)
    told, cursor = await follow(web, follower, first["cursor"])
    assert told == ["s4", "s5"]
    told, _ = await follow(web, follower, cursor)
    assert "late" in told


async def put_back(database: Database, number: int) -> None:
    """Bring the ledger to what it was when this was its highest number, as an older dump does."""
    async with database.begin() as tx:
        await tx.run(text("DELETE FROM revocations WHERE number > :number"), {"number": number})
        postgresql = "SELECT setval('revocations_number_seq', :number)"
        sqlite = "UPDATE sqlite_sequence SET seq = :number WHERE name = 'revocations'"
        await tx.run(text(postgresql if database.postgresql else sqlite), {"number": number})


async def test_a_cursor_that_the_ledger_has_not_reached_is_refused_and_a_new_reading_tells_all(
    web: Web, follower: dict[str, str], database: Database
) -> None:
    async with database.begin() as tx:
        await record(database, tx, *(f"s{number}" for number in range(1, 6)))
    await web.rooms.feed.reconcile()
    age(web)
    _, cursor = await follow(web, follower)
    told, same = await follow(web, follower, cursor)
    assert (told, same) == ([], cursor)  # the last one is not ahead
    await put_back(database, 2)
    for ahead in (cursor, encoded("2:3"), encoded("3:2")):
        answer = await web.client.get("/auth/revocations", params={"after": ahead}, headers=follower)
        assert_problem(answer, 410, "cursor_ahead")
    await web.rooms.feed.reconcile()
    async with database.begin() as tx:
        await record(database, tx, "new")
    told, cursor = await follow(web, follower)
    assert told == ["s1", "s2", "new"]
    assert (await follow(web, follower, cursor))[0] == told  # young, and told again


async def test_a_cursor_is_not_ahead_because_what_it_names_has_expired(
    web: Web, follower: dict[str, str], database: Database
) -> None:
    async with database.begin() as tx:
        await record(database, tx, "s1", "s2")
    await web.rooms.feed.reconcile()
    age(web)
    _, cursor = await follow(web, follower)
    async with database.begin() as tx:
        await tx.run(text("DELETE FROM revocations"))
    assert await follow(web, follower, cursor) == ([], cursor)


def encoded(numbers: str) -> str:
    return urlsafe_b64encode(numbers.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("sql_url", ["sqlite"], indirect=True)
async def test_a_cursor_that_is_not_ours_is_refused(web: Web, follower: dict[str, str]) -> None:
    for cursor in (
        *("x", "%00", "é", encoded("1"), encoded("a:b"), encoded("1:2:3"), encoded("-1:0"), encoded("0:-1")),
        *(encoded(f"0:{2**63}"), encoded(":"), encoded("\udc80".encode("utf-8", "replace").decode()), "=" * 8),
    ):
        answer = await web.client.get("/auth/revocations", params={"after": cursor}, headers=follower)
        assert_problem(answer, 422, "invalid_request")


@pytest.mark.parametrize("sql_url", ["sqlite"], indirect=True)
async def test_only_those_who_may_follow_are_told(web: Web) -> None:
    client, secret = await web.add_client("Till", "orders:read")
    answer = await web.client.get("/auth/revocations", headers=basic(client.id, secret))
    assert_problem(answer, 403, "insufficient_scope")
    assert_problem(await web.client.get("/auth/revocations"), 401, "not_authenticated")
