"""What each value alone does not show: settings that contradict each other, and what production may not have."""

from collections.abc import Iterable, Iterator
from email.utils import parseaddr
from importlib.util import find_spec
from urllib.parse import urlsplit

from pydantic import SecretStr

from service.access.catalogue import ADMIN_ROLE, Catalogue
from service.accounts.names import parse_email
from service.addresses import RegistrationMode
from service.clients.uris import checked_redirect_uri
from service.crypto.secret import RootSecret
from service.federation.checks import mistakes_in as wrong_provider
from service.protocol.errors import Invalid
from service.settings.model import AccessSettings, Settings

PREFIX = "GATEPOST_"
_OWN_PORTS = {"http": 80, "https": 443}
_DATABASES = ("sqlite", "postgresql", "postgres")
_REDISES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")


def mistakes_in(settings: Settings) -> Iterator[str]:
    """One line for each: the setting's name, then what is wrong with it."""
    yield from _wrong_addresses(settings)
    if set(settings.tokens.algorithms) == {"HS256"}:
        yield f"{PREFIX}TOKENS__ALGORITHMS: name ES256 or RS256 too: nobody else can verify an id_token of HS256"
    if settings.tokens.session_life < settings.tokens.access_life:
        yield f"{PREFIX}TOKENS__SESSION_LIFE: is shorter than an access token's life"
    if settings.api_keys.longest_life < settings.api_keys.default_life:
        yield f"{PREFIX}API_KEYS__LONGEST_LIFE: is shorter than the default life"
    yield from _wrong_scopes(settings.access)
    if "://" in settings.audit.heads and not settings.audit.heads.startswith("https://"):
        yield f"{PREFIX}AUDIT__HEADS: is a file, or an address that begins with https://"
    yield from _wrong_traces(settings.telemetry.traces)
    yield from _wrong_secrets(settings)
    yield from _wrong_mail(settings)
    yield from _wrong_federation(settings)
    if settings.mode == "production":
        yield from _unsafe_in_production(settings)


def _wrong_addresses(settings: Settings) -> Iterator[str]:
    for name in ("public_url", "issuer"):
        if not _is_origin(getattr(settings, name)):
            yield f"{PREFIX}{name.upper()}: write scheme, host and port only, such as https://id.example.com"
    if settings.server.management_port == settings.server.port:
        yield f"{PREFIX}SERVER__MANAGEMENT_PORT: is the port of everybody, GATEPOST_SERVER__PORT"
    for origin in settings.server.cors_origins:
        if "*" in origin:
            yield f"{PREFIX}SERVER__CORS_ORIGINS: a wildcard would let any page use the caller's cookies"
        elif not _is_origin(origin):
            yield f"{PREFIX}SERVER__CORS_ORIGINS: write each as a browser sends it, such as https://app.example.com"
    if _scheme(settings.database_url).partition("+")[0] not in ("", *_DATABASES):
        yield f"{PREFIX}DATABASE_URL: the ledger is SQLite or PostgreSQL"
    if _scheme(settings.redis_url) not in ("", *_REDISES):
        yield f"{PREFIX}REDIS_URL: begins with one of {', '.join(_REDISES)}"


def _wrong_traces(address: str) -> Iterator[str]:
    if not address:
        return
    parts = urlsplit(address)
    if parts.scheme not in _OWN_PORTS or not parts.hostname or parts.username or parts.query:
        yield f"{PREFIX}TELEMETRY__TRACES: write an http address without credentials or query"
    if not _has_tracing():
        yield f"{PREFIX}TELEMETRY__TRACES: needs the extra: pip install gatepost-service[otel]"


def _has_tracing() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # not even its parents
        return False


def _wrong_scopes(access: AccessSettings) -> Iterator[str]:
    catalogue = Catalogue()
    named: dict[str, Iterable[str]] = {f"{PREFIX}ACCESS__SCOPES": access.scopes}
    named |= {f"{PREFIX}ACCESS__ROLES: {role}": scopes for role, scopes in access.roles.items()}
    for name, scopes in named.items():
        try:
            catalogue.checked_scopes(scopes)
        except Invalid as refusal:
            yield f"{name}: {refusal.public}"
    if ADMIN_ROLE in access.roles:
        yield f"{PREFIX}ACCESS__ROLES: {ADMIN_ROLE} is a role of Gatepost's own"


