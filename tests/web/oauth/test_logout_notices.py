"""Which ends of a session applications hear of, and that nobody who signs out waits for them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx2
import pytest

from service.accounts.account import User
from service.clients.client import Client
from tests.servers.gatepost import PASSWORD
from tests.servers.receiver import SAYS_OK, Receiver, receiving
from tests.web.oauth.browsing import REDIRECT, VERIFIER, Surfer, add_application, returned, surfing
from tests.web.running import Web, bearer

pytestmark = pytest.mark.anyio
OTHER_PASSWORD = "seven quiet herons wade"
_number = count(1)


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    """A refresh token that comes twice is reuse at once."""
    return {"TOKENS__REFRESH_GRACE": "0s"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """The application's server."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
async def root(web: Web) -> dict[str, str]:
    """What an administrator sends along."""
    await web.add_user("root", roles=("admin",))
    return await web.token("root")


@dataclass
class Scene:
    """A person who has signed in to an application: in which browser, and what the application got."""

    web: Web
    surfer: Surfer
    user: User
    client: Client
    code: str
    tokens: dict[str, Any]

    @property
    def sid(self) -> str:
        """The session, as the id_token names it."""
        return str(payload(self.tokens["id_token"])["sid"])

    async def ask(self, method: str, path: str, headers: dict[str, str], **more: Any) -> None:
        """A request that has to go well."""
        answer = await self.web.client.request(method, path, headers=headers, **more)
        assert answer.status_code in (200, 204), answer.text

    async def token(self, **form: str) -> httpx2.Response:
        """Ask the token endpoint."""
        return await self.web.client.post("/oauth2/token", data={"client_id": self.client.id, **form})

    async def redeem(self) -> httpx2.Response:
        """Trade the code in."""
        return await self.token(
            grant_type="authorization_code", code=self.code, redirect_uri=REDIRECT, code_verifier=VERIFIER
        )

    async def own(self) -> dict[str, str]:
        """The person's own credentials, of another device."""
        return await self.web.token(self.user.username)


@asynccontextmanager
async def signed_in(web: Web, receiver: Receiver) -> AsyncIterator[Scene]:
    """A new person in a new browser at a new application, which wants to be told."""
    client = await add_application(web, confidential=False, backchannel_logout_uri=receiver.url)
    user = await web.add_user(f"person{next(_number)}", roles=("clerk",))
    async with surfing(web) as surfer:
        await surfer.signed_in(user.username)
        code = returned(await surfer.allow(await surfer.authorize(client)))["code"]
        scene = Scene(web, surfer, user, client, code, {})
        answer = await scene.redeem()
        assert answer.status_code == 200, answer.text
        scene.tokens = answer.json()
        yield scene


def payload(token: str) -> dict[str, Any]:
    text = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return claims


async def assert_told(receiver: Receiver, scene: Scene) -> None:
    """The first that the application hears is of this session."""
    heard, *_ = await receiver.hear()
    claims = payload(heard.form["logout_token"])
    assert (claims["sid"], claims["sub"], claims["aud"]) == (scene.sid, scene.user.id, scene.client.id)


async def on_our_own_page(scene: Scene, root: dict[str, str]) -> None:
    page = await scene.surfer.get("/oauth2/logout")
    answer = await scene.surfer.submit(page, choice="sign_out")
    assert answer.headers["location"].startswith("/signed-out")


async def another_signs_in_in_this_browser(scene: Scene, root: dict[str, str]) -> None:
    other = await scene.web.add_user(f"other{next(_number)}")
    page = await scene.surfer.authorize(scene.client, prompt="login")
    assert (await scene.surfer.sign_in(page, other.username)).status_code == 200


async def everywhere(scene: Scene, root: dict[str, str]) -> None:
    await scene.ask("POST", "/auth/logout-all", await scene.own())


async def by_its_access_token(scene: Scene, root: dict[str, str]) -> None:
    await scene.ask("POST", "/auth/logout", bearer(scene.tokens["access_token"]))


async def one_from_the_list(scene: Scene, root: dict[str, str]) -> None:
    await scene.ask("DELETE", f"/users/me/sessions/{scene.sid}", await scene.own())


async def the_hosted_one_from_the_list(scene: Scene, root: dict[str, str]) -> None:
    own = await scene.own()
    listed = (await scene.web.client.get("/users/me/sessions", headers=own)).json()["items"]
    [hosted] = [one for one in listed if one["client_id"] == "gatepost" and not one["current"]]
    await scene.ask("DELETE", f"/users/me/sessions/{hosted['id']}", own)


async def all_others_from_the_list(scene: Scene, root: dict[str, str]) -> None:
    await scene.ask("DELETE", "/users/me/sessions", await scene.own())


