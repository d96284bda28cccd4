"""What language a page speaks: strings from `catalogue/*.json`, chosen by what was asked for, then by the browser."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from markupsafe import Markup, escape
from starlette.requests import HTTPConnection

_DIRECTIONS = {"en": "ltr", "ar": "rtl"}
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_LONGEST = 512


@dataclass(frozen=True, slots=True)
class Locale:
    """One language and its strings. `tag` is for `lang`, `direction` for `dir`."""

    tag: str
    direction: str
    strings: Mapping[str, str]

    def __contains__(self, key: object) -> bool:
        """Whether there is a string of this name."""
        return key in self.strings

    def text(self, key: str, **values: object) -> Markup:
        """The string as HTML. Values are escaped and kept apart from the text's direction by <bdi>; one that is HTML
        already (`Markup`) stands as it is. Raises `KeyError` for a missing string or value."""
        shown = {
            name: value if isinstance(value, Markup) else Markup("<bdi>{}</bdi>").format(value)
            for name, value in values.items()
        }
        return escape(self.strings[key]).format(**shown)

    def plain(self, key: str, **values: object) -> str:
        """The string for a title or an attribute, not escaped yet; values are kept apart by Unicode's isolates."""
        shown = {name: f"{_FIRST_STRONG_ISOLATE}{value}{_POP_ISOLATE}" for name, value in values.items()}
        return self.strings[key].format(**shown)


def locale_of(connection: HTTPConnection, ui_locales: str = "") -> Locale:
    """The language for this browser: the first of `ui_locales` (OpenID Connect Core §3.1.2.1) that we speak, else the
    best of Accept-Language (RFC 9110 §12.5.4), else English."""
    accepted = connection.headers.get("accept-language", "")
    for wanted in (*ui_locales[:_LONGEST].split(), *_by_preference(accepted[:_LONGEST])):
        tag = wanted.lower().partition("-")[0]
        if tag in _DIRECTIONS:
            return get_locale(tag)
    return get_locale("en")


@cache
def get_locale(tag: str) -> Locale:
    """The language of this tag. Raises `KeyError` for one that we do not speak."""
    direction = _DIRECTIONS[tag]
    source = files("service.web.pages") / "catalogue" / f"{tag}.json"
    return Locale(tag, direction, MappingProxyType(json.loads(source.read_text("utf-8"))))


def _by_preference(accepted: str) -> Iterator[str]:
    """The ranges of an Accept-Language field, best first; those of weight 0 and the unreadable are left out."""
    weighed: list[tuple[float, str]] = []
    for part in accepted.split(","):
        wanted, _, weight = part.replace(" ", "").partition(";q=")
        if re.fullmatch(r"(0(\.\d{0,3})?|1(\.0{0,3})?)?", weight):
            weighed.append((float(weight or 1), wanted))
    yield from (wanted for weight, wanted in sorted(weighed, key=lambda one: -one[0]) if weight > 0)
