"""Which client is calling, at the endpoints of OAuth (RFC 6749 §2.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from secrets import token_bytes
from typing import Protocol

from service.bounded import Bounded
from service.clients.client import Client
from service.clients.metadata import NO_SECRET, SECRET_BASIC, SECRET_POST
from service.clients.secrets import ClientSecrets
from service.protocol.authorization import BasicPair, parse_authorization
from service.protocol.errors import InvalidClient, InvalidRequest, NotAuthenticated
from service.protocol.form import Form, parse_form_word

_IN_THE_FORM = frozenset({"client_secret", "client_assertion", "client_assertion_type"})
"""What a form may say of who is calling beside the Authorization field."""


class KnownClients(Protocol):
    """The clients that there are."""

    async def find(self, client_id: str) -> Client | None:
        """By id, compared exactly; a disabled one too. Raises `StoreUnavailable`."""

    def recall(self, client_id: str, *, now: datetime) -> Client | None:
        """The same from memory alone, and the same object until anything about the client has changed."""


class Sender(Protocol):
    """Who sent a request, before anything is believed."""

    @property
    def authorizations(self) -> Sequence[bytes]:
        """Its Authorization fields."""

    def address(self) -> str:
        """Where it came from."""

    def is_known(self, client_id: str, person: str | None) -> None:
        """This client has proved itself, and the grant of this person was good."""

    def take(self, client: Client, *, now: datetime) -> bool:
        """Charge the request to a client that has proved itself, where that takes no waiting. False has changed nothing
        and says: `charge`. Raises `TooManyRequests`."""

    async def charge(self, client: Client, *, now: datetime) -> None:
        """Charge the request to its client; where a public one has proved nothing, to whoever it is in that network.
        Raises `TooManyRequests`."""


@dataclass(frozen=True, slots=True)
class ProvedClient:
    """A client that has shown its secret, and until when that may be taken for granted: the next time one of its
    secrets ends."""

    client: Client
    until: datetime | None


@dataclass(frozen=True, slots=True)
class _Presented:
    client_id: str
    method: str
    secret: str = field(default="", repr=False)


class ClientAuthentication:
    """Takes exactly one method of proof; at the token endpoint only the one that the client is registered for."""

    def __init__(self, clients: KnownClients, secrets: ClientSecrets) -> None:
        self._clients = clients
        self._secrets = secrets
        self._key = token_bytes(32)
        self._proved: Bounded[bytes, ProvedClient] = Bounded()

    def stands(self, proved: ProvedClient, sender: Sender, *, now: datetime, is_told: bool = False) -> bool:
        """Whether nothing about the client has changed since it proved itself, as far as memory tells. Raises
        `TooManyAttempts` where its door is closed to the sender: a right secret must not show by passing. `is_told` as
        in `ProgramGuard.check`: whoever is refused here asks `check`."""
        if proved.until is not None and now >= proved.until:
            return False
        self._secrets.check_door(proved.client.id, address=sender.address, now=now, is_told=is_told)
        if self._clients.recall(proved.client.id, now=now) is not proved.client:
            return False
        sender.is_known(proved.client.id, None)
        return True

    async def check(self, form: Form, sender: Sender, now: datetime, *, at_token_endpoint: bool = True) -> Client:
        """The client behind a request; a public one has proved nothing.

        What a client registers is its method for the token endpoint (RFC 7591 §2); elsewhere it may send its secret in
        the other way too, as both are in the metadata (RFC 8414 §2).

        The request is charged to it. Raises `InvalidRequest` for two methods or two ids at once (§2.3), `InvalidClient`
        for every other reason alike, `TooManyAttempts`, `TooManyRequests`, `StoreUnavailable`.
        """
        client = await self._authenticated(form, sender, now, at_token_endpoint=at_token_endpoint)
        await sender.charge(client, now=now)
        return client

    async def _authenticated(self, form: Form, sender: Sender, now: datetime, *, at_token_endpoint: bool) -> Client:
        known = self._find_proved(form, sender, now, is_told=True)
        if known is not None:
            return _registered_so(known.client, SECRET_BASIC, at_token_endpoint)
        presented = _presented(form, sender.authorizations)
        if presented.method == NO_SECRET:
            client = await self._clients.find(presented.client_id)
            if client is None or client.confidential or not client.active:
                raise InvalidClient(detail="unknown or disabled client, or one that has a secret")
        else:
            client = await self._secrets.authenticate(
                presented.client_id, presented.secret, address=sender.address, now=now
            )
            self._keep(client, sender, now)
        return _registered_so(client, presented.method, at_token_endpoint)

    def recall(
        self, form: Form, sender: Sender, now: datetime, *, at_token_endpoint: bool = True
    ) -> ProvedClient | None:
        """The client, when it has a secret and `check` would answer from memory alone; None says: ask it. Raises
        `InvalidRequest`, `InvalidClient`, `TooManyAttempts`."""
        proved, method = self._find_proved(form, sender, now, is_told=False), SECRET_BASIC
        if proved is None:
            presented = _presented(form, sender.authorizations)
            if presented.method == NO_SECRET:
                return None
            client = self._secrets.recall(presented.client_id, presented.secret, address=sender.address, now=now)
            if client is None:
                return None
            proved, method = self._keep(client, sender, now), presented.method
        _registered_so(proved.client, method, at_token_endpoint)
        return proved

    def _find_proved(self, form: Form, sender: Sender, now: datetime, *, is_told: bool) -> ProvedClient | None:
        """The client that proved itself by this very Authorization field before, when that still stands and is all that
        the request says about who is calling."""
        if len(sender.authorizations) != 1 or not _IN_THE_FORM.isdisjoint(form.names):
            return None
        proved = self._proved.get(self._digest(sender.authorizations[0]))
        if proved is None or not self.stands(proved, sender, now=now, is_told=is_told):
            return None
        return proved if form.find("client_id") in (None, proved.client.id) else None

    def _keep(self, client: Client, sender: Sender, now: datetime) -> ProvedClient:
        """Remember a proof by Basic, 10,000 at most; not the field but its keyed digest."""
        sender.is_known(client.id, None)
        ends = [secret.expires_at for secret in client.secrets if secret.expires_at is not None]
        proved = ProvedClient(client, min((end for end in ends if end > now), default=None))
        if sender.authorizations:
            self._proved.keep(self._digest(sender.authorizations[0]), proved)
        return proved

    def _digest(self, authorization: bytes) -> bytes:
        return blake2b(authorization, key=self._key).digest()


def _registered_so(client: Client, method: str, at_token_endpoint: bool) -> Client:
    if at_token_endpoint and client.metadata.auth_method != method:
        raise InvalidClient(detail=f"{method} where {client.metadata.auth_method} is registered")
    return client


def _presented(form: Form, authorizations: Sequence[bytes]) -> _Presented:
    client_id, secret = form.find("client_id"), form.find("client_secret")
    if form.find("client_assertion") is not None or form.find("client_assertion_type") is not None:
        raise InvalidClient(detail="client assertions are not taken")
    if len(authorizations) + (secret is not None) > 1:
        raise InvalidRequest(public="Use one way of client authentication, not several.")
    if authorizations:
        basic = _parse_basic(authorizations[0])
        if client_id is not None and client_id != basic.client_id:
            raise InvalidRequest(public="The request names two clients.")
        return basic
    if client_id is None:
        raise InvalidClient(detail="no client is named")
    if secret is not None:
        return _Presented(client_id, SECRET_POST, secret)
    return _Presented(client_id, NO_SECRET)


def _parse_basic(authorization: bytes) -> _Presented:
    """Id and secret are form-encoded inside the pair (RFC 6749 §2.3.1)."""
    try:
        pair = parse_authorization(authorization)
        if isinstance(pair, BasicPair):
            return _Presented(parse_form_word(pair.user_id), SECRET_BASIC, parse_form_word(pair.password))
    except (NotAuthenticated, ValueError):
        raise InvalidClient(detail="malformed Basic") from None
    raise InvalidClient(detail="another scheme than Basic")
