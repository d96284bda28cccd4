"""A running application behind a proxy, with letters; and a chain of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.audit.asking import Asking
from tests.audit.ground import Chain
from tests.contracts.sql_ground import opened
from tests.servers.mail import MailServer, running_mail_server
from tests.servers.valkey import ValkeyServer
from tests.web.running import Web, running_web


@pytest.fixture(scope="module")
async def mail() -> AsyncIterator[MailServer]:
    """A mail server."""
    async with running_mail_server() as server:
        yield server


@pytest.fixture(scope="module")
async def web(
    server_folder: Path, sqlite_template: Path, valkey_server: ValkeyServer, mail: MailServer
) -> AsyncIterator[Web]:
    """An application whose proxy is this machine."""
    valkey_server.flush()
    file = server_folder / "audit.sqlite"
    file.write_bytes(sqlite_template.read_bytes())
    more = {
        "SERVER__TRUSTED_PROXIES": "127.0.0.0/8",
        "MAIL__SMTP_URL": mail.url,
        "ACCOUNTS__REGISTRATION": "open",
        "TOKENS__REFRESH_GRACE": "0s",
        "LIMITS__CLOSE_AFTER": "3",
    }
    async with running_web(f"sqlite+aiosqlite:///{file}", valkey_server.url, **more) as running:
        yield running
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()


@pytest.fixture
async def chain(sql_url: str) -> AsyncIterator[Chain]:
    """Five sealed rows, with a head."""
    async with opened(sql_url) as database:
        made = Chain(database)
        await made.note(5)
        await made.seal()
        yield made


@pytest.fixture
def ask(web: Web) -> Asking:
    """Somebody without cookies, who asks."""
    web.client.cookies.clear()
    return Asking(web)
