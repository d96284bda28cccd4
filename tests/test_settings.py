"""Settings: what is read from where, every mistake at once, and what production refuses."""

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from secrets import token_bytes, token_hex, token_urlsafe

import pytest

from service.federation import ProviderConfig
from service.settings import (
    Settings,
    SettingsRefused,
    format_span,
    format_value,
    knobs,
    load_settings,
    parse_span,
    read_settings,
)

GOOD = {
    "GATEPOST_MODE": "production",
    "GATEPOST_PUBLIC_URL": "https://id.example.com",
    "GATEPOST_SECRET_KEY": token_urlsafe(32),
    "GATEPOST_DATABASE_URL": "postgresql://gatepost:hunter22@db/gatepost",
    "GATEPOST_REDIS_URL": "rediss+cluster://:hunter22@one:6379,two:6379",
}


def mistakes(environ: dict[str, str]) -> dict[str, str]:
    """What is said of each setting that is refused; every one of them is named once."""
    lines = read_settings(environ)[1]
    found = {name: says for name, _, says in (line.partition(": ") for line in lines)}
    assert len(found) == len(lines), lines
    return found


def read_mistakes(environ: dict[str, str]) -> list[str]:
    return read_settings(environ)[1]


def names(environ: dict[str, str]) -> set[str]:
    return {name.removeprefix("GATEPOST_") for name in mistakes(environ)}


def test_an_empty_environment_is_local_mode() -> None:
    settings = load_settings({"PATH": "/bin", "HOME": "/"})
    assert settings == Settings()
    assert (settings.mode, settings.public_url, settings.issuer) == ("local", *["http://localhost:8000"] * 2)
    assert settings.audience == settings.issuer
    assert settings.tokens.algorithms == ("ES256", "RS256")
    assert not settings.secure


def test_every_kind_of_value_is_read() -> None:
    settings = load_settings(
        {
            "GATEPOST_SERVER__PORT": "9000",
            "GATEPOST_SERVER__TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8",
            "GATEPOST_SERVER__CORS_ORIGINS": '["https://app.example.com", "http://localhost:3000"]',
            "GATEPOST_TOKENS__ALGORITHMS": "RS256,ES256",
            "GATEPOST_TOKENS__ACCESS_LIFE": "15m",
            "GATEPOST_TOKENS__STRICT": "true",
            "GATEPOST_ACCESS__ROLES": '{"clerk": ["orders:read"]}',
            "GATEPOST_VAR": "/srv/gatepost",
        }
    )
    assert settings.public_url == "http://localhost:9000"
    assert settings.server.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert settings.server.cors_origins == ("https://app.example.com", "http://localhost:3000")
    assert settings.tokens.algorithms == ("RS256", "ES256")
    assert settings.tokens.access_life == timedelta(minutes=15)
    assert settings.tokens.strict
    assert settings.access.roles == {"clerk": ("orders:read",)}
    assert settings.var == Path("/srv/gatepost")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("0s", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        (" 30 d ", timedelta(days=30)),
    ],
)
def test_spans_are_read_and_written(text: str, span: timedelta) -> None:
    assert parse_span(text) == span
    assert parse_span(format_span(span)) == span


