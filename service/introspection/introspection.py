"""Whether a token is good, and what it says (RFC 7662)."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from gatepost.scopes import format_scope
from gatepost.tokens import AccessToken
from service.clients.client import Client
from service.credentials.bearer import BearerCredential
from service.protocol.errors import InvalidGrant, InvalidToken
from service.sessions.refresh_token import PREFIX as REFRESH_PREFIX
from service.sessions.refresh_token import RefreshTokenMint
from service.sessions.rotation import Rotation

SEES_ALL = "tokens:introspect"
"""The scope of a client that may ask about tokens of others: a resource server."""

_INACTIVE: Mapping[str, object] = MappingProxyType({"active": False})
_LONGEST = 8192


class Introspection:
    """Answers clients about access and refresh tokens. `access` judges access tokens for any audience."""

    def __init__(self, access: BearerCredential, mint: RefreshTokenMint, rotation: Rotation, *, issuer: str) -> None:
        self._access = access
        self._mint = mint
        self._rotation = rotation
        self._issuer = issuer

    async def tell(self, token: str, *, client: Client, now: datetime) -> Mapping[str, object]:
        """What the token says, when it is good at `now` and the client's own, or the client may see all.

        Exactly `{"active": false}` for everything else, whatever it is (§2.2): another's token, an expired or revoked
        one, a refresh token that has had its successor, an id_token, a code, an API key. Raises `StoreUnavailable` when
        nobody can say.
        """
        if len(token) > _LONGEST:
            return _INACTIVE
        if token.startswith(REFRESH_PREFIX):
            return await self._tell_refresh(token, client, now)
        try:
            read = (await self._access.judge(token, now=now)).token
        except InvalidToken:
            return _INACTIVE
        return shown(read) if _may_see(client, read.client_id) else _INACTIVE

    def find_at_once(self, token: str, *, client: Client, now: datetime) -> AccessToken | None:
        """A good access token that the client may see, when no store has to be asked: `tell` would show what `shown`
        does, and for the same token this is the same object. None says: ask `tell`. Raises `InvalidToken`,
        `StoreUnavailable`."""
        if len(token) > _LONGEST or token.startswith(REFRESH_PREFIX):
            return None
        judged = self._access.judge_at_once(token, now=now)
        return judged.token if judged is not None and _may_see(client, judged.token.client_id) else None

    def recall(self, digest: bytes, *, now: datetime) -> AccessToken | None:
        """What `find_at_once` gave a client that has not changed since for the token of this SHA-256, while nothing has
        touched that either; None says: ask it."""
        judged = self._access.recall_judged(digest, now=now)
        return None if judged is None else judged.token

    async def _tell_refresh(self, token: str, client: Client, now: datetime) -> Mapping[str, object]:
        try:
            presented = self._mint.read(token)
        except InvalidGrant:
            return _INACTIVE
        found = await self._rotation.find_living(presented, now=now)
        if found is None or not _may_see(client, found[0].client_id):
            return _INACTIVE
        family, ends_at = found
        return {
            "active": True,
            "iss": self._issuer,
            "sub": family.user_id,
            "client_id": family.client_id,
            "scope": format_scope(family.scopes),
            "exp": int(ends_at.timestamp()),
            "auth_time": int(family.auth_time.timestamp()),
            "sid": family.id,
        }


def _may_see(client: Client, owner: str) -> bool:
    return client.id == owner or SEES_ALL in client.scopes


def shown(token: AccessToken) -> Mapping[str, object]:
    """The members of §2.2 and RFC 9068 §2.2; the epochs are nobody's business."""
    shown: dict[str, object] = {
        "active": True,
        "token_type": "Bearer",
        "iss": token.issuer,
        "sub": token.subject,
        "aud": token.claims["aud"],
        "client_id": token.client_id,
        "scope": format_scope(token.scopes),
        "exp": token.expires_at,
        "iat": token.issued_at,
        "jti": token.jti,
        "sid": token.session_id,
        "auth_time": token.auth_time,
        "acr": token.acr,
        "amr": list(token.amr) or None,
    }
    return {name: value for name, value in shown.items() if value is not None}
