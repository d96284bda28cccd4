"""What the ledger's contracts stand on: whole, valid things to put in, of which a test changes what it is about; and
a clock on how fast a refusal comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from service.accounts.account import User
from service.api_keys.key import ApiKey
from service.clients.client import CLIENT_ID_PREFIX, Client, ClientSecret
from service.identifiers import new_id
from service.keys.signing_key import SigningKey
from service.protocol.errors import StoreUnavailable
from service.sessions.session import Session
from service.storage.sql import Database, SqlUsers
from tests.fair_clock import fair_clock

NOW = datetime(2026, 11, 3, 8, 15, 30, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
_number = count(1)


def a_user(**changed: Any) -> User:
    number = next(_number)
    user = User(
        id=new_id(),
        username=f"Person.{number}",
        email=f"Person.{number}@Example.org",
        password_hash="$argon2id$…",
        roles=frozenset({"auditor", "user"}),
        scopes=frozenset({"reports:read", "reports:write"}),
        epoch=1,
        created_at=NOW,
    )
    return replace(user, **changed)


def a_client(**changed: Any) -> Client:
    number = next(_number)
    client = Client(
        id=f"{CLIENT_ID_PREFIX}{number:020x}",
        name=f"Billing {number}",
        confidential=True,
        scopes=frozenset({"reports:read"}),
        secrets=(ClientSecret(b"\0\xff" * 16, NOW, NOW + DAY), ClientSecret(b"\1" * 32, NOW + SECOND)),
        epoch=1,
        created_at=NOW,
    )
    return replace(client, **changed)


def an_api_key(user_id: str, **changed: Any) -> ApiKey:
    key = ApiKey(
        id=new_id(),
        user_id=user_id,
        name="laptop",
        hint="gp_key_…x7Qz",
        digest=b"\0\xfe" * 16,
        scopes=frozenset({"reports:read"}),
        networks=("192.0.2.0/24", "2001:db8::/32"),
        created_at=NOW,
        expires_at=NOW + DAY,
    )
    return replace(key, **changed)


def a_session(user_id: str, **changed: Any) -> Session:
    session = Session(
        id=new_id(),
        user_id=user_id,
        client_id="gatepost",
        scopes=frozenset({"reports:read", "openid"}),
        created_at=NOW,
        auth_time=NOW - SECOND,
        amr=("pwd", "otp"),
        acr="urn:example:two",
        ends_at=NOW + 30 * DAY,
        last_used_at=NOW,
        user_agent="Mozilla/5.0 (Zürich)",
        address="2001:db8::1",
    )
    return replace(session, **changed)


def a_signing_key(**changed: Any) -> SigningKey:
    key = SigningKey(
        kid=new_id(),
        algorithm="ES256",
        public_jwk={"kty": "EC", "crv": "P-256", "x": "…", "y": "…"},
        sealed=b"\0sealed\xff",
        created_at=NOW,
        signs_from=NOW,
    )
    return replace(key, **changed)


@asynccontextmanager
async def opened(url: str, *, pool_size: int = 10) -> AsyncIterator[Database]:
    """A worker's view of the ledger, closed at the end."""
    database = Database(url, pool_size=pool_size)
    try:
        yield database
    finally:
        await database.close()


async def add_user(database: Database) -> str:
    """The id of a new person in the ledger."""
    user = a_user()
    async with database.begin() as tx:
        await SqlUsers(database).add(tx, user)
    return user.id


async def refused_within(promised: float, call: Awaitable[object]) -> float:
    """The seconds after which the call was refused; fails when it was answered or took longer than promised."""
    began = fair_clock()
    with pytest.raises(StoreUnavailable) as refusal:
        await call
    took = fair_clock() - began
    assert took < promised, f"refused after {took:.2f} s: {refusal.value.detail}"
    assert refusal.value.retry_after.total_seconds() > 0
    return took


async def answered_within(promised: float, call: Callable[[], Awaitable[object]]) -> float:
    """The seconds after which the call was answered, asking again while it is refused; fails past `promised`."""
    began = fair_clock()
    while True:
        try:
            await call()
        except StoreUnavailable:
            assert fair_clock() < began + promised, f"still refused after {promised} s"
            await asyncio.sleep(0.02)
        else:
            return fair_clock() - began
