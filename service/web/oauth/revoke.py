"""`/oauth2/revoke`: a client gives a token back (RFC 7009)."""

from starlette.types import Scope

from service import clock
from service.clients.authentication import ClientAuthentication
from service.introspection import TokenRevocation
from service.web.edge import Rendered, Rendering
from service.web.oauth.form_body import SenderOf, parse_body
from service.web.security import Gate


class RevokeEndpoint:
    """Answers every client; the same empty 200 whether there was something to revoke or not (§2.2)."""

    methods = ("POST",)

    def __init__(self, clients: ClientAuthentication, revocation: TokenRevocation, gate: Gate, *, secure: bool) -> None:
        self._clients = clients
        self._gate = gate
        self._revocation = revocation
        self._done = Rendering([(b"cache-control", b"no-store")], secure=secure)(b"")

    def at_hand(self, scope: Scope, body: bytes) -> None:
        """Nothing: to revoke is to write."""

    async def answer(self, scope: Scope, body: bytes) -> Rendered:
        """200 once every worker has been told. Raises the refusals of `ClientAuthentication.check`,
        `StoreUnavailable`. `token_type_hint` is not needed: the token says what it is."""
        form, now = parse_body(scope, body), clock.now()
        client = await self._clients.check(form, SenderOf(scope, self._gate), now, at_token_endpoint=False)
        await self._revocation.revoke(form.get("token"), client=client, now=now)
        return self._done
