"""`/oauth2/introspect`: is this token good, and what does it say (RFC 7662)."""

from starlette.types import Scope

from gatepost.tokens import AccessToken
from service import clock
from service.clients.authentication import ClientAuthentication
from service.introspection import Introspection, shown
from service.protocol.errors import InvalidClient
from service.web.edge import Rendered
from service.web.oauth.form_body import JsonAnswers, authorizations, parse_body
from service.web.once import OncePerObject


class IntrospectEndpoint:
    """Answers clients with a secret; what is found about a token never says which part of it was wrong."""

    methods = ("POST",)

    def __init__(self, clients: ClientAuthentication, introspection: Introspection, *, secure: bool) -> None:
        self._clients = clients
        self._introspection = introspection
        self._render = JsonAnswers(secure=secure)
        self._rendered = OncePerObject[AccessToken, Rendered](lambda token: self._render(shown(token)))

    def at_hand(self, scope: Scope, body: bytes) -> Rendered | None:
        """The answer about an access token to a client that is remembered."""
        form, now = parse_body(scope, body), clock.now()
        client = self._clients.recall(form, authorizations(scope), now, at_token_endpoint=False)
        if client is None:  # `recall` knows only clients with a secret
            return None
        token = self._introspection.find_at_once(form.get("token"), client=client, now=now)
        return None if token is None else self._rendered(token)

    async def answer(self, scope: Scope, body: bytes) -> Rendered:
        """200 with `active`. Raises the refusals of `ClientAuthentication.check`, `StoreUnavailable`.

        A public client has proved nothing and is refused (§2.1: the endpoint must not help to scan for tokens).
        """
        form, now = parse_body(scope, body), clock.now()
        client = await self._clients.check(form, authorizations(scope), now, at_token_endpoint=False)
        if not client.confidential:
            raise InvalidClient(detail="a public client may not introspect")
        return self._render(await self._introspection.tell(form.get("token"), client=client, now=now))
