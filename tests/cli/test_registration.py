"""Clients with all their metadata, consents and profiles by the command line, and what changing commands print."""

import json
from collections.abc import Iterator

import pytest
import typer

from service.cli.tree import app
from service.web.admin.clients import ClientShown
from service.web.admin.users import UserSessionShown, UserShown
from service.web.api_keys import KeyShown
from service.web.consents import ConsentShown
from tests.accounts.test_profile import WHOLE
from tests.cli.running import PASSWORD, Gatepost, Serving, Warm, wait_for

READING = {"export", "list", "show", "status", "check", "secret", "example"}


@pytest.fixture(scope="module")
def gatepost(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Gatepost:
    return Gatepost(tmp_path_factory.mktemp("gatepost"), warm=warm)


@pytest.fixture(scope="module")
def serving(gatepost: Gatepost) -> Iterator[Serving]:
    with gatepost.start() as serving:
        yield serving


def add(gatepost: Gatepost, username: str) -> dict[str, object]:
    made: dict[str, object] = gatepost.ask("users", "create", username, "--password-stdin", typed=f"{PASSWORD}\n")
    return made


def test_every_command_that_changes_something_prints_it_as_json_too() -> None:
    groups = typer.main.get_group(app).commands
    changing = {
        f"{noun} {verb}": {name for option in command.params for name in option.opts}
        for noun, group in groups.items()
        for verb, command in getattr(group, "commands", {}).items()
        if verb not in READING
    }
    assert changing.keys() > {"users disable", "clients change", "consents withdraw", "sessions end", "db upgrade"}
    assert [name for name, options in changing.items() if "--json" not in options] == []


def test_clients_and_keys_get_figures_of_their_own_and_lose_them_again(gatepost: Gatepost, serving: Serving) -> None:
    add(gatepost, "rita")
    client = gatepost.ask("clients", "create", "Metered", "--rate", "7/m")
    key = gatepost.ask("api-keys", "create", "metered", "--user", "rita", "--rate", "9/m")
    assert (client["rate"], key["rate"]) == ("7/m", "9/m")
    pair = (client["id"], client["client_secret"])
    token = serving.client.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=pair).json()
    bearer = {"Authorization": f"Bearer {token['access_token']}"}

    def policy(fields: dict[str, str]) -> str | None:
        answer = serving.client.get("/auth/verify", headers=fields)
        assert answer.status_code == 200, answer.text
        found: str | None = answer.headers.get("ratelimit-policy")
        return found

    by_key = {"X-API-Key": key["api_key"]}
    assert (policy(by_key), policy(bearer)) == ('"verify";q=9;w=60', '"verify";q=7;w=60')
    assert gatepost.ask("api-keys", "change", key["id"], "--rate", "11/m")["rate"] == "11/m"
    assert gatepost.ask("clients", "change", client["id"], "--rate", "12/m")["rate"] == "12/m"
    wait_for(lambda: (policy(by_key), policy(bearer)) == ('"verify";q=11;w=60', '"verify";q=12;w=60'), within=1)
    assert gatepost.ask("api-keys", "change", key["id"], "--rate", "")["rate"] is None
    assert gatepost.ask("clients", "change", client["id"], "--rate", "")["rate"] is None
    wait_for(lambda: (policy(by_key), policy(bearer)) == (None, None), within=1)
    assert [one["rate"] for one in gatepost.ask("api-keys", "list", "--user", "rita")] == [None]
    for command in (("clients", "change", client["id"]), ("api-keys", "change", key["id"])):
        assert gatepost.run(*command, "--rate", "often").returncode == 2
    assert gatepost.run("api-keys", "change", "nothing", "--rate", "1/s").returncode == 1


