"""Form bodies with exactly one reading (RFC 6749 §3.2, appendix B)."""

import re
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import unquote_plus

from service.protocol.errors import InvalidRequest

_MOST = 100
_MAY_REPEAT = frozenset({"resource"})
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Form:
    """The parameters of one request. One that was sent empty is absent."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values

    @property
    def names(self) -> Collection[str]:
        """Every parameter that was sent, the empty ones too."""
        return self._values.keys()

    def find(self, name: str) -> str | None:
        """The value of a parameter, if it was sent."""
        values = self._values.get(name)
        return values[0] if values else None

    def get(self, name: str) -> str:
        """The value of a parameter that must be there. Raises `InvalidRequest`."""
        value = self.find(name)
        if value is None:
            raise InvalidRequest(public=f"The parameter {name} is missing.")
        return value

    def find_all(self, name: str) -> Sequence[str]:
        """Every value of one that may be sent several times, in order."""
        return self._values.get(name, ())


def parse_form(body: bytes) -> Form:
    """Read a body of `application/x-www-form-urlencoded`.

    Raises `InvalidRequest` for a parameter that is repeated (only `resource` may be, RFC 8707 §2), for what is not
    UTF-8 under whole percent escapes, and past 100 parameters.
    """
    values: dict[str, list[str]] = {}
    try:
        parts = body.decode("ascii").split("&", _MOST)
        if len(parts) > _MOST:
            raise ValueError("too many parameters")
        for part in parts:
            name, _, value = part.partition("=")
            name = parse_form_word(name)
            sent = values.setdefault(name, [])
            if sent and part and name not in _MAY_REPEAT:
                raise InvalidRequest(public="A parameter was sent more than once.", detail="repeated parameter")
            sent.append(parse_form_word(value))
    except ValueError:  # UnicodeError is one
        raise InvalidRequest(public="The form is malformed.", detail="malformed form") from None
    return Form({name: [value for value in sent if value] for name, sent in values.items()})


def parse_form_word(text: str) -> str:
    """One name or value out of a form. Raises `ValueError`."""
    if "%" not in text and "+" not in text:
        return text
    if _BROKEN_ESCAPE.search(text):
        raise ValueError("broken percent escape")
    return unquote_plus(text, errors="strict")