@pytest.mark.parametrize("text", ["", "15", "1.5h", "-1s", "1h30m", "15 minutes", "\u0661\u0665m", "999999999999d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write a span|longer than time"):
        parse_span(text)


def test_every_mistake_is_reported_at_once_and_none_shows_a_secret() -> None:
    environ = {
        "GATEPOST_MODE": "prod",
        "GATEPOST_ISSUER": "https://id.example.com/tenant",
        "GATEPOST_SERVER__PORT": "0",
        "GATEPOST_SERVER__TRUSTED_PROXIES": "10.0.0.1/8",
        "GATEPOST_SERVER__PROT": "8000",
        "GATEPOST_TOKENS__ACCESS_LIFE": "2d",
        "GATEPOST_TOKENS__ALGORITHMS": "none",
        "GATEPOST_API_KEYS__DEFAULT_LIFE": "500d",
        "GATEPOST_ACCESS__SCOPES": "{",
        "GATEPOST_ACCESS__ROLES": '{"admin": ["orders:read"]}',
        "GATEPOST_SECRET_KEY": "hunter22hunter22",
        "GATEPOST_PREVIOUS_SECRET_KEYS": f"{token_urlsafe(32)},hunter22",
        "GATEPOST_DATABASE_URL": "mysql://root:hunter22@db/x",
        "GATEPOST_REDIS_URL": "http://:hunter22@redis",
    }
    with pytest.raises(SettingsRefused) as refused:
        load_settings(environ)
    wrong = {name.removeprefix("GATEPOST_") for name in environ} - {"API_KEYS__DEFAULT_LIFE"}
    assert names(environ) == wrong | {"API_KEYS__LONGEST_LIFE"}
    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize("name", ["GATEPOST_TOKEN__STRICT", "GATEPOST_", "GATEPOST_MODE_FILE", "GATEPOST_SERVER"])
def test_a_name_that_does_not_exist_is_refused(name: str) -> None:
    assert mistakes({name: "x"}) == {name: "there is no such setting"}


def test_every_secret_can_come_from_a_file(tmp_path: Path) -> None:
    twins = {knob.name for knob in knobs() if knob.secret}
    own = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PREVIOUS_SECRET_KEYS", "MAIL__SMTP_URL")
    assert twins == {f"GATEPOST_{name}" for name in own}
    values = {
        **GOOD,
        "GATEPOST_PREVIOUS_SECRET_KEYS": token_urlsafe(32),
        "GATEPOST_MAIL__SMTP_URL": "smtps://gatepost:hunter22@mail.example",
    }
    environ = {name: value for name, value in values.items() if name not in twins}
    for name in twins:
        (tmp_path / name).write_text(f"{values[name]}\n")
        environ |= {f"{name}_FILE": str(tmp_path / name), name: ""}
    assert load_settings(environ) == load_settings(values)


def test_a_file_that_cannot_be_read_or_is_one_too_many_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "bytes"):
        assert names({"GATEPOST_SECRET_KEY_FILE": str(path)}) == {"SECRET_KEY_FILE"}
    both = {"GATEPOST_REDIS_URL": "redis://a", "GATEPOST_REDIS_URL_FILE": "/dev/null"}
    assert mistakes(both) == {"GATEPOST_REDIS_URL_FILE": "GATEPOST_REDIS_URL is set too"}


def test_letters_need_a_way_to_go_and_a_sender() -> None:
    local = load_settings({"GATEPOST_PUBLIC_URL": "https://id.example.com"})
    assert (local.sends_letters, local.mail_sender) == (True, "Gatepost <no-reply@id.example.com>")
    assert not load_settings(GOOD).sends_letters
    assert load_settings({**GOOD, "GATEPOST_MAIL__SMTP_URL": "smtp://mail"}).sends_letters
    assert names({**GOOD, "GATEPOST_ACCOUNTS__REGISTRATION": "open"}) == {"ACCOUNTS__REGISTRATION"}
    assert names({"GATEPOST_ACCOUNTS__REGISTRATION": "everybody"}) == {"ACCOUNTS__REGISTRATION"}
    assert names({"GATEPOST_ACCOUNTS__REGISTRATION_ROLES": "admin"}) == {"ACCOUNTS__REGISTRATION_ROLES"}
    assert names({"GATEPOST_ACCOUNTS__REGISTRATION_ROLES": "king"}) == {"ACCOUNTS__REGISTRATION_ROLES"}
    assert names({"GATEPOST_MAIL__SMTP_URL": "http://mail"}) == {"MAIL__SMTP_URL"}
    assert names({"GATEPOST_MAIL__SENDER": "Gatepost"}) == {"MAIL__SENDER"}


ACME = {"client_id": "us", "client_secret": "hunter22", "issuer": "https://id.example"}


