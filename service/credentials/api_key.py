"""API keys as credentials."""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address, ip_network

from gatepost.principal import Principal
from gatepost.revocation import RevocationKind
from service.access.catalogue import Catalogue
from service.api_keys.key import ApiKey, ApiKeys
from service.api_keys.text import PresentedKey, parse_api_key
from service.credentials.remembered import RememberedCredentials, Standing
from service.limits import ProgramGuard
from service.protocol.errors import InvalidToken
from service.revocation.feed import RevocationFeed
from service.sessions.write_behind import WriteBehind

RATE = "rate"
"""The claim of an API key that says how much may be asked with it, where it has a figure of its own."""

_FAR = datetime.max.replace(tzinfo=UTC)


class ApiKeyCredential:
    """Turns a presented API key into its owner, with the scopes that both the key and the owner have."""

    def __init__(
        self,
        keys: ApiKeys,
        feed: RevocationFeed,
        catalogue: Catalogue,
        used: WriteBehind[datetime],
        guard: ProgramGuard,
    ) -> None:
        self._keys = keys
        self._revoked = feed.revoked
        self._catalogue = catalogue
        self._used = used
        self._guard = guard
        self._remembered = RememberedCredentials(feed)

    def recall(self, text: bytes, *, now: datetime) -> Principal | None:
        """The caller, when `check` would answer from memory alone, wherever the key is used from; None says: ask it."""
        standing = self._remembered.find(sha256(text).digest(), now=now)
        if standing is None or standing.networks:
            return None
        self._used.put(standing.holder, now)
        return standing.principal

    async def check(self, text: str, *, address: Callable[[], str], now: datetime) -> Principal:
        """The caller. Raises `InvalidToken` for every reason alike, `StoreUnavailable`; `TooManyAttempts` for keys that
        were never seen here, when too many wrong ones came from their network."""
        digest = sha256(text.encode()).digest()
        standing = self._remembered.find(digest, now=now)
        if standing is None:
            presented = parse_api_key(text)
            if self._remembered.was_good(digest) is None:
                self._guard.check("", address, now=now)
            standing = await self._read(presented, address, now)
            self._remembered.keep(digest, standing, now=now)
        if standing.networks and not _within(address(), standing.networks):
            raise InvalidToken(detail="API key used from another network")
        self._used.put(standing.holder, now)
        return standing.principal

    async def _read(self, presented: PresentedKey, address: Callable[[], str], now: datetime) -> Standing:
        version, secret = self._revoked.version, self._revoked.secret_epoch(presented.id)
        found = await self._keys.find_with_owner(presented.id)
        until = None if found is None else _right_until(found[0], presented.digest)
        if found is None or until is None:
            await self._guard.failed("", address, now=now)
            raise InvalidToken(detail="unknown API key" if found is None else "wrong secret of an API key")
        key, owner = found
        if key.revoked_at is not None or now >= until or not owner.active:
            raise InvalidToken(detail="API key is revoked or expired, or its owner is disabled")
        principal = Principal(
            subject=owner.id,
            kind="user",
            scheme="api_key",
            scopes=key.scopes & self._catalogue.effective(owner.roles, owner.scopes),
            credential_id=key.id,
            claims={} if key.rate is None else {RATE: str(key.rate)},
        )
        return Standing(
            principal, RevocationKind.USER, owner.id, key.id, owner.epoch, secret, version, until, key.networks
        )


def _right_until(key: ApiKey, digest: bytes) -> datetime | None:
    """Until when this digest is right for the key; None when it is not. Both comparisons are always made."""
    is_present = hmac.compare_digest(digest, key.digest)
    is_previous = hmac.compare_digest(digest, key.previous_digest or b"")
    if is_present:
        return key.expires_at
    if is_previous:
        return min(key.expires_at, key.previous_until or _FAR)
    return None


def _within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        caller = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(caller, "ipv4_mapped", None)
    caller = mapped if mapped is not None else caller
    return any(caller in ip_network(network) for network in networks)
