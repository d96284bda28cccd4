"""A lost password: the letter, its link, and what every attempt at more than that gets."""

import asyncio
import re
from itertools import count
from pathlib import Path

import pytest

from service import clock
from service.accounts.account import User
from service.accounts.directory import UserChange
from service.addresses.link import LIVES, MADE_AT_MOST_EVERY, Purpose
from service.app import build_house
from service.mail.sender import PAUSES
from service.protocol.errors import DeadLink
from tests.servers.mail import MailServer, text_of
from tests.web.running import Web, assert_problem, bearer

pytestmark = pytest.mark.anyio
NEW = "giraffes would rather sleep"
_number = count(1)


async def person(web: Web, **more: object) -> User:
    """Somebody with an address."""
    name = f"person{next(_number)}"
    options: dict[str, object] = {"email": f"{name}@example.org", "roles": ["clerk"], "scopes": [], **more}
    return await web.rooms.directory.create(name, "tall giraffes eat acacia", now=clock.now(), **options)  # type: ignore[arg-type]  # keyword names are those of create


async def link_for(web: Web, mail: MailServer, user: User) -> str:
    answer = await web.client.post("/auth/password/forgot", json={"email": user.email})
    assert (answer.status_code, answer.content) == (202, b"")
    return await mail.link_to(user.email or "")


async def reset(web: Web, token: str, password: str = NEW, **more: str) -> int:
    sent = {"token": token, "new_password": password, **more}
    return (await web.client.post("/auth/password/reset", json=sent)).status_code


@pytest.mark.spec("RST-01")
async def test_a_link_sets_a_password_once_ends_every_session_and_the_person_is_told(
    web: Web, mail: MailServer
) -> None:
    user = await person(web)
    before = await web.sign_in(user.username)
    token = await link_for(web, mail, user)
    assert await reset(web, token) == 204
    assert await reset(web, token, "another sentence of mine") == 410
    assert (await web.client.get("/users/me", headers=bearer(before["access_token"]))).status_code == 401
    refused = await web.client.post("/auth/refresh", json={"refresh_token": before["refresh_token"]})
    assert_problem(refused, 401, "invalid_grant")
    await web.sign_in(user.username, NEW)
    told = await mail.letter_to(user.email or "", "has changed")
    assert "token=" not in text_of(told)
    found = await web.rooms.directory.get(user.id)
    assert found.email_verified_at is not None


@pytest.mark.spec("RST-01")
async def test_eight_at_once_with_one_link_are_one(web: Web, mail: MailServer) -> None:
    user = await person(web)
    token = await link_for(web, mail, user)
    passwords = [f"a sentence of number {number}" for number in range(8)]
    statuses = await asyncio.gather(*(reset(web, token, password) for password in passwords))
    assert sorted(statuses) == [204] + [410] * 7
    await web.sign_in(user.username, passwords[statuses.index(204)])


@pytest.mark.spec("RST-02")
async def test_a_link_dies_with_any_change_of_password_or_address(web: Web, mail: MailServer) -> None:
    directory = web.rooms.directory
    for change in (
        lambda user: directory.set_password(user.id, "a sentence set by somebody", now=clock.now()),
        lambda user: directory.change(user.id, UserChange(disabled=True), now=clock.now()),
        lambda user: directory.change(user.id, UserChange(email=f"moved-{user.username}@example.org"), now=clock.now()),
        lambda user: directory.change(user.id, UserChange(roles=["admin"]), now=clock.now()),
    ):
        user = await person(web)
        token = await link_for(web, mail, user)
        await change(user)
        assert await reset(web, token) == 410


@pytest.mark.spec("RST-02")
async def test_a_link_dies_after_its_hour_and_with_the_next_one(web: Web, mail: MailServer) -> None:
    user = await person(web)
    token, recovery = await link_for(web, mail, user), web.rooms.recovery
    late = clock.now() + LIVES[Purpose.RESET]
    with pytest.raises(DeadLink):
        await recovery.reset(token, NEW, locale="en", now=late)
    later = clock.now() + MADE_AT_MOST_EVERY
    newer = await recovery._links.make(Purpose.RESET, user.email or "", user=user, now=later)
    assert newer is not None
    assert await reset(web, token) == 410
    assert await reset(web, newer) == 204


@pytest.mark.spec("RST-05")
async def test_a_link_is_about_one_account_whatever_else_is_said(web: Web, mail: MailServer) -> None:
    user, victim = await person(web), await person(web)
    token = await link_for(web, mail, user)
    for extra in ({"user_id": victim.id}, {"sub": victim.id}, {"username": victim.username}, {"email": victim.email}):
        assert await reset(web, token, **extra) == 422  # type: ignore[arg-type]  # every address is there
    assert await reset(web, token) == 204
    await web.sign_in(victim.username)