def test_a_client_is_registered_with_all_its_metadata_and_changed(gatepost: Gatepost, serving: Serving) -> None:
    made = gatepost.ask(
        *("clients", "create", "Shop", "--scope", "orders:read"),
        *("--redirect-uri", "https://shop.example/cb", "--redirect-uri", "http://127.0.0.1/cb"),
        *("--post-logout-redirect-uri", "https://shop.example/bye"),
        *("--grant", "authorization_code", "--grant", "client_credentials", "--auth-method", "client_secret_post"),
        *("--resource", "https://api.example/", "--access-life", "2m", "--refresh-idle", "3d"),
        *("--id-token-alg", "ES256", "--skips-consent", "--client-uri", "https://shop.example/"),
        *("--logo-uri", "https://shop.example/l", "--policy-uri", "https://shop.example/p"),
        *("--tos-uri", "https://shop.example/t", "--backchannel-logout-uri", "https://shop.example/out"),
    )
    said = {
        "redirect_uris": ["https://shop.example/cb", "http://127.0.0.1/cb"],
        "post_logout_redirect_uris": ["https://shop.example/bye"],
        "grant_types": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_method": "client_secret_post",
        "id_token_signed_response_alg": "ES256",
        "resources": ["https://api.example/"],
        "access_life": 120,
        "refresh_idle": 3 * 86_400,
        "skips_consent": True,
        "client_uri": "https://shop.example/",
        "logo_uri": "https://shop.example/l",
        "policy_uri": "https://shop.example/p",
        "tos_uri": "https://shop.example/t",
        "backchannel_logout_uri": "https://shop.example/out",
    }
    assert {name: made[name] for name in said} == said
    proof = {"client_id": made["id"], "client_secret": made["client_secret"]}

    def token() -> tuple[int, dict[str, object]]:
        answer = serving.client.post("/oauth2/token", data={"grant_type": "client_credentials", **proof})
        return answer.status_code, answer.json()

    status, answer = token()
    assert (status, answer["expires_in"], answer["scope"]) == (200, 120, "orders:read")
    changed = gatepost.ask(
        *("clients", "change", made["id"], "--access-life", "0s", "--logo-uri", "", "--resource", ""),
        *("--asks-consent", "--redirect-uri", "https://moved.example/cb"),
    )
    other = {"access_life": None, "logo_uri": None, "resources": [], "skips_consent": False}
    assert {name: changed[name] for name in said} == {**said, **other, "redirect_uris": ["https://moved.example/cb"]}
    wait_for(lambda: token()[1].get("expires_in") == 3_600, within=1)
    assert gatepost.ask("clients", "show", made["id"]) == changed
    assert gatepost.ask("clients", "disable", made["id"]) == {**changed, "disabled": True}
    wait_for(lambda: token()[1].get("error") == "invalid_client", within=1)
    assert gatepost.ask("clients", "enable", made["id"]).keys() == ClientShown.model_fields.keys()


def test_a_mistake_is_named_where_it_is(gatepost: Gatepost, serving: Serving) -> None:
    uris = ("https://shop.example/cb", "javascript:x")
    ran = gatepost.run("clients", "create", "Wrong", *(part for uri in uris for part in ("--redirect-uri", uri)))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("gatepost: redirect_uris/1: ")
    for client_id in ("gp_client_no", "gatepost-docs"):
        ran = gatepost.run("clients", "disable", client_id)
        assert (ran.returncode, ran.stderr) == (1, "gatepost: There is no such client.\n")
    assert [one["name"] for one in gatepost.ask("clients", "list") if one["id"] == "gatepost-docs"] == []


