"""What a password must be (NIST SP 800-63B-4 §3.1.1.2): long, not common, not breached, not of one's own name.

No rules of composition, no hints, no expiry.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

from service.protocol.errors import Invalid

MAX_LENGTH = 256
_SHORTEST_WORD = 3  # a shorter one again and again is a repetition
_LEAST_OF_ONES_OWN = 8


class BreachedPasswords(Protocol):
    """Passwords that are known to thieves."""

    async def holds(self, password: str) -> bool:
        """Whether this normalised one is among them. Raises `StoreUnavailable`."""


def normalize_password(text: str) -> str:
    """NFC, so that the same keys pressed on two machines are one password; blanks are kept (RFC 8265 §4.2)."""
    return unicodedata.normalize("NFC", text)


def is_presentable(text: str) -> bool:
    """Whether a password can be right at all: 1 to 256 characters, no NUL, no lone surrogate. Costs no hash."""
    if not 0 < len(text) <= MAX_LENGTH or "\0" in text:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in text)


class PasswordRules:
    """What can be said of a new password without asking anybody. `minimum` counts characters after normalisation;
    `service` holds the words that everybody who guesses tries here first: the service's name and host."""

    def __init__(self, *, minimum: int, service: Iterable[str] = ()) -> None:
        self.minimum = minimum
        self._service = tuple(service)

    def check(self, password: str, *, username: str, email: str | None, field: str = "password") -> str:
        """The normalised password. Raises `Invalid` for `field`, with the reason."""
        normal = normalize_password(password)
        if len(normal) < self.minimum:
            raise Invalid(field, f"A password has at least {self.minimum} characters.", rule="too_short")
        if len(normal) > MAX_LENGTH:
            raise Invalid(field, f"A password has at most {MAX_LENGTH} characters.", rule="too_long")
        if not is_presentable(normal):
            raise Invalid(field, "A password is made of whole characters, none of them NUL.", rule="unusable")
        lowered = normal.lower()
        if lowered in _common_passwords():
            raise Invalid(field, "This password is among the most used ones.", rule="common")
        if _is_made_of(_words(username, email or ""), lowered):
            raise Invalid(field, "This password is little more than your own name or address.", rule="personal")
        if _is_made_of(_words(*self._service), lowered):
            raise Invalid(field, "This password is little more than the name of this service.", rule="contextual")
        if len(set(lowered)) < 4:
            raise Invalid(field, "This password repeats a few characters.", rule="repetitive")
        return normal


class PasswordPolicy:
    """The whole judgement on a new password, on every path that sets one."""

    def __init__(self, rules: PasswordRules, breached: BreachedPasswords | None = None) -> None:
        self._rules = rules
        self._breached = breached

    @property
    def minimum(self) -> int:
        """The shortest that is taken, in characters."""
        return self._rules.minimum

    async def check(self, password: str, *, username: str, email: str | None, field: str = "password") -> str:
        """The normalised password. Raises `Invalid` for `field`, with the reason, and `StoreUnavailable`."""
        normal = self._rules.check(password, username=username, email=email, field=field)
        if self._breached is not None and await self._breached.holds(normal):
            raise Invalid(field, "This password is known from a breach elsewhere.", rule="breached")
        return normal


def _words(*texts: str) -> list[str]:
    """The texts, and what they consist of, longest first; letters and digits alone, in small letters."""
    lowered = [text.lower() for text in texts]
    parts = {_plain(part) for text in lowered for part in (text, *text.split("@"), *_pieces(text))}
    return sorted((part for part in parts if len(part) >= _SHORTEST_WORD), key=len, reverse=True)


def _is_made_of(words: Iterable[str], lowered: str) -> bool:
    """Whether a password has one of these words in it and little or nothing strange besides."""
    whole = rest = _plain(lowered)
    for word in words:
        rest = rest.replace(word, "")
    return rest != whole and (len(rest) < _LEAST_OF_ONES_OWN or rest in _common_passwords())


def _pieces(text: str) -> list[str]:
    return "".join(character if character.isalnum() else " " for character in text).split()


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text))


@lru_cache(maxsize=1)
def _common_passwords() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 60 ms to import, and most processes never set a password

    return frozenset(FREQUENCY_LISTS["passwords"])