@pytest.mark.spec("RST-03")
async def test_the_link_leads_to_the_configured_origin_whatever_the_request_claims(web: Web, mail: MailServer) -> None:
    user = await person(web)
    hostile = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "host=evil.example;proto=http",
        "Origin": "https://evil.example",
        "Referer": "https://evil.example/",
    }
    answer = await web.client.post("/auth/password/forgot", json={"email": user.email}, headers=hostile)
    assert answer.status_code == 202
    letter = await mail.letter_to(user.email or "")
    assert "evil" not in letter.as_string()
    assert re.findall(r"https?://[^/\s]+", text_of(letter)) == [web.settings.public_url]
    assert letter["From"] == "Gatepost <no-reply@id.example>"
    assert letter["Auto-Submitted"] == "auto-generated"


@pytest.mark.spec("ENUM-06")
async def test_nobody_learns_whether_an_address_is_known_and_nothing_is_sent_to_strangers(
    web: Web, mail: MailServer
) -> None:
    user = await person(web)
    known = await web.client.post("/auth/password/forgot", json={"email": user.email})
    unknown = await web.client.post("/auth/password/forgot", json={"email": "nobody@example.org"})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (202, b"")
    same = {name: value for name, value in known.headers.items() if name != "x-request-id"}
    assert same == {name: value for name, value in unknown.headers.items() if name != "x-request-id"}
    await mail.letter_to(user.email or "")
    assert [letter["To"] for letter in mail.letters if letter["To"] == "nobody@example.org"] == []


async def test_asking_often_fills_no_mailbox(web: Web, mail: MailServer) -> None:
    user = await person(web)
    token = await link_for(web, mail, user)
    for _ in range(3):
        await web.client.post("/auth/password/forgot", json={"email": user.email})
    await asyncio.sleep(1.2)  # two rounds of the sender
    assert [letter for letter in mail.letters if letter["To"] == user.email] == []
    assert await reset(web, token) == 204


@pytest.mark.parametrize(
    "bad", ["", "x", "a@b", "a b@example.org", "ada@example.org\r\nBcc: eve@example.org", "@", "a@"]
)
async def test_what_is_no_address_is_refused_by_its_name(web: Web, bad: str) -> None:
    answer = await web.client.post("/auth/password/forgot", json={"email": bad})
    assert_problem(answer, 422, answer.json()["code"])
    assert answer.json()["errors"][0]["pointer"] == "/email"


async def test_a_password_that_the_policy_refuses_leaves_the_link_good(web: Web, mail: MailServer) -> None:
    user = await person(web)
    token = await link_for(web, mail, user)
    answer = await web.client.post("/auth/password/reset", json={"token": token, "new_password": "short"})
    assert_problem(answer, 422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == "/new_password"
    assert await reset(web, token) == 204


async def test_a_letter_that_the_server_does_not_take_now_is_sent_later_and_one_it_never_takes_is_not(
    web: Web, mail: MailServer
) -> None:
    user = await person(web)
    mail.answers[:] = ["451 come again"]
    await web.client.post("/auth/password/forgot", json={"email": user.email})
    async with asyncio.timeout(10):
        while mail.answers:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    house = build_house(web.settings)
    try:
        sender = house.letters
        assert sender is not None
        later = clock.now() + PAUSES.after(0)
        sender._now = lambda: later
        await sender.send_due()
    finally:
        await house.database.close()
        await house.link.close()
    assert await reset(web, await mail.link_to(user.email or "")) == 204

    await mail.letter_to(user.email or "", "has changed")
    other = await person(web)
    mail.answers[:] = ["550 no such mailbox"]
    await web.client.post("/auth/password/forgot", json={"email": other.email})
    async with asyncio.timeout(10):
        while mail.answers:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.7)
    assert [letter for letter in mail.letters if letter["To"] == other.email] == []


@pytest.mark.spec("RST-06")
async def test_what_waits_in_the_ledger_opens_nothing(web: Web, mail: MailServer) -> None:
    user = await person(web)
    token = await link_for(web, mail, user)
    url = web.settings.database_url.get_secret_value()
    dump = b"".join(file.read_bytes() for file in Path(url.partition(":///")[2]).parent.glob("web*.sqlite*"))
    assert user.username.encode() in dump
    assert token.encode() not in dump
    assert len(token) == 43
