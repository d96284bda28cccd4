"""`/oauth2/introspect`: is this token good, and what does it say (RFC 7662)."""

from typing import NamedTuple

from starlette.types import Scope

from gatepost.tokens import AccessToken, token_digest
from service import clock
from service.clients.authentication import ClientAuthentication, ProvedClient
from service.introspection import Introspection, shown
from service.protocol.errors import InvalidClient
from service.web.edge import Rendered
from service.web.oauth.form_body import JsonAnswers, SenderOf, parse_body
from service.web.oauth.recurring import RecurringRequests
from service.web.once import OncePerObject
from service.web.security import Gate


class _Asked(NamedTuple):
    """Who asked, and the SHA-256 of the token."""

    client: ProvedClient
    token: bytes


class IntrospectEndpoint:
    """Answers clients with a secret; what is found about a token never says which part of it was wrong."""

    methods = ("POST",)

    def __init__(
        self, clients: ClientAuthentication, introspection: Introspection, gate: Gate, *, secure: bool
    ) -> None:
        self._clients = clients
        self._gate = gate
        self._introspection = introspection
        self._render = JsonAnswers(secure=secure)
        self._recurring = RecurringRequests[_Asked]()
        self._rendered = OncePerObject[AccessToken, Rendered](lambda token: self._render(shown(token)))

    def at_hand(self, scope: Scope, body: bytes) -> Rendered | None:
        """The answer about an access token to a client that is remembered."""
        now, sender = clock.now(), SenderOf(scope, self._gate)
        asked, _ = self._recurring.find(scope, body)
        if asked is not None and self._clients.stands(asked.client, sender, now=now):
            known = self._introspection.recall(asked.token, now=now)
            if known is not None:
                return self._rendered(known) if sender.take(asked.client.client, now=now) else None
        form = parse_body(scope, body)
        client = self._clients.recall(form, sender, now, at_token_endpoint=False)
        if client is None:  # `recall` knows only clients with a secret
            return None
        text = form.get("token")
        token = self._introspection.find_at_once(text, client=client.client, now=now)
        if token is None or not sender.take(client.client, now=now):
            return None
        self._recurring.keep(_Asked(client, token_digest(text)), scope, body)
        return self._rendered(token)

    async def answer(self, scope: Scope, body: bytes) -> Rendered:
        """200 with `active`. Raises the refusals of `ClientAuthentication.check`, `StoreUnavailable`.

        A public client has proved nothing and is refused (§2.1: the endpoint must not help to scan for tokens).
        """
        form, now = parse_body(scope, body), clock.now()
        client = await self._clients.check(form, SenderOf(scope, self._gate), now, at_token_endpoint=False)
        if not client.confidential:
            raise InvalidClient(detail="a public client may not introspect")
        return self._render(await self._introspection.tell(form.get("token"), client=client, now=now))
