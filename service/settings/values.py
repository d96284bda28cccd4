"""How values are written: spans, lists of words, JSON."""

import json
import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, SecretStr

from service.limits import Rate

_SPAN = re.compile(r"(\d+)\s*(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_span(text: str) -> timedelta:
    """`15m` → 15 minutes. Raises `ValueError`."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ValueError("write a span such as 250ms, 10s, 15m, 1h or 30d")
    try:
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        raise ValueError("this is longer than time is counted") from None


def _parse_span(value: object) -> object:
    return parse_span(value) if isinstance(value, str) else value


def _parse_words(value: object) -> object:
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [word.strip() for word in value.split(",") if word.strip()]
    return parse_json(value)


def _parse_networks(value: object) -> object:
    words = _parse_words(value)
    if not isinstance(words, list):
        return words
    try:
        return [ip_network(word) for word in words]
    except ValueError:
        raise ValueError("a network is an address or a prefix, such as 10.0.0.0/8") from None


def parse_json(value: object) -> object:
    """Text as JSON; anything else as it is. Raises `ValueError`."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("write this as JSON") from None


def format_value(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return format_span(value)
    if isinstance(value, Rate):
        return str(value)
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return json.dumps(value, default=_plain) if isinstance(value, dict) else str(value)


def _plain(value: object) -> object:
    """A group inside a map: what was given, its secrets masked."""
    return value.model_dump(mode="json", exclude_defaults=True) if isinstance(value, BaseModel) else str(value)


def format_span(span: timedelta) -> str:
    """The shortest way to write a span."""
    for unit, name in reversed(_UNITS.items()):
        size = timedelta(**{name: 1})
        if span and span % size == timedelta(0):
            return f"{span // size}{unit}"
    return "0s"


def _parse_rate(value: object) -> object:
    return Rate.parse(value) if isinstance(value, str) else value


RateText = Annotated[Rate, BeforeValidator(_parse_rate)]
Span = Annotated[timedelta, BeforeValidator(_parse_span)]
Words = Annotated[tuple[str, ...], BeforeValidator(_parse_words)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_parse_networks)]
Algorithm = Literal["ES256", "RS256", "HS256"]
Algorithms = Annotated[tuple[Algorithm, ...], BeforeValidator(_parse_words), Field(min_length=1)]
Descriptions = Annotated[dict[str, str], BeforeValidator(parse_json)]
Roles = Annotated[dict[str, tuple[str, ...]], BeforeValidator(parse_json)]
