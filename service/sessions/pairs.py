"""Token pairs: what a sign-in and a refresh give out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.access.catalogue import Catalogue
from service.accounts.account import User, Users
from service.clients.client import FIRST_PARTY
from service.identifiers import new_id
from service.protocol.errors import InvalidLogin, InvalidScope
from service.revocation.acts import Acts
from service.sessions.families import Family, RefreshFamilies
from service.sessions.refresh_token import RefreshToken, RefreshTokenMint
from service.sessions.rotation import Rotation
from service.sessions.session import Session, Sessions
from service.tokens.issue import AccessTokenIssuer, IssuedToken

MAX_USER_AGENT = 256


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


class TokenPairs:
    """Opens sessions and refreshes them. `idle` and `absolute` are the two ends of a session."""

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
        self._idle = idle
        self._absolute = absolute

    async def open(
        self, user: User, *, asked: Iterable[str] | None, amr: tuple[str, ...], device: Device, now: datetime
    ) -> TokenPair:
        """A new session of a person who has just proved who they are. `asked=None` grants all that the person may.

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
            auth_time=now,
            amr=amr,
            acr=None,
            ends_at=now + self._absolute,
            last_used_at=now,
            user_agent=device.user_agent[:MAX_USER_AGENT],
            address=device.address,
        )
        family = Family(
            id=session.id,
            user_id=user.id,
            client_id=session.client_id,
            scopes=session.scopes,
            epoch=user.epoch,
            client_epoch=0,
            auth_time=now,
            amr=amr,
            acr=None,
            ends_at=session.ends_at,
        )
        await self._families.open(family, idle=self._idle)
        async with self._acts.begin(now) as act:
            if not await self._users.is_current(act.tx, user.id, user.epoch):
                raise InvalidLogin(detail="the account has changed during the sign-in")
            await self._sessions.add(act.tx, session)
        return self._pair(family, 0, family.scopes, now=now)

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

    def _pair(self, family: Family, generation: int, scopes: frozenset[str], *, now: datetime) -> TokenPair:
        access = self._issuer.issue(
            subject=family.user_id,
            client_id=family.client_id,
            scopes=scopes,
            session_id=family.id,
            epoch=family.epoch,
            client_epoch=family.client_epoch,
            auth_time=family.auth_time,
            amr=family.amr,
            acr=family.acr,
            not_after=family.ends_at,
            now=now,
        )
        return TokenPair(
            access=access,
            refresh_token=self._mint.issue(RefreshToken(family.user_id, family.id, generation)),
            refresh_expires_in=min(self._idle, family.ends_at - now),
            session_id=family.id,
            user_id=family.user_id,
        )


def _narrowed(held: frozenset[str], asked: Iterable[str] | None) -> frozenset[str]:
    if asked is None:
        return held
    wanted = frozenset(asked)
    if not wanted <= held:
        raise InvalidScope(detail="more was asked than is held")
    return wanted
