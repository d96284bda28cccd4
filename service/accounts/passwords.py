"""What a password must be (NIST SP 800-63B-4 §3.1.1.2): long, not common, not one's own name. No composition rules."""

import unicodedata
from functools import lru_cache

from service.protocol.errors import Invalid

MAX_LENGTH = 256


def normalize_password(text: str) -> str:
    """NFC, so that the same keys pressed on two machines are one password; blanks are kept (RFC 8265 §4.2)."""
    return unicodedata.normalize("NFC", text)


def is_presentable(text: str) -> bool:
    """Whether a password can be right at all: 1 to 256 characters, no NUL, no lone surrogate. Costs no hash."""
    if not 0 < len(text) <= MAX_LENGTH or "\0" in text:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in text)


class PasswordPolicy:
    """The rules for a new password. `minimum` counts characters after normalisation."""

    def __init__(self, *, minimum: int) -> None:
        self.minimum = minimum

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
        address = (email or "").lower()
        words = {username.lower(), address, *address.split("@")} - {""}
        if any(lowered == word or lowered == word * (len(lowered) // len(word)) for word in words):
            raise Invalid(field, "This password is your own name or address.", rule="personal")
        if len(set(lowered)) < 4:
            raise Invalid(field, "This password repeats a few characters.", rule="repetitive")
        return normal


@lru_cache(maxsize=1)
def _common_passwords() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 60 ms to import, and most processes never set a password

    return frozenset(FREQUENCY_LISTS["passwords"])
