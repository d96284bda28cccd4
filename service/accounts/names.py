"""User names and e-mail addresses: what is accepted, and the key under which two spellings are one."""

import re
import unicodedata

from service.clients.client import CLIENT_ID_PREFIX
from service.protocol.errors import Invalid

MAX_EMAIL = 254
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_RESERVED_PREFIX = CLIENT_ID_PREFIX.split("_", 1)[0] + "_"
_LOCAL = re.compile(r"[^\s@\x00-\x20\x7f\"(),:;<>\[\\\]]{1,64}")
_DOMAIN = re.compile(r"(?=.{3,253}\Z)[\w-]{1,63}(?:\.[\w-]{1,63})+")


def parse_username(text: str) -> str:
    """The name as it is shown. Raises `Invalid`.

    1 to 64 ASCII letters, digits, `.`, `_`, `-`, beginning with a letter or digit: no look-alikes, nothing invisible,
    no colon (RFC 7617 §2), no `@` (an address is never a name), and not `gp_…`, which is how client ids begin.
    """
    if not _USERNAME.fullmatch(text) or text.lower().startswith(_RESERVED_PREFIX):
        raise Invalid("username", "A user name is 1 to 64 letters, digits, dots, dashes or underscores, not gp_…")
    return text


def parse_email(text: str) -> str:
    """The address in NFC, unchanged in case. Raises `Invalid`. Whether it can receive mail is not asked here."""
    address = unicodedata.normalize("NFC", text)
    local, _, domain = address.rpartition("@")
    if len(address) > MAX_EMAIL or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise Invalid("email", "This is not an e-mail address.")
    if any(unicodedata.category(character) in {"Cf", "Cc", "Cs", "Co", "Cn"} for character in address):
        raise Invalid("email", "This is not an e-mail address.")
    return address


def username_key(text: str) -> str:
    """The key of a user name: names that differ in case alone share it."""
    return text.lower()


def email_key(text: str) -> str:
    """The key of an e-mail address: spellings that differ in case, width or composition share it."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def login_key(text: str) -> str:
    """The key of what a person typed to sign in, whichever of the two it is."""
    return email_key(text) if "@" in text else username_key(text)
