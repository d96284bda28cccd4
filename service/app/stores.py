"""The stores of one worker, and the keys that it derives: each is made once, when it is first asked for."""

from asyncio import Event
from functools import cached_property
from pathlib import Path

from service.audit.heads import HeadKeeper
from service.crypto.jose import JoseForge
from service.crypto.passwords import Argon2Passwords
from service.crypto.sealing import Sealer
from service.mail import Carrier
from service.outgoing import HeadAddress, HeadFile, MailFolder, OutgoingHttp, SmtpCarrier
from service.settings import Settings
from service.signed_text import MacKey
from service.storage.breached_file import BreachedFile
from service.storage.redis import (
    RedisCodes,
    RedisDeviceRequests,
    RedisFailures,
    RedisLink,
    RedisRates,
    RedisRefreshFamilies,
    RedisRevocationEngine,
)
from service.storage.sql import (
    Database,
    SqlApiKeys,
    SqlAudit,
    SqlClients,
    SqlConsents,
    SqlLetters,
    SqlLogoutNotices,
    SqlRevocations,
    SqlSessions,
    SqlUsers,
)


class Stores:
    """Everything at the rim that rooms are given. Opens no connection."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.secrets = settings.secrets()
        self._prefix = settings.redis_prefix

    def mac_keys(self, purpose: str) -> list[MacKey]:
        """A key for each secret, for this purpose alone; the first one signs."""
        return [MacKey(secret.id, secret.derive(purpose)) for secret in self.secrets]

    @cached_property
    def database(self) -> Database:
        return Database(self.settings.database_url.get_secret_value())

    @cached_property
    def users(self) -> SqlUsers:
        return SqlUsers(self.database)

    @cached_property
    def sessions(self) -> SqlSessions:
        return SqlSessions(self.database)

    @cached_property
    def stored_keys(self) -> SqlApiKeys:
        return SqlApiKeys(self.database)

    @cached_property
    def stored_clients(self) -> SqlClients:
        return SqlClients(self.database)

    @cached_property
    def stored_consents(self) -> SqlConsents:
        return SqlConsents(self.database)

    @cached_property
    def revocations(self) -> SqlRevocations:
        return SqlRevocations(self.database)

    @cached_property
    def notices_posted(self) -> Event:
        return Event()

    @cached_property
    def letters_posted(self) -> Event:
        return Event()

    @cached_property
    def notices(self) -> SqlLogoutNotices:
        return SqlLogoutNotices(self.database, posted=self.notices_posted.set)

    @cached_property
    def letters(self) -> SqlLetters:
        return SqlLetters(self.database, posted=self.letters_posted.set)

    @cached_property
    def audit_posted(self) -> Event:
        return Event()

    @cached_property
    def audit(self) -> SqlAudit:
        return SqlAudit(self.database, posted=self.audit_posted.set)

    @cached_property
    def head_keepers(self) -> list[HeadKeeper]:
        """Where heads of the audit are kept: a file beside the database in local mode, else what the operator says."""
        file, asked = self.settings.audit_heads_file, self.settings.audit.heads
        if file is not None:
            return [HeadFile(file)]
        return [HeadAddress(self.outgoing, asked)] if asked else []

    @cached_property
    def link(self) -> RedisLink:
        return RedisLink.from_url(self.settings.redis_url.get_secret_value())

    @cached_property
    def families(self) -> RedisRefreshFamilies:
        return RedisRefreshFamilies(self.link, prefix=self._prefix)

    @cached_property
    def engine(self) -> RedisRevocationEngine:
        return RedisRevocationEngine(self.link, prefix=self._prefix)

    @cached_property
    def stored_codes(self) -> RedisCodes:
        return RedisCodes(self.link, prefix=self._prefix)

    @cached_property
    def device_requests(self) -> RedisDeviceRequests:
        return RedisDeviceRequests(self.link, prefix=self._prefix)

    @cached_property
    def rates(self) -> RedisRates:
        return RedisRates(self.link, self.secrets[0].derive("names of counters"), prefix=self._prefix)

    @cached_property
    def failures(self) -> RedisFailures:
        return RedisFailures(self.link, self.secrets[0].derive("names of counters"), prefix=self._prefix)

    @cached_property
    def passwords(self) -> Argon2Passwords:
        asked = self.settings.passwords
        return Argon2Passwords(threads=asked.hash_threads, waiting=asked.hash_queue)

    @cached_property
    def breached(self) -> BreachedFile | None:
        file = self.settings.passwords.breached_file
        return BreachedFile(Path(file)) if file else None

    @cached_property
    def sealer(self) -> Sealer:
        return Sealer(self.secrets)

    @cached_property
    def forge(self) -> JoseForge:
        return JoseForge(self.sealer)

    @cached_property
    def outgoing(self) -> OutgoingHttp:
        return OutgoingHttp()

    @cached_property
    def carrier(self) -> Carrier:
        """What letters travel by."""
        folder = mail_folder(self.settings)
        if folder is not None:
            return MailFolder(folder, sender=self.settings.mail_sender)
        return SmtpCarrier(self.settings.mail.smtp_url.get_secret_value(), sender=self.settings.mail_sender)


def mail_folder(settings: Settings) -> Path | None:
    """Where letters lie when local mode has no mail server."""
    has_server = bool(settings.mail.smtp_url.get_secret_value())
    return settings.var.resolve() / "mail" if settings.mode == "local" and not has_server else None