async def password_changed(scene: Scene, root: dict[str, str]) -> None:
    change = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    await scene.ask("POST", "/users/me/password", await scene.own(), json=change)


async def consent_withdrawn(scene: Scene, root: dict[str, str]) -> None:
    await scene.ask("DELETE", f"/users/me/consents/{scene.client.id}", await scene.own())


async def disabled_by_an_administrator(scene: Scene, root: dict[str, str]) -> None:
    await scene.ask("PATCH", f"/admin/users/{scene.user.id}", root, json={"disabled": True})


async def password_set_by_an_administrator(scene: Scene, root: dict[str, str]) -> None:
    await scene.ask("POST", f"/admin/users/{scene.user.id}/password", root, json={"password": OTHER_PASSWORD})


async def ended_by_an_administrator(scene: Scene, root: dict[str, str]) -> None:
    await scene.ask("DELETE", f"/admin/users/{scene.user.id}/sessions/{scene.sid}", root)


async def all_ended_by_an_administrator(scene: Scene, root: dict[str, str]) -> None:
    await scene.ask("DELETE", f"/admin/users/{scene.user.id}/sessions", root)


async def consent_withdrawn_by_an_administrator(scene: Scene, root: dict[str, str]) -> None:
    await scene.ask("DELETE", f"/admin/users/{scene.user.id}/consents/{scene.client.id}", root)


async def revoked_by_the_application(scene: Scene, root: dict[str, str]) -> None:
    form = {"client_id": scene.client.id, "token": scene.tokens["refresh_token"]}
    await scene.ask("POST", "/oauth2/revoke", {}, data=form)


async def refresh_token_reuse(scene: Scene, root: dict[str, str]) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": scene.tokens["refresh_token"]}
    assert [(await scene.token(**form)).status_code for _ in range(2)] == [200, 400]


async def code_replay(scene: Scene, root: dict[str, str]) -> None:
    assert (await scene.redeem()).status_code == 400


TOLD: tuple[Callable[[Scene, dict[str, str]], Awaitable[None]], ...] = (
    on_our_own_page,
    another_signs_in_in_this_browser,
    everywhere,
    by_its_access_token,
    one_from_the_list,
    the_hosted_one_from_the_list,
    all_others_from_the_list,
    password_changed,
    consent_withdrawn,
    disabled_by_an_administrator,
    password_set_by_an_administrator,
    ended_by_an_administrator,
    all_ended_by_an_administrator,
    consent_withdrawn_by_an_administrator,
    revoked_by_the_application,
    refresh_token_reuse,
    code_replay,
)


@pytest.mark.spec("OIDC Back-Channel Logout §2.5")
@pytest.mark.parametrize("way", TOLD, ids=lambda way: way.__name__)
async def test_however_a_session_ends_the_application_is_told(
    web: Web, receiver: Receiver, root: dict[str, str], way: Callable[[Scene, dict[str, str]], Awaitable[None]]
) -> None:
    async with signed_in(web, receiver) as scene:
        await way(scene, root)
        await assert_told(receiver, scene)


async def test_the_application_hears_nothing_while_the_session_lives(
    web: Web, receiver: Receiver, root: dict[str, str]
) -> None:
    """Signing in again, other roles, refreshing: the session goes on, and only its end is told."""
    async with signed_in(web, receiver) as scene:
        page = await scene.surfer.authorize(scene.client, prompt="login")
        returned(await scene.surfer.sign_in(page, scene.user.username))
        await scene.ask("PATCH", f"/admin/users/{scene.user.id}", root, json={"roles": []})
        answer = await scene.token(grant_type="refresh_token", refresh_token=scene.tokens["refresh_token"])
        assert answer.status_code == 200, answer.text
        async with receiving() as others, signed_in(web, others) as other:
            await everywhere(other, root)
            await assert_told(others, other)
        assert receiver.heard == []
        await everywhere(scene, root)
        await assert_told(receiver, scene)


@pytest.mark.spec("LOG-07")
async def test_who_signs_out_waits_for_no_application(web: Web, root: dict[str, str]) -> None:
    """One that hangs, one that is away, one that says no: others are told, and the person is signed out at once."""
    async with receiving(answer=None) as hangs, receiving() as gone, receiving(SAYS_OK) as good:
        await gone.stop()
        for receiver in (hangs, gone):
            async with signed_in(web, receiver) as scene, asyncio.timeout(60):
                await on_our_own_page(scene, root)
                assert (await scene.surfer.get("/sign-in")).text.count('name="password"') == 1
                token = bearer(scene.tokens["access_token"])
                assert (await web.client.get("/userinfo", headers=token)).status_code == 401
        await hangs.hear()
        async with signed_in(web, good) as scene:
            await on_our_own_page(scene, root)
            await assert_told(good, scene)
