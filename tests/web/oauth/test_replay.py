"""A code that comes twice, in turn: the second coming gets nothing and ends what the first one opened."""

from typing import Any

import httpx2
import pytest

from service import clock
from service.accounts.account import User
from service.clients.client import Client
from service.clients.metadata import AUTHORIZATION_CODE
from tests.web.oauth.browsing import REDIRECT, VERIFIER, Surfer, add_application, returned
from tests.web.running import Web, basic, bearer

pytestmark = pytest.mark.anyio
SCOPE = "openid orders:read account:read"


@pytest.fixture(scope="module")
async def shop(web: Web) -> Client:
    """A public client that needs no consent."""
    return await add_application(
        web, "Shop", confidential=False, scopes=("orders:read", "account:read"), skips_consent=True
    )


@pytest.fixture(scope="module")
async def resource_server(web: Web) -> dict[str, str]:
    """Proof of a client that may ask about all tokens."""
    client, secret = await web.add_client("Films", "tokens:introspect")
    return basic(client.id, secret)


async def new_code(surfer: Surfer, client: Client) -> str:
    return returned(await surfer.authorize(client, scope=SCOPE))["code"]


async def redeem(web: Web, client: Client, code: str, **changed: str) -> httpx2.Response:
    form = {
        "grant_type": AUTHORIZATION_CODE,
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        "client_id": client.id,
        **changed,
    }
    return await web.client.post("/oauth2/token", data=form)


async def refresh(web: Web, client: Client, token: str) -> httpx2.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": client.id}
    return await web.client.post("/oauth2/token", data=form)


async def sessions_of(web: Web, user: User) -> list[str]:
    found = await web.rooms.sessions.page(user_id=user.id, after="", limit=999, now=clock.now())
    return [session.id for session in found]


def assert_refused(answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), answer.text
    assert answer.headers["cache-control"] == "no-store"


async def uses(web: Web, proof: dict[str, str], tokens: dict[str, Any]) -> list[object]:
    """What the access token is good for, and what is told of both tokens."""
    field = bearer(tokens["access_token"])
    told = [
        (await web.client.post("/oauth2/introspect", data={"token": tokens[name]}, headers=proof)).json()
        for name in ("access_token", "refresh_token")
    ]
    used = [(await web.client.get(path, headers=field)).status_code for path in ("/users/me", "/userinfo")]
    return [*used, *(document if document == {"active": False} else document["active"] for document in told)]


ALIVE, DEAD = [200, 200, True, True], [401, 401, {"active": False}, {"active": False}]


@pytest.mark.spec("RFC 6749 §4.1.2")
@pytest.mark.spec("OAuth 2.1 §4.1.3")
@pytest.mark.spec("RFC 9700 §2.1.1")
@pytest.mark.spec("CODE-02")
@pytest.mark.spec("CODE-03")
async def test_a_replayed_code_gets_nothing_and_ends_the_tokens_of_the_first_use_and_no_others(
    web: Web, surfer: Surfer, shop: Client, resource_server: dict[str, str], ada: User
) -> None:
    await surfer.signed_in("ada")
    code, other_code = await new_code(surfer, shop), await new_code(surfer, shop)
    first, other = [(await redeem(web, shop, one)).json() for one in (code, other_code)]
    assert await uses(web, resource_server, first) == ALIVE

    assert_refused(await redeem(web, shop, code))
    assert await uses(web, resource_server, first) == DEAD
    assert_refused(await refresh(web, shop, first["refresh_token"]))
    assert_refused(await redeem(web, shop, code))

    assert await uses(web, resource_server, other) == ALIVE
    assert (await refresh(web, shop, other["refresh_token"])).status_code == 200
    assert "code" in returned(await surfer.authorize(shop)), "the person is still signed in"


@pytest.mark.spec("CODE-03")
async def test_a_replay_ends_what_was_refreshed_meanwhile_too(
    web: Web, surfer: Surfer, shop: Client, resource_server: dict[str, str], ada: User
) -> None:
    code = await new_code(await surfer.signed_in("ada"), shop)
    first = (await redeem(web, shop, code)).json()
    second = (await refresh(web, shop, first["refresh_token"])).json()
    assert_refused(await redeem(web, shop, code))
    assert await uses(web, resource_server, second) == DEAD
    assert_refused(await refresh(web, shop, second["refresh_token"]))


@pytest.mark.spec("CODE-03")
@pytest.mark.parametrize(
    "changed", [{"code_verifier": "b" * 43}, {"code_verifier": ""}, {"redirect_uri": "https://app.example/other"}]
)
async def test_a_replay_with_anything_wrong_is_a_replay_all_the_same(
    web: Web, surfer: Surfer, shop: Client, resource_server: dict[str, str], ada: User, changed: dict[str, str]
) -> None:
    code = await new_code(await surfer.signed_in("ada"), shop)
    first = (await redeem(web, shop, code)).json()
    assert_refused(await redeem(web, shop, code, **changed))
    assert await uses(web, resource_server, first) == DEAD


@pytest.mark.spec("CODE-05")
async def test_a_replay_by_another_client_is_a_stolen_code_and_ends_it_too(
    web: Web, surfer: Surfer, shop: Client, resource_server: dict[str, str], ada: User
) -> None:
    thief = await add_application(web, "Thief", confidential=False)
    code = await new_code(await surfer.signed_in("ada"), shop)
    first = (await redeem(web, shop, code)).json()
    assert_refused(await redeem(web, thief, code))
    assert await uses(web, resource_server, first) == DEAD


@pytest.mark.spec("PKCE-07")
@pytest.mark.parametrize(
    "changed", [{"code_verifier": "b" * 43}, {"code_verifier": ""}, {"redirect_uri": "https://app.example/other"}]
)
async def test_a_code_that_was_presented_with_anything_wrong_is_spent(
    web: Web, surfer: Surfer, shop: Client, ada: User, changed: dict[str, str]
) -> None:
    code = await new_code(await surfer.signed_in("ada"), shop)
    before = await sessions_of(web, ada)
    for change in (changed, {}, {}):
        assert_refused(await redeem(web, shop, code, **change))
    assert await sessions_of(web, ada) == before


async def test_a_code_that_was_changed_in_any_character_ends_nothing(
    web: Web, surfer: Surfer, shop: Client, resource_server: dict[str, str], ada: User
) -> None:
    code = await new_code(await surfer.signed_in("ada"), shop)
    first = (await redeem(web, shop, code)).json()
    for place in (8, 20, 40, 60, len(code) - 10):
        other = code[:place] + ("A" if code[place] != "A" else "B") + code[place + 1 :]
        assert_refused(await redeem(web, shop, other))
    assert await uses(web, resource_server, first) == ALIVE
