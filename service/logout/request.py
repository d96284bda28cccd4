"""A logout that an application begins by sending the browser here (OpenID Connect RP-Initiated Logout 1.0)."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from service.authorize.hints import Hint, Hints
from service.authorize.parameters import Parameters
from service.authorize.refusals import RedirectRefused, UnknownClient
from service.clients.client import Client
from service.protocol.errors import InvalidRequest
from service.sessions.browser import BrowserSession

KNOWN = frozenset({"id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"})
_LONGEST = 10_000


class FindsClients(Protocol):
    """Every client that there is."""

    async def find(self, client_id: str) -> Client | None:
        """By id, compared exactly; a disabled one too. Raises `StoreUnavailable`."""


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """Who asks, as far as that is known; about whom; and where the browser goes afterwards: None is our own page."""

    client: Client | None
    hint: Hint | None
    return_to: str | None
    ui_locales: str

    def is_certain(self, signed_in: BrowserSession) -> bool:
        """Whether the application knows whom it signs out. Otherwise anyone could, with an image (§6): ask."""
        return self.hint is not None and self.hint.subject == signed_in.user.id


class LogoutDesk:
    """Checks requests to sign out."""

    def __init__(self, clients: FindsClients, hints: Hints) -> None:
        self._clients = clients
        self._hints = hints

    async def check(self, parameters: Parameters) -> LogoutRequest:
        """The request (§2).

        Raises `InvalidRequest` for a repeated parameter, a hint that is no id_token of ours or another client's,
        `UnknownClient`, and `RedirectRefused` unless the address is one that the client registered, exactly (§3).
        """
        if parameters.repeated(but="") is not None or len(parameters.encoded(KNOWN)) > _LONGEST:
            raise InvalidRequest(public="A parameter comes twice, or the request is too long.")
        text, client_id = parameters.find("id_token_hint"), parameters.find("client_id")
        hint = None if text is None else await self._hints.read(text)
        if hint is not None and client_id not in (None, hint.client_id):
            raise InvalidRequest(public="The id_token_hint is of another application.")
        named = client_id or (hint.client_id if hint else None)
        client = await self._clients.find(named) if named else None
        if client_id is not None and client is None:
            raise UnknownClient(detail="client_id at logout")
        return LogoutRequest(client, hint, _return_to(client, parameters), parameters.find("ui_locales") or "")


def _return_to(client: Client | None, parameters: Parameters) -> str | None:
    """Where to go: nowhere when nobody proves whose address it is."""
    uri, state = parameters.find("post_logout_redirect_uri"), parameters.find("state")
    if uri is None or client is None:
        return None
    if not client.active or uri not in client.metadata.post_logout_redirect_uris:
        raise RedirectRefused(detail=f"post_logout_redirect_uri of {client.id}")
    if state is None:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'state': state})}"
