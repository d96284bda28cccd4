"""Token pairs: what a sign-in and a refresh give out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.access.catalogue import OPENID, Catalogue
from service.accounts.account import User, Users
from service.clients.client import FIRST_PARTY, Client
from service.codes.grant import AuthorizationGrant
from service.consents.consent import Consents
from service.identifiers import new_id
from service.ledger import Transaction
from service.pending import Pending
from service.protocol.errors import InvalidGrant, InvalidLogin, InvalidScope
from service.revocation.acts import Acts
from service.sessions.ending import SessionEnding
from service.sessions.events import session_granted, signed_in
from service.sessions.families import Family, RefreshFamilies, Repeated, Rotated
from service.sessions.refresh_token import RefreshToken, RefreshTokenMint
from service.sessions.rotation import Rotation
from service.sessions.session import Session, Sessions
from service.tokens.issue import AccessTokenDraft, AccessTokenIssuer, IssuedToken

MAX_USER_AGENT = 256
OFFLINE = "offline_access"
"""The scope of a grant that outlives the hosted sign-in in which it was made (OpenID Connect Core §11)."""


@dataclass(frozen=True, slots=True)
class Device:
    """From where a sign-in came, as the person will see it in the list of sessions."""

    user_agent: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token and the refresh token that follows it; `refresh_expires_in` counts from now."""

    access: IssuedToken
    refresh_token: str = field(repr=False)
    refresh_expires_in: timedelta
    session_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Granted:
    """What a client gets for a person's grant; the refresh token only if it may refresh."""

    access: IssuedToken
    user: User
    refresh_token: str | None = field(default=None, repr=False)


