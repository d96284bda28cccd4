"""The kit for FastAPI: one dependency per route, the right 401, 403 or 503, and no round trip per request.

gate = Gatepost(issuer="https://id.example", audience="https://orders.example")
app = FastAPI(lifespan=gate.lifespan)
install(app)

@app.get("/reports")
async def list_reports(caller: Annotated[Principal, gate.require("orders:read")]) -> list[Report]: ...
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Never

import httpx2
from fastapi import FastAPI, Request, Response
from fastapi.openapi.models import HTTPBearer
from fastapi.params import Security
from starlette.requests import HTTPConnection
from starlette.types import Scope

from gatepost.challenge import bearer_challenge
from gatepost.feed import MAX_AGE, RevocationFeed
from gatepost.fetch import FetchError
from gatepost.guard import Guard, GuardedRoute, Refused, find_passed
from gatepost.jwks import JwksCache
from gatepost.principal import Principal
from gatepost.refusals import AccessRefused, CannotDecide, KeysUnknown, ScopesMissing
from gatepost.scopes import format_scope
from gatepost.tokens import DEFAULT_LEEWAY
from gatepost.verify import Verifier, check_scopes

RETRY_AFTER = "5"
_log = logging.getLogger("gatepost.fastapi")


class BearerGuard(Guard):
    """Lets a bearer token with all of `needed` pass, and knows how to refuse the others."""

    def __init__(self, verifier: Verifier, realm: str, needed: tuple[str, ...], resource_metadata: str | None) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="An access token from Gatepost.")
        self.scheme_name = "Gatepost"
        self._verifier = verifier
        self._needed = frozenset(needed)
        self._realm = realm
        self._resource_metadata = resource_metadata
        self._challenge(None)  # a realm or scope that no header can hold shows at start, not at the first refusal

    async def __call__(self, connection: HTTPConnection) -> Principal:
        """The caller of this request. Raises `Refused`."""
        principal = find_passed(self, connection)
        if principal is not None:
            return principal
        token = self._bearer_token(connection.scope)
        try:
            principal = await self._verifier.verify(token, now=datetime.now(UTC))
            check_scopes(principal, self._needed)
        except AccessRefused as refusal:
            self._refuse(refusal)
        return principal

    def _bearer_token(self, scope: Scope) -> str:
        credentials: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                if credentials is not None:
                    raise Refused(
                        HTTPStatus.BAD_REQUEST,
                        "invalid_request",
                        "Two Authorization headers in one request.",
                        self._challenge("invalid_request"),
                    )
                credentials = value
        if credentials is None or credentials[:7].lower() not in (b"bearer ", b"bearer"):
            raise Refused(
                HTTPStatus.UNAUTHORIZED, "unauthenticated", "This needs a bearer token.", self._challenge(None)
            )
        return credentials[7:].lstrip(b" ").decode("latin-1")

    def _refuse(self, refusal: AccessRefused) -> Never:
        _log.info("refused: %s", refusal.reason)
        match refusal:
            case ScopesMissing():
                detail = f"This needs the scope: {format_scope(refusal.needed)}."
                headers = self._challenge("insufficient_scope")
                raise Refused(HTTPStatus.FORBIDDEN, "insufficient_scope", detail, headers) from None
            case CannotDecide():
                code = "keys_unknown" if isinstance(refusal, KeysUnknown) else "revocations_unknown"
                detail = "The token cannot be checked now. Try again in a few seconds."
                headers = {"Retry-After": RETRY_AFTER}
                raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, code, detail, headers) from None
            case _:
                detail = "The access token is not valid here, has expired, or was revoked."
                headers = self._challenge("invalid_token", detail)
                raise Refused(HTTPStatus.UNAUTHORIZED, "invalid_token", detail, headers) from None

    def _challenge(self, error: str | None, description: str | None = None) -> dict[str, str]:
        challenge = bearer_challenge(
            self._realm,
            error=error,
            error_description=description,
            scope=self._needed,
            resource_metadata=self._resource_metadata,
        )
        return {"WWW-Authenticate": challenge}


class Gatepost:
    """One issuer, one audience, and the dependencies that let its callers in. Make one per application.

    With `client_id` and `client_secret` the revocation feed is followed, and revoked tokens are refused within a
    second; without them a token is good until it expires. `lifespan` fetches the keys, follows the feed and closes
    what it opened; an application with a lifespan of its own enters it as `async with gate.lifespan(app):`.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        leeway: timedelta = DEFAULT_LEEWAY,
        feed_max_age: timedelta = MAX_AGE,
        realm: str | None = None,
        resource_metadata: str | None = None,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        self._client = client or httpx2.AsyncClient()
        self._jwks = JwksCache(issuer, self._client)
        self._feed: RevocationFeed | None = None
        if client_id is not None and client_secret is not None:
            self._feed = RevocationFeed(
                issuer, self._client, client_id=client_id, client_secret=client_secret, max_age=feed_max_age
            )
        elif client_id is not None or client_secret is not None:
            raise ValueError("the revocation feed needs both client_id and client_secret")
        self._verifier = Verifier(issuer, audience, self._jwks, self._feed, leeway=leeway)
        self._realm = realm or audience
        self._resource_metadata = resource_metadata

    def require(self, *scopes: str) -> Security:
        """The dependency for a route that needs all of `scopes`.

        Raises `ValueError` for a malformed one, and for none at all: a requirement that was left empty must not let
        everybody in.
        """
        if not scopes:
            raise ValueError("name at least one scope; for any valid token say authenticated()")
        return self._guarded(scopes)

    def authenticated(self) -> Security:
        """The dependency for a route that any valid token may call."""
        return self._guarded(())

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Fetch the keys, follow the feed while the application runs, then close the connections to the issuer."""
        following: asyncio.Task[None] | None = None
        try:
            # The issuer may start after us: then requests are 503 until it answers.
            with contextlib.suppress(KeysUnknown):
                await self._jwks.keys(datetime.now(UTC))
            if self._feed is not None:
                with contextlib.suppress(FetchError):
                    await self._feed.poll(datetime.now(UTC))
                following = asyncio.create_task(self._feed.follow())
            yield
        finally:
            if following is not None:
                following.cancel()
                await asyncio.wait([following])
            await self._jwks.aclose()
            await self._client.aclose()

    def _guarded(self, scopes: tuple[str, ...]) -> Security:
        guard = BearerGuard(self._verifier, self._realm, scopes, self._resource_metadata)
        return Security(guard, scopes=scopes)


def install(app: FastAPI) -> None:
    """Give the application the kit's manners: problem documents (RFC 9457), and guards before bodies.

    Call it before routes are added to `app`; routers of your own take `APIRouter(route_class=GuardedRoute)`.
    """
    app.router.route_class = GuardedRoute
    app.add_exception_handler(Refused, _answer)


async def _answer(_request: Request, refusal: Exception) -> Response:
    if not isinstance(refusal, Refused):
        raise TypeError("this handler is for Refused alone") from refusal
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(refusal.status_code).phrase,
        "status": refusal.status_code,
        "detail": refusal.detail,
        "code": refusal.code,
    }
    return Response(
        json.dumps(problem), refusal.status_code, headers=refusal.headers, media_type="application/problem+json"
    )