def _wrong_secrets(settings: Settings) -> Iterator[str]:
    for name in ("secret_key", "previous_secret_keys"):
        for text in getattr(settings, name).get_secret_value().split(","):
            try:
                if text.strip():
                    RootSecret.parse(text)
            except ValueError as problem:
                yield f"{PREFIX}{name.upper()}: {problem}"


def _is_origin(text: str) -> bool:
    """Whether this is `scheme://host[:port]` and nothing more, as browsers write it (RFC 6454 §6.2)."""
    try:
        url = urlsplit(text)
        port = "" if url.port in (None, _OWN_PORTS.get(url.scheme)) else f":{url.port}"
    except ValueError:
        return False
    host = f"[{url.hostname}]" if url.hostname and ":" in url.hostname else url.hostname
    return url.scheme in _OWN_PORTS and bool(host) and text.isascii() and text == f"{url.scheme}://{host}{port}"


def _scheme(url: SecretStr) -> str:
    """The part before `://`; the whole text when there is none."""
    return url.get_secret_value().partition("://")[0].lower()


def _wrong_mail(settings: Settings) -> Iterator[str]:
    url = settings.mail.smtp_url
    if url.get_secret_value() and _scheme(url) not in ("smtp", "smtps"):
        yield f"{PREFIX}MAIL__SMTP_URL: begins with smtp:// or smtps://"
    try:
        parse_email(parseaddr(settings.mail.sender or "no-reply@gatepost.example")[1])
    except Invalid:
        yield f"{PREFIX}MAIL__SENDER: write it as Name <address@domain.example>"
    roles = {ADMIN_ROLE, *settings.access.roles}
    for role in settings.accounts.registration_roles:
        if role not in roles or role == ADMIN_ROLE:
            yield f"{PREFIX}ACCOUNTS__REGISTRATION_ROLES: {role!r} is no role that strangers can have"
    is_reachable = settings.sends_letters or settings.federation.providers
    if settings.accounts.registration is RegistrationMode.OPEN and not is_reachable:
        yield f"{PREFIX}ACCOUNTS__REGISTRATION: open needs {PREFIX}MAIL__SMTP_URL or {PREFIX}FEDERATION__PROVIDERS"


def _wrong_federation(settings: Settings) -> Iterator[str]:
    for config in settings.identity_providers():
        for field, wrong in wrong_provider(config, local=settings.mode == "local"):
            yield f"{PREFIX}FEDERATION__PROVIDERS: {config.name}.{field}: {wrong}"
    for uri in settings.federation.redirect_uris:
        try:
            checked_redirect_uri("redirect_uris", uri)
        except Invalid as refusal:
            yield f"{PREFIX}FEDERATION__REDIRECT_URIS: {uri}: {refusal.public}"


def _unsafe_in_production(settings: Settings) -> Iterator[str]:
    if not settings.secure:
        yield f"{PREFIX}PUBLIC_URL: production needs https"
    if settings.issuer != settings.public_url and not settings.issuer.startswith("https://"):
        yield f"{PREFIX}ISSUER: production needs https"
    if not settings.secret_key.get_secret_value():
        yield f"{PREFIX}SECRET_KEY: production needs one; make it with: gatepost config secret"
    if not settings.redis_url.get_secret_value():
        yield f"{PREFIX}REDIS_URL: production needs a Redis or Valkey of its own"
    database = settings.database_url.get_secret_value()
    if not database:
        yield f"{PREFIX}DATABASE_URL: production needs one"
    elif _scheme(settings.database_url).startswith("sqlite") and settings.server.workers > 1:
        yield f"{PREFIX}DATABASE_URL: SQLite serves one worker only; use PostgreSQL or GATEPOST_SERVER__WORKERS=1"
