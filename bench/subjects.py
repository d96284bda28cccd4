"""The applications that are compared. Each is served by uvicorn, one worker, uvloop and httptools."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI
from starlette.types import Receive, Scope, Send

from gatepost.fastapi import Gatepost, install
from gatepost.principal import Principal
from service.app import build_house
from service.settings import load_settings
from service.web import errors
from service.web.address import AddressRule
from service.web.cookies import Cookies
from service.web.edge import Edge
from service.web.security import Gate, Route, require

SCOPE = "orders:read"
_BODY = b'{"caller":"nobody"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """The floor of ASGI."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _BODY})


def bare() -> FastAPI:
    """FastAPI with one route, and one that has a dependency which does nothing."""
    app = FastAPI()

    async def nobody() -> str:
        return "nobody"

    @app.get("/plain")
    async def plain() -> dict[str, str]:
        return {"caller": "nobody"}

    @app.get("/")
    async def depending(caller: Annotated[str, Depends(nobody)]) -> dict[str, str]:
        return {"caller": caller}

    return app


def kit() -> FastAPI:
    """The same route in a service that uses the kit and follows the revocation feed."""
    gate = Gatepost(
        os.environ["BENCH_ISSUER"],
        os.environ["BENCH_ISSUER"],
        client_id=os.environ["BENCH_CLIENT_ID"],
        client_secret=os.environ["BENCH_CLIENT_SECRET"],
    )
    app = FastAPI(lifespan=gate.lifespan)
    install(app)

    @app.get("/")
    async def protected(caller: Annotated[Principal, gate.require(SCOPE)]) -> dict[str, str]:
        return {"caller": caller.subject}

    return app


def guarded() -> Edge:
    """The same route inside the server: its own guard, error translator and edge over its real stores."""
    environ = {name: value for name, value in os.environ.items() if name.startswith("GATEPOST_")}
    settings = load_settings(environ)
    house = build_house(settings)
    router = APIRouter(route_class=Route)

    @router.get("/")
    async def protected(caller: Annotated[Principal, require(SCOPE)]) -> dict[str, str]:
        return {"caller": caller.subject}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with house.open():
            yield

    app = FastAPI(lifespan=lifespan, redirect_slashes=False, max_body_size=settings.server.max_body)
    app.state.gate = Gate(
        resolver=house.resolver,
        cookies=Cookies(secure=settings.secure),
        address=AddressRule(settings.server.trusted_proxies),
        api_key_in_query=settings.api_keys.allow_in_query,
        origins=frozenset({settings.public_url.encode()}),
    )
    errors.install(app)
    app.include_router(router)
    return Edge(app, hot={}, secure=settings.secure, max_body=settings.server.max_body)
