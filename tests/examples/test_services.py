"""Examples of services that take Gatepost's tokens."""

import asyncio
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from gatepost.testing import TestIssuer
from service import clock
from tests.examples.conftest import EXAMPLES, Ground
from tests.servers.gatepost import bearer
from tests.servers.process import ServerProcess, free_ports

pytestmark = pytest.mark.anyio
FORGED = TestIssuer().token("mallory")


async def test_a_token_is_verified_elsewhere_and_expired_told_from_invalid(ground: Ground) -> None:
    pair = await ground.sign_in()
    good, old = pair.access.token, ground.old_token(pair)
    scopes = "account:read account:write orders:read orders:write"
    said = {
        good: (0, f"valid: {ground.user.id} may {scopes}"),
        old: (2, "expired: refresh, then send the new one"),
        good[:-5] + good[-5:].swapcase(): (1, "invalid: "),
        old[:-5] + old[-5:].swapcase(): (1, "invalid: "),
        FORGED: (1, "invalid: "),
        "nonsense": (1, "invalid: "),
    }
    for token, (status, text) in said.items():
        done = ground.run("python/verify_token.py", typed=token)
        assert done.status == status, done.output
        assert done.output.startswith(text)
        assert len(done.lines) == 1


async def test_another_audience_is_invalid_and_an_absent_issuer_is_neither(ground: Ground) -> None:
    token = (await ground.sign_in()).access.token
    other = ground.run("python/verify_token.py", typed=token, GP_AUDIENCE="https://orders.example")
    assert (other.status, other.lines) == (1, ["invalid: Audience doesn't match"])
    away = ground.run("python/verify_token.py", typed=token, GP_URL=f"http://127.0.0.1:{free_ports(1)[0]}")
    assert (away.status, away.lines) == (3, ["the keys cannot be had now"])


class Service(ServerProcess):
    """An example that listens."""

    def __init__(self, ground: Ground, folder: Path, *command: str, **more: str) -> None:
        folder.mkdir()
        (port,) = free_ports(1)
        self.orders = f"http://127.0.0.1:{port}/orders"
        environ = ground.environ(more)
        environ["PYTHONPATH"] += f":{EXAMPLES / 'python'}"
        super().__init__(
            [sys.executable, "-m", *command, "--port", str(port)],
            folder=folder,
            is_ready=self._is_up,
            environ=environ,
        )

    def _is_up(self) -> bool:
        try:
            urllib.request.urlopen(self.orders, timeout=1).close()
        except urllib.error.HTTPError as answer:
            return answer.code == 401
        except OSError:
            return False
        return True


@pytest.fixture
def flask(ground: Ground, server_folder: Path) -> Iterator[Service]:
    """`flask_service.py`, as its docstring says."""
    service = Service(ground, server_folder / "flask", "flask", "--app", "flask_service", "run")
    service.start()
    yield service
    service.kill()


async def challenge(answer: httpx2.Response) -> tuple[int, str]:
    """Status and challenge of a refusal."""
    return answer.status_code, answer.headers["www-authenticate"]


async def test_a_flask_route_takes_our_tokens(ground: Ground, flask: Service) -> None:
    pair = await ground.sign_in()
    async with httpx2.AsyncClient() as client:

        async def ask(token: str) -> httpx2.Response:
            return await client.get(flask.orders, headers=bearer(token))

        assert (await ask(pair.access.token)).json() == {"orders of": ground.user.id}
        assert await challenge(await client.get(flask.orders)) == (401, "Bearer")
        old, forged = await ask(ground.old_token(pair)), await ask(FORGED)
        assert await challenge(old) == await challenge(forged) == (401, 'Bearer error="invalid_token"')
        assert (old.json(), forged.json()) == (
            {"detail": "The access token has expired."},
            {"detail": "The access token is not valid."},
        )
        narrow = await ground.house.rooms.pairs.refresh(
            pair.refresh_token, client_id="gatepost", asked=["account:read"], now=clock.now()
        )
        poor = await ask(narrow.access.token)
        assert await challenge(poor) == (403, 'Bearer error="insufficient_scope", scope="orders:read"')


async def test_a_fastapi_microservice_takes_our_tokens_and_sees_a_logout(ground: Ground, server_folder: Path) -> None:
    made, secret = await ground.house.rooms.clients.create(
        "orders", confidential=True, scopes=["revocations:read"], now=clock.now()
    )
    assert secret is not None
    folder = server_folder / "fastapi"
    command = ("uvicorn", "fastapi_service:app", "--log-level", "warning")
    service = Service(ground, folder, *command, GP_CLIENT_ID=made.id, GP_CLIENT_SECRET=secret)
    service.start()
    try:
        pair = await ground.sign_in()
        good = bearer(pair.access.token)
        async with httpx2.AsyncClient() as client:
            assert (await client.get(service.orders, headers=good)).json() == {"orders of": ground.user.id}
            for token in (ground.old_token(pair), FORGED):
                refused = await client.get(service.orders, headers=bearer(token))
                assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")
            await client.post(f"{ground.url}/auth/logout", json={"refresh_token": pair.refresh_token})
            ended = time.monotonic()
            while (await client.get(service.orders, headers=good)).status_code == 200:
                assert time.monotonic() - ended < 5
                await asyncio.sleep(0.05)
            assert (await client.get(service.orders, headers=good)).json()["code"] == "invalid_token"
    finally:
        service.kill()
