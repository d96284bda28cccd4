"""Basic plan: who has signed in, how long ago, and whether they are asked again."""

import asyncio
import time

import pytest

from tests.conformance.conftest import Play
from tests.conformance.relying_party import Tokens

pytestmark = pytest.mark.anyio


async def again(play: Play, **changed: str) -> tuple[Tokens, list[str]]:
    """One more flow in the same browser, and the pages that it showed."""
    asked = play.rp.ask(**changed)
    answer, shown = await play.authorize(asked)
    return await play.rp.redeem(play.rp.code(answer, asked), asked), shown


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_prompt_login(play: Play) -> None:
    first = await play.tokens()
    await asyncio.sleep(1.1)
    second, shown = await again(play, prompt="login")
    assert shown[0] == "/sign-in"
    assert second.claims["sub"] == first.claims["sub"]
    assert second.claims["auth_time"] > first.claims["auth_time"]


@pytest.mark.spec("OIDC Core §3.1.2.6")
async def test_oidcc_prompt_none_not_logged_in(play: Play) -> None:
    assert await play.silently() == "login_required"


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_prompt_none_logged_in(play: Play) -> None:
    first = await play.tokens()
    second = await play.silently()
    assert isinstance(second, Tokens)
    assert [second.claims[name] for name in ("sub", "auth_time")] == [first.claims[n] for n in ("sub", "auth_time")]


@pytest.mark.spec("OIDC Core §3.1.2.1")
@pytest.mark.spec("OIDC Core §2")
async def test_oidcc_max_age_1(play: Play) -> None:
    first = await play.tokens()
    await asyncio.sleep(1.1)
    assert await play.silently(max_age="1") == "login_required"
    second, shown = await again(play, max_age="1")
    assert shown[0] == "/sign-in"
    assert second.claims["auth_time"] > first.claims["auth_time"]
    assert time.time() - 60 < second.claims["auth_time"] <= time.time()


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_max_age_10000(play: Play) -> None:
    first, _ = await again(play, max_age="10000")
    second, shown = await again(play, max_age="10000")
    assert shown == []
    assert second.claims["auth_time"] == first.claims["auth_time"]


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_oidcc_id_token_hint(play: Play) -> None:
    first = await play.tokens()
    second = await play.silently(id_token_hint=first.answer["id_token"])
    assert isinstance(second, Tokens)
    assert second.claims["sub"] == first.claims["sub"]
