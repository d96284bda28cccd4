"""What a program sends to an endpoint of OAuth: one form, nothing in the address; and what it gets."""

from collections.abc import Mapping
from datetime import datetime

from pydantic_core import to_json
from starlette.types import Scope

from service.clients.client import Client
from service.protocol.errors import InvalidRequest
from service.protocol.form import Form, parse_form
from service.web.edge import Rendered, Rendering
from service.web.security import Gate
from service.web.strict_body import check_content_type
from service.web.watch import CALLER, known_caller, person_calls

FORM = b"application/x-www-form-urlencoded"
_READ = "gatepost.form"
_CHARGED = "gatepost.charged"


def parse_body(scope: Scope, body: bytes) -> Form:
    """The form that is the whole body of a request; it is read once.

    Raises `InvalidRequest` for parameters in the address, which logs and proxies keep, and for a malformed form;
    `UnsupportedBody` for any other body.
    """
    read: Form | None = scope.get(_READ)
    if read is not None:
        return read
    if scope["query_string"]:
        raise InvalidRequest(public="Send parameters in the body, not in the address.")
    check_content_type(scope, FORM)
    form = scope[_READ] = parse_form(body)
    return form


def authorizations(scope: Scope) -> list[bytes]:
    """Every Authorization field."""
    return [value for name, value in scope["headers"] if name == b"authorization"]


class SenderOf:
    """Who sent a request (`Sender`). What nobody asks for is not worked out."""

    __slots__ = ("_gate", "_scope")

    def __init__(self, scope: Scope, gate: Gate) -> None:
        self._scope = scope
        self._gate = gate

    @property
    def authorizations(self) -> list[bytes]:
        """Its Authorization fields."""
        return authorizations(self._scope)

    def address(self) -> str:
        """Where it came from, as the trusted proxies tell."""
        return self._gate.address.of(self._scope)

    def is_known(self, client_id: str, person: str | None) -> None:
        """Who looks on is told of this client, or of the person for whom it calls."""
        if person is None:
            self._scope[CALLER] = known_caller("client", client_id, client_id)
        else:
            person_calls(self._scope, person, client_id)

    def take(self, client: Client, *, now: datetime) -> bool:
        """Charge what is at hand; only who has proved to be the client gets here."""
        if _CHARGED not in self._scope and self._gate.throttle.oauth.take_from(self._scope, client, now=now):
            self._scope[_CHARGED] = True
        return _CHARGED in self._scope

    async def charge(self, client: Client, *, now: datetime) -> None:
        """Anybody can give the id of a public client: that has a budget for each network. A request that was charged
        before it came to wait is not charged again."""
        if _CHARGED in self._scope:
            return
        if client.confidential:
            await self._gate.throttle.oauth.charge_to(self._scope, client, now=now)
        else:
            await self._gate.throttle.open_call(self.address, client_id=client.id, now=now)


class JsonAnswers:
    """Answers that nobody keeps (RFC 6749 §5.1)."""

    def __init__(self, *, secure: bool) -> None:
        fields = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"pragma", b"no-cache")]
        self.of_text = Rendering(fields, secure=secure)
        """A 200 with a document that is JSON already."""

    def __call__(self, document: Mapping[str, object]) -> Rendered:
        """A 200 with this document."""
        return self.of_text(to_json(dict(document)))
