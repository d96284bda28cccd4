"""Houses with the figures that Gatepost ships with."""

import pytest

from service.accounts.account import User
from service.app import House
from tests.rooms import add_user
from tests.servers.gatepost import SHIPPED


@pytest.fixture
def more_settings() -> dict[str, str]:
    return dict(SHIPPED)


@pytest.fixture
async def ada(house: House) -> User:
    return await add_user(house, "ada", email="ada@example.org")


@pytest.fixture
def compared(house: House, other_house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every password that was compared with a hash, on either worker."""
    seen: list[str] = []
    for one in (house, other_house):
        verify = one.passwords._context.verify_and_update

        def noted(password: str, stored: str, verify: object = verify) -> object:
            seen.append(password)
            return verify(password, stored)  # type: ignore[operator]  # the method of before

        monkeypatch.setattr(one.passwords._context, "verify_and_update", noted)
    return seen
