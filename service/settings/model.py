"""Every knob, grouped and frozen."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from service.addresses import RegistrationMode
from service.crypto.secret import RootSecret
from service.federation import ProviderConfig, completed
from service.limits.rate import UNLIMITED, Rate
from service.settings.values import Algorithms, Descriptions, Networks, RateText, Roles, Span, Words, parse_json

LONGEST_ACCESS_LIFE = timedelta(days=1)


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class ServerSettings(Group):
    """Where the service listens, and whom it believes."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Number of worker processes.")
    management_host: str = Field("127.0.0.1", description="Address to listen on for the management port.")
    management_port: int = Field(
        0, ge=0, le=65535, description="Port of /livez, /readyz and /metrics without credentials; 0: none."
    )
    trusted_proxies: Networks = Field(
        (), description="Networks of proxies whose X-Forwarded-For is believed, comma separated."
    )
    cors_origins: Words = Field((), description="Origins of browser applications, comma separated, exact.")
    max_body: int = Field(262_144, ge=1_024, description="Largest request body, in bytes.")


class TokenSettings(Group):
    """Access tokens, sessions and refresh."""

    algorithms: Algorithms = Field(
        ("ES256", "RS256"),
        description="Signing algorithms whose keys are kept; the first signs access tokens, any an id_token.",
    )
    audience: str = Field("", description="`aud` of access tokens; the issuer when empty.")
    access_life: Span = Field(
        timedelta(hours=1), ge=timedelta(seconds=10), le=LONGEST_ACCESS_LIFE, description="Life of an access token."
    )
    refresh_grace: Span = Field(
        timedelta(seconds=10),
        ge=timedelta(0),
        le=timedelta(minutes=2),
        description="How long a refresh token may come again for the same successor; 0s is strict.",
    )
    session_idle: Span = Field(
        timedelta(days=30), ge=timedelta(minutes=1), description="A session ends after this long without use."
    )
    session_life: Span = Field(
        timedelta(days=90), ge=timedelta(minutes=1), description="A session ends after this long."
    )
    sessions_per_user: int = Field(
        100,
        ge=10,
        le=500,
        description="Most sessions that one person has; those unused for longest end as new ones open.",
    )
    strict: bool = Field(False, description="Ask Redis about revocation on every request too.")
    max_feed_age: Span = Field(
        timedelta(seconds=30),
        ge=timedelta(seconds=2),
        description="With both stores away, tokens are judged by the near-cache for this long, then 503.",
    )


class KeySettings(Group):
    """Signing keys."""

    rotate_every: Span = Field(timedelta(days=30), ge=timedelta(hours=1), description="Age at which a key is replaced.")
    publish_lead: Span = Field(
        timedelta(hours=1), ge=timedelta(0), description="A new key is published this long before it signs."
    )


class PasswordSettings(Group):
    """Passwords."""

    minimum_length: int = Field(15, ge=8, le=64, description="Shortest new password, in characters.")
    breached_file: str = Field(
        "", description="Breached passwords to refuse: SHA-1 in hex, ordered by hash, as Have I Been Pwned has them."
    )
    hash_threads: int = Field(2, ge=1, le=64, description="Password hashes computed at once, in each worker.")
    hash_queue: int = Field(32, ge=0, le=10_000, description="Password hashes that may wait; more are told 503.")


class ApiKeySettings(Group):
    """API keys."""

    default_life: Span = Field(timedelta(days=90), gt=timedelta(0), description="Life of a key that asks for none.")
    longest_life: Span = Field(timedelta(days=365), gt=timedelta(0), description="Longest life that may be asked.")
    per_user: int = Field(50, ge=1, description="Most living keys that one person may have.")
    allow_in_query: bool = Field(False, description="Take a key from the query parameter `api_key` too.")


class AccessSettings(Group):
    """Scopes and roles."""

    scopes: Descriptions = Field({}, description="JSON map: scope to what it means in plain words.")
    roles: Roles = Field({}, description="JSON map: role to its list of scopes.")


class BrowserSettings(Group):
    """Browser sessions."""

    default_mode: Literal["json", "cookie"] = Field(
        "json", description="What /auth/login answers with when `mode` is not asked for."
    )
    session_idle: Span = Field(
        timedelta(hours=12), ge=timedelta(minutes=1), description="A sign-in at the hosted pages ends after this rest."
    )
    session_life: Span = Field(
        timedelta(days=14), ge=timedelta(minutes=1), description="A sign-in at the hosted pages ends after this long."
    )
    recent_sign_in: Span = Field(
        timedelta(minutes=10),
        ge=timedelta(minutes=1),
        le=timedelta(hours=12),
        description="Account pages that change a password, address, key or way in ask to sign in again after this.",
    )


class AccountSettings(Group):
    """Accounts."""

    registration: RegistrationMode = Field(
        RegistrationMode.INVITATION, description="Who may make an account: open, invitation or closed."
    )
    registration_roles: Words = Field((), description="Roles of whoever registers uninvited, comma separated.")


