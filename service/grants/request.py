"""What a grant gets to see of a token request, and what it gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

from pydantic_core import to_json

from gatepost.scopes import ScopeSyntaxError, format_scope, parse_scope
from service.clients.client import Client
from service.protocol.errors import InvalidScope
from service.protocol.form import Form
from service.tokens.issue import IssuedToken


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

    def json(self) -> bytes:
        """The answer's body. What tokens are made of stands for itself in JSON."""
        access, more = self.access, ""
        if self.refresh_token is not None:
            more = f',"refresh_token":"{self.refresh_token}"'
        if self.id_token is not None:
            more += f',"id_token":"{self.id_token}"'
        told = f'"expires_in":{access.expires_in},"scope":{_scope_in_json(access.scopes)}'
        return f'{{"access_token":"{access.token}","token_type":"Bearer",{told}{more}}}'.encode()


class Grant(Protocol):
    """One kind of grant. `parameters` are those that it reads beside the shared ones."""

    @property
    def grant_type(self) -> str: ...

    @property
    def parameters(self) -> frozenset[str]: ...

    async def redeem(self, request: TokenRequest) -> Issued:
        """The tokens. Raises a `Refusal` of RFC 6749 §5.2."""


@lru_cache(1_000)
def _scope_in_json(scopes: frozenset[str]) -> str:
    return to_json(format_scope(scopes)).decode()


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
