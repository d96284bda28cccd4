"""The table of rules that an authorization request passes, in order; the first that it breaks is the one it hears of.

By the time they are asked it is proven who asks and where the answer goes, so that every refusal can go there.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from gatepost.encoding import parse_json_object
from gatepost.scopes import ScopeSyntaxError, parse_scope
from service.access.catalogue import OPENID
from service.authorize.parameters import Parameters
from service.authorize.refusals import (
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUriNotSupported,
    UnsupportedResponseType,
)
from service.clients.client import Client
from service.clients.metadata import AUTHORIZATION_CODE, REFRESH_TOKEN
from service.protocol.errors import InvalidRequest, InvalidScope, InvalidTarget, UnauthorizedClient
from service.sessions.pairs import OFFLINE

OPENID_SCOPES = frozenset(OPENID)
"""The scopes of OpenID Connect Core §5.4 and §11: every client may ask for them, every person may grant them."""

KNOWN = frozenset(
    {
        *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "resource"),
        *("code_challenge", "code_challenge_method", "prompt", "max_age", "display", "login_hint", "ui_locales"),
        *("acr_values", "claims", "id_token_hint", "request", "request_uri", "registration"),
    }
)
"""The parameters that mean something here. Others are ignored (RFC 6749 §3.1) and are not carried along."""

_LONGEST = 6_000
_LONGEST_TEXT = 1_000
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_LOCALE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What rules look at. `own_audience` is the service's own."""

    parameters: Parameters
    client: Client
    own_audience: str

    def find(self, name: str) -> str | None:
        """The value of a parameter, None when it is absent."""
        return self.parameters.find(name)


def check_nothing_repeated(asked: Asked) -> None:
    """A parameter comes once (RFC 6749 §3.1); only `resource` may come again (RFC 8707 §2)."""
    if (name := asked.parameters.repeated(but="resource")) is not None:
        raise InvalidRequest(public="A parameter comes twice.", detail=f"{name!r:.40} comes twice")


def check_no_request_object(asked: Asked) -> None:
    """Parameters are read in one place only, so that none can be moved past the rules (OpenID Connect Core §6)."""
    for name, refusal in (
        ("request", RequestNotSupported),
        ("request_uri", RequestUriNotSupported),
        ("registration", RegistrationNotSupported),
    ):
        if asked.find(name) is not None:
            raise refusal


def check_response_type(asked: Asked) -> None:
    """`code`, and nothing that brings tokens through the browser (RFC 9700 §2.1.2)."""
    wanted = asked.find("response_type")
    if wanted is None:
        raise InvalidRequest(public="The parameter response_type is missing.")
    if wanted != "code":
        raise UnsupportedResponseType


def check_response_mode(asked: Asked) -> None:
    """`query` or `form_post` (OAuth 2.0 Form Post Response Mode)."""
    if asked.find("response_mode") not in (None, "query", "form_post"):
        raise InvalidRequest(public="The response_mode is query or form_post.")


def check_client_may(asked: Asked) -> None:
    """The client is registered for this grant (RFC 6749 §4.1.2.1)."""
    if AUTHORIZATION_CODE not in asked.client.metadata.grant_types:
        raise UnauthorizedClient


def scopes(asked: Asked) -> frozenset[str]:
    """What the client may ask for: its own scopes and those of OpenID Connect (RFC 6749 §3.3).

    Without the parameter, the client's own. `offline_access` is ignored for a client that cannot refresh (OpenID
    Connect Core §11).
    """
    text = asked.find("scope")
    if text is None:
        return asked.client.scopes
    try:
        wanted = frozenset(parse_scope(text))
    except ScopeSyntaxError as problem:
        raise InvalidScope(detail=str(problem)) from None
    if not wanted <= asked.client.scopes | OPENID_SCOPES:
        raise InvalidScope(detail="the client may not ask for all of these scopes")
    return wanted if REFRESH_TOKEN in asked.client.metadata.grant_types else wanted - {OFFLINE}


def check_length(asked: Asked) -> None:
    """What is carried along through sign-in fits in an address."""
    if len(asked.parameters.encoded(KNOWN)) > _LONGEST:
        raise InvalidRequest(public="The request is too long.")


