"""What clients ask of the endpoints of OAuth, here and of a peer: the same requests for the same kinds of tokens."""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import process_time
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from bench import peer
from bench.load import CONNECTIONS, Source, each_once, request, same
from bench.race import Subject, always
from bench.stage import CALLBACK, SCOPE, VERIFIER, Stage
from bench.workers import SERVER_CORE, Worker, on_core

IN_MEMORY, IN_REDIS = "oidc-provider, in memory", "oidc-provider, Redis"
CREDENTIALS, INTROSPECTION, REFRESH = "client credentials", "introspection", "refresh"
_GOALS = {
    (CREDENTIALS, IN_MEMORY): "G5: 3.00",
    (INTROSPECTION, IN_MEMORY): "G6: 3.00",
    (REFRESH, IN_MEMORY): "G6: 3.50",
    (REFRESH, IN_REDIS): "G6: 5.00",
}
_CODES_PER_SECOND = 3_000
"""More than any server here can redeem."""
_SIGNATURES = 2_000
NO_PEER = "No peer: that takes node, and `npm ci` in tests/node."
FORM = "application/x-www-form-urlencoded"


@dataclass
class Side:
    """One server that takes part. `access` opens its userinfo, `refresh` has a token for each connection."""

    name: str
    worker: Worker
    paths: tuple[str, str, str]
    client: str
    observer: str
    access: str
    refresh: list[str]
    new_codes: Callable[[int], Awaitable[list[str]]]
    resource: str = ""

    def subjects(self, others: list[str], *, seconds: float) -> list[Subject]:
        """Its rows, each measured by the same row of the others."""
        token, introspect, userinfo = self.paths
        named = {"resource": self.resource} if self.resource else {}
        count = int(seconds * _CODES_PER_SECOND) + CONNECTIONS

        async def codes(_turn: int) -> Source:
            return self._redemptions(await self.new_codes(count))

        sources = {
            CREDENTIALS: always(same(form(token, self.client, grant_type="client_credentials", scope=SCOPE, **named))),
            INTROSPECTION: always(same(form(introspect, self.observer, token=self.access))),
            REFRESH: always(self._refreshes()),
            "userinfo": always(same(request(userinfo, authorization=f"Bearer {self.access}"))),
            "code, with an id_token": codes,
        }
        return [
            Subject(
                f"{self.name}: {what}",
                self.worker,
                source,
                {f"{other}: {what}": _GOALS.get((what, other), "") for other in others},
            )
            for what, source in sources.items()
        ]

    def _refreshes(self) -> Source:
        """A family for each connection, whose refresh token is traded in again and again."""
        latest = dict(enumerate(self.refresh))

        def source(number: int, body: bytes) -> bytes:
            if body:
                latest[number] = json.loads(body)["refresh_token"]
            return form(self.paths[0], self.client, grant_type="refresh_token", refresh_token=latest[number])

        return source

    def _redemptions(self, codes: list[str]) -> Source:
        known = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return each_once([form(self.paths[0], self.client, **known, code=code) for code in codes])


async def gatepost(stage: Stage, worker: Worker) -> Side:
    """This server's side."""
    person = await stage.granted(scopes={"openid", "profile"})
    families = [await stage.granted(scopes={SCOPE}) for _ in range(CONNECTIONS)]
    return Side(
        "gatepost",
        worker,
        ("/oauth2/token", "/oauth2/introspect", "/userinfo"),
        client=basic(stage.application.id, stage.application_secret),
        observer=basic(stage.observer.id, stage.observer_secret),
        access=person.access.token,
        refresh=[family.refresh_token or "" for family in families],
        new_codes=stage.codes,
    )


async def oidc_provider(name: str, worker: peer.OidcProvider) -> Side:
    """The peer's side: one client that does everything."""

    async def new_codes(count: int) -> list[str]:
        return (await worker.mint(count)).codes

    minted = await worker.mint(CONNECTIONS)
    client = basic(peer.CLIENT_ID, peer.CLIENT_SECRET)
    paths = ("/token", "/token/introspection", "/me")
    return Side(name, worker, paths, client, client, minted.access, minted.refresh, new_codes, peer.RESOURCE)


def form(path: str, authorization: str, **fields: str) -> bytes:
    """The bytes of one posted form."""
    return request(path, method="POST", body=urlencode(fields).encode(), kind=FORM, authorization=authorization)


def basic(client_id: str, secret: str) -> str:
    """A client's Authorization field."""
    return "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()


def bare_signature() -> float:
    """Microseconds of processor time of one ES256 signature by `cryptography`, on the servers' core."""
    key = ec.generate_private_key(ec.SECP256R1())
    with on_core(SERVER_CORE):
        before = process_time()
        for _ in range(_SIGNATURES):
            key.sign(b"bench", ec.ECDSA(SHA256()))
        return (process_time() - before) * 1e6 / _SIGNATURES
