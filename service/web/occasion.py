"""What the audit knows of a request: its id, its address by the rule of trusted proxies, its user agent, who calls."""

from starlette.types import Scope

from gatepost.principal import Principal
from service.audit import Actor, Occasion, caller_is
from service.web.address import AddressRule


def request_occasion(scope: Scope, request_id: str, address: AddressRule) -> Occasion:
    """That of what this request does."""

    def source() -> tuple[str, str]:
        fields = (value.decode("latin-1") for name, value in scope["headers"] if name == b"user-agent")
        return address.of(scope), next(fields, "")[:256]

    return Occasion(request_id, source)


def principal_calls(principal: Principal) -> None:
    """This is who calls."""
    credential = principal.credential_id or principal.session_id or ""
    caller_is(Actor(principal.kind, principal.subject, principal.scheme, credential, principal.client_id or ""))
