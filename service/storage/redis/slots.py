"""Which server of a cluster holds which slot, as far as is known."""

from collections.abc import Sequence

from redis.crc import key_slot

from service.protocol.errors import StoreUnavailable
from service.storage.redis.wire import Reply

SLOTS = 16_384
Node = tuple[str, int]


class SlotMap:
    """The primaries by slot, and all of them in a stable order. Out of date at any time: servers answer MOVED then."""

    def __init__(self) -> None:
        self._nodes: list[Node | None] = [None] * SLOTS
        self.primaries: tuple[Node, ...] = ()

    def find(self, key: str) -> Node | None:
        """The primary that is believed to hold the key, or None when none is known to."""
        return self._nodes[key_slot(key.encode())]

    def move(self, slot: int, node: Node) -> None:
        """Take in one correction."""
        self._nodes[slot] = node
        self.primaries = tuple(sorted({*self.primaries, node}))

    def replace(self, reply: Reply, *, asked: Node) -> None:
        """Take in the answer of `CLUSTER SLOTS` that the server at `asked` gave. Raises `StoreUnavailable` when it is
        anything else, or says that nobody holds anything."""
        nodes: list[Node | None] = [None] * SLOTS
        try:
            if not isinstance(reply, Sequence):
                raise TypeError
            for first, last, primary, *_ in reply:
                host, port = primary[0], primary[1]
                name = host.decode() if host not in (None, b"", b"?") else asked[0]
                nodes[first : last + 1] = [(name, int(port))] * (last + 1 - first)
        except (TypeError, ValueError, IndexError, AttributeError):
            raise StoreUnavailable("redis", detail=f"no slots from {asked[0]}:{asked[1]}") from None
        if not any(nodes) or len(nodes) != SLOTS:
            raise StoreUnavailable("redis", detail="the cluster holds no slots")
        self._nodes = nodes
        self.primaries = tuple(sorted({node for node in nodes if node is not None}))