def with_providers(providers: object, **more: str) -> dict[str, str]:
    return {"GATEPOST_FEDERATION__PROVIDERS": json.dumps(providers), **more}


def test_providers_are_several_and_their_kinds_bring_what_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter23\n")
    google = {"kind": "google", "client_id": "us", "client_secret_file": str(tmp_path / "secret"), "keep_tokens": True}
    acme = {**ACME, "label": "Acme", "scopes": ["openid", "email"], "trust_email": False}
    settings = load_settings(with_providers({"google": google, "acme": acme}))
    scopes = ("openid", "email", "profile")
    assert settings.identity_providers() == (
        ProviderConfig(
            "google", "google", "us", "hunter23", "https://accounts.google.com", "Google", scopes, True, True
        ),
        ProviderConfig("acme", "oidc", "us", "hunter22", "https://id.example", "Acme", scopes[:2], False, False),
    )
    assert "hunter" not in repr(settings)
    assert "hunter" not in format_value(settings.federation.providers)


def test_every_mistake_in_providers_is_told_at_once_with_its_place_and_without_a_secret() -> None:
    providers: dict[str, object] = {
        "Acme": ACME,
        "kindless": {**ACME, "kind": "saml"},
        "nowhere": {**ACME, "issuer": ""},
        "plain": {**ACME, "issuer": "http://id.example"},
        "queried": {**ACME, "issuer": "https://id.example/?x=1"},
        "closed": {**ACME, "scopes": ["email"]},
        "odd": {**ACME, "scopes": ["openid", 'a"b']},
        "bare": {**ACME, "client_id": ""},
        "long": {**ACME, "label": "x" * 65},
    }
    told = {line.partition("PROVIDERS: ")[2].partition(":")[0] for line in read_mistakes(with_providers(providers))}
    assert told == {
        *("Acme.name", "kindless.kind", "nowhere.issuer", "plain.issuer", "queried.issuer"),
        *("closed.scopes", "odd.scopes", "bare.client_id", "long.label"),
    }
    shapes = {
        "typo": {**ACME, "client_secrets": "hunter22"},
        "both": {**ACME, "client_secret_file": "/dev/null"},
        "gone": {"client_id": "us", "issuer": "https://id.example", "client_secret_file": "/nowhere/hunter22"},
        "untold": {"issuer": "https://id.example"},
    }
    lines = read_mistakes(with_providers(shapes))
    assert {line.partition("PROVIDERS: ")[2].partition(":")[0] for line in lines} == {
        *("typo.client_secrets", "both", "gone", "untold.client_id"),
    }
    assert not any("hunter22" in line for line in lines)


def test_a_provider_on_this_machine_is_for_local_mode_and_open_registration_may_rest_on_providers_alone() -> None:
    local = with_providers({"acme": {**ACME, "issuer": "http://127.0.0.1:9000"}})
    assert names(local) == set()
    assert names({**GOOD, **local}) == {"FEDERATION__PROVIDERS"}
    assert names({**GOOD, **with_providers({"acme": ACME}), "GATEPOST_ACCOUNTS__REGISTRATION": "open"}) == set()


def test_applications_are_sent_back_to_addresses_of_theirs_alone() -> None:
    good = "https://app.example/back,com.example.app:/back,http://localhost:3000/cb"
    assert names({"GATEPOST_FEDERATION__REDIRECT_URIS": good}) == set()
    for bad in ("https://*.example/", "javascript:alert(1)", "http://app.example/", "https://app.example/#x"):
        assert names({"GATEPOST_FEDERATION__REDIRECT_URIS": bad}) == {"FEDERATION__REDIRECT_URIS"}


