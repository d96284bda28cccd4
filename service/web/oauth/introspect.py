"""`/oauth2/introspect`: is this token good, and what does it say (RFC 7662)."""

from starlette.responses import Response
from starlette.types import Receive, Scope

from service import clock
from service.clients.authentication import ClientAuthentication
from service.introspection import Introspection
from service.protocol.errors import InvalidClient
from service.web.oauth.form_body import authorizations, json_answer, read_form


class IntrospectEndpoint:
    """Answers clients with a secret; what is found about a token never says which part of it was wrong."""

    methods = ("POST",)

    def __init__(self, clients: ClientAuthentication, introspection: Introspection) -> None:
        self._clients = clients
        self._introspection = introspection

    async def answer(self, scope: Scope, receive: Receive) -> Response:
        """200 with `active`. Raises the refusals of `ClientAuthentication.check`, `StoreUnavailable`.

        A public client has proved nothing and is refused (§2.1: the endpoint must not help to scan for tokens).
        """
        form, now = await read_form(scope, receive), clock.now()
        client = await self._clients.check(form, authorizations(scope), now, at_token_endpoint=False)
        if not client.confidential:
            raise InvalidClient(detail="a public client may not introspect")
        return json_answer(await self._introspection.tell(form.get("token"), client=client, now=now))