def test_a_profile_is_set_claim_by_claim(gatepost: Gatepost) -> None:
    add(gatepost, "ada")
    address = WHOLE["address"]
    assert isinstance(address, dict)
    plain = {name: str(value) for name, value in WHOLE.items() if name not in ("address", "phone_number_verified")}
    claims = {**plain, "phone_number_verified": "true", **{f"address.{name}": text for name, text in address.items()}}
    shown = gatepost.ask("users", "set-profile", "ada", *(f"{name}={value}" for name, value in claims.items()))
    assert shown["profile"] == WHOLE
    shown = gatepost.ask("users", "set-profile", "ada", "gender=", "address=", "name=A=B")
    kept = {name: value for name, value in WHOLE.items() if name not in ("gender", "address")}
    assert shown["profile"] == {**kept, "name": "A=B"}
    for wrong, code in (("name", 2), ("birthdate=soon", 1), ("phone_number_verified=perhaps", 1)):
        assert gatepost.run("users", "set-profile", "ada", wrong).returncode == code, wrong
    set_email = ("users", "set-email", "ada")
    assert gatepost.ask(*set_email, "ada@example.com")["email_verified"] is False
    assert gatepost.ask(*set_email, "--verified")["email_verified"] is True
    assert gatepost.ask(*set_email, "other@example.com")["email_verified"] is False
    assert gatepost.run(*set_email).returncode == 2


def test_changing_commands_print_what_they_changed(gatepost: Gatepost, serving: Serving) -> None:
    add(gatepost, "bob")
    for command in (["set-scopes", "bob", "orders:read"], ["set-roles", "bob"], ["disable", "bob"], ["enable", "bob"]):
        shown = gatepost.ask("users", *command)
        assert (shown.keys(), shown["username"]) == (UserShown.model_fields.keys(), "bob")
        assert shown["disabled"] is (command[0] == "disable")
    shown = gatepost.ask("users", "set-password", "bob", "--password-stdin", typed=PASSWORD)
    assert shown["username"] == "bob"
    for _ in range(3):
        assert serving.sign_in("bob").status_code == 200
    sessions = gatepost.ask("sessions", "list", "--user", "bob")
    ended = gatepost.ask("sessions", "end", sessions[0]["id"])
    assert (ended.keys(), ended["id"]) == (UserSessionShown.model_fields.keys(), sessions[0]["id"])
    assert gatepost.ask("sessions", "end-all", "--user", "bob") == {"user": "bob", "ended": 2}
    key = gatepost.ask("api-keys", "create", "ci", "--user", "bob", "--scope", "orders:read")
    revoked = gatepost.ask("api-keys", "revoke", key["id"])
    assert (revoked.keys(), revoked["id"]) == (KeyShown.model_fields.keys(), key["id"])
    assert gatepost.ask("db", "upgrade") == {"applied": []}


def test_what_was_allowed_is_listed_and_withdrawn(gatepost: Gatepost, serving: Serving) -> None:
    add(gatepost, "cleo")
    shop = gatepost.ask("clients", "create", "Till", "--redirect-uri", "https://shop.example/cb")
    assert gatepost.ask("consents", "list", "--user", "cleo") == []
    ran = gatepost.run("consents", "withdraw", shop["id"], "--user", "cleo")
    assert (ran.returncode, ran.stderr) == (1, "gatepost: There is no such consent.\n")
    allow(gatepost, "cleo", shop["id"])
    [listed] = gatepost.ask("consents", "list", "--user", "cleo")
    assert (listed.keys(), listed["client_name"]) == (ConsentShown.model_fields.keys(), "Till")
    assert gatepost.ask("consents", "withdraw", shop["id"], "--user", "cleo") == listed
    assert gatepost.ask("consents", "list", "--user", "cleo") == []
    assert gatepost.run("consents", "list", "--user", "nobody").returncode == 1


def allow(gatepost: Gatepost, username: str, client_id: str) -> None:
    """What the consent page does, in a process of its own."""
    script = f"""
from service import clock
from service.cli.house import in_house
async def work(house):
    rooms = house.rooms
    owner = await rooms.directory.get_named({json.dumps(username)})
    await rooms.consents.grant(owner.id, {json.dumps(client_id)}, ["openid"], (), clock.now())
in_house(work)
"""
    (gatepost.folder / "allow.py").write_text(script)
    ran = gatepost.run_module("allow")
    assert ran.returncode == 0, ran.stderr
