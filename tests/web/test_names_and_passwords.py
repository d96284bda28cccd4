"""What is said about names and passwords: the reason to who sets one, and nothing to who guesses."""

import json
import re
from collections.abc import Sequence
from hashlib import sha1
from itertools import count
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from service import clock
from service.addresses.link import Purpose
from tests.servers.gatepost import PASSWORD
from tests.web.running import Web, assert_problem

pytestmark = pytest.mark.anyio
_number = count(1)
BREACHED = ("correct horse battery", "the thieves know this one")


@pytest.fixture(scope="module")
def web_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    file: Path = tmp_path_factory.mktemp("lists") / "breached.txt"
    hashes = sorted(sha1(one.encode()).hexdigest().upper() for one in BREACHED)
    file.write_text("".join(f"{one}:42\r\n" for one in hashes), newline="")
    return {"PASSWORDS__BREACHED_FILE": str(file), "ACCOUNTS__REGISTRATION": "open"}


@pytest.mark.spec("LOGIN-01")
async def test_a_sign_in_gives_a_principal_and_no_answer_has_a_hash(web: Web) -> None:
    user = await web.add_user("ada", roles=("admin",))
    signed_in = await web.client.post("/auth/login", json={"username": "ada", "password": PASSWORD})
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    paths = ("/users/me", f"/admin/users/{user.id}", "/admin/users", "/users/me/sessions")
    answers = [await web.client.get(path, headers=headers) for path in paths]
    assert answers[0].json()["sub"] == user.id
    for answer in (signed_in, *answers):
        assert answer.status_code == 200, answer.text
        assert not [word for word in ("argon2", "$", "hash", PASSWORD) if word in answer.text], answer.text


@pytest.mark.spec("ENUM-02")
async def test_an_unknown_name_and_a_wrong_password_are_told_alike(web: Web) -> None:
    await web.add_user("known")
    names = ("known", "unknown", "known@example.org", "\u043anown", "known\u200b")
    tried = [{"username": name, "password": "not this at all"} for name in names]
    answers = [await web.client.post("/auth/login", json=one) for one in tried]
    assert {_without_id(answer) for answer in answers} == {_without_id(answers[0])}
    assert_problem(answers[0], 401, "invalid_login")


@pytest.mark.spec("LOGIN-13")
@pytest.mark.parametrize(
    "name",
    [
        "ada\n",
        "ada\r\nSet-Cookie: x",
        "ada\0",
        "\u202eada",
        "ada\u200f",
        "x" * 10_000,
        "ada\u2028",
        "\x1b[2Jada",
        "ada ",
    ],
)
async def test_a_name_that_nobody_can_have_is_refused_and_splits_no_log_line(web: Web, name: str) -> None:
    with capture_logs() as lines:
        answer = await web.client.post("/auth/login", json={"username": name, "password": PASSWORD})
    assert answer.status_code in (401, 422)
    said = [str(value) for line in lines for value in line.values()]
    assert not [text for text in said if name in text or not text.isprintable()]
    made = await web.client.post("/auth/register/complete", json={"token": "x", "username": name, "password": PASSWORD})
    assert made.status_code in (410, 422)


@pytest.mark.spec("ENUM-09")
async def test_an_invitation_does_not_tell_whether_the_address_is_known(web: Web) -> None:
    await web.add_user("host", roles=("admin",))
    headers = await web.token("host")
    directory = web.rooms.directory
    await directory.create("taken", PASSWORD, email="taken@example.org", roles=[], scopes=[], now=clock.now())
    answers = [
        await web.client.post("/admin/invitations", json={"email": email, "roles": [], "scopes": []}, headers=headers)
        for email in ("taken@example.org", "free@example.org")
    ]
    assert answers[0].status_code == 202
    assert _without_id(answers[0]) == _without_id(answers[1])


@pytest.mark.spec("LOGIN-09")
@pytest.mark.parametrize(
    ("password", "says"),
    [
        (BREACHED[0], "known from a breach"),
        ("123456789987654321", "among the most used"),
        ("setter-setter-2026", "your own name"),
        ("gatepost-gatepost", "the name of this service"),
        ("localhost localhost", "the name of this service"),
        ("too short", "at least 15"),
        ("x" * 257, "at most 256"),
        ("abababababababab", "repeats"),
    ],
)
async def test_every_path_that_sets_a_password_gives_the_reason(web: Web, password: str, says: str) -> None:
    for answer in await _set_everywhere(web, f"setter.{next(_number)}", password):
        assert_problem(answer, 422, "invalid_request")
        [error] = answer.json()["errors"]
        assert says in error["message"], (answer.request.url, error)
        assert error["pointer"] in ("/password", "/new_password")


@pytest.mark.spec("LOGIN-09")
@pytest.mark.parametrize("password", ["ü 🔑 " * 16 + "end", "nodigitsnocapitals", "1 2 3 4 5 6 7 8 9 10 11 12"])
async def test_a_long_one_of_any_composition_is_taken_on_every_path(web: Web, password: str) -> None:
    name = f"setter.{next(_number)}"
    answers = await _set_everywhere(web, name, password)
    assert [answer.status_code for answer in answers] == [201, 201, 204, 204, 204]
    await web.sign_in(name, password)


async def test_the_page_says_it_too(web: Web) -> None:
    secret = await _link(web, Purpose.REGISTER, "page@example.org")
    page = await web.client.get("/register/complete", params={"token": secret})
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
    fields = {"username": "paged", "password": BREACHED[1], "password_again": BREACHED[1]}
    answer = await web.client.post("/register/complete", data={**hidden, **fields})
    assert answer.status_code == 422
    assert "known from a breach" in answer.text


async def _set_everywhere(web: Web, name: str, password: str) -> Sequence[httpx2.Response]:
    """Registered, made by an administrator, changed, set by one, reset: each in turn, for people of this name."""
    directory, address = web.rooms.directory, f"{name}@example.org"
    await web.add_user(f"{name}.boss", roles=("admin",))
    boss = await web.token(f"{name}.boss")
    user = await directory.create(name, PASSWORD, email=address, roles=[], scopes=[], now=clock.now())
    own = await web.token(name)

    async def send(path: str, headers: dict[str, str] | None = None, **body: object) -> httpx2.Response:
        return await web.client.post(path, json=body, headers=headers or {})

    new = await _link(web, Purpose.REGISTER, f"new.{address}")
    return [
        await send("/auth/register/complete", token=new, username=f"{name}.new", password=password),
        await send("/admin/users", boss, username=f"{name}.made", password=password, roles=[], scopes=[]),
        await send("/users/me/password", own, current_password=PASSWORD, new_password=password),
        await send(f"/admin/users/{user.id}/password", boss, password=password),
        await send(
            "/auth/password/reset", token=await _link(web, Purpose.RESET, address, user.id), new_password=password
        ),
    ]


async def _link(web: Web, purpose: Purpose, address: str, user_id: str | None = None) -> str:
    user = None if user_id is None else await web.rooms.directory.get(user_id)
    secret = await web.rooms.recovery._links.make(purpose, address, user=user, now=clock.now())
    assert secret is not None
    return secret


def _without_id(answer: httpx2.Response) -> str:
    body = {**answer.json(), "request_id": ""} if answer.content else {}
    fields = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return json.dumps([answer.status_code, body, fields], sort_keys=True)
