"""An application and browsers before a running Gatepost."""

import pytest

from service.accounts.account import User
from service.clients.client import Client
from tests.web.oauth.browsing import add_application
from tests.web.running import Web


@pytest.fixture(scope="module")
async def ada(web: Web) -> User:
    """A person with the scopes orders:read and orders:write."""
    return await web.add_user("ada", roles=("clerk",))


@pytest.fixture(scope="module")
async def bob(web: Web) -> User:
    """Another one."""
    return await web.add_user("bob", roles=("clerk",))


@pytest.fixture(scope="module")
async def orders(web: Web) -> Client:
    """A confidential client that asks for consent."""
    return await add_application(web)


@pytest.fixture(scope="module")
async def trusted(web: Web) -> Client:
    """A confidential client of the house's own, which does not ask."""
    return await add_application(web, "Intranet", skips_consent=True)
