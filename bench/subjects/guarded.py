"""The same route inside the server: its own guard, error translator and edge over its real stores.

The server has no route so small; this is `create_app` with another table of routes.
"""

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, FastAPI

from gatepost.principal import Principal
from service.app import build_house
from service.app.application import gate_of
from service.settings import load_settings
from service.web import errors
from service.web.edge import Edge
from service.web.security import Route, require

settings = load_settings({name: value for name, value in os.environ.items() if name.startswith("GATEPOST_")})
house = build_house(settings)
router = APIRouter(route_class=Route)


@router.get("/")
async def protected(caller: Annotated[Principal, require("orders:read")]) -> dict[str, str]:
    """One guard."""
    return {"caller": caller.subject}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """The stores, as long as the worker runs."""
    async with house.open():
        yield


inner = FastAPI(lifespan=lifespan, redirect_slashes=False, docs_url=None, redoc_url=None, openapi_url=None)
inner.state.gate = gate_of(settings, house)
errors.install(inner)
inner.router.routes.extend(router.routes)
app = Edge(inner, hot={}, secure=settings.secure, max_body=settings.server.max_body)
gc.freeze()  # as `service.main` does
