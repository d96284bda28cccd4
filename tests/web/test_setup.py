"""`/setup`: the single-use link that makes the first administrator."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from urllib.parse import urlencode

import httpx2
import pytest

from service import clock
from service.accounts.directory import SETUP_LINK_LIFE
from tests.servers.gatepost import PASSWORD
from tests.web.reading import read_page
from tests.web.running import Web, running_web

pytestmark = pytest.mark.anyio
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def web(sqlite_url: str, valkey_url: str) -> AsyncIterator[Web]:
    """An application that nobody has set up yet."""
    async with running_web(sqlite_url, valkey_url) as web:
        yield web


@pytest.fixture
async def token(web: Web) -> str:
    """The secret of a live link."""
    secret = await web.rooms.directory.offer_setup(now=clock.now())
    assert secret is not None
    return secret


async def look(web: Web, token: str) -> httpx2.Response:
    return await web.client.get("/setup", params={"token": token})


async def send(web: Web, token: str, **changed: str) -> httpx2.Response:
    form = {"token": token, "username": "ada", "password": PASSWORD, "password_again": PASSWORD, **changed}
    return await web.client.post("/setup", data=form)


def assert_page(answer: httpx2.Response, status: int) -> None:
    """A page for people that keeps to itself: never stored, nothing inline, nothing from elsewhere, no referrer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    page = read_page(answer.text)
    assert page.inline == []
    assert all(reference.startswith("/") and not reference.startswith("//") for reference in page.references)
    assert "setup?" not in answer.text, "the token is in no address of the page"


async def test_a_live_link_shows_a_form_that_password_managers_and_screen_readers_understand(
    web: Web, token: str
) -> None:
    answer = await look(web, token)
    assert_page(answer, 200)
    page = read_page(answer.text)
    shown = {name: (one.get("type"), one.get("autocomplete")) for name, one in page.inputs.items()}
    assert shown == {
        "token": ("hidden", None),
        "username": ("text", "username"),
        "password": ("password", "new-password"),
        "password_again": ("password", "new-password"),
    }
    assert page.labelled == {"username", "password", "password_again"}
    assert page.labelled <= page.ids
    assert page.inputs["token"]["value"] == token
    assert page.inputs["password"]["minlength"] == "15"
    assert "At least 15 characters" in page.text
    for name in page.labelled:
        assert set(page.inputs[name]["aria-describedby"].split()) <= page.ids


async def test_the_form_makes_the_administrator_and_the_link_is_used_up(web: Web, token: str) -> None:
    for _ in range(3):
        await look(web, token)
    answer = await send(web, token)
    assert (answer.status_code, answer.headers["location"], answer.content) == (303, "/setup/done", b"")
    assert_page(await web.client.get(answer.headers["location"]), 200)
    scopes = (await web.sign_in("ada"))["scope"].split()
    assert "admin:users:write" in scopes
    for dead in (await look(web, token), await send(web, token, username="eve")):
        assert_page(dead, 410)
        assert "gatepost users create NAME --admin" in dead.text
    assert [user.username for user in await web.rooms.directory.page(search="", after="", limit=9)] == ["ada"]


async def test_of_eight_who_use_one_link_at_once_one_becomes_administrator(web: Web, token: str) -> None:
    answers = await asyncio.gather(*(send(web, token, username=f"racer{number}") for number in range(8)))
    assert sorted(answer.status_code for answer in answers) == [303] + [410] * 7
    assert len(await web.rooms.directory.page(search="", after="", limit=9)) == 1


async def test_the_link_ends_when_its_time_is_over(web: Web) -> None:
    for age, status in ((-1, 200), (1, 410)):
        made = clock.now() - SETUP_LINK_LIFE - timedelta(seconds=age * 5)
        secret = await web.rooms.directory.offer_setup(now=made)
        assert_page(await look(web, secret or ""), status)


async def test_every_other_live_link_is_dead_once_there_is_an_administrator(web: Web, token: str) -> None:
    other = await web.rooms.directory.offer_setup(now=clock.now())
    assert (await send(web, token)).status_code == 303
    assert_page(await look(web, other or ""), 410)
    assert_page(await send(web, other or "", username="eve"), 410)
    assert await web.rooms.directory.offer_setup(now=clock.now()) is None


