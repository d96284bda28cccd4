"""Fixtures that every room's tests share."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on plain asyncio; session scope lets async fixtures have any scope."""
    return "asyncio"
