"""Examples of programs that call Gatepost, in each language."""

import json
from pathlib import Path

import httpx2
import pytest

from tests.examples.conftest import EXAMPLES, PASSWORD, USERNAME, Ground, stored

pytestmark = pytest.mark.anyio
PEOPLE = {"GP_USERNAME": USERNAME, "GP_PASSWORD": PASSWORD}


def each(topic: str) -> pytest.MarkDecorator:
    """The examples of one topic: one for each language and library."""
    files = [f"curl/{topic}.sh", f"javascript/{topic}.mjs", f"python/requests_{topic}.py", f"python/httpx_{topic}.py"]
    return pytest.mark.parametrize("example", files)


@each("api_key")
async def test_an_api_key_is_sent_in_the_header_and_in_the_query(ground: Ground, example: str) -> None:
    done = ground.run(example, GP_API_KEY=await ground.api_key())
    assert done.status == 0, done.output
    header, query = done.lines
    if example.startswith("curl"):
        assert [json.loads(line)["username"] for line in done.lines] == [USERNAME, USERNAME]
    else:
        assert (header, query) == (f"header: {USERNAME}", f"query: {USERNAME}")


@each("api_key")
async def test_a_wrong_api_key_is_an_error(ground: Ground, example: str) -> None:
    key = await ground.api_key()
    done = ground.run(example, GP_API_KEY=key[:-1] + ("0" if key[-1] != "0" else "1"))
    assert done.status != 0
    assert "header:" not in done.output
    assert "401" in done.output


@each("sign_in")
async def test_a_sign_in_gives_a_token_that_ends_with_the_session(ground: Ground, example: str) -> None:
    done = ground.run(example, **PEOPLE)
    assert (done.status, done.lines) == (
        0,
        ["signed in for 3600 seconds", f"hello, {USERNAME}", "after the sign-out: 401"],
    )


@each("sign_in")
async def test_a_wrong_password_is_an_error_with_its_code(ground: Ground, example: str) -> None:
    done = ground.run(example, GP_USERNAME=USERNAME, GP_PASSWORD='wrong "\\ pass')
    assert done.status != 0
    assert "invalid_login" in done.output
    assert "hello" not in done.output


@each("refresh")
async def test_an_expired_token_is_refreshed_once_and_the_call_repeated(
    ground: Ground, example: str, tmp_path: Path
) -> None:
    pair = await ground.sign_in()
    file = stored(tmp_path / "tokens.json", ground.old_token(pair), pair.refresh_token)
    greetings = [f"hello, {USERNAME}"] * (2 if example.endswith(".mjs") else 1)
    assert ground.run(example, GP_TOKENS=str(file)).lines == ["refreshed", *greetings]
    kept = file.read_text()
    assert json.loads(kept)["refresh_token"] != pair.refresh_token
    assert file.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [file]
    assert ground.run(example, GP_TOKENS=str(file)).lines == greetings
    assert file.read_text() == kept


@each("refresh")
async def test_an_ended_session_asks_for_a_new_sign_in(ground: Ground, example: str, tmp_path: Path) -> None:
    pair = await ground.sign_in()
    file = stored(tmp_path / "tokens.json", ground.old_token(pair), pair.refresh_token)
    async with httpx2.AsyncClient(base_url=ground.url) as client:
        await client.post("/auth/logout", json={"refresh_token": pair.refresh_token})
    before = file.read_text()
    done = ground.run(example, GP_TOKENS=str(file))
    assert done.status != 0
    assert "sign in again" in done.output
    assert file.read_text() == before


@each("basic")
async def test_basic_is_sent_by_hand_and_by_library_as_utf_8(ground: Ground, example: str) -> None:
    done = ground.run(example, **PEOPLE)
    assert done.status == 0, done.output
    if example.startswith("curl"):
        answers = [json.loads(line) for line in done.lines]
        assert [(one["username"], one["scheme"]) for one in answers] == [(USERNAME, "basic")] * 2
    else:
        assert done.lines == [f"by hand: {USERNAME}", f"by library: {USERNAME}"]


@each("basic")
async def test_a_wrong_basic_password_is_an_error(ground: Ground, example: str) -> None:
    done = ground.run(example, GP_USERNAME=USERNAME, GP_PASSWORD="not the password")
    assert done.status != 0
    assert "by hand:" not in done.output
    assert "401" in done.output


def test_the_table_of_examples_names_every_file() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    found = [file for file in EXAMPLES.glob("*/**/*.*") if file.suffix != ".pyc"]
    files = [file.relative_to(EXAMPLES).as_posix() for file in found]
    assert {"oauth/spa/app.js", "oauth/device.py"} <= {*files}
    assert len(files) >= 25
    assert [name for name in files if f"({name})" not in listed] == []
