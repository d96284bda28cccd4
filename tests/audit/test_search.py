"""Looking for rows: every criterion narrows; over HTTP, and as an own account is told of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service import clock
from service.audit.event import Actor, Event, Kind
from service.audit.occasion import Occasion, occasion
from service.audit.record import Record, written
from service.audit.search import Sought
from service.cli.spans import in_utc
from service.spreadsheet import cell
from service.web.events import _own
from tests.audit.asking import person
from tests.audit.ground import KEY, Chain
from tests.web.running import Web

pytestmark = pytest.mark.anyio
BY = Actor("client", "the-actor", "client_secret", "", "the-client")
SAYS = {
    "kind": "code.replayed",
    "outcome": "refused",
    "subject": "the-subject",
    "actor": "the-actor",
    "client_id": "the-client",
    "target": "session:7",
    "request_id": "request-7",
}


@pytest.fixture
async def said(chain: Chain) -> Record:
    """One row, beside five others, that says all of it, a second after them."""
    event = Event(Kind.CODE_REPLAYED, "the-subject", "session:7", outcome="refused", by=BY)
    with occasion(Occasion("request-7")):
        async with chain.database.begin() as tx:
            await chain.journal.note(tx, event, now=chain.now + timedelta(seconds=1))
    return (await chain.all())[0]


async def test_each_criterion_finds_its_row_and_no_other(chain: Chain, said: Record) -> None:
    for name, value in {**SAYS, "since": said.at}.items():
        assert [row.id for row in await chain.rows.find(Sought(**{name: value}), before="", limit=9)] == [said.id], name  # type: ignore[arg-type]  # text or an instant
        assert await chain.rows.count(Sought(**{name: value})) == 1  # type: ignore[arg-type]
    for name in SAYS:
        assert await chain.rows.count(Sought(**{name: "other"})) == 0, name  # type: ignore[arg-type]
    for whom in ("the-subject", "the-actor"):
        assert await chain.rows.count(Sought(person=whom)) == 1
    assert await chain.rows.count(Sought(since=said.at + timedelta(microseconds=1))) == 0
    assert await chain.rows.count(Sought(until=said.at)) == 5
    assert await chain.rows.count(Sought(until=said.at + timedelta(microseconds=1))) == 6
    every = {"kind": "code.replayed", "subject": "other"}
    assert await chain.rows.count(Sought(**every)) == 0, "all that is asked for must be so"  # type: ignore[arg-type]


async def test_a_person_is_erased_where_he_acted_too_and_once(chain: Chain, said: Record) -> None:
    await chain.note(1, subject="somebody", by=Actor("user", "the-actor"), personal={"email": "a@example.org"})
    for count in (2, 0):
        async with chain.database.begin() as tx:
            assert await chain.rows.erase(tx, "the-actor") == count
    assert (await chain.judge()).broken is None


async def test_over_http_each_criterion_narrows_too(web: Web) -> None:
    boss = await person(web, "admin")
    admin = await web.token(boss.username)
    async with web.rooms.acts.begin(boss.created_at) as act:
        await act.note(Event(Kind.CODE_REPLAYED, "the-subject", "session:7", outcome="refused", by=BY))
    [row] = await web.rooms.audit.find(Sought(target="session:7"), before="", limit=9)

    async def shown(**asked: str) -> list[str]:
        answer = await web.client.get("/admin/audit", params={"subject": "the-subject", **asked}, headers=admin)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    for name, value in {**SAYS, "request_id": row.request_id}.items():
        if value:
            assert await shown(**{name: value}) == [row.id], name
        assert await shown(**{name: "other"}) == [], name
    later = (row.at + timedelta(seconds=1)).isoformat()
    assert (await shown(since=row.at.isoformat()), await shown(since=later)) == ([row.id], [])
    assert (await shown(until=row.at.isoformat()), await shown(until=later)) == ([], [row.id])
    for name in SAYS:
        long = await web.client.get("/admin/audit", params={name: "x" * 257}, headers=admin)
        assert long.status_code == 422, name


def test_the_own_account_is_told_who_it_was_and_from_where_only_of_oneself_and_of_strangers() -> None:
    told = {}
    for kind, actor in {"user": "boss", "client": "c", "operator": "root", "system": "", "nobody": ""}.items():
        event = Event(Kind.SIGN_IN, "ada", by=Actor(kind, actor))  # type: ignore[arg-type]  # one of the kinds
        row = written(event, event.by or BY, {"address": "192.0.2.7", "user_agent": "B"}, "", KEY, clock.now())
        told[kind] = _own(row, "ada")
    own = _own(replace(row, actor_kind="user", actor="ada"), "ada")
    assert {kind: one.by for kind, one in told.items()} == {
        "user": "administrator",
        "client": "application",
        "operator": "administrator",
        "system": "service",
        "nobody": "somebody",
    }
    assert [kind for kind, one in told.items() if one.address or one.user_agent] == ["nobody"]
    assert (own.by, own.address, own.user_agent) == ("you", "192.0.2.7", "B")
    assert _own(replace(row, personal=None, salt=None), "ada").address == ""


def test_a_cell_is_no_formula_and_a_moment_without_an_offset_isin_utc() -> None:
    assert [cell(text) for text in ("=1+1", "+1", "-1", "@x", "\tx", "\rx")] == [
        f"'{text}" for text in ("=1+1", "+1", "-1", "@x", "\tx", "\rx")
    ]
    assert [cell(value) for value in ("ada", {"é": 1}, None, 7)] == ["ada", '{"é": 1}', "", "7"]
    now = clock.now()
    assert (in_utc(now.replace(tzinfo=None)), in_utc(now), in_utc(None)) == (now, now, None)
