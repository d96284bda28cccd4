"""What the room asks providers with."""

from collections.abc import AsyncIterator

import pytest

from service.federation.provider import Calls
from tests.federation.coming_back import asking


@pytest.fixture(scope="module")
async def calls() -> AsyncIterator[Calls]:
    """Patient ones."""
    async with asking() as calls:
        yield calls
