"""What a thief finds in the stores, the log, the metrics and the traces after whole flows: nothing that opens."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import redis

from service.accounts.account import User
from service.clients.metadata import DEVICE_CODE
from tests.servers.gatepost import PASSWORD
from tests.servers.valkey import ValkeyServer
from tests.telemetry.spans import Spans
from tests.web.oauth.asking import INTROSPECT, PEOPLE, REVOKE, TOKEN, assert_oauth_error, given, register
from tests.web.oauth.browsing import CHALLENGE, VERIFIER, Surfer, hidden
from tests.web.running import Web, basic

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def web_settings(spans: Spans) -> dict[str, str]:
    return {"TELEMETRY__TRACES": spans.url}


async def use_everything(web: Web, surfer: Surfer) -> dict[str, str]:
    """Every text that opens something, by what it is, after each has been used, rightly and wrongly."""
    app = await register(web, "Orders", skips_consent=False, grants=PEOPLE | {DEVICE_CODE})
    page = await surfer.authorize(app.client, state="state-of-mine")
    form = hidden(page)
    await surfer.submit(page, username="ada", password="a wrong password")
    await surfer.sign_in(page, "ada")
    tokens = await app.tokens(surfer)
    spent, waiting = await app.code(surfer), await app.code(surfer)
    await app.redeem(spent, code_verifier="b" * 43)
    later = given(await app.refresh(tokens["refresh_token"]))
    device = given(await app.ask("/oauth2/device_authorization"))
    early = await app.ask(TOKEN, grant_type=DEVICE_CODE, device_code=device["device_code"])
    assert_oauth_error(early, 400, "authorization_pending")
    for text in (spent, waiting, *tokens.values(), app.secret):
        await app.ask(INTROSPECT, token=str(text))
        await app.ask(REVOKE, token=f"{text}x")
        await web.client.get("/userinfo", headers={"Authorization": f"Bearer {text}"})
        await web.client.get("/users/me", headers={"Authorization": f"Bearer {text}"})
    await web.client.post(TOKEN, data={"grant_type": "password", "password": "a password in a form"})
    await web.client.post(TOKEN, data={"grant_type": "x"}, headers=basic(app.client.id, "a guessed secret"))
    return {
        "client secret": app.secret,
        "access token": _end_of(tokens["access_token"]),
        "next access token": _end_of(later["access_token"]),
        "id_token": _end_of(tokens["id_token"]),
        "refresh token": tokens["refresh_token"],
        "next refresh token": later["refresh_token"],
        "spent code": spent,
        "waiting code": waiting,
        "device code": device["device_code"],
        "verifier": VERIFIER,
        "hosted session": surfer.client.cookies["gp_session"],
        "browser": surfer.client.cookies["gp_browser"],
        "form token": form["csrf"],
        "carried request": form["request"],
        "password": PASSWORD,
        "wrong password": "a wrong password",
        "password of a form": "a password in a form",
        "guessed secret": "a guessed secret",
    }


def _end_of(token: str) -> str:
    """The signature: without it the rest is no token."""
    return token.rpartition(".")[2]


def in_sql(web: Web) -> bytes:
    """The bytes of the ledger's files."""
    file = Path(web.settings.database_url.get_secret_value().removeprefix("sqlite+aiosqlite:///"))
    with closing(sqlite3.connect(file)) as connection:
        rows = "\n".join(connection.iterdump())
    return rows.encode() + b"".join(part.read_bytes() for part in file.parent.glob(f"{file.name}*"))


def in_redis(server: ValkeyServer) -> bytes:
    """Every key and all that is in it, as it is."""
    found = b""
    with redis.Redis.from_url(server.url) as client:
        client.config_set("rdbcompression", "no")
        for key in client.scan_iter(count=1_000):
            found += key + (client.dump(key) or b"")
    return found


@pytest.mark.spec("REF-27")
@pytest.mark.spec("TIM-03")
@pytest.mark.spec("TIM-04")
@pytest.mark.spec("RFC 6749 §10.3")
async def test_neither_the_stores_nor_what_operators_see_hold_anything_that_opens(
    web: Web,
    surfer: Surfer,
    ada: User,
    spans: Spans,
    valkey_server: ValkeyServer,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    secrets = await use_everything(web, surfer)
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx2")]
    places = {
        "log": "".join([*capsys.readouterr(), *ours]).encode(),
        "sql": in_sql(web),
        "redis": in_redis(valkey_server),
        **await web.shown_to_operators(spans),
    }
    assert b"refused" in places["log"]
    assert ada.id.encode() in places["sql"]
    assert b"state-of-mine" not in places["log"]
    assert CHALLENGE.encode() in places["redis"], "the grant of the waiting code"
    assert b"/oauth2/device_authorization" in places["traces"]
    assert not any(b"state-of-mine" in places[place] for place in ("metrics", "traces"))
    for what, secret in secrets.items():
        for place, content in places.items():
            assert secret.encode() not in content, f"{what} is left in {place}"
