"""What guessing looks like from outside: when the door closes, what it says, and what does not help."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx2
import pytest

from tests.servers.gatepost import PASSWORD, SHIPPED
from tests.web.oauth.browsing import Surfer
from tests.web.reading import read_page
from tests.web.running import Web, as_served, assert_problem, basic

pytestmark = pytest.mark.anyio
CSRF = {"X-Gatepost-CSRF": "1"}
_number = count(1)


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    return {**SHIPPED, "LIMITS__LETTERS_FROM_NETWORK": "8", "LIMITS__NETWORK_FAILURES": "12"}


@asynccontextmanager
async def coming_from(web: Web, address: str) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(as_served(web.edge), client=(address, 5))
    async with httpx2.AsyncClient(transport=transport, base_url=web.settings.public_url) as client:
        yield client


@pytest.fixture
async def person(web: Web) -> str:
    """A new account."""
    name = f"person{next(_number)}"
    await web.add_user(name)
    return name


async def log_in(client: httpx2.AsyncClient, name: str, password: str = PASSWORD, **more: Any) -> httpx2.Response:
    return await client.post("/auth/login", json={"username": name, "password": password}, **more)


async def fail(web: Web, name: str, times: int = 5) -> None:
    """Wrong passwords, each from another address."""
    for number in range(times):
        async with coming_from(web, f"127.1.{next(_number)}.{number}") as client:
            assert_problem(await log_in(client, name, "wrong"), 401, "invalid_login")


@pytest.mark.spec("RATE-01")
@pytest.mark.spec("ENUM-02")
async def test_a_closed_door_says_when_to_come_back_and_nothing_of_the_account(web: Web, person: str) -> None:
    documents = []
    for name in (person, "nobody"):
        await fail(web, name)
        answer = await log_in(web.client, name)
        assert_problem(answer, 429, "too_many_attempts")
        assert 50 <= int(answer.headers["retry-after"]) <= 60
        assert not [field for field in answer.headers if field.startswith("ratelimit")]
        documents.append({**answer.json(), "request_id": ""})
        by_basic = await web.client.get("/users/me", headers=basic(name, PASSWORD))
        assert_problem(by_basic, 429, "too_many_attempts")
    assert documents[0] == documents[1]


@pytest.mark.spec("LOCK-02")
@pytest.mark.spec("HDR-03")
@pytest.mark.spec("RATE-06")
async def test_no_field_of_the_request_makes_a_caller_another(web: Web) -> None:
    fields = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "True-Client-IP", "User-Agent")
    async with coming_from(web, "127.2.0.1") as client:
        answers = [
            await log_in(client, f"nobody{number}", "wrong", headers=dict.fromkeys(fields, f"198.51.100.{number}"))
            for number in range(40)
        ]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:12] == [401] * 12
    assert statuses.count(429) >= 20


async def test_a_device_that_sends_its_text_back_gets_in_while_strangers_are_shut_out(web: Web, person: str) -> None:
    known = (await web.sign_in(person))["device"]
    await fail(web, person)
    assert (await log_in(web.client, person)).status_code == 429
    again = await web.sign_in(person, device=known)
    assert again["device"].startswith("gp_kd_")
    forged = known[:-1] + ("A" if known[-1] != "A" else "B")
    answer = await web.client.post("/auth/login", json={"username": person, "password": PASSWORD, "device": forged})
    assert answer.status_code == 429


async def test_a_browser_that_has_signed_in_gets_in_while_strangers_are_shut_out(web: Web, person: str) -> None:
    async with coming_from(web, "127.0.0.1") as browser, coming_from(web, "127.0.0.1") as stranger:
        for client in (browser, stranger):
            client.params = {"mode": "cookie"}
        assert (await log_in(browser, person, headers=CSRF)).status_code == 200
        assert (await browser.post("/auth/logout", headers=CSRF)).status_code == 204
        await fail(web, person)
        assert (await log_in(stranger, person, headers=CSRF)).status_code == 429
        answer = await log_in(browser, person, headers=CSRF)
        assert answer.status_code == 200
        assert "device" not in answer.json()


@pytest.mark.spec("RATE-01")
async def test_the_page_of_sign_in_says_what_to_do_and_knows_its_browser(web: Web, person: str) -> None:
    async with coming_from(web, "127.0.0.1") as one, coming_from(web, "127.0.0.1") as other:
        owner, stranger = await Surfer(one).signed_in(person), Surfer(other)
        await fail(web, person)
        page = await stranger.get("/sign-in")
        for name in (person, "somebody else"):
            answer = await stranger.submit(page, username=name, password=PASSWORD)
            assert answer.status_code == (429 if name == person else 422)
            if name == person:
                assert 50 <= int(answer.headers["retry-after"]) <= 60
                assert "Too many attempts." in read_page(answer.text).text
        one.cookies.delete("gp_session")
        assert (await owner.submit(await owner.get("/sign-in"), username=person, password=PASSWORD)).status_code == 303


@pytest.mark.spec("RATE-01")
async def test_letters_are_asked_for_a_few_times_and_not_more(web: Web) -> None:
    async def ask(client: httpx2.AsyncClient, address: str) -> int:
        return (await client.post("/auth/password/forgot", json={"email": address})).status_code

    async with coming_from(web, "127.3.0.1") as one, coming_from(web, "127.3.0.2") as other:
        victim = ["Victim@example.org", "VICTIM@example.org"]
        assert [await ask((one, other)[n % 2], victim[n % 2]) for n in range(5)] == [202] * 5
        refused = await other.post("/auth/password/forgot", json={"email": "victim@example.org"})
        assert_problem(refused, 429, "too_many_attempts")
        assert 50 <= int(refused.headers["retry-after"]) <= 60
        statuses = [await ask(one, f"somebody{number}@example.org") for number in range(20)]
        assert statuses[:5] == [202] * 5
        assert statuses.count(429) >= 8
        assert await ask(other, "elsewhere@example.org") == 202


async def test_dead_links_are_followed_a_few_times_and_not_more(web: Web) -> None:
    async with coming_from(web, "127.4.0.1") as client:
        statuses = []
        for number in range(30):
            sent = {"token": f"guess{number}", "new_password": PASSWORD}
            statuses.append((await client.post("/auth/password/reset", json=sent)).status_code)
    assert statuses[:12] == [410] * 12
    assert statuses.count(429) >= 10
    page = await web.client.get("/reset-password", params={"token": "guess"})
    assert page.status_code == 410, "another network"
