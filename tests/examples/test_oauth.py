"""The OAuth examples, each run as it stands: a person at a browser without scripts goes where they send him."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service import clock
from service.clients.metadata import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, REFRESH_TOKEN, ClientMetadata
from tests.examples.conftest import EXAMPLES, PASSWORD, USERNAME, Ground
from tests.real_clients.person import Person
from tests.servers.process import free_ports

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
BROWSER = f"{sys.executable} -m tests.real_clients.visit %s &"


async def client(ground: Ground, name: str, *scopes: str, metadata: ClientMetadata) -> dict[str, str]:
    """A new client, as an example is told about it."""
    made, secret = await ground.house.rooms.clients.create(
        name,
        confidential=metadata.auth_method != "none",
        scopes=scopes,
        metadata=metadata,
        now=clock.now(),
    )
    return {"GP_CLIENT_ID": made.id} | ({"GP_CLIENT_SECRET": secret} if secret else {})


def at_a_browser(told: dict[str, str]) -> dict[str, str]:
    """The same, where a browser can be opened."""
    return {
        **told,
        "VISITOR": USERNAME,
        "VISITOR_PASSWORD": PASSWORD,
        "BROWSER": BROWSER,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk")]),
    }


def its_own() -> ClientMetadata:
    return ClientMetadata(grant_types=frozenset({CLIENT_CREDENTIALS}))


async def test_client_credentials_then_a_protected_resource(ground: Ground) -> None:
    told = await client(ground, "billing", "orders:read", metadata=its_own())
    ran = ground.run("oauth/client_credentials.py", **told)
    assert (ran.status, "resource: 200 client" in ran.output) == (0, True), ran.output
    wrong = ground.run("oauth/client_credentials.py", **{**told, "GP_CLIENT_SECRET": "gp_cs_wrong"})
    assert "refused: invalid_client" in wrong.output


async def test_scopes_decide(ground: Ground) -> None:
    told = await client(ground, "scopes", "orders:read", "orders:write", "admin:users:read", metadata=its_own())
    ran = ground.run("oauth/scopes.py", **told)
    assert ran.output.splitlines() == [
        "orders:read: read orders 200",
        "orders:read: write orders 403, needs orders:write",
        "orders:read: list users 403, needs admin:users:read",
        "orders:read orders:write: read orders 200",
        "orders:read orders:write: write orders 200",
        "orders:read orders:write: list users 403, needs admin:users:read",
        "admin:users:read: read orders 403, needs orders:read",
        "admin:users:read: write orders 403, needs orders:write",
        "admin:users:read: list users 200",
    ]


@pytest.mark.parametrize("method", ["client_secret_basic", "none"])
async def test_a_code_by_a_browser_and_a_callback(ground: Ground, method: str) -> None:
    (port,) = free_ports(1)
    told = await client(
        ground,
        f"web {method}",
        metadata=ClientMetadata(
            redirect_uris=(f"http://127.0.0.1:{port}/callback",),
            grant_types=frozenset({AUTHORIZATION_CODE}),
            auth_method=method,
        ),
    )
    ran = ground.run("oauth/authorization_code.py", **at_a_browser(told), GP_CALLBACK_PORT=str(port))
    assert (ran.status, ran.output.strip()) == (0, f"hello, {USERNAME}")


async def test_a_web_application_with_a_login_button(ground: Ground) -> None:
    (port,) = free_ports(1)
    here = f"http://127.0.0.1:{port}"
    told = await client(
        ground,
        "shop",
        metadata=ClientMetadata(
            redirect_uris=(f"{here}/callback",), grant_types=frozenset({AUTHORIZATION_CODE}), id_token_alg="ES256"
        ),
    )
    app = EXAMPLES / "oauth/authorization_code_authlib.py"
    serving = [sys.executable, "-m", "flask", "--app", str(app), "run", "--port", str(port)]
    with subprocess.Popen(serving, env=ground.environ(told), stderr=subprocess.PIPE, text=True) as flask:
        assert flask.stderr is not None
        try:
            while "Running on" not in (line := flask.stderr.readline()):
                assert line, "it did not start"
            with Person(USERNAME, PASSWORD) as person:
                back = person.go(f"{here}/login", until=f"{here}/callback")
                home = person.browser.get(back, follow_redirects=True)
                assert (home.status_code, home.text) == (200, f"hello, {USERNAME}")
        finally:
            flask.terminate()


async def test_an_application_on_the_persons_own_machine(ground: Ground) -> None:
    told = await client(
        ground,
        "phone",
        metadata=ClientMetadata(
            redirect_uris=("http://127.0.0.1/callback",),
            grant_types=frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
            auth_method="none",
        ),
    )
    ran = ground.run("oauth/loopback_app.py", **at_a_browser(told))
    assert (ran.status, ran.output.split("\n")[:2]) == (0, [f"hello, {USERNAME}", "refreshed: 200"]), ran.output


async def test_a_device_on_a_terminal(ground: Ground) -> None:
    told = await client(
        ground, "television", metadata=ClientMetadata(grant_types=frozenset({DEVICE_CODE}), auth_method="none")
    )
    with subprocess.Popen(
        [sys.executable, EXAMPLES / "oauth/device.py"],
        env=ground.environ(told),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as device:
        assert device.stdout is not None
        assert device.stdout.readline().startswith(f"open {ground.url}/device and enter ")
        address = device.stdout.readline().removeprefix("or open ").strip()
        with Person(USERNAME, PASSWORD) as person:
            person.go(address, until=f"{ground.url}/device/allowed")
        assert device.stdout.read().strip() == f"hello, {USERNAME}"