def code_challenge(asked: Asked) -> str:
    """Always there, always S256 (RFC 7636 §4.2, RFC 9700 §2.1.1): no method would mean `plain`."""
    challenge = asked.find("code_challenge")
    if challenge is None:
        raise InvalidRequest(public="The parameter code_challenge is missing.")
    if asked.find("code_challenge_method") != "S256":
        raise InvalidRequest(public="The code_challenge_method is S256.")
    if _CHALLENGE.fullmatch(challenge) is None:
        raise InvalidRequest(public="The code_challenge is not a SHA-256 in base64url.")
    return challenge


def nonce(asked: Asked) -> str | None:
    """Any text that an id_token can echo."""
    value = asked.find("nonce")
    if value is not None and len(value) > _LONGEST_TEXT:
        raise InvalidRequest(public="The nonce is too long.")
    return value


def prompt(asked: Asked) -> frozenset[str]:
    """Known words; `none` goes with no other (OpenID Connect Core §3.1.2.1)."""
    words = frozenset((asked.find("prompt") or "").split())
    if not words <= _PROMPTS:
        raise InvalidRequest(public="The prompt is not known.")
    if "none" in words and len(words) > 1:
        raise InvalidRequest(public="The prompt none goes with no other.")
    return words


def max_age(asked: Asked) -> timedelta | None:
    """Whole seconds since the person last proved who they are."""
    text = asked.find("max_age")
    if text is None:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise InvalidRequest(public="The max_age is a number of seconds.")
    return timedelta(seconds=int(text))


def login_hint(asked: Asked) -> str:
    """A name to begin with on the page; one that nobody has is no mistake."""
    return (asked.find("login_hint") or "")[:256]


def ui_locales(asked: Asked) -> tuple[str, ...]:
    """Languages in the order of preference; an unknown one is no mistake (OpenID Connect Core §3.1.2.1)."""
    words = (asked.find("ui_locales") or "").split()
    return tuple(word for word in words if _LOCALE.fullmatch(word))[:8]


def acr_values(asked: Asked) -> tuple[str, ...]:
    """Authentication contexts in the order of preference: a wish, never a condition (OpenID Connect Core §5.5.1.1)."""
    return tuple((asked.find("acr_values") or "").split())


def claims(asked: Asked) -> Mapping[str, object]:
    """The request for single claims (OpenID Connect Core §5.5): two objects of null or objects; others are ignored."""
    text = asked.find("claims")
    if text is None:
        return MappingProxyType({})
    refusal = InvalidRequest(public="The parameter claims is not of its form.")
    try:
        document = parse_json_object(text.encode())
    except (ValueError, RecursionError):
        raise refusal from None
    kept: dict[str, object] = {}
    for place in ("userinfo", "id_token"):
        asked_there = document.get(place)
        if asked_there is None:
            continue
        if not isinstance(asked_there, dict) or not all(map(_is_claim_request, asked_there.values())):
            raise refusal
        kept[place] = asked_there
    return MappingProxyType(kept)


def audience(asked: Asked) -> tuple[str, ...]:
    """For whom the tokens shall be (RFC 8707 §2): resources of the client's registration, or the service itself."""
    wanted = asked.parameters.every("resource")
    if not frozenset(wanted) <= {*asked.client.metadata.resources, asked.own_audience}:
        raise InvalidTarget
    return tuple(sorted(frozenset(wanted)))


def _is_claim_request(value: object) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, dict)
        and isinstance(value.get("essential", False), bool)
        and isinstance(value.get("values", []), list)
    )


Rule = Callable[[Asked], Any]
TABLE: tuple[Rule, ...] = (
    check_nothing_repeated,
    check_no_request_object,
    check_response_type,
    check_response_mode,
    check_client_may,
    scopes,
    check_length,
    code_challenge,
    nonce,
    prompt,
    max_age,
    login_hint,
    ui_locales,
    acr_values,
    claims,
    audience,
)
"""Every rule, in order. One whose name is a field of `AuthorizationRequest` gives its value."""


def apply_rules(asked: Asked) -> dict[str, Any]:
    """The fields of the request. Raises the refusal of the first rule that is broken."""
    given = {rule.__name__: rule(asked) for rule in TABLE}
    return {name: value for name, value in given.items() if not name.startswith("check_")}
