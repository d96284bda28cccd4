"""A device without a keyboard: it begins a request, and asks until the person has decided (RFC 8628)."""

from datetime import datetime

from pydantic_core import to_json

from service.access.catalogue import OPENID
from service.clients.authentication import ClientAuthentication, Sender
from service.clients.metadata import DEVICE_CODE, REFRESH_TOKEN
from service.codes.device import DeviceDesk
from service.grants.person import PersonTokens
from service.grants.request import Issued, TokenRequest, asked_scopes, narrowed, unrepeated
from service.grants.resources import ResourceRule
from service.protocol.errors import Conflict, InvalidGrant, UnauthorizedClient
from service.protocol.form import Form
from service.sessions.pairs import OFFLINE


class DeviceCodeGrant:
    """One request, one session. What is redeemed twice ends, as with codes."""

    grant_type = DEVICE_CODE
    parameters = frozenset({"device_code"})

    def __init__(self, desk: DeviceDesk, tokens: PersonTokens) -> None:
        self._desk = desk
        self._tokens = tokens

    async def redeem(self, request: TokenRequest) -> Issued:
        """The tokens. Raises `AuthorizationPending`, `SlowDown`, `AccessDenied`, `ExpiredToken`, `InvalidGrant`,
        `InvalidTarget`, `StoreUnavailable`."""
        code, now = request.form.get("device_code"), request.now
        grant = await self._desk.poll(code, client_id=request.client.id, now=now)
        try:
            issued = await self._tokens.open(grant, request)
        except Conflict:  # the engine has forgotten the first redemption, the ledger has not
            await self._desk.end(code, user_id=grant.user_id, now=now)
            raise InvalidGrant(detail="the device code was redeemed before") from None
        await self._desk.settle(code, user_id=grant.user_id, now=now)
        return issued


class DeviceAuthorization:
    """Where a device begins (RFC 8628 §3.1). `page` is the address at which the person types the user code."""

    def __init__(
        self, authentication: ClientAuthentication, desk: DeviceDesk, resources: ResourceRule, *, page: str
    ) -> None:
        self._authentication = authentication
        self._desk = desk
        self._resources = resources
        self._page = page

    async def answer(self, form: Form, sender: Sender, *, now: datetime) -> bytes:
        """The body of the answer, in JSON (§3.2). The same is held against the client as for the code grant.

        Raises `UnauthorizedClient`, `InvalidScope`, `InvalidTarget`, `StoreUnavailable`, and as
        `ClientAuthentication.check`.
        """
        client = await self._authentication.check(form, sender, now)
        if DEVICE_CODE not in client.metadata.grant_types:
            raise UnauthorizedClient(detail=f"{client.id} is not registered for the device grant")
        asked = asked_scopes(form)
        scopes = client.scopes if asked is None else narrowed(client.scopes | OPENID.keys(), asked)
        if REFRESH_TOKEN not in client.metadata.grant_types:
            scopes -= {OFFLINE}
        audience = self._resources.of_client(client, unrepeated(form.find_all("resource")))
        start = await self._desk.start(client.id, scopes, audience)
        shown = {
            "device_code": start.device_code,
            "user_code": start.user_code,
            "verification_uri": self._page,
            "verification_uri_complete": f"{self._page}?user_code={start.user_code}",
            "expires_in": int(start.expires_in.total_seconds()),
            "interval": int(start.interval.total_seconds()),
        }
        return to_json(shown)

    def prepare(self, form: Form, sender: Sender, *, now: datetime) -> None:
        """Nothing: each answer is a new request that is kept."""
