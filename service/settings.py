"""Every knob, grouped and frozen. Rooms get values, never these objects.

Read from `GATEPOST_*`, groups joined by `__` (`GATEPOST_TOKENS__ACCESS_LIFE=15m`). Each secret has a `_FILE` twin that
names a file. All mistakes are reported at once; unknown names are refused. Spans are written `250ms`, `10s`, `15m`,
`1h`, `30d`; lists and maps as JSON, lists of words also with commas.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from service.crypto.secret import RootSecret

PREFIX = "GATEPOST_"
_FILE = "_FILE"
_SPAN = re.compile(r"(\d+)\s*(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST_ACCESS_LIFE = timedelta(days=1)


def parse_span(value: object) -> object:
    """`15m` → 15 minutes; anything that is not text passes through."""
    if not isinstance(value, str):
        return value
    found = _SPAN.fullmatch(value.strip())
    if found is None:
        raise ValueError("write a span such as 250ms, 10s, 15m, 1h or 30d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _parse_words(value: object) -> object:
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [word.strip() for word in value.split(",") if word.strip()]
    return _parse_json(value)


def _parse_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("write this as JSON") from None


Span = Annotated[timedelta, BeforeValidator(parse_span)]
Words = Annotated[tuple[str, ...], BeforeValidator(_parse_words)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_parse_words)]
Algorithm = Literal["ES256", "RS256", "HS256"]
Algorithms = Annotated[tuple[Algorithm, ...], BeforeValidator(_parse_words), Field(min_length=1)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class ServerSettings(_Group):
    """Where the service listens, and whom it believes."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Number of worker processes.")
    trusted_proxies: Networks = Field(
        (), description="Networks of proxies whose X-Forwarded-For is believed, comma separated."
    )
    cors_origins: Words = Field((), description="Origins of browser applications, comma separated, exact.")
    max_body: int = Field(262_144, ge=1_024, description="Largest request body, in bytes.")


