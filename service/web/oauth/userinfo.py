"""`/userinfo`: who the person behind an access token is (OpenID Connect Core §5.3)."""

from collections.abc import Iterable

from starlette.types import Scope

from gatepost.principal import Principal
from service import clock
from service.accounts.claims import OPENID, claims_of
from service.accounts.directory import Directory
from service.credentials.bearer import BearerCredential
from service.protocol.authorization import BearerText, parse_authorization
from service.protocol.errors import InsufficientScope, InvalidRequest, InvalidToken, NotAuthenticated, NotFound
from service.protocol.form import parse_form
from service.protocol.query import find_values
from service.web.edge import Rendered
from service.web.oauth.form_body import FORM, JsonAnswers, authorizations
from service.web.throttle import Policy
from service.web.watch import CALLER

REQUESTED = "userinfo_claims"
"""The claim of an access token that names what was asked for by the `claims` parameter (§5.5)."""


class UserInfoEndpoint:
    """Answers whoever holds a person's access token with the scope `openid`. The token comes in the Authorization field
    alone: an address is logged, a form can be sent by any page (OAuth 2.1 §5.2)."""

    methods = ("GET", "POST")

    def __init__(self, bearer: BearerCredential, directory: Directory, oauth: Policy, *, secure: bool) -> None:
        self._bearer = bearer
        self._directory = directory
        self._oauth = oauth
        self._render = JsonAnswers(secure=secure)

    def at_hand(self, scope: Scope, body: bytes) -> None:
        """Nothing: the ledger is asked."""

    async def answer(self, scope: Scope, body: bytes) -> Rendered:
        """200 with `sub` and what the scopes and the `claims` parameter ask for.

        Raises `InvalidRequest` for a token anywhere else, `NotAuthenticated` for none, `InvalidToken` also for a
        client's, `InsufficientScope`, `TooManyRequests`, `StoreUnavailable`.
        """
        _check_carried_well(scope, body)
        caller = await self._caller(scope)
        try:
            user = await self._directory.get(caller.subject)
        except NotFound:
            raise InvalidToken(detail="the account has gone") from None
        if not user.active:
            raise InvalidToken(detail="the account is disabled")
        return self._render({**claims_of(user, caller.scopes, _requested(caller)), "sub": user.id})

    async def _caller(self, scope: Scope) -> Principal:
        sent = authorizations(scope)
        if len(sent) > 1:
            raise InvalidRequest(public="Send one credential, not several.")
        if not sent:
            raise NotAuthenticated
        now = clock.now()
        caller = self._bearer.recall(sent[0][7:], now=now) if sent[0][:7] == b"Bearer " else None
        if caller is None:
            presented = parse_authorization(sent[0])
            if not isinstance(presented, BearerText):
                raise NotAuthenticated(detail="another scheme than Bearer")
            caller = await self._bearer.check(presented.text, scheme="bearer", now=now)
        scope[CALLER] = caller
        await self._oauth.charge(scope, caller, now=now)
        if caller.kind != "user":
            raise InvalidToken(detail="a client is nobody's user")
        if OPENID not in caller.scopes:
            raise InsufficientScope({OPENID})
        return caller


def _check_carried_well(scope: Scope, body: bytes) -> None:
    """Raises `InvalidRequest` for an access token in the address or in a form (RFC 6750 §2)."""
    found = bool(scope["query_string"]) and bool(find_values(scope["query_string"], "access_token"))
    types = [value.partition(b";")[0].strip().lower() for name, value in scope["headers"] if name == b"content-type"]
    if not found and scope["method"] == "POST" and types == [FORM]:
        found = parse_form(body).find("access_token") is not None
    if found:
        raise InvalidRequest(public="Send the access token in the Authorization field.")


def _requested(caller: Principal) -> Iterable[str]:
    named = caller.claims.get(REQUESTED)
    return [name for name in named if isinstance(name, str)] if isinstance(named, list) else ()