class MailSettings(Group):
    """Letters."""

    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="smtp://user:password@host:587 or smtps://…:465; files under var in local mode, none otherwise.",
    )
    sender: str = Field(
        "", description="What letters come from, as Name <address>; no-reply at the public URL's host when empty."
    )


class LimitSettings(Group):
    """Limits on guessing and on asking: docs/limits.md."""

    api_rate: RateText = Field(
        Rate(1_000, timedelta(hours=1)),
        description="What each caller may ask of the JSON API: so many in one s, m, h or d, or unlimited.",
    )
    verify_rate: RateText = Field(UNLIMITED, description="The same for each caller at /auth/verify.")
    oauth_rate: RateText = Field(
        UNLIMITED,
        description="The same for each client with a secret at OAuth's endpoints; each person at /userinfo.",
    )
    network_rate: RateText = Field(
        Rate(600, timedelta(minutes=1)), description="The same for each network, at what needs no credential."
    )
    page_rate: RateText = Field(
        Rate(3_000, timedelta(minutes=1)), description="The same for each network, at the hosted pages."
    )
    close_after: int = Field(
        5, ge=1, le=100, description="Failures by strangers that close an account to them; by one device, to it."
    )
    stop_after: int = Field(
        50, ge=1, le=100, description="Failures in a row that keep it closed until a new password is set."
    )
    slow_after: int = Field(3, ge=1, le=100, description="Failures of one network at one account that slow it there.")
    network_failures: int = Field(
        50, ge=1, description="Failures of one network at all accounts, keys or links that slow it."
    )
    program_failures: int = Field(
        10, ge=1, description="Wrong secrets of one client, or device codes, from one network that slow it."
    )
    letters_to_address: int = Field(5, ge=1, description="Letters that may be asked for to one address in a row.")
    letters_from_network: int = Field(20, ge=1, description="Letters that may be asked for from one network in a row.")
    network_pace: Span = Field(
        timedelta(seconds=36), ge=timedelta(0), description="One failure of a network is forgotten this often."
    )
    first_closure: Span = Field(
        timedelta(minutes=1),
        ge=timedelta(seconds=1),
        le=timedelta(minutes=15),
        description="How long an account closes at first; twice as long each time after.",
    )
    longest_closure: Span = Field(
        timedelta(minutes=15),
        ge=timedelta(seconds=1),
        le=timedelta(minutes=15),
        description="How long anything stays closed at most, but for what has stopped.",
    )


class ProviderSettings(Group):
    """One provider that people can sign in with. `client_secret_file` names a file in place of the secret."""

    kind: str = "oidc"
    client_id: str
    client_secret: SecretStr = SecretStr("")
    issuer: str = ""
    label: str = ""
    scopes: Words = ()
    trust_email: bool = True
    keep_tokens: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, data: Any) -> Any:
        """The secret of a file in place of the file's name."""
        if not isinstance(data, dict) or "client_secret_file" not in data:
            return data
        rest = {name: value for name, value in data.items() if name != "client_secret_file"}
        if "client_secret" in rest:
            raise ValueError("client_secret and client_secret_file are both set")
        try:
            return {**rest, "client_secret": Path(data["client_secret_file"]).read_text().strip()}
        except (OSError, ValueError, TypeError):
            raise ValueError("client_secret_file cannot be read") from None


class FederationSettings(Group):
    """Signing in with other services."""

    providers: Annotated[dict[str, ProviderSettings], BeforeValidator(parse_json)] = Field(
        {}, description="JSON map: name to kind, client_id, client_secret or client_secret_file, issuer, label, scopes."
    )
    redirect_uris: Words = Field(
        (), description="Where applications may have people sent back to that sign in by JSON, comma separated, exact."
    )
    patience: Span = Field(
        timedelta(seconds=5),
        ge=timedelta(milliseconds=100),
        le=timedelta(seconds=10),
        description="How long another service may take for one answer.",
    )


class AuditSettings(Group):
    """Who did what."""

    heads: str = Field(
        "", description="File or https URL to which signed heads go; a file under var in local mode, none otherwise."
    )
    head_every: Span = Field(
        timedelta(minutes=1), ge=timedelta(seconds=1), description="A head is written this often at most."
    )
    keep: Span = Field(timedelta(days=400), ge=timedelta(0), description="Rows older than this are dropped; 0s: none.")


class UsageSettings(Group):
    """Who used how much."""

    count: bool = Field(True, description="Whether requests are counted.")
    flush_every: Span = Field(
        timedelta(seconds=5),
        ge=timedelta(milliseconds=100),
        le=timedelta(minutes=5),
        description="Counts are written this often; what a crash can lose.",
    )
    keep: Span = Field(
        timedelta(days=400),
        ge=timedelta(0),
        le=timedelta(days=36_500),
        description="Hours older than this are dropped; 0s: none.",
    )


