"""A browser's way to the provider and back, step by step."""

from collections.abc import Mapping
from itertools import count
from urllib.parse import parse_qs, urlsplit

import httpx2

from service import clock
from service.accounts.account import User
from service.accounts.change import UserChange
from tests.servers.gatepost import PASSWORD
from tests.servers.openid_provider import ADA
from tests.web.oauth.browsing import Surfer, hidden
from tests.web.running import Web

CALLBACK = "/sign-in/with/acme/callback"
_number = count(1)


def somebody(**changed: object) -> Mapping[str, object]:
    """The claims of a person whom nobody has seen before."""
    number = next(_number)
    return {**ADA, "sub": f"sub-{number}", "email": f"person{number}@example.org", **changed}


async def press(surfer: Surfer, page: httpx2.Response, provider: str = "acme") -> httpx2.Response:
    """Press the provider's button on a sign-in page."""
    return await surfer.client.post(f"/sign-in/with/{provider}", data=hidden_of(page))


async def visit(sent: httpx2.Response) -> str:
    """Go where the browser was sent; the path and query with which the provider sends it back."""
    assert sent.status_code == 303, sent.text
    async with httpx2.AsyncClient() as outside:
        back = await outside.get(sent.headers["location"])
    assert back.status_code == 302, back.text
    parts = urlsplit(back.headers["location"])
    assert f"{parts.scheme}://{parts.netloc}" == "http://localhost:8000"
    return f"{parts.path}?{parts.query}"


async def sign_in_with(surfer: Surfer, page: httpx2.Response, provider: str = "acme") -> httpx2.Response:
    """The whole way, to the page or the application at its end."""
    back = await visit(await press(surfer, page, provider))
    return await surfer.follow(await surfer.client.get(back))


async def arrived(surfer: Surfer, provider: str = "acme") -> httpx2.Response:
    """The same from a sign-in page that was opened by itself."""
    return await sign_in_with(surfer, await surfer.get("/sign-in"), provider)


def hidden_of(page: httpx2.Response) -> dict[str, str]:
    """What the forms of a page send by themselves, whatever its status."""
    return hidden(httpx2.Response(200, text=page.text))


def query_of(path: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: value for name, (value,) in parse_qs(urlsplit(path).query).items()}


async def add_person(web: Web, username: str, email: str, *, proven: bool, roles: tuple[str, ...] = ()) -> User:
    """An account with `PASSWORD` and an address."""
    directory, now = web.rooms.directory, clock.now()
    user = await directory.create(username, PASSWORD, email=email, roles=roles, scopes=(), now=now)
    return await directory.change(user.id, UserChange(email_verified=True), now=now) if proven else user


async def signed_in_as(surfer: Surfer) -> str | None:
    """Who is signed in in this browser, by what the sign-in page says."""
    page = await surfer.get("/sign-in")
    return None if 'name="password"' in page.text else page.text.split("<bdi>")[1].split("</bdi>")[0]
