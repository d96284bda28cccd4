"""Whose address a request came from (RFC 7239 §5.2 in spirit): forwarded fields count only from trusted proxies."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

_UNKNOWN = "unknown"


class AddressRule:
    """The last hop of `X-Forwarded-For` that is not one of ours; what stands left of it anyone may have written."""

    def __init__(self, trusted: Iterable[IPv4Network | IPv6Network]) -> None:
        self._trusted = tuple(trusted)

    def of(self, scope: Scope) -> str:
        """The caller's address as text; `unknown` on a unix socket or for a hop that is not an address."""
        client = scope.get("client")
        peer = str(client[0]) if client else _UNKNOWN
        if not self._trusted or not self._is_trusted(peer):
            return peer
        fields = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = [hop.strip() for hop in ",".join(fields).split(",") if hop.strip()]
        for hop in reversed(hops):
            if not self._is_trusted(hop):
                return hop if _parse(hop) is not None else _UNKNOWN
        return hops[0] if hops else peer

    def _is_trusted(self, text: str) -> bool:
        address = _parse(text)
        return address is not None and any(address in network for network in self._trusted)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
