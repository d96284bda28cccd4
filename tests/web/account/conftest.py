"""Somebody new for each test, and a browser in which they have signed in."""

from itertools import count

import pytest

from service.accounts.account import User
from tests.web.oauth.browsing import Surfer
from tests.web.running import Web

_number = count(1)


@pytest.fixture
async def person(web: Web) -> User:
    """Somebody new with the scopes orders:read and orders:write."""
    return await web.add_user(f"person{next(_number)}", roles=("clerk",))


@pytest.fixture
async def inside(surfer: Surfer, person: User) -> Surfer:
    """The browser, in which this person has just signed in."""
    return await surfer.signed_in(person.username)
