"""The keys that this worker signs and verifies with, kept current from the ledger; rotation."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from gatepost.tokens import KeySet
from service.audit.event import Event, Kind
from service.keys.signing_key import KeyForge, SigningKey, SigningKeys, SignsBytes
from service.protocol.errors import Invalid, NotFound, Refusal, StoreUnavailable
from service.revocation.acts import Acts

_log = structlog.get_logger("gatepost.keys")
_INTERVAL = 1.0
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Present:
    """The key that signs in [`since`, `until`)."""

    signer: SignsBytes
    since: datetime
    until: datetime


class Keyring:
    """One worker's view of the signing keys.

    `algorithms` are those that are kept alive; the first signs access tokens, any other what asks for it. A new key is
    published `lead` before it signs, so that verifiers have it by then; an old one stays published until the last
    token that it signed has expired (`token_life`). `rotate_every` is the age at which a key gets a successor.
    """

    def __init__(
        self,
        acts: Acts,
        stored: SigningKeys,
        forge: KeyForge,
        *,
        algorithms: Sequence[str],
        lead: timedelta,
        rotate_every: timedelta,
        token_life: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self.keys = KeySet(())
        self.version = 0
        self._acts = acts
        self._stored = stored
        self._forge = forge
        self.algorithms = tuple(algorithms)
        self._lead = lead
        self._rotate_every = rotate_every
        self._token_life = token_life + timedelta(minutes=1)
        self._now = now
        self._known: tuple[SigningKey, ...] = ()
        self._signers: dict[str, SignsBytes] = {}
        self._present: dict[str, _Present] = {}
        self._reloading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def published_algorithms(self) -> tuple[str, ...]:
        """Those that others can verify; a symmetric key is nobody's but ours."""
        return tuple(algorithm for algorithm in self.algorithms if not algorithm.startswith("HS"))

    def sign(self, claims: Mapping[str, object], *, typ: str, now: datetime, algorithm: str | None = None) -> str:
        """Sign with the present key of `algorithm`, else of the first. Raises `StoreUnavailable` for lack of one."""
        return self._signer(algorithm or self.algorithms[0], now).sign(claims, typ=typ)

    def sign_payload(self, payload: bytes, *, typ: str, now: datetime) -> str:
        """The same for claims that are base64url already, with the key of access tokens."""
        return self._signer(self.algorithms[0], now).sign_payload(payload, typ=typ)

    def ages(self, now: datetime) -> Mapping[str, timedelta]:
        """For how long the present key of each algorithm has signed."""
        current = {algorithm: self._current(algorithm, now) for algorithm in self.algorithms}
        return {algorithm: now - key.signs_from for algorithm, key in current.items() if key is not None}

    def can_sign(self, now: datetime) -> bool:
        """Whether a key for access tokens has been read."""
        return self._current(self.algorithms[0], now) is not None

    def jwks(self) -> dict[str, list[Mapping[str, str]]]:
        """The public keys that verifiers may meet (RFC 7517 §5). Symmetric keys are never in it."""
        now = self._now()
        return {"keys": [key.public_jwk for key in self._known if key.public_jwk and key.verifies(now)]}

    async def listed(self) -> Sequence[SigningKey]:
        """Every key that is kept, oldest first, compromised and expired ones too. Raises `StoreUnavailable`."""
        return await self._stored.all()

    async def start(self) -> None:
        """Read the keys, make the first ones when there are none, and keep reading. The ledger may be away."""
        try:
            await self.make_missing()
        except StoreUnavailable as refusal:
            _log.warning("signing keys could not be read yet", reason=refusal.detail)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def make_missing(self) -> None:
        """Read the keys; make one for each algorithm that has none, and a successor for one that is due."""
        await self.reload()
        now = self._now()
        for algorithm in self.algorithms:
            if self._is_due(_living(self._known, algorithm, now), now):
                await self._succeed(algorithm, lead=self._lead, now=now, only_if_due=True)

    async def rotate(self, algorithm: str, *, now: datetime, at_once: bool = False) -> SigningKey:
        """Publish a successor; it signs after the lead, or at once. Raises `Invalid` for an algorithm not in use."""
        if algorithm not in self.algorithms:
            raise Invalid("algorithm", f"The algorithms in use are: {', '.join(self.algorithms)}.")
        return await self._succeed(algorithm, lead=timedelta(0) if at_once else self._lead, now=now)

    async def retire_compromised(self, kid: str, *, now: datetime) -> SigningKey:
        """Refuse every token of this key at once, everywhere, and sign with a new one. Raises `NotFound`."""
        lost = next((key for key in await self._stored.all() if key.kid == kid), None)
        if lost is None:
            raise NotFound(public="There is no such signing key.")
        async with self._acts.begin(now) as act:
            await self._stored.mark_compromised(act.tx, kid, now=now)
            await act.revoke_signing_key(kid, why="signing key compromised")
            await act.note(Event(Kind.SIGNING_KEY_COMPROMISED, target=f"signing_key:{kid}"))
        await self.reload()
        current = self._current(lost.algorithm, now)
        if current is None and lost.algorithm in self.algorithms:
            current = await self.rotate(lost.algorithm, now=now, at_once=True)
        return current or replace(lost, compromised_at=now)

    async def reload(self) -> None:
        """Read the ledger; `version` rises when anything changed. Raises `StoreUnavailable`."""
        async with self._reloading:  # what was read first must not be put in place last
            await self._reload()

    async def _reload(self) -> None:
        now = self._now()
        known = tuple(key for key in await self._stored.all() if key.verifies(now))
        if known == self._known:
            return
        for key in known:
            if key.kid not in self._signers:
                try:  # an RSA key takes 30 ms to open
                    self._signers[key.kid] = await asyncio.to_thread(self._forge.signing, key)
                except ValueError as problem:
                    _log.error("signing key cannot be opened", kid=key.kid, reason=str(problem))
        self.keys = self._forge.verifying(known)
        self._known = known
        self._signers = {key.kid: self._signers[key.kid] for key in known if key.kid in self._signers}
        self._present = {}
        self.version += 1

    def _signer(self, algorithm: str, now: datetime) -> SignsBytes:
        present = self._present.get(algorithm)
        if present is None or not present.since <= now < present.until:
            present = self._present[algorithm] = self._find_present(algorithm, now)
        return present.signer

    def _find_present(self, algorithm: str, now: datetime) -> _Present:
        """The key that signs now, and between which two moments that is so: which one it is changes when one of them
        begins or ends. Raises `StoreUnavailable`."""
        key = self._current(algorithm, now)
        if key is None:
            raise StoreUnavailable("keys", detail="no signing key has been read yet")
        ends = (end for key in self._known for end in (key.signs_from, key.signs_until, key.verifies_until))
        turns = [_FIRST, *(end for end in ends if end is not None), _LAST]
        since, until = max(turn for turn in turns if turn <= now), min(turn for turn in turns if turn > now)
        return _Present(self._signers[key.kid], since, until)

    def _current(self, algorithm: str, now: datetime) -> SigningKey | None:
        """The newest that signs now; if none does (the clock was set back, or the key before was lost), the next."""
        usable = [key for key in _living(self._known, algorithm, now) if key.kid in self._signers]
        usable = [key for key in usable if key.signs_until is None or now < key.signs_until]
        signing = [key for key in usable if key.signs_from <= now]
        return max(signing, key=_signs_from, default=min(usable, key=_signs_from, default=None))

    def _is_due(self, living: Sequence[SigningKey], now: datetime) -> bool:
        """Whether no key of these will sign on, or the one that will is old enough for a successor."""
        newest = max((key.signs_from for key in living if key.signs_until is None), default=None)
        return newest is None or now - newest >= self._rotate_every

    async def _succeed(
        self, algorithm: str, *, lead: timedelta, now: datetime, only_if_due: bool = False
    ) -> SigningKey:
        """The key that will sign on: a new one, or with `only_if_due` the one that another worker made meanwhile."""
        newest = await asyncio.to_thread(self._forge.make, algorithm, now=now)  # RSA takes a tenth of a second
        async with self._acts.begin(now) as act:
            living = _living(await self._stored.all_locked(act.tx), algorithm, now)
            if only_if_due and not self._is_due(living, now):
                newest = max(living, key=_signs_from)
            else:
                newest = replace(newest, signs_from=_takes_over(living, lead=lead, now=now))
                ends = {"signs_until": newest.signs_from, "verifies_until": newest.signs_from + self._token_life}
                for key in living:
                    if key.signs_until is None:
                        await self._stored.set_ends(act.tx, key.kid, **ends)
                await self._stored.add(act.tx, newest)
                detail = {"algorithm": algorithm, "signs_from": newest.signs_from.isoformat()}
                await act.note(Event(Kind.SIGNING_KEY_MADE, target=f"signing_key:{newest.kid}", detail=detail))
        await self.reload()
        return newest

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                await self.make_missing()
            except Refusal as refusal:  # a store is away, or two workers were in each other's way
                _log.debug("signing keys wait", reason=refusal.detail)
            except Exception:  # a loop that ends would keep this worker's keys as they are until its restart
                _log.exception("signing keys could not be read")


def _living(keys: Sequence[SigningKey], algorithm: str, now: datetime) -> list[SigningKey]:
    return [key for key in keys if key.algorithm == algorithm and key.verifies(now)]


def _signs_from(key: SigningKey) -> datetime:
    return key.signs_from


def _takes_over(living: Sequence[SigningKey], *, lead: timedelta, now: datetime) -> datetime:
    """When a new key begins to sign: after the lead, but no later than the last one that signs now ends."""
    ends = [key.signs_until or now + lead for key in living if key.signs(now)]
    return min(max(ends, default=now), now + lead)
