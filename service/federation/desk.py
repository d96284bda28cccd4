"""The way to a provider and back: what was begun here comes back once, to whoever began it, from where it was sent."""

import asyncio
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

import structlog

from gatepost.encoding import encode_segment
from service.federation.directory import ProviderDirectory
from service.federation.provider import Attempt, Proof, ProviderConfig
from service.federation.refusals import ForeignAnswer, NotSignedInAnew, ProviderFailed, ProviderSilent
from service.federation.transaction import LIFE, Transaction, Transactions, key_of
from service.protocol.errors import AccessDenied, Refusal

ANSWERED_WITHIN = timedelta(seconds=12)
"""A sign-in asks a provider up to four things; all of them together have this long."""
_CLOCKS_APART = timedelta(seconds=60)
_LONGEST = 4096
_log = structlog.get_logger("gatepost.federation")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a sign-in elsewhere is for. See `Transaction`."""

    redirect_uri: str
    fresh: bool = False
    max_age: timedelta | None = None
    login_hint: str = ""
    carried: str = ""
    links_to: str | None = None
    asked_in: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """Where somebody is sent, and the `state` with which they come back."""

    authorization_url: str
    state: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Return:
    """What a provider has sent somebody back with (RFC 6749 §4.1.2, RFC 9207 §2): each None when it did not come, or
    came more than once."""

    state: str | None = field(repr=False)
    code: str | None = field(default=None, repr=False)
    error: str | None = None
    iss: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, list[str]]) -> "Return":
        """From the parameters of a query."""
        return cls(**{name: _only(values.get(name, [])) for name in ("state", "code", "error", "iss")})


@dataclass(frozen=True, slots=True)
class Came:
    """Somebody is back, and has proven who they are there. `auth_time` is when they did, by our clock."""

    config: ProviderConfig
    transaction: Transaction
    proof: Proof
    auth_time: datetime


class FederationDesk:
    """Sends people to providers and takes them back. Keeps nothing itself; any number of calls may run at once."""

    def __init__(self, providers: ProviderDirectory, transactions: Transactions) -> None:
        self._providers = providers
        self._transactions = transactions

    async def begin(self, name: str, wish: Wish, *, holder: str, now: datetime) -> Sent:
        """Where to send somebody. `holder` is a secret of the browser or application that asks: nobody else can come
        back. Raises `NotFound`, `ProviderFailed`, `ProviderSilent`, `StoreUnavailable`."""
        provider = await self._providers.get(name, now=now)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(
            redirect_uri=wish.redirect_uri,
            state=state,
            nonce=nonce,
            code_verifier=verifier,
            code_challenge=encode_segment(sha256(verifier.encode()).digest()).decode(),
            fresh=wish.fresh,
            max_age=wish.max_age,
            login_hint=wish.login_hint,
        )
        try:
            async with asyncio.timeout(ANSWERED_WITHIN.total_seconds()):
                location = await provider.authorization_url(attempt, now=now)
        except TimeoutError:
            raise ProviderSilent(detail=name) from None
        transaction = Transaction(
            provider=name,
            redirect_uri=wish.redirect_uri,
            nonce=nonce,
            code_verifier=verifier,
            started_at=now,
            fresh=wish.fresh,
            max_age=wish.max_age,
            carried=wish.carried,
            links_to=wish.links_to,
            asked_in=wish.asked_in,
        )
        await self._transactions.keep(key_of(state, holder), transaction, life=LIFE)
        return Sent(location, state)

    async def take(
        self, name: str, returned: Return, *, holder: str, session_id: str | None, now: datetime
    ) -> Transaction:
        """What somebody comes back from; from now on it is spent, whatever comes of it. A link is that of the session
        in which it was asked for. Raises `ForeignAnswer`."""
        found = None
        if returned.state is not None and len(returned.state) <= _LONGEST:
            found = await self._transactions.take(key_of(returned.state, holder))
        if found is None or now - found.started_at > LIFE or not hmac.compare_digest(found.provider, name):
            raise ForeignAnswer(detail=f"{name}: no such transaction of this holder")
        if found.links_to is not None and found.asked_in != session_id:
            raise ForeignAnswer(detail=f"{name}: the link was asked for in another session")
        return found

    async def redeem(self, transaction: Transaction, returned: Return, *, now: datetime) -> Came:
        """Who it was there. Raises `AccessDenied` when the provider says so, `ForeignAnswer`, `ProviderFailed`,
        `ProviderSilent`, `NotSignedInAnew`, `NotFound` for a provider that is no more."""
        provider = await self._providers.get(transaction.provider, now=now)
        try:
            async with asyncio.timeout(ANSWERED_WITHIN.total_seconds()):
                await provider.check_issuer(returned.iss, now=now)
                if returned.error is not None:
                    raise _refused(transaction.provider, returned.error)
                if returned.code is None or not 0 < len(returned.code) <= _LONGEST:
                    raise ForeignAnswer(detail=f"{transaction.provider}: no code")
                proof = await provider.redeem(returned.code, _attempt_of(transaction, returned), now=now)
        except TimeoutError:
            raise ProviderSilent(detail=transaction.provider) from None
        return Came(provider.config, transaction, proof, _auth_time(transaction, proof.auth_time, now))


def _auth_time(transaction: Transaction, told: datetime | None, now: datetime) -> datetime:
    """When the person signed in: as the provider tells, else now. Raises `NotSignedInAnew` when it tells of a sign-in
    that is older than what was asked for; one that does not tell is believed to have done what it was asked."""
    if told is None:
        return now
    if transaction.fresh:
        if told < transaction.started_at - _CLOCKS_APART:
            raise NotSignedInAnew(detail=transaction.provider)
        return now
    if transaction.max_age is not None and now - told > transaction.max_age + _CLOCKS_APART:
        raise NotSignedInAnew(detail=transaction.provider)
    return min(told, now)


def _attempt_of(transaction: Transaction, returned: Return) -> Attempt:
    verifier = transaction.code_verifier
    return Attempt(
        redirect_uri=transaction.redirect_uri,
        state=returned.state or "",
        nonce=transaction.nonce,
        code_verifier=verifier,
        code_challenge=encode_segment(sha256(verifier.encode()).digest()).decode(),
        fresh=transaction.fresh,
        max_age=transaction.max_age,
    )


def _refused(name: str, error: str) -> Refusal:
    """What the provider says in place of a code (RFC 6749 §4.1.2.1); its sentence is nobody's here."""
    known = error if error.isascii() and error.replace("_", "").isalpha() and len(error) <= 64 else "unreadable"
    _log.info("a provider has refused a sign-in", provider=name, error=known)
    if known in ("access_denied", "login_required", "interaction_required", "consent_required"):
        return AccessDenied(detail=f"{name}: {known}")
    return ProviderFailed(detail=f"{name} answers {known}")


def _only(values: list[str]) -> str | None:
    return values[0] if len(values) == 1 else None
