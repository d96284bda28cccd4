"""A short memory of checked credentials, so that a caller with Basic or an API key costs a hash or a read only once."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gatepost.principal import Principal
from gatepost.revocation import RevocationKind
from service.bounded import Bounded
from service.revocation.feed import RevocationFeed

_LIFE = timedelta(minutes=1)
_CLIENT, _API_KEY = RevocationKind.CLIENT, RevocationKind.API_KEY  # as in gatepost/revocation.py


@dataclass(frozen=True, slots=True)
class Standing:
    """What the check of a credential rested on, as it was before the stores were read.

    `holder` is whose secret it is (a user, client or API key id), `epoch` its owner's epoch that was read, `secret` the
    secret epoch and `version` the revocations' version before the read: what was revoked since shows as a rise.
    """

    principal: Principal
    kind: RevocationKind
    owner: str
    holder: str
    epoch: int
    secret: int
    version: int
    until: datetime
    networks: tuple[str, ...] = ()


class RememberedCredentials:
    """Good credentials by keyed digest, a minute long, 10,000 at most. Bad ones are never remembered, and nothing is
    while this worker cannot know what has been revoked."""

    def __init__(self, feed: RevocationFeed) -> None:
        self._feed = feed
        self._revoked = feed.revoked
        self._known: Bounded[bytes, Standing] = Bounded()
        self._were_good: Bounded[bytes, str] = Bounded()

    def find(self, digest: bytes, *, now: datetime) -> Standing | None:
        """What was found good less than a minute ago and is untouched by any revocation since."""
        standing = self._known.get(digest)
        if standing is None or not self._feed.is_trusted:
            return None
        if now >= standing.until or (standing.version != self._revoked.version and self._touched(standing)):
            del self._known[digest]
            return None
        return standing

    def keep(self, digest: bytes, standing: Standing, *, now: datetime) -> None:
        """Remember, unless it was touched while it was being checked."""
        if self._touched(standing):
            return
        self._known.keep(digest, replace(standing, until=min(standing.until, now + _LIFE)))
        self._were_good.keep(digest, standing.principal.subject)

    def was_good(self, digest: bytes) -> str | None:
        """Whose credential this was when it was last found good here, however long ago. It proves nothing now; it tells
        who has been here before from a stranger."""
        return self._were_good.get(digest)

    def _touched(self, standing: Standing) -> bool:
        revoked = self._revoked
        if standing.kind is _CLIENT:
            passed = revoked.client_epoch(standing.owner) > standing.epoch
        else:
            passed = revoked.user_epoch(standing.owner) > standing.epoch
        return (
            passed or revoked.secret_epoch(standing.holder) > standing.secret or revoked.has(_API_KEY, standing.holder)
        )
