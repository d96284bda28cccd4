"""Every kind of credential in every state, all real: made by the running application's own rooms and keys."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from gatepost.jws import parse_jws
from gatepost.testing import TestIssuer
from service import clock
from service.access.catalogue import BUILT_IN
from service.accounts.change import UserChange
from service.api_keys.text import new_key_text
from service.clients.registry import ClientChange
from service.identifiers import new_id
from tests.rooms import HERE
from tests.servers.gatepost import PASSWORD
from tests.web.running import Web, basic, bearer

CARRIERS = ("api_key", "api_key_as_bearer", "basic_person", "basic_client", "bearer", "cookie")
SCHEME_OF = {
    "api_key": "api_key",
    "api_key_as_bearer": "api_key",
    "basic_person": "basic",
    "basic_client": "basic",
    "bearer": "bearer",
    "cookie": "cookie",
}
OWNER, PLAIN, PAUSED = "owner", "plain", "paused"
CSRF = {"X-Gatepost-CSRF": "1"}


@dataclass
class Credentials:
    """`bad[carrier][state]` and `narrow[carrier]` are header fields; `right` signs in anew where sessions end."""

    web: Web
    bad: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    narrow: dict[str, dict[str, str]] = field(default_factory=dict)
    lasting: dict[str, dict[str, str]] = field(default_factory=dict)

    async def right(self, carrier: str) -> Mapping[str, str]:
        """A credential that holds every scope of Gatepost's own."""
        if carrier in self.lasting:
            return self.lasting[carrier]
        token = (await self.web.sign_in(OWNER))["access_token"]
        return bearer(token) if carrier == "bearer" else cookie(token)


def cookie(token: str) -> dict[str, str]:
    """What a browser sends from one of our own pages."""
    return {"Cookie": f"gp_access={token}", **CSRF}


async def make_credentials(web: Web) -> Credentials:
    """People, clients and keys in every state that they can be in."""
    made = Credentials(web)
    await web.add_user(OWNER, roles=("admin",))
    await web.add_user(PLAIN, scopes=("reports:read",))
    await _api_keys(made)
    await _people(made)
    await _clients(made)
    await _tokens(made)
    return made


async def _api_keys(made: Credentials) -> None:
    web, now = made.web, clock.now()
    owner = (await web.rooms.sign_in.check(OWNER, PASSWORD, source=HERE)).id
    options = {"within": frozenset(BUILT_IN), "networks": (), "now": now}
    keys = web.rooms.api_keys
    right = await keys.create(owner, "right", scopes=BUILT_IN, life=None, **options)
    narrow = await keys.create(owner, "narrow", scopes=(), life=None, **options)
    revoked = await keys.create(owner, "revoked", scopes=BUILT_IN, life=None, **options)
    await keys.revoke(revoked.key.id, user_id=owner, now=now)
    past = {**options, "now": now - timedelta(hours=1)}
    expired = await keys.create(owner, "expired", scopes=BUILT_IN, life=timedelta(minutes=59), **past)
    states = {
        "malformed": right.text[:-1] + ("0" if right.text[-1] != "0" else "1"),
        "unknown": new_key_text(new_id())[0],
        "expired": expired.text,
        "revoked": revoked.text,
    }
    for carrier, as_field in (("api_key", _x_api_key), ("api_key_as_bearer", bearer)):
        made.bad[carrier] = {state: as_field(text) for state, text in states.items()}
        made.narrow[carrier] = as_field(narrow.text)
        made.lasting[carrier] = as_field(right.text)


async def _people(made: Credentials) -> None:
    web = made.web
    paused = await web.add_user(PAUSED, scopes=tuple(BUILT_IN))
    await web.rooms.directory.change(paused.id, UserChange(disabled=True), now=clock.now())
    made.bad["basic_person"] = {
        "malformed": {"Authorization": "Basic no-colon-and-no-base64!"},
        "unknown": basic("stranger", PASSWORD),
        "wrong": basic(OWNER, PASSWORD + "?"),
        "revoked": basic(PAUSED, PASSWORD),
    }
    made.narrow["basic_person"] = basic(PLAIN, PASSWORD)
    made.lasting["basic_person"] = basic(OWNER, PASSWORD)


async def _clients(made: Credentials) -> None:
    web, now = made.web, clock.now()
    right, secret = await web.add_client("right", *BUILT_IN)
    narrow, narrow_secret = await web.add_client("narrow")
    paused, paused_secret = await web.add_client("paused", *BUILT_IN)
    await web.rooms.clients.change(paused.id, ClientChange(disabled=True), now=now)
    rotated, old_secret = await web.add_client("rotated", *BUILT_IN)
    past = now - timedelta(hours=1)
    await web.rooms.clients.rotate_secret(rotated.id, overlap=timedelta(minutes=59), now=past)
    made.bad["basic_client"] = {
        "malformed": basic(right.id, "\x00"),
        "unknown": basic("gp_client_00000000000000000000", secret),
        "wrong": basic(right.id, narrow_secret),
        "expired": basic(rotated.id, old_secret),
        "revoked": basic(paused.id, paused_secret),
    }
    made.narrow["basic_client"] = basic(narrow.id, narrow_secret)
    made.lasting["basic_client"] = basic(right.id, secret)


async def _tokens(made: Credentials) -> None:
    web, now = made.web, clock.now()
    right = (await web.sign_in(OWNER))["access_token"]
    revoked = (await web.sign_in(OWNER))["access_token"]
    answer = await web.client.post("/auth/logout", headers=bearer(revoked))
    assert answer.status_code == 204
    narrow = (await web.sign_in(PLAIN, scope="reports:read"))["access_token"]
    read = parse_jws(right)
    header, claims = read.header, json.loads(read.payload)
    signed = partial(signed_anew, web, right)
    past = int((now - timedelta(hours=2)).timestamp())
    other = TestIssuer(web.settings.issuer, web.settings.audience)
    states = {
        "malformed": right.rsplit(".", 1)[0],
        "unknown": other.sign({**header, "kid": other.kid}, claims),
        "forged": other.sign(header, claims),
        "expired": signed(iat=past, exp=past + 3_600),
        "revoked": revoked,
        "wrong audience": signed(aud="https://elsewhere.example"),
        "wrong issuer": signed(iss="https://elsewhere.example"),
        "wrong type": signed(typ="JWT"),
        "of nobody": signed(sub=None),
    }
    assert (await web.client.get("/users/me", headers=bearer(signed()))).status_code == 200, "only the change is wrong"
    for carrier, as_field in (("bearer", bearer), ("cookie", cookie)):
        made.bad[carrier] = {state: as_field(token) for state, token in states.items()}
        made.narrow[carrier] = as_field(narrow)


def signed_anew(web: Web, token: str, *, typ: str = "at+jwt", **changed: object) -> str:
    """The claims of a token with some changed (None: left out), signed with the application's own key."""
    claims = {**json.loads(parse_jws(token).payload), **changed}
    kept = {name: value for name, value in claims.items() if value is not None}
    return web.rooms.keyring.sign(kept, typ=typ, now=clock.now())


def _x_api_key(text: str) -> dict[str, str]:
    return {"X-API-Key": text}
