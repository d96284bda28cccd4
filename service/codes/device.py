"""Signing in on a device without a keyboard: its code, the code that the person types, and the asking (RFC 8628)."""

import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import structlog

from service.codes.desk import REMEMBERED, EndsSessions
from service.codes.grant import AuthorizationGrant
from service.codes.text import DeviceCode, DeviceCodeMint
from service.identifiers import new_id
from service.limits import Guard
from service.protocol.errors import (
    AccessDenied,
    AuthorizationPending,
    Conflict,
    ExpiredToken,
    InvalidGrant,
    InvalidScope,
    NotFound,
    SlowDown,
    StoreUnavailable,
)

LIFE = timedelta(minutes=15)
INTERVAL = timedelta(seconds=5)
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_LENGTH = 8
_DRAWS = 5
_log = structlog.get_logger("gatepost.codes")


@dataclass(frozen=True, slots=True)
class DeviceStart:
    """What the device is told: `device_code` for itself, `user_code` to show to the person."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    expires_in: timedelta
    interval: timedelta


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What a device asks for, while nobody has decided."""

    code: DeviceCode
    client_id: str
    scopes: frozenset[str]
    audience: tuple[str, ...]


class Answer(StrEnum):
    """What the engine says to a device that asks, when it has no grant for it."""

    PENDING = "pending"
    TOO_SOON = "slow_down"
    DENIED = "denied"
    EXPIRED = "expired"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Taken:
    """The grant was given out before, and was of this person; this asking has been marked."""

    user_id: str


class DeviceRequests(Protocol):
    """The requests of devices, in the engine. Every method raises `StoreUnavailable` when it cannot answer."""

    async def keep(self, request: DeviceRequest, user_code: str, *, life: timedelta, interval: timedelta) -> bool:
        """Keep a new request for `life` by the engine's own clock; False when the user code is in use."""

    async def find(self, user_code: str, *, life: timedelta) -> DeviceRequest | None:
        """The undecided request of this user code."""

    async def decide(self, request: DeviceRequest, grant: AuthorizationGrant | None, *, life: timedelta) -> bool:
        """Keep the yes, or without a grant the no; False when it was decided before or has expired. Of any number of
        racing calls one is True."""

    async def poll(
        self, code: DeviceCode, *, client_id: str, life: timedelta, longer: timedelta, remembered: timedelta
    ) -> AuthorizationGrant | Taken | Answer:
        """The grant, for the first of any number of racing calls after the yes; `Taken` for the others.

        One that comes sooner than the interval makes it `longer`. A request that is not there is `EXPIRED`; another
        client changes nothing.
        """

    async def is_replayed(self, code: DeviceCode) -> bool:
        """Whether anybody asked after the grant was given out, or the mark of that has been lost."""


class DeviceDesk:
    """Begins requests of devices, lets people decide them, and answers devices that ask."""

    def __init__(self, requests: DeviceRequests, guard: Guard, mint: DeviceCodeMint, ending: EndsSessions):
        self._requests = requests
        self._guard = guard
        self._mint = mint
        self._ending = ending

    async def start(self, client_id: str, scopes: frozenset[str], audience: tuple[str, ...]) -> DeviceStart:
        """A new request. Raises `StoreUnavailable`."""
        code, text = self._mint.issue(new_id())
        request = DeviceRequest(code, client_id, scopes, audience)
        for _ in range(_DRAWS):
            user_code = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
            if await self._requests.keep(request, user_code, life=LIFE, interval=INTERVAL):
                return DeviceStart(text, format_user_code(user_code), LIFE, INTERVAL)
        raise StoreUnavailable("redis", detail="every user code that was drawn is in use")

    async def find(self, user_code: str, *, address: str) -> DeviceRequest | None:
        """The request of a user code as a person typed it: case, dashes and spaces do not matter.

        Wrong ones count against the network of `address` (RFC 8628 §5.1): raises `TooManyAttempts`, `StoreUnavailable`.
        """
        typed = parse_user_code(user_code)
        with suppress(NotFound):
            async with self._guard.user_code(address):
                request = None if typed is None else await self._requests.find(typed, life=LIFE)
                if request is None:
                    raise NotFound
                return request
        return None

    async def approve(self, request: DeviceRequest, grant: AuthorizationGrant) -> None:
        """The person's yes. Client, audience and session are the request's whatever `grant` says of them.

        Raises `InvalidScope` when more is granted than was asked, `Conflict` when somebody has decided meanwhile or the
        request has expired, `StoreUnavailable`.
        """
        if not grant.scopes <= request.scopes:
            raise InvalidScope(detail="more was granted than the device asked for")
        whole = replace(
            grant,
            session_id=request.code.session_id,
            client_id=request.client_id,
            audience=request.audience,
            redirect_uri=None,
            code_challenge="",
            nonce=None,
        )
        await self._decide(request, whole)

    async def deny(self, request: DeviceRequest) -> None:
        """The person's no. Raises as `approve`."""
        await self._decide(request, None)

    async def poll(self, device_code: str, *, client_id: str, now: datetime) -> AuthorizationGrant:
        """What was granted to the device, once (RFC 8628 §3.4).

        Raises `AuthorizationPending`, `SlowDown`, `AccessDenied`, `ExpiredToken`; `InvalidGrant` for a code that is not
        ours, another client's or spent: then its session has ended. Raises `StoreUnavailable`.
        """
        code = self._mint.read(device_code)
        answer = await self._requests.poll(code, client_id=client_id, life=LIFE, longer=INTERVAL, remembered=REMEMBERED)
        match answer:
            case AuthorizationGrant():
                return answer
            case Taken(user_id):
                await self.end(device_code, user_id=user_id, now=now)
                raise InvalidGrant(detail="the device code is spent")
            case Answer.PENDING:
                raise AuthorizationPending
            case Answer.TOO_SOON:
                raise SlowDown
            case Answer.DENIED:
                raise AccessDenied
            case Answer.EXPIRED:
                raise ExpiredToken
            case Answer.FOREIGN:
                raise InvalidGrant(detail="the device code belongs to another client")

    async def settle(self, device_code: str, *, user_id: str, now: datetime) -> None:
        """To be called when the session of a taken grant stands in the ledger: see `CodeDesk.settle`."""
        code = self._mint.read(device_code)
        try:
            is_replayed = await self._requests.is_replayed(code)
        except StoreUnavailable:
            await self._ending.end_if_living(code.session_id, user_id=user_id, why="device code in doubt", now=now)
            raise
        if is_replayed:
            await self.end(device_code, user_id=user_id, now=now)

    async def end(self, device_code: str, *, user_id: str, now: datetime) -> None:
        """End what this code has opened, which it has only if it was redeemed before."""
        code, why = self._mint.read(device_code), "device code replayed"
        if await self._ending.end_if_living(code.session_id, user_id=user_id, why=why, now=now):
            _log.warning("device code replayed", user_id=user_id, session_id=code.session_id)

    async def _decide(self, request: DeviceRequest, grant: AuthorizationGrant | None) -> None:
        if not await self._requests.decide(request, grant, life=LIFE):
            raise Conflict(public="This code has been used already, or its time is over.")


def parse_user_code(text: str) -> str | None:
    """The code that a person typed, in its one form; None for what cannot be one."""
    letters = "".join(letter for letter in text[:64].upper() if letter not in "- \t")
    return letters if len(letters) == _LENGTH and set(letters) <= set(_LETTERS) else None


def format_user_code(user_code: str) -> str:
    """A user code as devices and pages show it."""
    return f"{user_code[:4]}-{user_code[4:]}"
