"""The phases that every token request goes through, so that no grant can forget one (RFC 6749 §3.2)."""

from collections.abc import Iterable
from datetime import datetime

from service.clients.authentication import ClientAuthentication, ProvedClient, Sender
from service.clients.client import Client
from service.grants.client_credentials import ClientCredentialsGrant
from service.grants.person import Wanted
from service.grants.refresh_token import RefreshTokenGrant
from service.grants.request import Grant, Issued, TokenRequest, unrepeated
from service.pending import Pending
from service.protocol.errors import UnauthorizedClient, UnsupportedGrantType
from service.protocol.form import Form
from service.tally import Tally
from service.tokens.issue import AccessTokenDraft

_issued = Tally("token_answers", "Successful answers of the token endpoint", "grant")
_SHARED = ("grant_type", "client_id", "client_secret", "scope", "resource")


class TokenEndpoint:
    """Which grant → which client → may it → the grant → the answer. A grant is found by its `grant_type`."""

    def __init__(self, authentication: ClientAuthentication, grants: Iterable[Grant]) -> None:
        self._authentication = authentication
        self._grants = {grant.grant_type: grant for grant in grants}

    @property
    def grant_types(self) -> tuple[str, ...]:
        """What discovery tells."""
        return tuple(sorted(self._grants))

    @property
    def parameters(self) -> frozenset[str]:
        """Every parameter that means something here; others are ignored (RFC 6749 §3.2)."""
        return frozenset(_SHARED).union(*(grant.parameters for grant in self._grants.values()))

    async def answer(self, form: Form, sender: Sender, *, now: datetime) -> bytes:
        """The body of a successful answer, in JSON.

        Raises the refusals of RFC 6749 §5.2, RFC 8628 §3.5 and RFC 8707 §2, and `StoreUnavailable`.
        """
        grant = self._grants.get(form.get("grant_type"))
        if grant is None:
            raise UnsupportedGrantType
        client = await self._authentication.check(form, sender, now)
        return _answer(grant, client, sender, await grant.redeem(_request(grant, client, form, now)))

    def prepare(self, form: Form, sender: Sender, *, now: datetime) -> "PreparedToken | PreparedRefresh | None":
        """What answers this request now and whenever it comes again: that of a client which is remembered, and calls as
        itself or comes with a refresh token. None says: ask `answer`. Raises as it does."""
        grant = self._grants.get(form.find("grant_type") or "")
        if not isinstance(grant, ClientCredentialsGrant | RefreshTokenGrant):
            return None
        proved = self._authentication.recall(form, sender, now)
        if proved is None:
            return None
        request = _request(grant, proved.client, form, now)
        if isinstance(grant, RefreshTokenGrant):
            return PreparedRefresh(self._authentication, proved, grant, grant.wanted(request))
        return PreparedToken(self._authentication, proved, grant, grant.draft(request))


class PreparedToken:
    """Everything about a client's request for a token that need not be done again."""

    __slots__ = ("_authentication", "_draft", "_grant", "_proved")

    def __init__(
        self,
        authentication: ClientAuthentication,
        proved: ProvedClient,
        grant: ClientCredentialsGrant,
        draft: AccessTokenDraft,
    ) -> None:
        self._authentication = authentication
        self._proved = proved
        self._grant = grant
        self._draft = draft

    def answer(self, _: str, sender: Sender, *, now: datetime) -> bytes | None:
        """The body of an answer with a new token; None once anything about the client may have changed, or
        no permit is at hand. Raises `TooManyAttempts`, `TooManyRequests`, `StoreUnavailable`."""
        stands = self._authentication.stands(self._proved, sender, now=now)
        if not stands or not sender.take(self._proved.client, now=now):
            return None
        issued = self._grant.issue(self._draft, now=now)
        _issued.add(ClientCredentialsGrant.grant_type)
        return issued.json()


class PreparedRefresh:
    """Everything about a client's refreshing that is the same for each of its refresh tokens."""

    __slots__ = ("_authentication", "_grant", "_proved", "_wanted")

    def __init__(
        self, authentication: ClientAuthentication, proved: ProvedClient, grant: RefreshTokenGrant, wanted: Wanted
    ) -> None:
        self._authentication = authentication
        self._proved = proved
        self._grant = grant
        self._wanted = wanted

    def answer(self, refresh_token: str, sender: Sender, *, now: datetime) -> Pending[bytes] | None:
        """The body of an answer, once the engine has said what the token is worth. None as above, or where asking
        takes waiting. Raises `InvalidGrant` too."""
        client = self._proved.client
        stands = self._authentication.stands(self._proved, sender, now=now)
        if not stands or not sender.take(client, now=now):
            return None
        issued = self._grant.begin(refresh_token, self._wanted, now=now)
        return None if issued is None else issued.then(lambda given: _answer(self._grant, client, sender, given))


def _answer(grant: Grant, client: Client, sender: Sender, issued: Issued) -> bytes:
    """The body of an answer with what was issued, which is counted."""
    if issued.person is not None:
        sender.is_known(client.id, issued.person)
    _issued.add(grant.grant_type)
    return issued.json()


def _request(grant: Grant, client: Client, form: Form, now: datetime) -> TokenRequest:
    """What the grant gets to see. Raises `UnauthorizedClient`."""
    if grant.grant_type not in client.metadata.grant_types:
        raise UnauthorizedClient(detail=f"{client.id} is not registered for {grant.grant_type}")
    return TokenRequest(client, form, unrepeated(form.find_all("resource")), now)