class LogSettings(Group):
    """Logs."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is written.")
    form: Literal["console", "json"] = Field("console", description="console for people, json for machines.")


class TelemetrySettings(Group):
    """What operators are told: docs/telemetry.md."""

    metrics: bool = Field(True, description="Count for /metrics.")
    traces: str = Field(
        "", description="OTLP/HTTP address that spans go to, such as http://collector:4318/v1/traces; none when empty."
    )
    trace_ratio: float = Field(1.0, ge=0, le=1, description="How much of all requests is kept as traces.")


class Settings(Group):
    """The service as a whole."""

    mode: Literal["local", "production"] = Field(
        "local", description="local brings its own stores and secrets; production refuses what is unsafe."
    )
    public_url: str = Field(
        "", description="The address that the world sees, without a path; http://localhost and the port when empty."
    )
    issuer: str = Field("", description="`iss` of tokens; the public URL when empty.")
    var: Path = Field(Path("var"), description="Where local mode keeps its secret, database and Valkey data.")
    database_url: SecretStr = Field(
        SecretStr(""), description="postgresql+asyncpg://… or sqlite+aiosqlite:///…; a file under var in local mode."
    )
    redis_url: SecretStr = Field(
        SecretStr(""),
        description="redis://, rediss://, unix://, redis+sentinel://, redis+cluster://; embedded in local mode.",
    )
    redis_prefix: str = Field("gp:", pattern=r"^[A-Za-z0-9_:-]{1,32}$", description="What every Redis key begins with.")
    secret_key: SecretStr = Field(
        SecretStr(""), description="32 or more random bytes in base64url; kept under var in local mode."
    )
    previous_secret_keys: SecretStr = Field(
        SecretStr(""), description="Secrets that were used before, comma separated: still opened, no longer used."
    )
    server: ServerSettings = ServerSettings()
    tokens: TokenSettings = TokenSettings()
    keys: KeySettings = KeySettings()
    passwords: PasswordSettings = PasswordSettings()
    api_keys: ApiKeySettings = ApiKeySettings()
    access: AccessSettings = AccessSettings()
    browser: BrowserSettings = BrowserSettings()
    accounts: AccountSettings = AccountSettings()
    mail: MailSettings = MailSettings()
    limits: LimitSettings = LimitSettings()
    federation: FederationSettings = FederationSettings()
    audit: AuditSettings = AuditSettings()
    usage: UsageSettings = UsageSettings()
    log: LogSettings = LogSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @model_validator(mode="before")
    @classmethod
    def _addresses_follow(cls, data: Any) -> Any:
        """The public URL follows the port, and the issuer the public URL, unless they are given."""
        if not isinstance(data, dict):
            return data
        server = data.get("server", {})
        port = server.get("port", 8000) if isinstance(server, dict) else server.port
        public_url = data.get("public_url") or f"http://localhost:{str(port).strip()}"
        return {**data, "public_url": public_url, "issuer": data.get("issuer") or public_url}

    @property
    def audience(self) -> str:
        """`aud` of access tokens."""
        return self.tokens.audience or self.issuer

    @property
    def secure(self) -> bool:
        """Whether the world reaches us over https."""
        return self.public_url.startswith("https://")

    @property
    def mail_sender(self) -> str:
        """What letters come from."""
        return self.mail.sender or f"Gatepost <no-reply@{urlsplit(self.public_url).hostname}>"

    @property
    def audit_heads_file(self) -> Path | None:
        """The file to which heads of the audit are added, if it is one."""
        if self.audit.heads:
            return None if self.audit.heads.startswith(("http://", "https://")) else Path(self.audit.heads)
        return self.var.resolve() / "audit-heads" if self.mode == "local" else None

    @property
    def sends_letters(self) -> bool:
        """Whether letters go anywhere: by a mail server, or in local mode into a folder."""
        return self.mode == "local" or bool(self.mail.smtp_url.get_secret_value())

    def identity_providers(self) -> tuple[ProviderConfig, ...]:
        """The providers of the settings, with what their kinds bring."""
        return tuple(
            completed(
                ProviderConfig(
                    name=name,
                    kind=asked.kind,
                    client_id=asked.client_id,
                    client_secret=asked.client_secret.get_secret_value(),
                    issuer=asked.issuer,
                    label=asked.label,
                    scopes=asked.scopes,
                    trusts_email=asked.trust_email,
                    keeps_tokens=asked.keep_tokens,
                )
            )
            for name, asked in self.federation.providers.items()
        )

    def secrets(self) -> tuple[RootSecret, ...]:
        """The secret in use, then those that were used before. Raises `ValueError`."""
        texts = [self.secret_key.get_secret_value(), *self.previous_secret_keys.get_secret_value().split(",")]
        return tuple(RootSecret.parse(text) for text in texts if text.strip())
