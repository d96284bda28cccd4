"""Who looks on: whatever has to know of every answered request, such as the count of usage."""

from functools import lru_cache
from typing import NamedTuple, Protocol

from starlette.types import Scope

from gatepost.principal import Kind

CALLER = "gatepost.caller"
"""In the scope of a request, as soon as it is known who calls: a `Principal`, or a `Caller` where there is none. Not
there: nobody is known, or what was presented was not good."""

UNMATCHED = "unmatched"
"""The route of a request that came to none: no such path, or refused before the router was asked."""


class Caller(NamedTuple):
    """Somebody who is known by other means than a `Principal`: a client at the endpoints of OAuth, the person whose
    grant it redeems, the person who has signed in in this browser."""

    kind: Kind
    subject: str
    client_id: str | None


known_caller = lru_cache(10_000)(Caller)
"""The same one again, for who calls again."""


class Watch(Protocol):
    """Is told of each request that has been answered, once, whichever way it was answered."""

    def answered(self, scope: Scope, method: str, route: str, status: int, began: float) -> None:
        """Called in the loop between one request and the next: it must be quick, and waits for nothing.

        `route` is a template of ours or `UNMATCHED`, never a path as it came; `began` is by `time.perf_counter()`.
        `method` is what was sent, HEAD too, while the scope of that says GET; anybody can make one up.
        """


class Tracing(Watch, Protocol):
    """A `Watch` that wants to know of the beginning too. What is answered at once begins and ends in `answered`."""

    def begin(self, scope: Scope) -> object:
        """A request has come; once more when it takes another way. What it gives is for `leave`."""

    def leave(self, scope: Scope, held: object) -> None:
        """It has ended, whether or not it was answered."""


def person_calls(scope: Scope, user_id: str, client_id: str | None = None) -> None:
    """This person has shown who they are by something else than a credential of the JSON API."""
    scope[CALLER] = known_caller("user", user_id, client_id)
