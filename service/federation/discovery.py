"""What an OpenID provider announces about itself, and its keys: fetched when they are needed, and remembered."""

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from gatepost.keys import KeySet, UnusableKeyError, VerificationKey
from service.federation.provider import Calls
from service.federation.refusals import ProviderFailed

T = TypeVar("T")
ALGORITHMS = frozenset({"ES256", "RS256"})
"""With which an id_token may be signed here: what providers use, all of it asymmetric (RFC 8725 §3.1)."""
WELL_KNOWN = "/.well-known/openid-configuration"
METADATA_LIFE = timedelta(hours=1)
KEYS_LIFE = timedelta(hours=1)
LOOK_AGAIN_AFTER = timedelta(seconds=30)
"""Keys are not looked for again sooner because a token names one that is not there: anybody can write such a token."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The members of a discovery document that are used here (OpenID Connect Discovery 1.0 §3, RFC 9207 §3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    secret_in_form: bool
    sends_issuer: bool


class Discovery:
    """The metadata and keys of one issuer. Who comes while something is being fetched waits for the same answer."""

    def __init__(self, issuer: str, calls: Calls) -> None:
        self._issuer = issuer
        self._calls = calls
        self._metadata: tuple[Metadata, datetime] | None = None
        self._keys: tuple[KeySet, datetime] | None = None
        self._fetching_metadata: asyncio.Task[Metadata] | None = None
        self._fetching_keys: asyncio.Task[KeySet] | None = None

    async def metadata(self, *, now: datetime) -> Metadata:
        """What is announced, an hour old at most. Raises `ProviderFailed`, `ProviderSilent`."""
        if self._metadata is not None and now - self._metadata[1] <= METADATA_LIFE:
            return self._metadata[0]
        if self._fetching_metadata is None or self._fetching_metadata.done():
            self._fetching_metadata = _started(self._fetch_metadata(now))
        return await asyncio.shield(self._fetching_metadata)

    async def keys(self, kid: str | None, *, now: datetime) -> KeySet:
        """Keys among which this one is, if the provider has it. Raises `ProviderFailed`, `ProviderSilent`."""
        uri = (await self.metadata(now=now)).jwks_uri
        if self._keys is not None and not self._is_stale(*self._keys, kid, now):
            return self._keys[0]
        if self._fetching_keys is None or self._fetching_keys.done():
            self._fetching_keys = _started(self._fetch_keys(uri, now))
        return await asyncio.shield(self._fetching_keys)

    async def _fetch_metadata(self, now: datetime) -> Metadata:
        reply = await self._calls.get(self._issuer.rstrip("/") + WELL_KNOWN)
        if reply.status != 200:
            raise ProviderFailed(detail=f"discovery answers {reply.status}")
        found = _parse_metadata(reply.document, self._issuer)
        self._metadata = found, now
        return found

    async def _fetch_keys(self, uri: str, now: datetime) -> KeySet:
        reply = await self._calls.get(uri)
        listed = reply.document.get("keys")
        if reply.status != 200 or not isinstance(listed, list):
            raise ProviderFailed(detail=f"the keys' address answers {reply.status} or no key set")
        found = KeySet(_usable(listed))
        self._keys = found, now
        return found

    def _is_stale(self, keys: KeySet, fetched_at: datetime, kid: str | None, now: datetime) -> bool:
        age = now - fetched_at
        is_missing = kid is not None and keys.find(kid) is None
        return age > KEYS_LIFE or (is_missing and age > LOOK_AGAIN_AFTER)


def _started(fetch: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """The fetch as a task that ends by itself: one who stops waiting does not end it for the others, and when nobody
    waits any more its failure is nobody's."""
    task = asyncio.create_task(fetch)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


def _parse_metadata(document: Mapping[str, object], issuer: str) -> Metadata:
    """Raises `ProviderFailed` for what is not the metadata of this issuer, exactly (Discovery §4.3)."""
    if document.get("issuer") != issuer:
        raise ProviderFailed(detail="the metadata is another issuer's")
    places = {name: document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    userinfo = document.get("userinfo_endpoint")
    found = {name: place for name, place in places.items() if isinstance(place, str) and place}
    if len(found) != len(places) or not (userinfo is None or isinstance(userinfo, str)):
        raise ProviderFailed(detail="the metadata lacks an endpoint")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        issuer=issuer,
        userinfo_endpoint=userinfo,
        secret_in_form=isinstance(methods, list) and "client_secret_basic" not in methods,
        sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        **found,
    )


def _usable(listed: Iterable[object]) -> Iterator[VerificationKey]:
    """The keys that can verify an id_token. A key need not say its algorithm (RFC 7517 §4.4): then its type does; nor
    its id, when it is the only one (OpenID Connect Core §10.1)."""
    for document in listed:
        if isinstance(document, Mapping):
            told = {"alg": {"RSA": "RS256", "EC": "ES256"}.get(str(document.get("kty"))), "kid": "unnamed", **document}
            try:
                key = VerificationKey.from_jwk(told)
            except UnusableKeyError:
                continue
            if key.alg in ALGORITHMS:
                yield key
