"""The commands: what administrators can do over HTTP, beside a running server and without one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.web.admin.clients import ClientShown, NewClientShown
from service.web.admin.identity_providers import IdentityProviderShown
from service.web.admin.keys import SigningKeyShown
from service.web.admin.users import UserSessionShown, UserShown
from service.web.api_keys import KeyShown, NewKeyShown
from tests.cli.running import PASSWORD, Gatepost, Serving, Warm, production, wait_for


@pytest.fixture(scope="module")
def gatepost(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Gatepost:
    return Gatepost(tmp_path_factory.mktemp("gatepost"), warm=warm, ACCESS__ROLES='{"clerk": ["orders:read"]}')


@pytest.fixture(scope="module")
def serving(gatepost: Gatepost) -> Iterator[Serving]:
    with gatepost.start() as serving:
        yield serving


def add(gatepost: Gatepost, username: str, *options: str) -> dict[str, object]:
    made: dict[str, object] = gatepost.ask(
        "users", "create", username, "--password-stdin", *options, typed=f"{PASSWORD}\n"
    )
    return made


def me(serving: Serving, token: str) -> int:
    return serving.client.get("/users/me", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_lost_administrator_is_made_anew_before_there_is_a_server(tmp_path: Path) -> None:
    gatepost = Gatepost(tmp_path)
    made = add(gatepost, "ada", "--admin", "--email", "ada@example.com")
    assert made.keys() == UserShown.model_fields.keys()
    assert (made["username"], made["roles"], made["disabled"]) == ("ada", ["admin"], False)
    with gatepost.start() as serving:
        assert serving.link() is None
        assert serving.sign_in("ada@example.com").status_code == 200


def test_what_is_done_to_a_person_is_felt_at_once(gatepost: Gatepost, serving: Serving) -> None:
    add(gatepost, "bob", "--role", "clerk", "--scope", "reports:read")
    signed_in = serving.sign_in("bob").json()
    assert set(signed_in["scope"].split()) >= {"orders:read", "reports:read"}
    [session] = gatepost.ask("sessions", "list", "--user", "bob")
    assert session.keys() == UserSessionShown.model_fields.keys()
    assert gatepost.run("sessions", "end", session["id"]).returncode == 0
    wait_for(lambda: me(serving, signed_in["access_token"]) == 401, within=1)

    tokens = [serving.sign_in("bob").json()["access_token"] for _ in range(2)]
    assert gatepost.run("sessions", "end-all", "--user", "bob").returncode == 0
    wait_for(lambda: {me(serving, token) for token in tokens} == {401}, within=1)
    assert gatepost.ask("sessions", "list", "--user", "bob") == []

    assert gatepost.run("users", "set-roles", "bob").returncode == 0
    assert gatepost.run("users", "set-scopes", "bob", "orders:write").returncode == 0
    assert gatepost.ask("users", "show", "bob")["scopes"] == ["orders:write"]
    assert "orders:read" not in serving.sign_in("bob").json()["scope"].split()

    assert gatepost.run("users", "disable", "bob").returncode == 0
    assert serving.sign_in("bob").status_code == 401
    assert gatepost.run("users", "enable", "bob").returncode == 0
    assert gatepost.run("users", "set-password", "bob", "--password-stdin", typed=PASSWORD[::-1]).returncode == 0
    assert serving.sign_in("bob").status_code == 401
    assert [user["username"] for user in gatepost.ask("users", "list", "--search", "BO")] == ["bob"]


def test_clients_get_secrets_that_are_shown_once(gatepost: Gatepost, serving: Serving) -> None:
    made = gatepost.ask("clients", "create", "Billing", "--scope", "orders:read")
    assert made.keys() == NewClientShown.model_fields.keys()
    secrets = [made["client_secret"]]

    def status(secret: str) -> int:
        return serving.client.get("/users/me", auth=(made["id"], secret)).status_code

    assert status(secrets[0]) == 200
    rotated = gatepost.ask("clients", "rotate-secret", made["id"], "--overlap", "1h")
    assert [status(secrets[0]), status(rotated["client_secret"])] == [200, 200]
    rotated = gatepost.ask("clients", "rotate-secret", made["id"])
    wait_for(lambda: status(secrets[0]) == 401, within=1)
    assert status(rotated["client_secret"]) == 200
    assert gatepost.run("clients", "disable", made["id"]).returncode == 0
    wait_for(lambda: status(rotated["client_secret"]) == 401, within=1)
    assert gatepost.run("clients", "enable", made["id"]).returncode == 0
    wait_for(lambda: status(rotated["client_secret"]) == 200, within=1)
    [listed] = gatepost.ask("clients", "list")
    assert listed.keys() == ClientShown.model_fields.keys()


def test_identity_providers_are_offered_within_a_second_and_their_secrets_never_shown(
    gatepost: Gatepost, serving: Serving
) -> None:
    options = ("--kind", "github", "--client-id", "Iv1.8a61f9b3a7aba766", "--distrust-email")
    made = gatepost.ask("identity-providers", "add", "hub", *options, "--secret-stdin", typed="a secret of GitHub\n")
    assert made.keys() == IdentityProviderShown.model_fields.keys()
    assert (made["issuer"], made["label"], made["trust_email"]) == ("https://github.com", "GitHub", False)

    def is_offered() -> bool:
        return "/sign-in/with/hub" in serving.client.get("/sign-in").text

    wait_for(is_offered, within=3)
    assert gatepost.run("identity-providers", "disable", "hub").returncode == 0
    wait_for(lambda: not is_offered(), within=3)
    assert gatepost.run("identity-providers", "enable", "hub").returncode == 0
    wait_for(is_offered, within=3)
    listed = gatepost.run("identity-providers", "list")
    assert listed.stdout.splitlines()[1].split()[:4] == ["hub", "github", "https://github.com", "GitHub"]
    removed = gatepost.ask("identity-providers", "remove", "hub")
    assert removed["name"] == "hub"
    wait_for(lambda: not is_offered(), within=3)
    assert gatepost.ask("identity-providers", "list") == []
    assert gatepost.run("identity-providers", "remove", "hub").returncode == 1
    assert gatepost.run("identity-providers", "add", "hub", *options).returncode == 2, "there is nobody to ask"
    assert "a secret of GitHub" not in listed.stdout + str(made) + str(removed)


def test_api_keys_are_made_for_a_person_and_never_widen_him(gatepost: Gatepost, serving: Serving) -> None:
    add(gatepost, "cleo", "--role", "clerk")
    made = gatepost.ask("api-keys", "create", "ci", "--user", "cleo", "--scope", "orders:read", "--expires-in", "2d")
    assert made.keys() == NewKeyShown.model_fields.keys()

    def status(text: str) -> int:
        return serving.client.get("/users/me", headers={"X-API-Key": text}).status_code

    assert status(made["api_key"]) == 200
    widened = gatepost.run("api-keys", "create", "ci", "--user", "cleo", "--scope", "admin:users:read")
    assert (widened.returncode, widened.stdout) == (1, "")
    rotated = gatepost.ask("api-keys", "rotate", made["id"])
    wait_for(lambda: status(made["api_key"]) == 401, within=1)
    assert status(rotated["api_key"]) == 200
    [listed] = gatepost.ask("api-keys", "list", "--user", "cleo")
    assert listed.keys() == KeyShown.model_fields.keys()
    assert gatepost.run("api-keys", "revoke", made["id"]).returncode == 0
    wait_for(lambda: status(rotated["api_key"]) == 401, within=1)
    assert gatepost.ask("api-keys", "list", "--user", "cleo") == []


def test_a_lost_signing_key_is_retired_only_on_purpose(gatepost: Gatepost, serving: Serving) -> None:
    add(gatepost, "dan")
    token = serving.sign_in("dan").json()["access_token"]
    [first] = [key for key in gatepost.ask("keys", "list") if key["algorithm"] == "ES256"]
    assert first.keys() == SigningKeyShown.model_fields.keys()
    following = gatepost.ask("keys", "rotate", "--now")
    assert following["signs"]
    assert me(serving, token) == 200
    assert gatepost.run("keys", "retire", first["kid"]).returncode == 2
    assert gatepost.ask("keys", "retire", first["kid"], "--compromised")["kid"] == following["kid"]
    wait_for(lambda: me(serving, token) == 401, within=1)
    wait_for(lambda: me(serving, serving.sign_in("dan").json()["access_token"]) == 200, within=2)


def test_the_doctor_finds_nothing_and_then_finds_what_was_broken(gatepost: Gatepost, serving: Serving) -> None:
    assert {finding["level"] for finding in gatepost.ask("doctor")} == {"ok"}
    secret = gatepost.folder / "var" / "secret.key"
    kept = secret.read_text()
    secret.write_text(gatepost.run("config", "secret").stdout)
    secret.chmod(0o644)
    ran = gatepost.run("doctor")
    failed = {one["subject"]: one["says"] for one in found(gatepost, "fail")}
    secret.write_text(kept)
    secret.chmod(0o600)
    assert ran.returncode == 1
    assert failed.keys() == {"files", "signing keys"}
    assert f"chmod go= {secret}" in failed["files"]
    assert "GATEPOST_PREVIOUS_SECRET_KEYS" in failed["signing keys"]


def test_the_doctor_of_production_knows_postgresql_and_a_cluster(
    tmp_path: Path, warm: Warm, empty_postgres_url: str, valkey_cluster_url: str
) -> None:
    settings = production(DATABASE_URL=empty_postgres_url, REDIS_URL=valkey_cluster_url)
    gatepost = Gatepost(tmp_path, warm=warm, **settings)
    assert [one["subject"] for one in found(gatepost, "fail")] == ["migrations"]
    assert gatepost.run("db", "upgrade").returncode == 0
    assert found(gatepost, "fail") == []
    assert [one["subject"] for one in found(gatepost, "warn")] == ["redis persistence"] * 3
    add(gatepost, "ada", "--admin")
    assert not (tmp_path / "var").exists()


def found(gatepost: Gatepost, level: str) -> list[dict[str, str]]:
    """What the doctor says at this level."""
    return [one for one in json.loads(gatepost.run("doctor", "--json").stdout) if one["level"] == level]


def test_commands_that_come_together_take_turns(tmp_path: Path, warm: Warm) -> None:
    gatepost = Gatepost(tmp_path, warm=warm)
    ended = warm.run_together([["users", "list"]] * 4, cwd=tmp_path, environ=gatepost.environ)
    assert ended == [0] * 4


def test_a_password_is_never_an_argument_and_nobody_is_asked_where_nobody_is(tmp_path: Path, warm: Warm) -> None:
    gatepost = Gatepost(tmp_path, warm=warm)
    assert gatepost.run("users", "create", "ada").returncode == 2
    assert gatepost.run("users", "create", "ada", "--password-stdin", typed="two\nlines\n").returncode == 2
    assert gatepost.run("users", "create", "ada", "--password", PASSWORD).returncode == 2
    assert not (tmp_path / "var").exists()


def test_refusals_have_exit_codes_that_scripts_can_rely_on(
    gatepost: Gatepost, serving: Serving, warm: Warm, tmp_path: Path
) -> None:
    short = gatepost.run("users", "create", "eve", "--password-stdin", typed="short")
    assert (short.returncode, short.stderr) == (1, "gatepost: password: A password has at least 15 characters.\n")
    assert gatepost.run("users", "show", "nobody").returncode == 1
    away = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    for command in (["users", "list"], ["db", "status"]):
        ran = Gatepost(tmp_path, warm=warm, **away).run(*command)
        assert ran.returncode == 3
        assert "Traceback" not in ran.stderr
    ran = Gatepost(tmp_path, warm=warm, TOKENS__ACCESS_LIFE="soon", NONSENSE="1").run("users", "list")
    assert ran.returncode == 4
    assert "GATEPOST_NONSENSE: there is no such setting" in ran.stderr
    assert "GATEPOST_TOKENS__ACCESS_LIFE: write a span" in ran.stderr


def test_a_second_server_on_the_same_folder_is_refused(gatepost: Gatepost, serving: Serving) -> None:
    ran = Gatepost(gatepost.folder).run("serve")
    assert ran.returncode == 5
    assert "another Valkey is running" in ran.stderr
    assert me(serving, serving.sign_in("bob").text) == 401  # the first one still answers


def test_what_is_stored_cannot_steer_the_terminal(gatepost: Gatepost, serving: Serving) -> None:
    add(gatepost, "fay")
    body = {"username": "fay", "password": PASSWORD}
    serving.client.post("/auth/login", json=body, headers={"User-Agent": b"\x9b[2Jmine"})
    shown = gatepost.run("sessions", "list", "--user", "fay").stdout
    assert "mine" in shown
    assert not any(character in shown for character in "\x1b\x9b")


def test_an_invitation_becomes_a_letter_under_var_that_this_machine_can_read(
    gatepost: Gatepost, serving: Serving
) -> None:
    assert gatepost.run("users", "invite", "new@example.org", "--role", "king").returncode == 1
    assert gatepost.run("users", "invite", "new@example.org", "--language", "ar").returncode == 0
    folder = gatepost.folder / "var" / "mail"
    wait_for(lambda: any(folder.glob("*.eml")))
    page = serving.client.get("/mailbox")
    assert (page.status_code, "new@example.org" in page.text) == (200, True)
    assert serving.client.get("/mailbox", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 404
