"""Who is calling: which of the presented credentials counts (exactly one), and what it stands for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gatepost.principal import Principal
from service.api_keys.text import PREFIX as API_KEY_PREFIX
from service.credentials.api_key import ApiKeyCredential
from service.credentials.basic import BasicCredential
from service.credentials.bearer import BearerCredential
from service.pending import Pending
from service.protocol.authorization import BasicPair, parse_authorization
from service.protocol.errors import InvalidRequest, InvalidToken, NotAuthenticated

_KEY = API_KEY_PREFIX.encode()


@dataclass(frozen=True, slots=True)
class Presented:
    """Everything in one request that could be a credential, as it came. `api_keys` are those of field and query."""

    authorizations: Sequence[bytes] = field(default=(), repr=False)
    api_keys: Sequence[bytes] = field(default=(), repr=False)
    cookies: Sequence[str] = field(default=(), repr=False)


class Resolver:
    """Resolves one credential to one `Principal`; two are refused, none is `NotAuthenticated`."""

    def __init__(self, api_key: ApiKeyCredential, basic: BasicCredential, bearer: BearerCredential) -> None:
        self._api_key = api_key
        self._basic = basic
        self._bearer = bearer

    def recall(self, authorization: bytes, *, now: datetime) -> Principal | None:
        """The caller behind this field, the only credential of its request, when that was found good before and nothing
        has changed since. None says nothing: `resolve` decides. Raises as that does."""
        if authorization.startswith(b"Bearer "):
            token = authorization[7:]
            return self.recall_key(token, now=now) if token.startswith(_KEY) else self._bearer.recall(token, now=now)
        sent = parse_authorization(authorization)
        return self._basic.recall(sent, now=now) if isinstance(sent, BasicPair) else None

    def begin(self, authorization: bytes, *, now: datetime) -> Principal | Pending[Principal] | None:
        """The same for a token that is new here, and where one answer of the engine is missing, which has been asked.
        None says: ask `resolve`. Raises as that does."""
        if authorization.startswith(b"Bearer ") and not authorization.startswith(_KEY, 7):
            asked = self._bearer.begin(authorization[7:], now=now)
            if asked is not None:
                return asked
        sent = parse_authorization(authorization)
        if isinstance(sent, BasicPair) or sent.text.startswith(API_KEY_PREFIX):
            return None
        return self._bearer.begin_anew(sent.text, now=now)

    def recall_key(self, api_key: bytes, *, now: datetime) -> Principal | None:
        """The same for an API key in a field of its own."""
        return self._api_key.recall(api_key, now=now)

    async def resolve(self, presented: Presented, *, address: Callable[[], str], now: datetime) -> Principal:
        """The caller.

        Raises `InvalidRequest` for two credentials (RFC 6750 §2), `NotAuthenticated` for none, `InvalidToken` and
        `InvalidLogin` for a bad one, `TooManyAttempts`, `StoreUnavailable`, `TooBusy`.
        """
        if len(presented.authorizations) + len(presented.api_keys) + len(presented.cookies) > 1:
            raise InvalidRequest(public="Send one credential, not several.")
        if presented.authorizations:
            sent = parse_authorization(presented.authorizations[0])
            if isinstance(sent, BasicPair):
                return await self._basic.check(sent, address=address, now=now)
            if sent.text.startswith(API_KEY_PREFIX):
                return await self._api_key.check(sent.text, address=address, now=now)
            return await self._bearer.check(sent.text, scheme="bearer", now=now)
        if presented.api_keys:
            try:
                text = presented.api_keys[0].decode("ascii")
            except UnicodeDecodeError:
                raise InvalidToken(detail="API key is not ASCII") from None
            return await self._api_key.check(text, address=address, now=now)
        if presented.cookies:
            return await self._bearer.check(presented.cookies[0], scheme="cookie", now=now)
        raise NotAuthenticated()
