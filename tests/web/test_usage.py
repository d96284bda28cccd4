"""Usage from outside: what each request is counted as, who sees which totals, pages, and the spreadsheet."""

import asyncio
import csv
import io
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from service import clock
from service.accounts.account import User
from service.usage import Dimension, Question
from service.web.counting import CountsUsage
from tests.servers.gatepost import PASSWORD
from tests.servers.valkey import ValkeyServer
from tests.web.running import Web, assert_problem, basic, bearer, running_web

pytestmark = pytest.mark.anyio
BY_ALL = {"by": ["principal", "client", "api_key", "route", "outcome"]}


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    return {"LIMITS__VERIFY_RATE": "8/h", "USAGE__FLUSH_EVERY": "100ms"}


@pytest.fixture(scope="module")
async def auditor(web: Web) -> dict[str, str]:
    """Somebody who may see all usage."""
    await web.add_user("auditor", scopes=("admin:usage:read",))
    return await web.token("auditor")


async def ask(web: Web, headers: dict[str, str], path: str = "/admin/usage", **asked: Any) -> dict[str, Any]:
    answer = await web.client.get(path, headers=headers, params={"limit": 200, **asked})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def settled(web: Web, user: User, requests: int) -> None:
    """Wait until so many requests of a person are in the ledger."""
    question = Question(subject=user.id)
    found: list[int] = []
    for _ in range(100):
        found = [total.requests for total in await web.rooms.usage.totals(question, after="", limit=1)]
        if found == [requests]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def make_requests(web: Web, name: str) -> tuple[User, str, dict[str, str]]:
    """Twenty-four requests of a person by all ways; the id of their key, and their token's field."""
    user = await web.add_user(name)
    signed_in = await web.token(name)
    key = await web.rooms.api_keys.create(
        user.id, "till", scopes=(), within=frozenset(), networks=(), life=None, now=clock.now()
    )
    for headers in (signed_in, basic(name, PASSWORD), {"X-API-Key": key.text}):
        for path, times in (("/users/me", 2), ("/admin/users", 1), ("/auth/verify", 4)):
            for _ in range(times):
                await web.client.get(path, headers=headers)
    await web.client.head("/auth/verify", headers=signed_in)
    await web.client.delete("/users/me/sessions/none", headers=signed_in)
    await settled(web, user, 24)
    return user, key.key.id, signed_in


def rows(found: dict[str, Any], *names: str) -> dict[tuple[Any, ...], int]:
    return {tuple(item[name] for name in names): item["requests"] for item in found["items"]}


async def test_each_request_is_counted_for_who_made_it_with_what_where_and_to_what_end(
    web: Web, auditor: dict[str, str]
) -> None:
    user, key, _ = await make_requests(web, "ada")
    found = await ask(web, auditor, subject=user.id, **BY_ALL)
    assert found["next"] is None
    verify = "/auth/verify"
    assert rows(found, "client_id", "api_key_id", "route", "outcome") == {
        ("gatepost", "", "/auth/login", "ok"): 1,
        ("gatepost", "", "/users/me", "ok"): 2,
        ("gatepost", "", "/admin/users", "refused"): 1,
        ("gatepost", "", verify, "ok"): 4,
        ("gatepost", "", verify, "limited"): 1,
        ("gatepost", "", "/users/me/sessions/{session_id}", "invalid"): 1,
        ("", "", "/users/me", "ok"): 2,
        ("", "", "/admin/users", "refused"): 1,
        ("", "", verify, "ok"): 4,
        ("", key, "/users/me", "ok"): 2,
        ("", key, "/admin/users", "refused"): 1,
        ("", key, verify, "ok"): 4,
    }
    assert {(item["kind"], item["subject"], item["period"]) for item in found["items"]} == {("user", user.id, None)}


async def test_what_nobody_did_is_nobodys_and_none_of_it_is_what_they_said(web: Web, auditor: dict[str, str]) -> None:
    async def of_nobody() -> dict[tuple[Any, ...], int]:
        return rows(await ask(web, auditor, kind="nobody", by=["principal", "route", "outcome"]), "route", "outcome")

    await asyncio.sleep(0.3)
    before = await of_nobody()
    secret = "canary-5b1e"
    for path in (f"/{secret}", f"/users/me?x={secret}", f"/users/me/sessions/{secret}", "/auth/verify"):
        for headers in ({}, bearer(secret), basic(secret, secret), {"X-API-Key": secret}):
            await web.client.request("GET" if "sessions/" not in path else "DELETE", path, headers=headers)
    expected = {
        ("unmatched", "invalid"): 4,
        ("/users/me", "refused"): 4,
        ("/users/me/sessions/{session_id}", "refused"): 4,
        ("/auth/verify", "refused"): 4,
    }
    async with asyncio.timeout(5):
        while (found := {row: n - before.get(row, 0) for row, n in (await of_nobody()).items()}) != {
            **dict.fromkeys(found, 0),
            **expected,
        }:
            await asyncio.sleep(0.05)
    everything = await web.rooms.usage.totals(Question(by=frozenset(Dimension)), after="", limit=1_000)
    assert not [row for row in everything if secret in repr(row)]


