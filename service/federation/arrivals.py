"""From a proven identity to an account: what was decided is done, in one act."""

from dataclasses import dataclass
from datetime import datetime

from service.access.catalogue import Catalogue
from service.accounts.account import User, Users
from service.accounts.names import email_key, parse_email
from service.audit import Refusals
from service.audit.event import Actor, Event, Kind
from service.federation.decision import Outcome, decide, may_sign_in, proven_address
from service.federation.handover import HandOver
from service.federation.identities import Identities, LinkedIdentity, account_of
from service.federation.newcomer import new_account
from service.federation.provider import Identity, ProviderConfig, UpstreamTokens
from service.federation.refusals import LinkedElsewhere, NoAccount, SignInFirst
from service.identifiers import new_id
from service.protocol.errors import Conflict, Invalid
from service.revocation.acts import Act, Acts

_TRIES = 4
"""Of racing first sign-ins of one identity one makes the account; the others find it when they look again."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """One coming. `address` is the proven one, `again` whether it was tried before."""

    identity: Identity
    config: ProviderConfig
    address: str | None
    links_to: str | None
    again: bool
    now: datetime


class Arrivals:
    """Decides and does. `is_open` says whether everybody may register, `roles` what they get."""

    def __init__(
        self,
        acts: Acts,
        users: Users,
        identities: Identities,
        hand_over: HandOver,
        catalogue: Catalogue,
        refused: Refusals,
        *,
        is_open: bool,
        roles: frozenset[str],
    ) -> None:
        self._acts = acts
        self._users = users
        self._identities = identities
        self._hand_over = hand_over
        self._catalogue = catalogue
        self._refused = refused
        self._is_open = is_open
        self._roles = roles

    async def arrive(
        self,
        identity: Identity,
        config: ProviderConfig,
        *,
        tokens: UpstreamTokens | None = None,
        links_to: str | None = None,
        now: datetime,
    ) -> User:
        """Whose identity it is here from now on. `tokens` are kept where the operator wants it.

        Raises `NoAccount`, `SignInFirst`, `LinkedElsewhere`, `StoreUnavailable`.
        """
        address = _checked(proven_address(identity, config))
        for turn in range(_TRIES):
            arrival = _Arrival(identity, config, address, links_to, turn > 0, now)
            try:
                async with self._acts.begin(now) as act:
                    user, linked, event = await self._settle(act, arrival)
                    if event is not None:
                        await act.note(event)
                    if config.keeps_tokens and tokens is not None:
                        await self._identities.keep_tokens(act.tx, linked.id, tokens)
            except (SignInFirst, LinkedElsewhere):
                raise
            except NoAccount as refusal:
                if links_to is None:
                    await self._refused.note(_refused_sign_in(refusal, config))
                raise
            except Conflict:
                if turn == _TRIES - 1:
                    raise
            else:
                return user
        raise AssertionError("the last turn returns or raises")

    async def _settle(self, act: Act, arrival: _Arrival) -> tuple[User, LinkedIdentity, Event | None]:
        identity, now = arrival.identity, arrival.now
        known = await self._identities.find(act.tx, identity.issuer, identity.subject)
        owner = None if known is None else await self._users.find(known.user_id)
        holder = await self._holder(act, arrival.address) if owner is None and arrival.links_to is None else None
        outcome = decide(
            owner=owner,
            holder=holder,
            holder_commands=holder is not None and self._commands(holder),
            links_to=arrival.links_to,
            is_open=self._is_open,
        )
        if known is not None and owner is not None and outcome in (Outcome.SIGN_IN, Outcome.NOTHING):
            provider, account = arrival.config.name, account_of(identity)
            await self._identities.use(act.tx, known.id, provider=provider, account=account, at=now)
            return owner, known, None
        if outcome is Outcome.NO_ACCOUNT:
            closed = owner or holder
            why = "nobody has this identity" if closed is None else "the account may not sign in like this"
            raise NoAccount(user_id="" if closed is None else closed.id, detail=why)
        user = await self._owner_to_be(act, outcome, arrival, holder)
        linked = LinkedIdentity(
            id=new_id(),
            issuer=identity.issuer,
            subject=identity.subject,
            user_id=user.id,
            provider=arrival.config.name,
            account=account_of(identity),
            linked_at=now,
            last_used_at=now,
        )
        await self._identities.add(act.tx, linked)
        return user, linked, _told(outcome, user, linked)

    async def _owner_to_be(self, act: Act, outcome: Outcome, arrival: _Arrival, holder: User | None) -> User:
        match outcome:
            case Outcome.REGISTER:
                user = new_account(
                    arrival.identity, arrival.address, roles=self._roles, again=arrival.again, now=arrival.now
                )
                await self._users.add(act.tx, user)
                return user
            case Outcome.TAKE_OVER if holder is not None:
                await self._hand_over.give(act, holder, now=arrival.now)
                return await self._held(act, holder.id)
            case Outcome.LINK if arrival.links_to is not None:
                return await self._held(act, arrival.links_to)
            case Outcome.SIGN_IN_FIRST:
                raise SignInFirst(arrival.identity)
            case Outcome.LINKED_ELSEWHERE:
                raise LinkedElsewhere
        raise AssertionError(f"{outcome.name} is nobody's account")

    async def _held(self, act: Act, user_id: str) -> User:
        """An account that is to get the identity, held until the act ends."""
        user = await self._users.find_locked(act.tx, user_id)
        if user is None or not may_sign_in(user):
            raise NoAccount(user_id=user_id, detail="the account is gone or disabled")
        return user

    async def _holder(self, act: Act, address: str | None) -> User | None:
        """Who has the address here, held until the act ends."""
        found = None if address is None else await self._users.find_by_login(email_key(address))
        held = None if found is None else await self._users.find_locked(act.tx, found.id)
        is_theirs = held is not None and held.email is not None and email_key(held.email) == email_key(address or "")
        return held if is_theirs else None

    def _commands(self, user: User) -> bool:
        """Whether the account has any power over others."""
        return any(scope.startswith("admin:") for scope in self._catalogue.effective(user.roles, user.scopes))


def _checked(address: str | None) -> str | None:
    """None for what no account could have as its address."""
    try:
        return None if address is None else parse_email(address)
    except Invalid:
        return None


def _told(outcome: Outcome, user: User, linked: LinkedIdentity) -> Event:
    """What the audit is told. Who links in the account is known to the request; who comes from outside is not yet."""
    kind = Kind.USER_REGISTERED if outcome is Outcome.REGISTER else Kind.IDENTITY_LINKED
    by = None if outcome is Outcome.LINK else Actor("user", user.id, "federated", linked.id)
    detail: dict[str, object] = {"provider": linked.provider, "handed_over": outcome is Outcome.TAKE_OVER}
    return Event(kind, subject=user.id, target=f"identity:{linked.id}", by=by, detail=detail)


def _refused_sign_in(refusal: NoAccount, config: ProviderConfig) -> Event:
    detail = {"why": refusal.detail, "provider": config.name}
    return Event(Kind.SIGN_IN, subject=refusal.user_id, outcome="refused", detail=detail)
