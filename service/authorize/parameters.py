"""The parameters of an authorization or logout request, from a query or a form, with exactly one reading."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import parse_qsl, urlencode

from service.protocol.errors import InvalidRequest

_MOST = 64
_LONGEST = 256 * 1024


@dataclass(frozen=True, slots=True)
class Parameters:
    """Every value by its name, in order. A parameter without a value counts as absent (RFC 6749 §3.1)."""

    values: Mapping[str, tuple[str, ...]]

    def find(self, name: str) -> str | None:
        """The one value; None when it is absent, empty or repeated: a repeated one is refused before it is used."""
        found = self.values.get(name, ())
        return found[0] or None if len(found) == 1 else None

    def every(self, name: str) -> tuple[str, ...]:
        """All values that are not empty."""
        return tuple(value for value in self.values.get(name, ()) if value)

    def repeated(self, *, but: str) -> str | None:
        """The first name that comes twice, other than the one that may."""
        return next((name for name, found in self.values.items() if len(found) > 1 and name != but), None)

    def encoded(self, names: frozenset[str]) -> str:
        """A query of those of these names that have a value."""
        return urlencode([(name, value) for name in self.values if name in names for value in self.every(name)])


def parse_parameters(raw: bytes) -> Parameters:
    """Read `application/x-www-form-urlencoded` bytes.

    Raises `InvalidRequest` for what is not ASCII outside and UTF-8 inside the percent signs, holds NUL, has more than
    64 parameters or is longer than 256 KiB.
    """
    if len(raw) > _LONGEST:
        raise InvalidRequest(public="The request is too long.")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST)
    except ValueError:  # UnicodeError is one
        raise InvalidRequest(public="The request could not be read.", detail="malformed query or form") from None
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            raise InvalidRequest(public="The request could not be read.", detail="NUL in a parameter")
        found[name] = (*found.get(name, ()), value)
    return Parameters(MappingProxyType(found))