async def test_a_person_sees_their_own_and_nothing_else(web: Web) -> None:
    user, key, mine = await make_requests(web, "bob")
    other, _, others = await make_requests(web, "eve")
    own = await ask(web, mine, "/users/me/usage", by="principal", subject=other.id, kind="nobody")
    assert [(item["subject"], item["kind"]) for item in own["items"]] == [(user.id, "user")]
    by_key = await ask(web, mine, "/users/me/usage", api_key_id=key)
    assert [item["requests"] for item in by_key["items"]] == [7]
    assert (await ask(web, others, "/users/me/usage", api_key_id=key))["items"] == []
    by_client = await ask(web, mine, "/users/me/usage", by="client", route="/auth/verify")
    assert rows(by_client, "client_id") == {("gatepost",): 5, ("",): 8}
    answer = await web.client.get("/admin/usage", headers=mine)
    assert_problem(answer, 403, "insufficient_scope")


async def test_totals_are_by_the_hour_the_day_and_the_month_of_utc_within_a_range(
    web: Web, auditor: dict[str, str]
) -> None:
    before = clock.now()
    user, *_ = await make_requests(web, "dora")
    after = clock.now() + timedelta(hours=1)
    for per, form in (("hour", "%Y-%m-%dT%H:00Z"), ("day", "%Y-%m-%d"), ("month", "%Y-%m")):
        found = await ask(web, auditor, subject=user.id, per=per)
        assert {item["period"] for item in found["items"]} <= {f"{one:{form}}" for one in (before, after)}
        assert sum(item["requests"] for item in found["items"]) == 24

    async def within(**asked: str) -> int:
        return sum(item["requests"] for item in (await ask(web, auditor, subject=user.id, **asked))["items"])

    began = before.replace(minute=0, second=0, microsecond=0)
    assert await within(since=began.isoformat(), until=after.isoformat()) == 24
    assert await within(since=after.isoformat()) == await within(until=began.isoformat()) == 0
    assert await within(since="0001-01-01T00:00:00+05:00") == await within(until="9999-12-31T23:59:59-05:00") == 24
    assert await within(until="0001-01-01T00:00:00Z") == await within(since="9999-12-31T23:59:59Z") == 0


async def test_pages_follow_each_other_and_a_cursor_belongs_to_its_question(web: Web, auditor: dict[str, str]) -> None:
    user, *_ = await make_requests(web, "flora")
    whole = await ask(web, auditor, subject=user.id, per="hour", **BY_ALL)
    asked = {"subject": user.id, "per": "hour", **BY_ALL}
    items: list[Any] = []
    page: dict[str, Any] = {"next": ""}
    cursor = ""
    while page["next"] is not None:
        page = await ask(web, auditor, limit=5, cursor=page["next"], **asked)
        items += page["items"]
        cursor = page["next"] or cursor
    assert items == whole["items"]
    answer = await web.client.get("/admin/usage", headers=auditor, params={"cursor": cursor, "by": "route"})
    assert_problem(answer, 422, "invalid_request")


async def test_a_spreadsheet_has_all_of_it_in_one(
    web: Web, auditor: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.web.usage._ROWS_AT_ONCE", 5)
    user, _, mine = await make_requests(web, "greta")
    for path, headers, asked in (
        ("/admin/usage", auditor, {"subject": user.id, "per": "day", **BY_ALL}),
        ("/users/me/usage", mine, {"per": "day", "route": "/auth/verify", **BY_ALL}),
    ):
        answer = await web.client.get(path, headers=headers, params={**asked, "format": "csv"})
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["content-disposition"] == 'attachment; filename="usage.csv"'
        told = list(csv.DictReader(io.StringIO(answer.text)))
        shown = (await ask(web, headers, path, **asked))["items"]
        assert told == [{name: str(value) for name, value in item.items()} for item in shown]
        assert len(told) > 0
    empty = await web.client.get("/users/me/usage", headers=mine, params={"route": "none", "format": "csv"})
    assert empty.text == "period,kind,subject,client_id,api_key_id,route,outcome,requests\r\n"


@pytest.mark.parametrize(
    "asked", [{"by": "colour"}, {"per": "week"}, {"format": "xml"}, {"since": "today"}, {"limit": "0"}, {"cursor": "x"}]
)
async def test_a_question_that_makes_no_sense_is_refused(
    web: Web, auditor: dict[str, str], asked: dict[str, str]
) -> None:
    answer: httpx2.Response = await web.client.get("/admin/usage", headers=auditor, params=asked)
    assert_problem(answer, 422, "invalid_request")


async def test_where_it_is_switched_off_nothing_is_counted(sqlite_url: str, valkey_server: ValkeyServer) -> None:
    async with running_web(sqlite_url, valkey_server.url, USAGE__COUNT="false") as web:
        assert not [watch for watch in web.edge._watches if isinstance(watch, CountsUsage)]
        await web.add_user("root", scopes=("admin:usage:read",))
        found = await ask(web, await web.token("root"))
    assert found == {"items": [], "next": None}
