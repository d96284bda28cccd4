"""Every kind of letter, asked for by requests that lie about where they were sent: what leaves, what stays behind."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
import redis
from sqlalchemy import make_url

from service import clock
from tests.servers.mail import MailServer, text_of
from tests.servers.valkey import ValkeyServer
from tests.web.running import Web, bearer, running_web

pytestmark = pytest.mark.anyio
PASSWORD = "giraffes would rather sleep"
EVIL = "evil.example"
HOSTILE = {
    "Host": EVIL,
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Server": EVIL,
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-For": "203.0.113.66",
    "X-Original-URL": f"https://{EVIL}/",
    "X-Rewrite-URL": "/evil",
    "X-HTTP-Host-Override": EVIL,
    "Forwarded": f"host={EVIL};proto=http;for=203.0.113.66",
    "Referer": f"https://{EVIL}/",
}


@dataclass
class Sent:
    """Everything that was sent, and the secrets that were in it or that its requests brought."""

    letters: list[EmailMessage]
    secrets: list[str]


@pytest.fixture(scope="module")
async def trusting(
    module_sqlite_url: str, valkey_server: ValkeyServer, web_settings: dict[str, str]
) -> AsyncIterator[Web]:
    """An application that believes this very machine to be its proxy: also then no link follows what it forwards."""
    valkey_server.flush()
    more = {**web_settings, "SERVER__TRUSTED_PROXIES": "127.0.0.0/8"}
    async with running_web(module_sqlite_url, valkey_server.url, **more) as web:
        web.client.headers.update(HOSTILE)
        yield web


@pytest.fixture(scope="module")
async def sent(trusting: Web, mail: MailServer) -> Sent:
    """One letter of each kind, its link followed where there is one."""
    web, sent = trusting, Sent([], [PASSWORD])

    async def take(address: str, subject: str = "") -> str:
        letter = await mail.letter_to(address, subject)
        sent.letters.append(letter)
        found = re.search(r"\?token=(\S+)", text_of(letter))
        sent.secrets += [found[1]] if found else []
        return found[1] if found else ""

    async def post(path: str, headers: dict[str, str] | None = None, **body: object) -> None:
        answer = await web.client.post(path, json=body, headers=headers or {})
        assert answer.is_success, answer.text

    await web.add_user("boss", roles=("admin",))
    boss = await web.token("boss")
    await post("/auth/register", email="first@example.org")
    await post("/auth/register/complete", token=await take("first@example.org"), username="first", password=PASSWORD)
    await post("/auth/register", email="first@example.org")
    await take("first@example.org")
    await post("/admin/invitations", boss, email="guest@example.org", roles=[], scopes=[])
    await take("guest@example.org")
    signed_in = await web.sign_in("first", PASSWORD)
    sent.secrets += [signed_in["access_token"], signed_in["refresh_token"]]
    mine = bearer(signed_in["access_token"])
    await post("/users/me/email", mine, email="second@example.org", current_password=PASSWORD)
    await post("/auth/email/confirm", token=await take("second@example.org"))
    await take("first@example.org", "has changed")
    directory = web.rooms.directory
    await directory.create("other", PASSWORD, email="other@example.org", roles=[], scopes=[], now=clock.now())
    other = bearer((await web.sign_in("other", PASSWORD))["access_token"])
    await post("/users/me/email/verify", other)
    await take("other@example.org")
    await post("/auth/password/forgot", email="second@example.org")
    await post("/auth/password/reset", token=await take("second@example.org"), new_password="another long sentence")
    await take("second@example.org", "has changed")
    sent.secrets.append("another long sentence")
    await post("/auth/password/forgot", email="other@example.org")
    await take("other@example.org", "password")
    return sent


@pytest.mark.spec("RST-03")
async def test_nothing_that_a_request_claims_reaches_any_letter(trusting: Web, sent: Sent) -> None:
    assert len(sent.letters) == 9
    for letter in sent.letters:
        whole = letter.as_string() + text_of(letter)
        assert not [word for word in ("evil", "666", "203.0.113") if word in whole], whole
        origins = set(re.findall(r"https?://[^/\s]+", text_of(letter)))
        assert origins <= {trusting.settings.public_url}
        assert letter["From"] == "Gatepost <no-reply@id.example>"


@pytest.mark.spec("RST-06")
async def test_a_dump_of_both_stores_opens_nothing(trusting: Web, sent: Sent, valkey_server: ValkeyServer) -> None:
    """Used links and living ones, passwords, tokens: none is in SQL, its journal or Redis; digests and names are."""
    file = Path(make_url(trusting.settings.database_url.get_secret_value()).database or "")
    sql = b"".join(one.read_bytes() for one in file.parent.glob(f"{file.name}*"))
    engine = _dump(valkey_server)
    assert b"second@example.org" in sql
    assert len(engine) > 100
    assert len(sent.secrets) == 10
    for secret in sent.secrets:
        for part in (secret, secret[: len(secret) // 2], secret[len(secret) // 2 :]):
            assert part.encode() not in sql
            assert part.encode() not in engine


def _dump(valkey: ValkeyServer) -> bytes:
    """Every key and its value, as the server writes them down."""
    with redis.Redis.from_url(valkey.url) as client:
        client.config_set("rdbcompression", "no")
        whole = b"".join(key + b"=" + (client.dump(key) or b"") for key in client.scan_iter(count=1000))
        client.config_set("rdbcompression", "yes")
    return whole
