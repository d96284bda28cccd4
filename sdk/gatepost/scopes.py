"""Scope grammar (RFC 6749 §3.3): parsing, printing and the limits that keep a request bounded."""

import re
from collections.abc import Iterable

_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+", re.ASCII)
MAX_SCOPES = 128
MAX_SCOPE_LENGTH = 128


class ScopeSyntaxError(ValueError):
    """The text is not a list of scope tokens, or is longer than anyone needs."""


def is_scope(text: str) -> bool:
    """True for one well-formed scope token of at most 128 characters."""
    return len(text) <= MAX_SCOPE_LENGTH and _TOKEN.fullmatch(text) is not None


def parse_scope(text: str) -> tuple[str, ...]:
    """Split a `scope` parameter at single spaces, in order, without repeats.

    Raises `ScopeSyntaxError` for tabs, control characters, doubled or outer spaces, and past 128 tokens of 128
    characters. Empty text is no scope at all: `()`.
    """
    if not text:
        return ()
    if len(text) > MAX_SCOPES * (MAX_SCOPE_LENGTH + 1):
        raise ScopeSyntaxError("scope is too long")
    tokens = tuple(dict.fromkeys(text.split(" ")))
    if len(tokens) > MAX_SCOPES:
        raise ScopeSyntaxError(f"more than {MAX_SCOPES} scopes")
    for token in tokens:
        if not is_scope(token):
            raise ScopeSyntaxError("scope holds a malformed token")
    return tokens


def format_scope(scopes: Iterable[str]) -> str:
    """The `scope` parameter for a set of scopes: sorted, so that equal sets print alike."""
    return " ".join(sorted(scopes))
