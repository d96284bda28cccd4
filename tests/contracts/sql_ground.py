"""What the ledger's contract tests put into it: whole, valid things, of which a test changes what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from service.accounts.account import User
from service.api_keys.key import ApiKey
from service.clients.client import CLIENT_ID_PREFIX, Client, ClientSecret
from service.identifiers import new_id
from service.keys.signing_key import SigningKey
from service.sessions.session import Session

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
