"""Which addresses are one place."""

from ipaddress import ip_address


def network_of(address: str) -> str:
    """What counts as one place: an address of IPv4, a /64 of IPv6, which is what one household has."""
    try:
        place = ip_address(address)
    except ValueError:
        return address
    mapped = getattr(place, "ipv4_mapped", None)
    if place.version == 4 or mapped is not None:
        return str(mapped or place)
    return str(ip_address(int(place) >> 64 << 64))
