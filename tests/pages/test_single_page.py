"""Applications that are nothing but a page of another origin: a library that others wrote, and our own example."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.clients.metadata import AUTHORIZATION_CODE, REFRESH_TOKEN, ClientMetadata
from tests.real_clients.conftest import USERNAME, Served
from tests.servers.gatepost import PASSWORD, ROOT, is_alive
from tests.servers.process import ServerProcess

EXAMPLE = ROOT / "examples" / "oauth" / "spa"


def register(issuer: Served, name: str, origin: str, *paths: str) -> str:
    """A public client of that origin."""
    metadata = ClientMetadata(
        redirect_uris=tuple(f"{origin}/{path}" for path in paths),
        post_logout_redirect_uris=(f"{origin}/", f"{origin}/signed-out"),
        grant_types=frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
        auth_method="none",
    )
    return issuer.register(name, metadata=metadata)[0]


def question(issuer: Served, chromium: str, **more: object) -> dict[str, object]:
    return {"chromium": chromium, "issuer": issuer.url, "username": USERNAME, "password": PASSWORD, **more}


@pytest.mark.spec("OIDC Core §3.1")
@pytest.mark.spec("OIDC RP-Initiated Logout §2")
def test_oidc_client_ts_signs_in_renews_and_signs_out(
    issuer: Served, spa_port: int, node: Callable[..., Any], chromium: str
) -> None:
    client_id = register(issuer, "oidc-client-ts", f"http://127.0.0.1:{spa_port}", "callback", "popup")
    told = node("oidc_client_ts.mjs", question(issuer, chromium, client_id=client_id, port=spa_port))

    signed_in, renewed, in_popup = told["signedIn"], told["renewed"], told["inPopup"]
    assert signed_in["id_token"].count(".") == 2
    assert signed_in["state"] == "kept"
    assert {*signed_in["scope"].split()} == {"openid", "profile", "email"}
    profile = signed_in["profile"]
    assert (profile["iss"], profile["aud"]) == (issuer.url, client_id)
    assert (profile["preferred_username"], profile["email"]) == (USERNAME, "ada@example.org")

    assert renewed["access_token"] != signed_in["access_token"]
    assert renewed["refresh_token"] != signed_in["refresh_token"]
    assert renewed["profile"]["sub"] == profile["sub"]
    assert renewed["profile"]["email"] == "ada@example.org"

    assert told["signedOut"][1] is None
    assert in_popup["profile"]["sub"] == profile["sub"]
    assert in_popup["profile"]["sid"] != profile["sid"]
    assert told["complaints"] == []


def test_the_example_signs_in_calls_refreshes_and_signs_out(
    issuer: Served, spa_port: int, node: Callable[..., Any], chromium: str, server_folder: Path
) -> None:
    origin = f"http://127.0.0.1:{spa_port}"
    folder = shutil.copytree(EXAMPLE, server_folder / "spa")
    config = {"issuer": issuer.url, "client_id": register(issuer, "spa", origin, "")}
    assert json.loads((folder / "config.json").read_text()).keys() == config.keys()
    (folder / "config.json").write_text(json.dumps(config))

    command = [sys.executable, "-m", "http.server", str(spa_port), "--bind", "127.0.0.1"]
    assert " ".join(["python3", *command[1:3], "8001", *command[4:]]) in (EXAMPLE / "index.html").read_text()
    server = ServerProcess(command, folder=folder, is_ready=lambda: is_alive(origin, "/"), environ=os.environ)
    server.start()
    try:
        told = node("spa_example.mjs", question(issuer, chromium, application=f"{origin}/"))
    finally:
        server.kill()

    nobody, *rest = told["shown"]
    assert nobody == told["shown"][-1] == "Nobody is signed in."
    signed_in, hello, refreshed, again, stranger, signed_in_again, _ = rest
    assert signed_in == signed_in_again
    assert signed_in.startswith("Signed in as ")
    assert (hello, refreshed, again) == (f"Hello, {USERNAME}.", "Refreshed.", f"Hello, {USERNAME}.")
    assert stranger == "It did not work: this answers another question"
    assert told["address"] == f"{origin}/"
    assert told["stored"] == '[{},{},""]'
    assert {"access_token", "refresh_token"} <= {*told["renewed"]}
    assert told["complaints"] == []