class TokenPairs:
    """Opens sessions and refreshes them. `idle` and `absolute` are the two ends of a session.

    Where a person has too many, those that are unused for longest end as a new one opens, in the same act.
    """

    def __init__(
        self,
        acts: Acts,
        users: Users,
        sessions: Sessions,
        families: RefreshFamilies,
        rotation: Rotation,
        mint: RefreshTokenMint,
        issuer: AccessTokenIssuer,
        catalogue: Catalogue,
        consents: Consents,
        ending: SessionEnding,
        *,
        idle: timedelta,
        absolute: timedelta,
    ) -> None:
        self._acts = acts
        self._users = users
        self._sessions = sessions
        self._families = families
        self._rotation = rotation
        self._mint = mint
        self._issuer = issuer
        self._catalogue = catalogue
        self._consents = consents
        self._ending = ending
        self._idle = idle
        self._absolute = absolute

    async def open(
        self,
        user: User,
        *,
        asked: Iterable[str] | None,
        amr: tuple[str, ...],
        device: Device,
        now: datetime,
        auth_time: datetime | None = None,
    ) -> TokenPair:
        """A new session of a person who has just proved who they are, or did at `auth_time` elsewhere. `asked=None`
        grants all that the person may.

        Raises `InvalidScope` when more is asked than the person has, `StoreUnavailable` when either store is away, and
        `InvalidLogin` when the account has changed since it was read: a password that was changed meanwhile opens
        nothing.
        """
        held = self._catalogue.effective(user.roles, user.scopes)
        session = Session(
            id=new_id(),
            user_id=user.id,
            client_id=FIRST_PARTY,
            scopes=_narrowed(held, asked),
            created_at=now,
            auth_time=auth_time or now,
            amr=amr,
            acr=None,
            ends_at=now + self._absolute,
            last_used_at=now,
            user_agent=device.user_agent[:MAX_USER_AGENT],
            address=device.address,
        )
        family = _family_of(session, epoch=user.epoch, client_epoch=0)
        await self._families.open(family, idle=self._idle)
        async with self._acts.begin(now) as act:
            if not await self._users.is_current(act.tx, user.id, user.epoch):
                raise InvalidLogin(detail="the account has changed during the sign-in")
            await self._sessions.add(act.tx, session)
            await self._ending.make_room_in(act, user.id, keep={session.id}, now=now)
            await act.note(signed_in(session, "direct"))
        return self._pair(family, 0, family.scopes, now=now)

    async def open_granted(
        self, grant: AuthorizationGrant, client: Client, *, with_refresh: bool, audience: tuple[str, ...], now: datetime
    ) -> Granted:
        """The session that a person has granted to a client, with its tokens; the access token for `audience`.

        What the client may no longer have is left out. Raises `InvalidGrant` when the account has changed, the hosted
        sign-in has ended or the consent was withdrawn since the grant, `Conflict` when the grant was redeemed before:
        the session's id was fixed with it, and the ledger takes it once. Raises `StoreUnavailable`.
        """
        user, ends_at = await self._grantor(grant, with_refresh=with_refresh, now=now)
        session = Session(
            id=grant.session_id,
            user_id=user.id,
            client_id=client.id,
            scopes=grant.scopes & (client.scopes | OPENID.keys()),
            created_at=now,
            auth_time=grant.auth_time,
            amr=grant.amr,
            acr=grant.acr,
            ends_at=ends_at,
            last_used_at=now,
            user_agent=grant.user_agent[:MAX_USER_AGENT],
            address=grant.address,
            audience=grant.audience,
            parent_id=grant.parent_id,
            offline=with_refresh and OFFLINE in grant.scopes,
        )
        family = _family_of(session, epoch=user.epoch, client_epoch=client.epoch)
        async with self._acts.begin(now) as act:
            if not await self._users.is_current(act.tx, user.id, user.epoch):
                raise InvalidGrant(detail="the account has changed since the grant")
            if grant.parent_id is not None and not await self._sessions.is_living(act.tx, grant.parent_id, now=now):
                raise InvalidGrant(detail="the hosted sign-in has ended since the grant")
            if grant.on_consent and not await self._is_agreed(act.tx, grant):
                raise InvalidGrant(detail="the consent was withdrawn since the grant")
            await self._sessions.add(act.tx, session)
            await self._ending.make_room_in(act, user.id, keep={session.id, grant.parent_id or ""}, now=now)
            await act.note(session_granted(session, grant))
            if with_refresh:  # not sooner: an engine that was put back would revive the family of an ended session
                await self._families.open(family, idle=client.metadata.refresh_idle or self._idle)
        access = self.access(family, session.scopes, audience, client=client, userinfo=_userinfo(grant), now=now)
        return Granted(access, user, self._refresh_token(family, 0) if with_refresh else None)

    async def _grantor(self, grant: AuthorizationGrant, *, with_refresh: bool, now: datetime) -> tuple[User, datetime]:
        """Who granted, and when what was granted ends: with the hosted sign-in, unless it is for offline."""
        ends_at = now + self._absolute
        if grant.parent_id is None:
            user = await self._users.find(grant.user_id)
        else:
            parent = await self._sessions.find_standing(grant.parent_id)
            user = None if parent is None else parent.user
            if parent is not None and not (with_refresh and OFFLINE in grant.scopes):
                ends_at = min(ends_at, parent.session.ends_at)
        if user is None or user.id != grant.user_id or not user.active or user.epoch != grant.epoch or ends_at <= now:
            raise InvalidGrant(detail="the account or its sign-in has changed since the grant")
        return user, ends_at

    async def _is_agreed(self, tx: Transaction, grant: AuthorizationGrant) -> bool:
        consent = await self._consents.find_in(tx, grant.user_id, grant.client_id)
        return consent is not None and consent.covers(grant.scopes, grant.audience)

    async def rotate(self, refresh_token: str, client: Client, *, now: datetime) -> Rotated | Repeated:
        """What a client's refresh token is traded in for. Raises `InvalidGrant`, `StoreUnavailable`."""
        idle = client.metadata.refresh_idle
        return await self._rotation.rotate(self._mint.read(refresh_token), client_id=client.id, now=now, idle=idle)

    def begin(self, refresh_token: str, client: Client, *, now: datetime) -> Pending[Rotated | Repeated] | None:
        """The same, for who cannot wait; None where asking takes waiting, and nothing was asked. Raises as it does."""
        idle = client.metadata.refresh_idle
        return self._rotation.begin(self._mint.read(refresh_token), client_id=client.id, now=now, idle=idle)

    def successor(self, outcome: Rotated | Repeated) -> str:
        """The refresh token that follows the one that was traded in."""
        return self._refresh_token(outcome.family, outcome.generation)

    async def refresh(
        self, refresh_token: str, *, client_id: str, asked: Iterable[str] | None, now: datetime
    ) -> TokenPair:
        """The successor of a refresh token, with a new access token; `asked` may only narrow the latter.

        Raises `InvalidGrant`, `StoreUnavailable`, and `InvalidScope`: the successor is not told then, and inside the
        grace window the same token may be sent again.
        """
        presented = self._mint.read(refresh_token)
        outcome = await self._rotation.rotate(presented, client_id=client_id, now=now)
        return self._pair(outcome.family, outcome.generation, _narrowed(outcome.family.scopes, asked), now=now)

    def read(self, refresh_token: str) -> RefreshToken:
        """What a genuine refresh token names. Raises `InvalidGrant`."""
        return self._mint.read(refresh_token)

    def access(
        self,
        family: Family,
        scopes: frozenset[str],
        audience: tuple[str, ...],
        *,
        client: Client | None = None,
        userinfo: Iterable[str] = (),
        now: datetime,
    ) -> IssuedToken:
        """An access token of a session."""
        return self.issue(self.draft(family, scopes, audience, client=client, userinfo=userinfo), family, now=now)

    def issue(self, draft: AccessTokenDraft, family: Family, *, now: datetime) -> IssuedToken:
        """The same after a draft."""
        return self._issuer.issue(draft, now=now, not_after=family.ends_at)

    def draft(
        self,
        family: Family,
        scopes: frozenset[str],
        audience: tuple[str, ...],
        *,
        client: Client | None = None,
        userinfo: Iterable[str] = (),
    ) -> AccessTokenDraft:
        """What access tokens of a session say. They have the client's own life if it has one."""
        return self._issuer.draft(
            subject=family.user_id,
            client_id=family.client_id,
            scopes=scopes,
            session_id=family.id,
            epoch=family.epoch,
            client_epoch=family.client_epoch,
            auth_time=family.auth_time,
            amr=family.amr,
            acr=family.acr,
            audience=audience,
            life=None if client is None else client.metadata.access_life,
            userinfo=userinfo,
        )

    def _pair(self, family: Family, generation: int, scopes: frozenset[str], *, now: datetime) -> TokenPair:
        return TokenPair(
            access=self.access(family, scopes, family.audience, now=now),
            refresh_token=self._refresh_token(family, generation),
            refresh_expires_in=min(self._idle, family.ends_at - now),
            session_id=family.id,
            user_id=family.user_id,
        )

    def _refresh_token(self, family: Family, generation: int) -> str:
        return self._mint.issue(RefreshToken(family.user_id, family.id, generation))


def _family_of(session: Session, *, epoch: int, client_epoch: int) -> Family:
    return Family(
        id=session.id,
        user_id=session.user_id,
        client_id=session.client_id,
        scopes=session.scopes,
        epoch=epoch,
        client_epoch=client_epoch,
        auth_time=session.auth_time,
        amr=session.amr,
        acr=session.acr,
        ends_at=session.ends_at,
        audience=session.audience,
    )


def _userinfo(grant: AuthorizationGrant) -> Iterable[str]:
    """What the `claims` parameter asks the UserInfo endpoint for."""
    named = grant.claims.get("userinfo")
    return named if isinstance(named, Mapping) else ()


def _narrowed(held: frozenset[str], asked: Iterable[str] | None) -> frozenset[str]:
    if asked is None:
        return held
    wanted = frozenset(asked)
    if not wanted <= held:
        raise InvalidScope(detail="more was asked than is held")
    return wanted