def test_production_accepts_what_is_safe_and_names_what_is_missing() -> None:
    settings = load_settings({**GOOD, "GATEPOST_SERVER__WORKERS": "4"})
    assert settings.secure
    assert settings.issuer == "https://id.example.com"
    assert names({"GATEPOST_MODE": "production"}) == {"PUBLIC_URL", "SECRET_KEY", "DATABASE_URL", "REDIS_URL"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "http://id.example.com"),
        ("ISSUER", "http://id.example.com"),
        ("SERVER__CORS_ORIGINS", "*"),
        ("SERVER__CORS_ORIGINS", "https://*.example.com"),
        ("DATABASE_URL", "sqlite:////srv/gatepost.db"),
    ],
)
def test_production_refuses_what_is_unsafe_by_name(name: str, value: str) -> None:
    assert names({**GOOD, "GATEPOST_SERVER__WORKERS": "2", f"GATEPOST_{name}": value}) == {name}


def test_one_worker_may_use_sqlite_in_production() -> None:
    load_settings({**GOOD, "GATEPOST_DATABASE_URL": "sqlite:////srv/gatepost.db"})


@pytest.mark.parametrize(
    "bad", ["collector:4318", "http://", "ftp://a/v1", "http://a:b@c/v1/traces", "http://a/?key=b"]
)
def test_traces_go_to_an_address_that_tells_no_secret(bad: str) -> None:
    assert names({"GATEPOST_TELEMETRY__TRACES": "http://collector:4318/v1/traces"}) == set()
    assert names({"GATEPOST_TELEMETRY__TRACES": bad}) == {"TELEMETRY__TRACES"}


def test_the_management_port_is_not_that_of_everybody() -> None:
    assert names({"GATEPOST_SERVER__MANAGEMENT_PORT": "8000"}) == {"SERVER__MANAGEMENT_PORT"}
    assert names({"GATEPOST_SERVER__MANAGEMENT_PORT": "9000"}) == set()


@pytest.mark.parametrize(
    "text",
    [
        "changeme",
        "secret" * 12,
        pytest.param(token_urlsafe(31), id="31 bytes in base64url"),
        pytest.param(token_hex(31), id="31 bytes in hex"),
        "a" * 43,
        urlsafe_b64encode(bytes(32)).decode(),
        "correct-horse-battery-staple-correct-horse-battery",
        "a long sentence that somebody has typed by hand and Not random",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",  # FastAPI's tutorial
    ],
)
def test_a_weak_secret_is_refused(text: str) -> None:
    assert names({**GOOD, "GATEPOST_SECRET_KEY": text}) == {"SECRET_KEY"}
    assert names({**GOOD, "GATEPOST_PREVIOUS_SECRET_KEYS": text}) == {"PREVIOUS_SECRET_KEYS"}


def test_secrets_are_read_in_each_usual_form() -> None:
    raw = token_bytes(32)
    texts = [urlsafe_b64encode(raw).decode(), urlsafe_b64encode(raw).decode().rstrip("="), raw.hex()]
    texts.append(texts[0].replace("-", "+").replace("_", "/"))
    for text in texts:
        assert [secret.raw for secret in load_settings({**GOOD, "GATEPOST_SECRET_KEY": text}).secrets()] == [raw]


@pytest.mark.spec("RFC 8414 §3")
@pytest.mark.parametrize(
    "url",
    [
        "id.example.com",
        "https://id.example.com/tenant",
        "https://",
        "https://id.example.com/",
        "https://id.example.com?a=b",
        "https://id.example.com#a",
        "https://user:pw@id.example.com",
        "https://ID.example.com",
        "https://id.example.com:443",
        "https://id.example.com:port",
        "https://[::1",
        "https://идент.example.com",
        "ftp://id.example.com",
    ],
)
def test_an_address_is_a_scheme_a_host_and_perhaps_a_port(url: str) -> None:
    assert names({"GATEPOST_PUBLIC_URL": url, "GATEPOST_ISSUER": "https://[::1]:8443"}) == {"PUBLIC_URL"}
    assert names({"GATEPOST_SERVER__CORS_ORIGINS": url}) == {"SERVER__CORS_ORIGINS"}


def test_nothing_secret_shows_when_settings_are_printed() -> None:
    assert "hunter22" not in repr(load_settings(GOOD))
    assert GOOD["GATEPOST_SECRET_KEY"] not in repr(load_settings(GOOD))
