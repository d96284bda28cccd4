"""openid-client and oauth4webapi, whole: each throws at whatever it finds wrong."""

import subprocess
from pathlib import Path

import pytest

from service.clients.metadata import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, REFRESH_TOKEN, ClientMetadata
from tests.real_clients.conftest import Served

pytestmark = pytest.mark.usefixtures("node")
HERE = Path(__file__).parents[1] / "node"
REDIRECT = "http://127.0.0.1:9/callback"
AFTER_LOGOUT = "http://127.0.0.1:9/bye"


def run(served: Served, script: str, *arguments: str) -> None:
    """Run a script to its end; one person, at one browser, goes wherever it sends him."""
    with subprocess.Popen(
        ["node", str(HERE / script), served.url, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        said = ""
        for said in map(str.strip, process.stdout):
            if said == "done":
                break
            until = f"{served.url}/device/allowed" if "/device" in said else "http://127.0.0.1:9/"
            process.stdin.write(served.go(said, until=until) + "\n")
            process.stdin.flush()
        assert said == "done", process.stderr.read()


def test_openid_client(served: Served) -> None:
    client_id, secret = served.register(
        "openid-client",
        "orders:read",
        metadata=ClientMetadata(
            redirect_uris=(REDIRECT,),
            post_logout_redirect_uris=(AFTER_LOGOUT,),
            grant_types=frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, DEVICE_CODE}),
        ),
    )
    assert secret is not None
    run(served, "openid_client.mjs", client_id, secret, REDIRECT, AFTER_LOGOUT)


def test_oauth4webapi(served: Served) -> None:
    client_id, _ = served.register(
        "oauth4webapi",
        metadata=ClientMetadata(
            redirect_uris=(REDIRECT,),
            grant_types=frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
            auth_method="none",
            id_token_alg="ES256",
        ),
    )
    run(served, "oauth4webapi.mjs", client_id, REDIRECT)
