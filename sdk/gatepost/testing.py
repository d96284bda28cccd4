"""For the tests of your service: an issuer in the same process, with a real key, whose tokens are really verified."""

import json
import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import httpx2
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk

from gatepost.encoding import encode_segment
from gatepost.revocation import RevocationKind
from gatepost.scopes import format_scope

CLIENT_ID = "service-under-test"


class TestIssuer:
    """Mints access tokens, publishes its keys and its revocations, all without a network.

        issuer = TestIssuer()
        gate = Gatepost(issuer.url, issuer.audience, client=issuer.client())
        headers = {"Authorization": f"Bearer {issuer.token('alice', scopes=['orders:read'])}"}

    `client()` answers what a Gatepost server answers at the two addresses that the kit asks, so that nothing in the
    kit is replaced. `client_secret` opens the revocation feed, with `CLIENT_ID`.
    """

    __test__ = False  # not a test class, whatever its name begins with

    def __init__(self, url: str = "https://issuer.test", audience: str = "https://api.test") -> None:
        self.url = url
        self.audience = audience
        self.client_secret = secrets.token_urlsafe(32)
        self.available = True
        self._entries: list[dict[str, object]] = []
        self._retired: list[dict[str, object]] = []
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key from now on; tokens under the old ones stay good."""
        self.kid = secrets.token_hex(8)
        self._key = jwk.construct(ec.generate_private_key(ec.SECP256R1()), "ES256")
        published = self._key.public_key().to_dict()
        self._retired.append({**published, "kid": self.kid, "use": "sig"})

    def token(
        self,
        subject: str = "alice",
        *,
        scopes: Iterable[str] = (),
        lifetime: timedelta = timedelta(minutes=5),
        now: datetime | None = None,
        **claims: object,
    ) -> str:
        """A signed access token (RFC 9068). `claims` add to the usual ones or replace them; None leaves one out."""
        issued_at = int((now or datetime.now(UTC)).timestamp())
        usual: dict[str, object] = {
            "iss": self.url,
            "sub": subject,
            "aud": self.audience,
            "exp": issued_at + int(lifetime.total_seconds()),
            "iat": issued_at,
            "jti": secrets.token_urlsafe(12),
            "client_id": "test-client",
            "scope": format_scope(scopes),
        }
        payload = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return self.sign({"typ": "at+jwt", "alg": "ES256", "kid": self.kid}, payload)

    def sign(self, header: Mapping[str, object], payload: Mapping[str, object]) -> str:
        """Any header and payload, genuinely signed: for the tokens that your service must refuse."""
        parts = [encode_segment(json.dumps(dict(part)).encode()) for part in (header, payload)]
        signing_input = b".".join(parts)
        signature: bytes = self._key.sign(signing_input)
        return b".".join((signing_input, encode_segment(signature))).decode("ascii")

    def jwks(self) -> dict[str, object]:
        """The published JWK Set (RFC 7517)."""
        return {"keys": list(self._retired)}

    def revoke(self, kind: RevocationKind, subject: str, *, epoch: int = 0) -> None:
        """Put one entry on the revocation feed."""
        until = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
        self._entries.append({"kind": kind.value, "subject": subject, "until": until, "epoch": epoch})

    def client(self) -> httpx2.AsyncClient:
        """An HTTP client whose every request this issuer answers; 503 while `available` is False."""
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if not self.available:
            return httpx2.Response(503, headers={"Retry-After": "1"})
        if request.url.path == "/.well-known/jwks.json":
            return httpx2.Response(200, json=self.jwks(), headers={"Cache-Control": "public, max-age=300"})
        if request.url.path == "/auth/revocations":
            return self._revocations(request)
        return httpx2.Response(404)

    def _revocations(self, request: httpx2.Request) -> httpx2.Response:
        expected = "Basic " + b64encode(f"{CLIENT_ID}:{self.client_secret}".encode()).decode()
        if not secrets.compare_digest(request.headers.get("authorization", ""), expected):
            return httpx2.Response(401, headers={"WWW-Authenticate": 'Basic realm="test", charset="UTF-8"'})
        seen = int(request.url.params.get("after", "0"))
        return httpx2.Response(
            200, json={"entries": self._entries[seen:], "cursor": str(len(self._entries)), "more": False}
        )
