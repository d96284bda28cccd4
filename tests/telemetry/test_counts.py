"""What happens is counted, once, under the word that docs/telemetry.md says."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from service import clock
from service.app import House
from service.audit import Event, Kind, journal
from service.protocol.errors import Conflict, StoreUnavailable
from service.storage.redis import RedisLink
from service.tally import Tally
from service.telemetry import Level, Metrics, metrics
from tests.servers.gatepost import PASSWORD, SHIPPED
from tests.web.oauth.asking import SERVICE, register
from tests.web.running import Web, bearer, running_web

pytestmark = pytest.mark.anyio


@pytest.fixture
async def web(sqlite_url: str, valkey_url: str) -> AsyncIterator[Web]:
    """An application with the figures of limits that Gatepost ships with, but for three calls an hour."""
    for tally in Tally.known:
        tally.take()  # what other tests of this process have left; a worker tells of it as it starts
    async with running_web(sqlite_url, valkey_url, **{**SHIPPED, "LIMITS__API_RATE": "3/h"}) as web:
        yield web


async def figures(web: Web) -> dict[str, float]:
    """Each series by its name and the values of its labels, which come in the order of their names."""
    text = (await web.app.state.metrics.read()).decode()
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return {" ".join([one.name.removeprefix("gatepost_"), *one.labels.values()]): one.value for one in samples}


async def test_sign_ins_refreshes_and_doors_are_counted(web: Web) -> None:
    await web.add_user("ada")
    ada = {"username": "ada", "password": PASSWORD}
    pair = (await web.client.post("/auth/login", json=ada)).json()
    refresh = {"refresh_token": pair["refresh_token"]}
    newer = (await web.client.post("/auth/refresh", json=refresh)).json()
    assert (await web.client.post("/auth/refresh", json=refresh)).status_code == 200
    assert (await web.client.post("/auth/refresh", json={"refresh_token": newer["refresh_token"]})).status_code == 200
    assert (await web.client.post("/auth/refresh", json=refresh)).status_code == 401
    for _ in range(7):
        await web.client.post("/auth/login", json={**ada, "password": "wrong"})
    told = await figures(web)
    assert told["sign_ins_total ok direct"] == 1
    assert told["refresh_tokens_total rotated"] == 2
    assert told["refresh_tokens_total repeated"] == 1
    assert told["refresh_tokens_total reused"] == 1
    assert told["events_total refresh_token.reused ok"] == 1
    assert told["revocations_total sid"] == 1
    assert told["near_cache_entries"] == 1
    refused = told["sign_ins_total refused password"]
    assert (refused, told["events_total door.closed refused"]) == (3, 1)
    assert sum(value for name, value in told.items() if name.startswith("attempts_refused_total")) >= 7 - refused


async def test_requests_tokens_and_rates_are_counted(web: Web) -> None:
    service = await register(web, "Nightly", grants=SERVICE)
    tokens = [(await service.as_itself()).json()["access_token"] for _ in range(3)]
    statuses = [(await web.client.get("/users/me", headers=bearer(tokens[0]))).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    for _ in range(4):
        assert (await web.client.head("/auth/verify", headers=bearer(tokens[0]))).status_code == 200
    told = await figures(web)
    assert told["token_answers_total client_credentials"] == 3
    assert told["requests_limited_total api"] == 2
    assert told["http_requests_total GET /users/me 200"] == 3
    assert told["http_requests_total GET /users/me 429"] == 2
    assert told["http_requests_total HEAD /auth/verify 200"] == 4
    assert told["http_request_duration_seconds_count /auth/verify"] == 4
    assert told["store_up sql"] == told["store_up redis"] == 1
    assert told["signing_key_age_seconds ES256"] >= 0
    assert 0 <= told["feed_age_seconds"] < 5
    assert told["store_seconds_count redis"] > 0


async def test_a_store_that_is_away_is_told_of(sqlite_url: str) -> None:
    async with running_web(sqlite_url, "redis://127.0.0.1:1/0") as web:
        before = (await figures(web)).get("store_refusals_total redis", 0)
        assert (await web.client.post("/auth/login", json={"username": "x", "password": "y"})).status_code == 503
        told = await figures(web)
    assert (told["store_up sql"], told["store_up redis"]) == (1, 0)
    assert told["store_refusals_total redis"] > before


async def test_a_link_that_was_never_used_is_not_up() -> None:
    async with RedisLink.from_url("redis://127.0.0.1:1/0") as link:
        assert not link.is_up
        with pytest.raises(StoreUnavailable):
            await link.ping()
        assert not link.is_up


async def test_an_act_is_counted_when_it_has_been_committed_and_not_when_it_was_undone(house: House) -> None:
    journal._events.take(), journal._sign_ins.take()
    signed_in = Event(Kind.SIGN_IN, subject="ada", detail={"way": "direct"})

    async def act(stops: Exception | None) -> None:
        async with house.rooms.acts.begin(clock.now()) as act:
            await act.note(signed_in)
            assert journal._events.take() == {}
            if stops is not None:
                raise stops

    for stops in (Conflict(), StoreUnavailable("sql")):
        with pytest.raises(type(stops)):
            await act(stops)
    assert (journal._events.take(), journal._sign_ins.take()) == ({}, {})
    await act(None)
    assert journal._events.take() == {(Kind.SIGN_IN, "ok"): 1}
    assert journal._sign_ins.take() == {("direct", "ok"): 1}


async def test_a_round_of_figures_that_fails_is_told_and_the_next_one_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_EVERY", 0.01)
    full, rounds = False, 0

    def levels() -> Sequence[Level]:
        nonlocal rounds
        rounds += 1
        if full:
            raise OSError("no space left on device")
        return ()

    async def backlog() -> Sequence[Level]:
        return ()

    async def rounds_pass() -> None:
        until = rounds + 3
        async with asyncio.timeout(10):
            while rounds < until:
                await asyncio.sleep(0.01)

    figures = Metrics(None, levels, backlog)
    await figures.start()
    with structlog.testing.capture_logs() as lines:
        full = True
        await rounds_pass()
        full = False
        told = len(lines)
        await rounds_pass()
        assert {(line["event"], line["log_level"]) for line in lines} == {("metrics could not be told", "error")}
        assert len(lines) == told >= 2
        full = True
        await figures.stop()
    assert len(lines) > told, "a worker ends in good order all the same"
