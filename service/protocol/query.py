"""The query of a URL, with exactly one reading."""

from urllib.parse import parse_qsl

from service.protocol.errors import InvalidRequest

_MOST = 100


def find_values(query: bytes, name: str) -> list[str]:
    """Every value of one parameter, in order. Raises `InvalidRequest` for what is not UTF-8 and past 100 parameters."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST, errors="strict")
    except ValueError:  # UnicodeError is one
        raise InvalidRequest(public="The query is malformed.", detail="malformed query") from None
    return [value for key, value in pairs if key == name]