class TokenSettings(_Group):
    """Access tokens, sessions and refresh."""

    algorithms: Algorithms = Field(
        ("ES256",), description="Signing algorithms whose keys are kept; the first signs access tokens."
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
    strict: bool = Field(False, description="Ask Redis about revocation on every request too.")
    max_feed_age: Span = Field(
        timedelta(seconds=30),
        ge=timedelta(seconds=2),
        description="With both stores away, tokens are judged by the near-cache for this long, then 503.",
    )


class KeySettings(_Group):
    """Signing keys."""

    rotate_every: Span = Field(timedelta(days=30), ge=timedelta(hours=1), description="Age at which a key is replaced.")
    publish_lead: Span = Field(
        timedelta(hours=1), ge=timedelta(0), description="A new key is published this long before it signs."
    )


class PasswordSettings(_Group):
    """Passwords."""

    minimum_length: int = Field(15, ge=8, le=64, description="Shortest new password, in characters.")
    hash_threads: int = Field(2, ge=1, le=64, description="Password hashes computed at once, in each worker.")
    hash_queue: int = Field(32, ge=0, le=10_000, description="Password hashes that may wait; more are told 503.")


class ApiKeySettings(_Group):
    """API keys."""

    default_life: Span = Field(timedelta(days=90), gt=timedelta(0), description="Life of a key that asks for none.")
    longest_life: Span = Field(timedelta(days=365), gt=timedelta(0), description="Longest life that may be asked.")
    per_user: int = Field(50, ge=1, description="Most living keys that one person may have.")
    allow_in_query: bool = Field(False, description="Take a key from the query parameter `api_key` too.")


class AccessSettings(_Group):
    """Scopes and roles."""

    scopes: Annotated[dict[str, str], BeforeValidator(_parse_json)] = Field(
        {}, description="JSON map: scope to what it means in plain words."
    )
    roles: Annotated[dict[str, tuple[str, ...]], BeforeValidator(_parse_json)] = Field(
        {}, description="JSON map: role to its list of scopes."
    )


class BrowserSettings(_Group):
    """Browser sessions."""

    default_mode: Literal["json", "cookie"] = Field(
        "json", description="What /auth/login answers with when `mode` is not asked for."
    )


class LogSettings(_Group):
    """Logs."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is written.")
    form: Literal["console", "json"] = Field("console", description="console for people, json for machines.")


class Settings(_Group):
    """The whole configuration."""

    mode: Literal["local", "production"] = Field(
        "local", description="local brings its own stores and secrets; production refuses what is unsafe."
    )
    public_url: str = Field("http://localhost:8000", description="The address that the world sees, without a path.")
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
    log: LogSettings = LogSettings()

    @model_validator(mode="before")
    @classmethod
    def _issuer_is_public_url(cls, data: Any) -> Any:
        """The issuer follows the public URL unless it is given."""
        if isinstance(data, dict) and not data.get("issuer"):
            return {**data, "issuer": data.get("public_url", cls.model_fields["public_url"].default)}
        return data

    @property
    def audience(self) -> str:
        """`aud` of access tokens."""
        return self.tokens.audience or self.issuer

    @property
    def secure(self) -> bool:
        """Whether the world reaches us over https."""
        return self.public_url.startswith("https://")

    def secrets(self) -> tuple[RootSecret, ...]:
        """The secret in use, then those that were used before. Raises `ValueError`."""
        texts = [self.secret_key.get_secret_value(), *self.previous_secret_keys.get_secret_value().split(",")]
        return tuple(RootSecret.parse(text) for text in texts if text.strip())


class SettingsRefused(Exception):
    """The configuration cannot be used; `mistakes` names every reason, one line each, and no secret."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting as an operator sees it."""

    name: str
    path: tuple[str, ...]
    default: str
    description: str
    secret: bool


def knobs(model: type[BaseModel] = Settings, path: tuple[str, ...] = ()) -> Iterator[Knob]:
    """Every setting there is, in order."""
    for name, found in model.model_fields.items():
        if isinstance(found.annotation, type) and issubclass(found.annotation, _Group):
            yield from knobs(found.annotation, (*path, name))
        else:
            yield Knob(
                name=PREFIX + "__".join((*path, name)).upper(),
                path=(*path, name),
                default=_as_text(found.default),
                description=found.description or "",
                secret=found.annotation is SecretStr,
            )


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings of this environment. Raises `SettingsRefused` with every mistake that can be seen from here."""
    known = {knob.name: knob for knob in knobs()}
    mistakes: list[str] = []
    values: dict[str, Any] = {}
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX):
            continue
        knob = known.get(name) or known.get(name.removesuffix(_FILE))
        if knob is None or (knob.name != name and not knob.secret):
            mistakes.append(f"{name}: there is no such setting")
            continue
        if knob.name != name:
            if knob.name in environ:
                mistakes.append(f"{name}: {knob.name} is set too")
                continue
            try:
                value = Path(value).read_text().strip()
            except (OSError, UnicodeDecodeError) as problem:
                mistakes.append(f"{name}: the file cannot be read ({type(problem).__name__})")
                continue
        _put(values, knob.path, value)
    settings = _validated(values, mistakes)
    mistakes += _wrong_together(settings)
    if mistakes:
        raise SettingsRefused(mistakes)
    return settings


def _validated(values: dict[str, Any], mistakes: list[str]) -> Settings:
    """The settings; a value that is refused is reported and left at its default, so that the rest is looked at too."""
    try:
        return Settings.model_validate(values)
    except ValidationError as problem:
        for error in problem.errors(include_input=False, include_url=False):
            path = tuple(str(part) for part in error["loc"][:2] if isinstance(part, str))
            name = PREFIX + "__".join(path).upper()
            mistakes.append(f"{name}: {error['msg'].removeprefix('Value error, ')}")
            _drop(values, path)
        return _validated(values, mistakes)


def _drop(values: dict[str, Any], path: tuple[str, ...]) -> None:
    *groups, name = path
    for group in groups:
        values = values[group]
    values.pop(name, None)


def _wrong_together(settings: Settings) -> Iterator[str]:
    """What each value alone does not show; in production, everything that is unsafe."""
    for name in ("public_url", "issuer"):
        url = urlsplit(getattr(settings, name))
        if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment or url.path:
            yield f"{PREFIX}{name.upper()}: write scheme, host and port only, such as https://id.example.com"
    if "*" in settings.server.cors_origins:
        yield f"{PREFIX}SERVER__CORS_ORIGINS: a wildcard would let any page use the caller's cookies"
    if settings.tokens.session_life < settings.tokens.access_life:
        yield f"{PREFIX}TOKENS__SESSION_LIFE: is shorter than an access token's life"
    if settings.api_keys.longest_life < settings.api_keys.default_life:
        yield f"{PREFIX}API_KEYS__LONGEST_LIFE: is shorter than the default life"
    if settings.secret_key.get_secret_value():
        try:
            settings.secrets()
        except ValueError as problem:
            yield f"{PREFIX}SECRET_KEY: {problem}"
    if settings.mode == "production":
        yield from _unsafe_in_production(settings)


def _unsafe_in_production(settings: Settings) -> Iterator[str]:
    if not settings.secure:
        yield f"{PREFIX}PUBLIC_URL: production needs https"
    if not settings.issuer.startswith("https://"):
        yield f"{PREFIX}ISSUER: production needs https"
    if not settings.secret_key.get_secret_value():
        yield f"{PREFIX}SECRET_KEY: production needs one; make it with: gatepost config secret"
    if not settings.redis_url.get_secret_value():
        yield f"{PREFIX}REDIS_URL: production needs a Redis or Valkey of its own"
    database = settings.database_url.get_secret_value()
    if not database:
        yield f"{PREFIX}DATABASE_URL: production needs one"
    elif database.startswith("sqlite") and settings.server.workers > 1:
        yield f"{PREFIX}DATABASE_URL: SQLite serves one worker only; use PostgreSQL or GATEPOST_SERVER__WORKERS=1"


def _put(values: dict[str, Any], path: tuple[str, ...], value: str) -> None:
    for part in path[:-1]:
        values = values.setdefault(part, {})
    values[path[-1]] = value


def _as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return format_span(value)
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return json.dumps(value) if isinstance(value, dict) else str(value)


def format_span(span: timedelta) -> str:
    """The shortest way to write a span."""
    for unit, name in reversed(_UNITS.items()):
        size = timedelta(**{name: 1})
        if span and span % size == timedelta(0):
            return f"{span // size}{unit}"
    return "0s"
