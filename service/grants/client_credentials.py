"""A client calls as itself (RFC 6749 §4.4)."""

from datetime import datetime

from service.access.catalogue import OPENID
from service.clients.metadata import CLIENT_CREDENTIALS
from service.grants.request import Issued, TokenRequest, narrowed
from service.grants.resources import ResourceRule
from service.tokens.issue import AccessTokenDraft, AccessTokenIssuer


class ClientCredentialsGrant:
    """An access token alone, for no more than the client's own scopes; those that tell of a person mean nothing here.

    Costs a signature and asks no store: the client is remembered.
    """

    grant_type = CLIENT_CREDENTIALS
    parameters = frozenset[str]()

    def __init__(self, issuer: AccessTokenIssuer, resources: ResourceRule) -> None:
        self._issuer = issuer
        self._resources = resources

    async def redeem(self, request: TokenRequest) -> Issued:
        """The token. Raises as `draft`, and `StoreUnavailable` before a signing key is known."""
        return self.issue(self.draft(request), now=request.now)

    def draft(self, request: TokenRequest) -> AccessTokenDraft:
        """What the tokens of this request say, whenever it comes. Raises `InvalidScope`, `InvalidTarget`."""
        client = request.client
        return self._issuer.draft(
            subject=client.id,
            client_id=client.id,
            scopes=narrowed(client.scopes.difference(OPENID), request.scopes),
            client_epoch=client.epoch,
            audience=self._resources.of_client(client, request.resources),
            life=client.metadata.access_life,
        )

    def issue(self, draft: AccessTokenDraft, *, now: datetime) -> Issued:
        """A token. Raises `StoreUnavailable` before a signing key is known."""
        return Issued(self._issuer.issue(draft, now=now))
