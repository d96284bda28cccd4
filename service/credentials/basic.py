"""HTTP Basic as a credential: people by name and password, clients by id and secret (RFC 7617)."""

import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from gatepost.principal import Principal
from gatepost.revocation import RevocationKind
from service.access.catalogue import Catalogue
from service.accounts.sign_in import PasswordSignIn
from service.clients.client import CLIENT_ID_PREFIX
from service.clients.secrets import ClientSecrets
from service.credentials.remembered import RememberedCredentials, Standing
from service.limits import KnownDevice, Source
from service.protocol.authorization import BasicPair
from service.protocol.errors import InvalidClient, InvalidLogin
from service.revocation.feed import RevocationFeed

_FAR = datetime.max.replace(tzinfo=UTC)


class BasicCredential:
    """Turns a name and a password into a caller.

    A pair that was right is remembered for a minute under a key that only this process has, so that polling with Basic
    does not cost 30 ms each time; a change of the password or secret, of the account or client forgets it at once.
    """

    def __init__(
        self, sign_in: PasswordSignIn, secrets_: ClientSecrets, feed: RevocationFeed, catalogue: Catalogue
    ) -> None:
        self._sign_in = sign_in
        self._secrets = secrets_
        self._revoked = feed.revoked
        self._catalogue = catalogue
        self._key = secrets.token_bytes(32)
        self._remembered = RememberedCredentials(feed)

    def recall(self, pair: BasicPair, *, now: datetime) -> Principal | None:
        """The caller, when `check` would answer from memory alone; None says: ask it."""
        standing = self._remembered.find(self._digest(pair), now=now)
        return None if standing is None else standing.principal

    async def check(self, pair: BasicPair, *, address: Callable[[], str], now: datetime) -> Principal:
        """The caller. Raises `InvalidLogin` for every reason alike, `TooManyAttempts`, `TooBusy`, `StoreUnavailable`.

        A pair that was good here before counts as a known device: strangers' failures do not stop who polls with it.
        """
        digest = self._digest(pair)
        standing = self._remembered.find(digest, now=now)
        if standing is None:
            is_client = pair.user_id.startswith(CLIENT_ID_PREFIX)
            if is_client:
                standing = await self._check_client(pair, address, now)
            else:
                subject = self._remembered.was_good(digest)
                known = () if subject is None else (KnownDevice(subject, f"basic {digest.hex()}"),)
                standing = await self._check_person(pair, Source(address(), known))
            self._remembered.keep(digest, standing, now=now)
        return standing.principal

    def _digest(self, pair: BasicPair) -> bytes:
        return hmac.digest(self._key, f"{pair.user_id}:{pair.password}".encode(), "sha256")

    async def _check_person(self, pair: BasicPair, source: Source) -> Standing:
        version = self._revoked.version
        user = await self._sign_in.check(pair.user_id, pair.password, source=source)
        principal = Principal(
            subject=user.id,
            kind="user",
            scheme="basic",
            scopes=self._catalogue.effective(user.roles, user.scopes),
            credential_id=user.id,
        )
        return Standing(principal, RevocationKind.USER, user.id, user.id, user.epoch, user.epoch, version, _FAR)

    async def _check_client(self, pair: BasicPair, address: Callable[[], str], now: datetime) -> Standing:
        version, secret = self._revoked.version, self._revoked.secret_epoch(pair.user_id)
        try:
            client = await self._secrets.authenticate(pair.user_id, pair.password, address=address, now=now)
        except InvalidClient as refusal:
            raise InvalidLogin(detail=refusal.detail) from None
        principal = Principal(
            subject=client.id,
            kind="client",
            scheme="basic",
            scopes=client.scopes,
            client_id=client.id,
            credential_id=client.id,
        )
        ends = (one.expires_at for one in client.secrets if one.expires_at is not None)
        until = min((end for end in ends if end > now), default=_FAR)
        return Standing(principal, RevocationKind.CLIENT, client.id, client.id, client.epoch, secret, version, until)
