"""What a request is counted as."""

from starlette.types import Scope

from gatepost.principal import Principal
from service.usage import NOBODY, OUTCOMES, Sheet
from service.web.watch import CALLER, Caller


class CountsUsage:
    """A `Watch` that counts each request for its caller; it costs one step in a dictionary."""

    def __init__(self, sheet: Sheet) -> None:
        self._count = sheet.count

    def answered(self, scope: Scope, method: str, route: str, status: int, began: float) -> None:
        """See `Watch.answered`. A request whose caller is not known is nobody's, whatever it says of itself."""
        caller: Principal | Caller | None = scope.get(CALLER)
        if caller is None:
            self._count(NOBODY, "", "", "", route, OUTCOMES[status])
            return
        key = ""
        if isinstance(caller, Principal) and caller.scheme == "api_key":
            key = caller.credential_id or ""
        self._count(caller.kind, caller.subject, caller.client_id or "", key, route, OUTCOMES[status])
