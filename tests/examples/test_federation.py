"""Login with GitHub, each example as it stands, against GitHub's stand-in."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.examples.conftest import EXAMPLES, Ground
from tests.servers.gatepost import ROOT, is_alive
from tests.servers.github import GitHub
from tests.servers.process import ServerProcess, free_ports
from tests.servers.upstream import standing

pytestmark = pytest.mark.anyio
BROWSER = f"{sys.executable} -m tests.real_clients.visit %s &"


@pytest.fixture(scope="module")
def github() -> Iterator[GitHub]:
    with standing(GitHub()) as github:
        yield github


@pytest.fixture(scope="module")
def ports() -> list[int]:
    """Of the program, and of the page."""
    return free_ports(2)


@pytest.fixture(scope="module")
def ground_settings(github: GitHub, ports: list[int]) -> dict[str, str]:
    told = {"kind": "github", "client_id": github.client_id, "client_secret": github.client_secret}
    program, page = (f"http://127.0.0.1:{port}" for port in ports)
    return {
        "FEDERATION__PROVIDERS": json.dumps({"github": {**told, "issuer": github.url}}),
        "FEDERATION__REDIRECT_URIS": f"{program}/callback,{page}/",
        "SERVER__CORS_ORIGINS": json.dumps([page]),
        "ACCOUNTS__REGISTRATION": "open",
    }


async def test_login_with_github_from_a_program(ground: Ground, github: GitHub, ports: list[int]) -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "sdk")])
    told = {
        "GP_CALLBACK_PORT": str(ports[0]),
        "BROWSER": BROWSER,
        "PYTHONPATH": paths,
        "VISITOR": "",
        "VISITOR_PASSWORD": "",
    }
    github.fault = None
    ran = ground.run("federation/login_with_github.py", **told)
    assert (ran.status, ran.output.strip()) == (0, "hello, octocat")
    github.fault = "denied"
    ran = ground.run("federation/login_with_github.py", **told)
    assert (ran.status, ran.output.strip()) == (1, "refused: access_denied")
    ran = ground.run("federation/login_with_github.py", **told, GP_PROVIDER="gitlab")
    assert (ran.status, ran.output.strip()) == (1, "refused: not_found")


async def test_login_with_github_from_a_page(
    ground: Ground,
    github: GitHub,
    ports: list[int],
    node: Callable[..., Any],
    chromium: str,
    server_folder: Path,
) -> None:
    github.fault = None
    origin = f"http://127.0.0.1:{ports[1]}"
    folder = shutil.copytree(EXAMPLES / "federation" / "spa", server_folder / "federated-spa")
    config = {"gatepost": ground.url}
    assert json.loads((folder / "config.json").read_text()).keys() == config.keys()
    (folder / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "http.server", str(ports[1]), "--bind", "127.0.0.1"]
    assert " ".join(["python3", *command[1:3], "8001", *command[4:]]) in (folder / "index.html").read_text()
    server = ServerProcess(command, folder=folder, is_ready=lambda: is_alive(origin, "/"), environ=os.environ)
    server.start()
    try:
        button, shown = "#ways button", ["wait", "#status", "Signed in as octocat."]
        steps = [["go", f"{origin}/"], ["press", button], shown]
        forged = [["go", f"{origin}/?code=x&state=y"], ["wait", "#status", "It did not work: this was not begun here"]]
        walks = [{"scripts": True, "steps": one} for one in (steps, forged)]
        [ended, refused] = node(
            "walk.mjs", {"chromium": chromium, "origins": [origin, ground.url, github.url], "walks": walks}
        )
    finally:
        server.kill()
    assert [ended["url"], refused["url"]] == [f"{origin}/"] * 2
    assert [ended["complaints"], refused["complaints"]] == [[], []]
