"""A client calls as itself (RFC 6749 §4.4)."""

from service.access.catalogue import OPENID
from service.clients.metadata import CLIENT_CREDENTIALS
from service.grants.request import Issued, TokenRequest, narrowed
from service.grants.resources import ResourceRule
from service.tokens.issue import AccessTokenIssuer


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
        """The token. Raises as `issue`."""
        return self.issue(request)

    def issue(self, request: TokenRequest) -> Issued:
        """The token. Raises `InvalidScope`, `InvalidTarget`, `StoreUnavailable` before a signing key is known."""
        client = request.client
        scopes = narrowed(client.scopes - OPENID.keys(), request.scopes)
        access = self._issuer.issue(
            subject=client.id,
            client_id=client.id,
            scopes=scopes,
            client_epoch=client.epoch,
            audience=self._resources.of_client(client, request.resources),
            life=client.metadata.access_life,
            now=request.now,
        )
        return Issued(access)
