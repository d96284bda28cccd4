"""What a grant gets to see of a token request, and what it gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

from gatepost.scopes import ScopeSyntaxError, format_scope, parse_scope
from service.clients.client import Client
from service.protocol.errors import InvalidScope
from service.protocol.form import Form
from service.tokens.issue import IssuedToken

_told_scope = lru_cache(1_000)(format_scope)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One request of a client that has proved itself and may use the grant. `resources` are what it asks tokens for
    (RFC 8707 §2), empty when it does not say."""

    client: Client
    form: Form
    resources: tuple[str, ...]
    now: datetime

    @property
    def scopes(self) -> frozenset[str] | None:
        """The scopes that are asked for, None when the request does not say. Raises `InvalidScope`."""
        return asked_scopes(self.form)


class Issued(NamedTuple):
    """What a grant leads to (RFC 6749 §5.1). `person` is whose grant it was; None: the client's own."""

    access: IssuedToken
    person: str | None = None
    refresh_token: str | None = None
    id_token: str | None = None

    def __repr__(self) -> str:
        return f"Issued(access={self.access!r}, person={self.person!r})"

    def document(self) -> Mapping[str, object]:
        """The members of the answer."""
        shown: dict[str, object] = {
            "access_token": self.access.token,
            "token_type": "Bearer",
            "expires_in": int(self.access.expires_in.total_seconds()),
            "scope": _told_scope(self.access.scopes),
        }
        if self.refresh_token is not None:
            shown["refresh_token"] = self.refresh_token
        if self.id_token is not None:
            shown["id_token"] = self.id_token
        return shown


class Grant(Protocol):
    """One kind of grant. `parameters` are those that it reads beside the shared ones."""

    @property
    def grant_type(self) -> str: ...

    @property
    def parameters(self) -> frozenset[str]: ...

    async def redeem(self, request: TokenRequest) -> Issued:
        """The tokens. Raises a `Refusal` of RFC 6749 §5.2."""


def asked_scopes(form: Form) -> frozenset[str] | None:
    """The `scope` parameter, None when it is absent. Raises `InvalidScope`."""
    text = form.find("scope")
    if text is None:
        return None
    try:
        return frozenset(parse_scope(text))
    except ScopeSyntaxError as problem:
        raise InvalidScope(detail=str(problem)) from None


def narrowed(held: frozenset[str], asked: frozenset[str] | None) -> frozenset[str]:
    """What is asked of what is held, or all of it. Raises `InvalidScope` for more."""
    if asked is None:
        return held
    if not asked <= held:
        raise InvalidScope(detail="more was asked than is held")
    return asked


def unrepeated(texts: Sequence[str]) -> tuple[str, ...]:
    """The same in order, each once."""
    return tuple(dict.fromkeys(texts))
