"""Is the process alive, and can it do its work."""

from typing import Literal

from fastapi import APIRouter, Request, Response

from service.web.security import Route, public
from service.web.shapes import Shown

router = APIRouter(tags=["Health"], route_class=Route)


class Alive(Shown):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(Shown):
    """Which stores answer. `degraded` still judges tokens; what needs the store that is away gets 503."""

    status: Literal["ready", "degraded"]
    sql: bool
    redis: bool


@router.get("/livez", summary="Is the process alive", dependencies=[public])
async def livez() -> Alive:
    """200 as long as the process can answer at all; asks no store."""
    return Alive()


@router.get("/readyz", summary="Can the service do its work", dependencies=[public], responses={503: {"model": Ready}})
async def readyz(request: Request, response: Response) -> Ready:
    """200 when both stores answer, else 503 with which one does not."""
    sql, redis = await request.app.state.stores_answer()
    if not (sql and redis):
        response.status_code = 503
        response.headers["Retry-After"] = "1"
    return Ready(status="ready" if sql and redis else "degraded", sql=sql, redis=redis)
