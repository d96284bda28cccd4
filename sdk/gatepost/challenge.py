"""`WWW-Authenticate` values (RFC 6750 §3, RFC 7617 §2, RFC 9728 §5.1), quoted as RFC 9110 §5.6.4 asks."""

import re
from collections.abc import Iterable

from gatepost.scopes import format_scope, is_scope

_QUOTABLE = re.compile(r"[\x20-\x7E]*", re.ASCII)
# RFC 6749 §5.2 leaves `"` and `\` out of both, so that no reader ever needs to unescape them.
_ERROR_TEXT = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+", re.ASCII)


def bearer_challenge(
    realm: str,
    *,
    error: str | None = None,
    error_description: str | None = None,
    scope: Iterable[str] = (),
    resource_metadata: str | None = None,
) -> str:
    """The Bearer challenge. Give no `error` when the request had no credential (RFC 6750 §3.1).

    Raises `ValueError` for text that the grammar cannot hold.
    """
    parameters = [("realm", realm)]
    for name, text in (("error", error), ("error_description", error_description)):
        if text is not None:
            if _ERROR_TEXT.fullmatch(text) is None:
                raise ValueError(f"{name} leaves the characters of RFC 6749 §5.2")
            parameters.append((name, text))
    needed = list(scope)
    if not all(map(is_scope, needed)):
        raise ValueError("scope holds a malformed token")
    if needed:
        parameters.append(("scope", format_scope(needed)))
    if resource_metadata is not None:
        parameters.append(("resource_metadata", resource_metadata))
    return _challenge("Bearer", parameters)


def basic_challenge(realm: str) -> str:
    """The Basic challenge; user names and passwords are UTF-8 (RFC 7617 §2.1)."""
    return _challenge("Basic", [("realm", realm), ("charset", "UTF-8")])


def api_key_challenge(realm: str) -> str:
    """The challenge for an API key. `ApiKey` is Gatepost's own scheme name; no RFC registers one."""
    return _challenge("ApiKey", [("realm", realm)])


def _challenge(scheme: str, parameters: list[tuple[str, str]]) -> str:
    return f"{scheme} " + ", ".join(f"{name}={_quoted(text)}" for name, text in parameters)


def _quoted(text: str) -> str:
    if _QUOTABLE.fullmatch(text) is None:
        raise ValueError("only printable ASCII fits in a challenge")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
