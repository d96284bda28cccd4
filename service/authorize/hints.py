"""Reading an `id_token_hint`: an id_token of ours that an application sends back, as old as it may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gatepost.refusals import TokenRefused, UnknownKey
from gatepost.tokens import KeySet, read_jws
from service.keys.signing_key import KeyForge, SigningKey
from service.protocol.errors import InvalidRequest


class PresentKeys(Protocol):
    """The keys of this moment, and those that were."""

    @property
    def keys(self) -> KeySet:
        """What verifies now."""

    async def listed(self) -> Sequence[SigningKey]:
        """Every key that is kept, expired and compromised ones too. Raises `StoreUnavailable`."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Whom an id_token was about, for which client, and of which session."""

    subject: str
    client_id: str
    session_id: str | None


class Hints:
    """Reads hints. Its expiry does not matter, nor that the key has retired since; a compromised key's are refused."""

    def __init__(self, keys: PresentKeys, forge: KeyForge, *, issuer: str) -> None:
        self._present = keys
        self._forge = forge
        self._issuer = issuer

    async def read(self, text: str) -> Hint:
        """What it says. Raises `InvalidRequest` for anything but an id_token of ours, `StoreUnavailable`."""
        try:
            try:
                _, claims = read_jws(text, self._present.keys, typ="JWT")
            except UnknownKey:
                kept = [key for key in await self._present.listed() if key.compromised_at is None]
                _, claims = read_jws(text, self._forge.verifying(kept), typ="JWT")
        except TokenRefused as refused:
            raise _refused(str(refused)) from None
        subject, session = claims.get("sub"), claims.get("sid")
        audience = claims.get("aud")
        client = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
        if claims.get("iss") != self._issuer or not isinstance(subject, str) or not isinstance(client, str):
            raise _refused("not of this issuer")
        return Hint(subject, client, session if isinstance(session, str) else None)


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(public="The id_token_hint is not an id_token of this service.", detail=f"hint: {why}")
