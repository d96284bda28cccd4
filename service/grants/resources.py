"""For whom tokens may be: the resources that a request names, held against those that it may name (RFC 8707 §2)."""

from collections.abc import Iterable

from service.clients.client import Client
from service.protocol.errors import InvalidTarget


class ResourceRule:
    """`own` is the audience of this service itself, which every client may ask for and has when it asks for none."""

    def __init__(self, own: str) -> None:
        self._own = own

    def of_client(self, client: Client, asked: tuple[str, ...]) -> tuple[str, ...]:
        """The audience for a client that asks on nobody's behalf, or begins to. Raises `InvalidTarget`."""
        return self._within((self._own, *client.metadata.resources), asked)

    def of_grant(self, client: Client, granted: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...]:
        """The audience of a token under a grant: what was granted, as far as the client may still have it, and of that
        what is asked. Raises `InvalidTarget`."""
        allowed = {self._own, *client.metadata.resources}
        held = tuple(one for one in granted or (self._own,) if one in allowed)
        return self._within(held, asked or held)

    def _within(self, held: Iterable[str], asked: tuple[str, ...]) -> tuple[str, ...]:
        if not set(asked) <= set(held):
            raise InvalidTarget(detail="a resource that is unknown or was not granted")
        if not held:
            raise InvalidTarget(detail="nothing is left of what was granted")
        return () if asked == (self._own,) else asked
