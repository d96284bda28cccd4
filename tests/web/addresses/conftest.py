"""One application with a real mail server, in which registration is open."""

from collections.abc import AsyncIterator

import pytest

from tests.servers.mail import MailServer, running_mail_server


@pytest.fixture(scope="module")
async def mail() -> AsyncIterator[MailServer]:
    async with running_mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def web_settings(mail: MailServer) -> dict[str, str]:
    return {
        "MAIL__SMTP_URL": mail.url,
        "MAIL__SENDER": "Gatepost <no-reply@id.example>",
        "ACCOUNTS__REGISTRATION": "open",
        "ACCOUNTS__REGISTRATION_ROLES": "clerk",
    }
