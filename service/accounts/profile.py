"""What a person tells applications about themselves: the standard claims that are kept (OpenID Connect Core §5.1)."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from urllib.parse import urlsplit

from service.protocol.errors import Invalid

MAX_TEXT, MAX_LINES, MAX_URL = 255, 1_000, 2_000
ADDRESS_MEMBERS = ("formatted", "street_address", "locality", "region", "postal_code", "country")
_LINED = frozenset({"formatted", "street_address"})
"""The members of an address that may have several lines (§5.1.1)."""
_URL = re.compile(rf"https?://[!-~]{{1,{MAX_URL}}}", re.ASCII)
_BIRTHDATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})-([0-9]{2}))?", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(?:/[A-Za-z0-9_+-]{1,30}){0,2}", re.ASCII)
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,4}", re.ASCII)
_PHONE = re.compile(r"\+[0-9](?:[ ().-]{0,2}[0-9]){3,18}(?:;ext=[0-9]{1,15})?", re.ASCII)


def changed_profile(before: Mapping[str, object], change: Mapping[str, object]) -> dict[str, object]:
    """The profile with these members put in, and those that are None taken out; an address member by member.

    Raises `Invalid` for `profile/…`: a name that is none of the standard claims, or a value that the claim cannot have.
    """
    after = dict(before)
    for name, value in change.items():
        if name not in _CHECKED:
            raise Invalid(f"profile/{name}", "There is no such claim to keep.", rule="unknown_claim")
        kept = None if value is None else _CHECKED[name](f"profile/{name}", value)
        if name == "address" and kept is not None:
            kept = _joined(after.get("address"), kept)
        after[name] = kept
    after = {name: value for name, value in after.items() if value not in (None, {})}
    if change.keys() & {"phone_number", "phone_number_verified"}:
        is_other = after.get("phone_number") != before.get("phone_number") and "phone_number_verified" not in change
        if is_other or "phone_number" not in after:  # nobody has verified that one
            after.pop("phone_number_verified", None)
    return after


def _address(field: str, value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise Invalid(field, "This is an object.")
    checked: dict[str, object] = {}
    for name, text in value.items():
        if name not in ADDRESS_MEMBERS:
            raise Invalid(f"{field}/{name}", "An address has no such member.", rule="unknown_claim")
        check = _lines if name in _LINED else _text
        checked[name] = None if text is None else check(f"{field}/{name}", text)
    return checked


def _joined(before: object, change: object) -> dict[str, object]:
    whole: dict[str, object] = {}
    for part in (before, change):
        whole.update(part if isinstance(part, Mapping) else {})
    return {name: text for name, text in whole.items() if text is not None}


def _text(field: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not value.isprintable() or not value.strip():
        raise Invalid(field, f"This is 1 to {MAX_TEXT} printable characters.")
    return value


def _lines(field: str, value: object) -> str:
    lines = value.splitlines() if isinstance(value, str) and len(value) <= MAX_LINES else ()
    if not any(line.strip() for line in lines) or not all(line.isprintable() for line in lines):
        raise Invalid(field, f"This is {MAX_LINES} printable characters at most, in lines.")
    return "\n".join(lines)


def _url(field: str, value: object) -> str:
    try:
        is_url = isinstance(value, str) and _URL.fullmatch(value) is not None and urlsplit(value).hostname is not None
    except ValueError:
        is_url = False
    if not isinstance(value, str) or not is_url or len(value) > MAX_URL:
        raise Invalid(field, "This is the URL of a web page.")
    return value


def _birthdate(field: str, value: object) -> str:
    """ISO 8601-1 `YYYY-MM-DD`; the year alone, or 0000 for a year that is not told."""
    found = _BIRTHDATE.fullmatch(value) if isinstance(value, str) else None
    try:
        if found is None:
            raise ValueError("another form")
        year, month, day = found.groups()
        date(int(year) or 2000, int(month or 1), int(day or 1))  # 2000 has a 29th of February
    except ValueError:
        raise Invalid(field, "This is a date as 1815-12-10, 0000-12-10 or 1815.") from None
    return found.string


def _of_form(form: re.Pattern[str], like: str) -> Callable[[str, object], str]:
    def checked(field: str, value: object) -> str:
        if not isinstance(value, str) or form.fullmatch(value) is None:
            raise Invalid(field, f"This is like {like}.")
        return value

    return checked


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid(field, "This is true or false.")
    return value


_CHECKED: Mapping[str, Callable[[str, object], object]] = MappingProxyType(
    {
        **dict.fromkeys(("name", "given_name", "family_name", "middle_name", "nickname"), _text),
        **dict.fromkeys(("preferred_username", "gender"), _text),
        **dict.fromkeys(("profile", "picture", "website"), _url),
        "birthdate": _birthdate,
        "zoneinfo": _of_form(_ZONE, "Europe/Paris"),
        "locale": _of_form(_LOCALE, "en-GB"),
        "phone_number": _of_form(_PHONE, "+44 20 7946 0000"),
        "phone_number_verified": _flag,
        "address": _address,
    }
)
PROFILE_CLAIMS = tuple(_CHECKED)
"""Every standard claim that is kept in a profile; the e-mail address is the account's own."""
