"""Who a client is: one way of proof, the registered one, and every other way refused alike (RFC 6749 §2.3)."""

import base64
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

import httpx2
import pytest

from service import clock
from service.accounts.account import User
from service.clients.registry import ClientChange
from tests.servers.gatepost import PASSWORD, SHIPPED
from tests.web.oauth.asking import (
    INTROSPECT,
    REVOKE,
    SERVICE,
    TOKEN,
    App,
    assert_oauth_error,
    every_kind,
    given,
    register,
)
from tests.web.running import Web, as_served, basic

pytestmark = pytest.mark.anyio
BASIC, POST, PUBLIC = "client_secret_basic", "client_secret_post", "none"
ITSELF = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    """As many wrong secrets as other tests here send, and ten of one client."""
    return {"LIMITS__PROGRAM_FAILURES": SHIPPED["LIMITS__PROGRAM_FAILURES"]}


@pytest.fixture(scope="module")
async def apps(web: Web) -> Mapping[str, App]:
    """One application for each way of proof."""
    return await every_kind(web)


def raw(pair: bytes) -> dict[str, str]:
    """Basic with these bytes."""
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def quoted(text: str) -> str:
    """The text with each character behind a percent sign."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


@pytest.mark.spec("RFC 6749 §2.3.1")
@pytest.mark.spec("CL-02")
async def test_each_client_gets_in_by_its_own_way_and_basic_is_form_encoded(web: Web, apps: Mapping[str, App]) -> None:
    by_field, by_form = apps[BASIC], apps[POST]
    given(await by_form.as_itself())
    name, secret = by_field.client.id, by_field.secret
    for pair in (basic(name, secret), basic(quoted(name), quoted(secret)), basic(quote(name), quote(secret, safe=""))):
        for scheme in ("Basic", "bAsIc"):
            headers = {"Authorization": pair["Authorization"].replace("Basic", scheme, 1)}
            given(await web.client.post(TOKEN, data=ITSELF, headers=headers))
    both = {**ITSELF, "client_id": name, "client_secret": ""}
    given(await web.client.post(TOKEN, data=both, headers=by_field.proof))


@pytest.mark.spec("CL-01")
@pytest.mark.spec("RFC 6749 §5.2")
@pytest.mark.parametrize("path", [TOKEN, INTROSPECT, REVOKE])
async def test_whatever_is_wrong_about_basic_it_is_one_and_the_same_401(
    web: Web, apps: Mapping[str, App], ada: User, path: str
) -> None:
    app, other = apps[BASIC], apps[POST]
    name, secret = app.client.id, app.secret
    disabled = await register(web, f"Disabled at {path}", grants=SERVICE)
    given(await disabled.as_itself())
    await web.rooms.clients.change(disabled.client.id, ClientChange(disabled=True), now=clock.now())
    wrong = {
        "wrong": basic(name, secret[:-1] + ("A" if secret[-1] != "A" else "B")),
        "empty": basic(name, ""),
        "unknown": basic("gp_client_00000000000000000000", secret),
        "nobody": basic("", secret),
        "no colon": raw(name.encode()),
        "not base64": {"Authorization": "Basic !!!"},
        "nothing": {"Authorization": "Basic"},
        "bad utf-8": raw(name.encode() + b":\xff\xfe"),
        "bad utf-8 inside": basic(name, "%FF%FE"),
        "broken escape": basic(name, secret + "%2"),
        "blanks": basic(f" {name}", f"{secret} "),
        "another's": basic(name, other.secret),
        "newline": basic(name, f"{secret}\n"),
        "quoted newline": basic(name, f"{secret}%0A"),
        "nul": basic(name, f"{secret}\0"),
        "quoted nul": basic(f"{name}%00", secret),
        "surrogate": basic(f"{name}%ED%A0%80", secret),
        "other case": basic(name.upper(), secret),
        "plus": basic(name.replace("_", "+"), secret),
        "long": basic(name, "s" * 7_000),
        "too long": basic(name, "s" * 70_000),
        "public": basic(apps[PUBLIC].client.id, "x"),
        "person": basic("ada", PASSWORD),
        "first party": basic("gatepost", "x"),
        "preset": basic("gatepost-docs", "x"),
        "disabled": disabled.proof,
        "bearer": {"Authorization": f"Bearer {secret}"},
        "digest": {"Authorization": f'Digest username="{name}"'},
    }
    if path == TOKEN:
        wrong["by another way"] = basic(other.client.id, other.secret)
    told = set()
    for what, headers in wrong.items():
        answer = await web.client.post(path, data={**ITSELF, "token": "x"}, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), what
        assert_oauth_error(answer, 401, "invalid_client")
        told.add((answer.content, answer.headers["www-authenticate"]))
    assert len(told) == 1


@pytest.mark.spec("RFC 6749 §2.3")
@pytest.mark.parametrize("path", [TOKEN, INTROSPECT, REVOKE])
async def test_two_proofs_or_two_names_at_once_are_refused_even_when_each_is_right(
    web: Web, apps: Mapping[str, App], path: str
) -> None:
    one, other = apps[BASIC], apps[POST]
    twice = [*one.proof.items(), *one.proof.items()]
    for what, headers, form in (
        ("CL-03", one.proof, {"client_id": one.client.id, "client_secret": one.secret}),
        ("CL-03 alone", one.proof, {"client_secret": one.secret}),
        ("CL-04", one.proof, {"client_id": other.client.id}),
        ("two clients", one.proof, other.named),
        ("two fields", twice, {}),
        ("two fields of two", [*one.proof.items(), ("Authorization", "Bearer x")], {}),
    ):
        answer = await web.client.post(path, data={**ITSELF, "token": "x", **form}, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), what


@pytest.mark.spec("CL-06")
@pytest.mark.spec("RFC 7591 §2")
@pytest.mark.parametrize("path", [TOKEN, REVOKE])
async def test_a_form_proves_nothing_but_by_a_right_secret_sent_as_registered(
    web: Web, apps: Mapping[str, App], path: str
) -> None:
    one, other, public = apps[BASIC], apps[POST], apps[PUBLIC]
    by_form = {"client_id": one.client.id, "client_secret": one.secret}
    for what, form in {
        **({"post where basic is due": by_form} if path == TOKEN else {}),
        "nothing where a secret is due": {"client_id": other.client.id},
        "an empty secret": {"client_id": other.client.id, "client_secret": ""},
        "nobody": {},
        "an empty name": {"client_id": ""},
        "a secret of a client without one": {**public.named, "client_secret": "x"},
        "a wrong secret": {"client_id": other.client.id, "client_secret": one.secret},
        "unknown": {"client_id": "gp_client_00000000000000000000"},
        "nul": {"client_id": "gp_client_\0"},
        "first party": {"client_id": "gatepost"},
        "CL-07": {**public.named, "client_assertion_type": "x", "client_assertion": "eyJhbGciOiJub25lIn0.e30."},
        "CL-09": {**other.named, "client_assertion": "eyJhbGciOiJub25lIn0.e30."},
    }.items():
        answer = await web.client.post(path, data={**ITSELF, "token": "x", **form})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client"), what
        assert "www-authenticate" not in answer.headers


@pytest.mark.spec("CL-12")
async def test_a_rotated_secret_works_through_its_overlap_and_not_past_it(web: Web) -> None:
    app = await register(web, "Rotating", grants=SERVICE)
    given(await app.as_itself())
    registry = web.rooms.clients
    newer = App(web, app.client, await registry.rotate_secret(app.client.id, overlap=timedelta(1), now=clock.now()))
    for held in (app, newer):
        given(await held.as_itself())
    newest = App(web, app.client, await registry.rotate_secret(app.client.id, overlap=timedelta(0), now=clock.now()))
    given(await newest.as_itself())
    for lost in (app, newer):
        assert_oauth_error(await lost.as_itself(), 401, "invalid_client")


@pytest.mark.spec("CL-13")
async def test_fifty_wrong_secrets_shut_out_neither_their_client_elsewhere_nor_its_neighbour(
    web: Web,
) -> None:
    apps = await every_kind(web)
    victim = apps[BASIC].client.id
    for number in range(50):
        answer = await web.client.post(TOKEN, data=ITSELF, headers=basic(victim, f"guess {number}"))
        assert answer.status_code == (401 if number < 10 else 429)
    for path in (TOKEN, INTROSPECT, REVOKE):
        refused = await apps[BASIC].ask(path, **ITSELF, token="x")
        assert_oauth_error(refused, 429, "temporarily_unavailable")
        assert 0 < int(refused.headers["retry-after"]) <= 60
    given(await apps[POST].as_itself())
    transport = httpx2.ASGITransport(as_served(web.edge), client=("192.0.2.9", 5))
    async with httpx2.AsyncClient(transport=transport, base_url=web.settings.public_url) as elsewhere:
        secret = apps[BASIC].secret
        given(await elsewhere.post(TOKEN, data=ITSELF, headers=basic(victim, secret)))