@pytest.mark.parametrize("guessed", ["", "x", "A" * 43, "<script>alert(1)</script>", "\x00", "é" * 1_000])
async def test_a_guessed_link_is_dead_and_comes_back_nowhere(web: Web, guessed: str) -> None:
    for answer in (await look(web, guessed), await send(web, guessed)):
        assert_page(answer, 410)
        assert len(guessed) < 2 or guessed not in answer.text
    assert_page(await web.client.get("/setup"), 410)


@pytest.mark.parametrize(
    ("changed", "wrong", "said"),
    [
        ({"username": "no blanks"}, "username", "A user name is"),
        ({"username": ""}, "username", "A user name is"),
        ({"password": "short", "password_again": "short"}, "password", "at least 15 characters"),
        ({"password": "passwordpassword" * 20, "password_again": "passwordpassword" * 20}, "password", "256"),
        ({"username": "ada", "password": "ada" * 5, "password_again": "ada" * 5}, "password", "your own name"),
        ({"password_again": PASSWORD + "x"}, "password_again", "not the same"),
    ],
)
async def test_a_mistake_is_explained_beside_its_field_and_costs_nothing(
    web: Web, token: str, changed: dict[str, str], wrong: str, said: str
) -> None:
    answer = await send(web, token, **changed)
    assert_page(answer, 422)
    page = read_page(answer.text)
    assert [name for name, one in page.inputs.items() if one.get("aria-invalid") == "true"] == [wrong]
    assert [name for name, one in page.inputs.items() if "autofocus" in one] == [wrong]
    assert f"{wrong}-error" in page.inputs[wrong]["aria-describedby"].split()
    assert f"{wrong}-error" in page.ids
    assert said in page.text
    assert page.inputs["username"]["value"] == changed.get("username", "ada")
    assert "value" not in page.inputs["password"]
    assert PASSWORD not in answer.text
    assert (await send(web, token)).status_code == 303


async def test_a_name_that_someone_has_already_is_a_mistake_like_others(web: Web, token: str) -> None:
    await web.add_user("ada")
    answer = await send(web, token, username="ADA")
    assert_page(answer, 422)
    assert "This user name is taken." in answer.text
    assert (await send(web, token, username="root")).status_code == 303


async def test_markup_in_a_name_is_text(web: Web, token: str) -> None:
    answer = await send(web, token, username='"><script>alert(1)</script>')
    assert_page(answer, 422)
    assert "<script" not in answer.text
    assert read_page(answer.text).inputs["username"]["value"] == '"><script>alert(1)</script>'


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b'{"token": "x"}', "application/json", 415),
        (b"token=x", "text/plain", 415),
        (b"token=x", "", 415),
        (b"--x\r\n", "multipart/form-data; boundary=x", 415),
        (b"token=a&token=b", FORM["Content-Type"], 400),
        (b"token=a&roles=admin", FORM["Content-Type"], 400),
        (b"&".join(b"a=b" for _ in range(2_000)), FORM["Content-Type"], 400),
        (b"token=%ff", FORM["Content-Type"], 400),
        (b"token=\xff", FORM["Content-Type"], 400),
        (b"token=" + b"a" * 20_000, FORM["Content-Type"], 400),
    ],
)
async def test_what_is_no_form_of_ours_is_refused_with_a_page(
    web: Web, content: bytes, media_type: str, status: int
) -> None:
    fields = {"Content-Type": media_type} if media_type else {}
    assert_page(await web.client.post("/setup", content=content, headers=fields), status)


async def test_neither_token_nor_password_gets_into_a_log(
    web: Web, token: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await look(web, token)
    await send(web, token, password_again="another one altogether")
    await web.client.post("/setup", content=urlencode({"token": token, "x": PASSWORD}).encode(), headers=FORM)
    await send(web, token)
    await look(web, token)
    ours = (
        record.getMessage() for record in caplog.records if not record.name.startswith("httpx2")
    )  # asked, not served
    said = "".join([*capsys.readouterr(), *ours])
    assert "refused" in said, "something was logged at all"
    for secret in (token, PASSWORD, PASSWORD.split()[0]):
        assert secret not in said


async def test_head_uses_nothing_up(web: Web, token: str) -> None:
    answer = await web.client.head("/setup", params={"token": token})
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await send(web, token)).status_code == 303


async def test_while_the_ledger_cannot_be_written_the_page_says_not_now(web: Web, token: str) -> None:
    file = web.settings.database_url.get_secret_value().removeprefix("sqlite+aiosqlite:///")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = await send(web, token)
    assert_page(answer, 503)
    await asyncio.sleep(float(answer.headers["retry-after"]))
    assert (await send(web, token)).status_code == 303
