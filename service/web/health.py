"""Is the process alive, and can it do its work."""

from typing import Literal

from fastapi import APIRouter, Request, Response

from service.web.security import Route, public
from service.web.shapes import Shown

router = APIRouter(tags=["Health"], route_class=Route)


class Alive(Shown):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Readiness(Shown):
    """What a worker needs for all of its work: both stores, and signing keys that it has read."""

    sql: bool
    redis: bool
    keys: bool

    @property
    def is_whole(self) -> bool:
        """Whether nothing is lacking."""
        return self.sql and self.redis and self.keys


class Ready(Readiness):
    """`degraded` still judges tokens; what needs the part that is away gets 503."""

    status: Literal["ready", "degraded"]

    @classmethod
    def told(cls, found: Readiness) -> tuple["Ready", dict[str, str]]:
        """The answer, and the fields that a 503 has."""
        if found.is_whole:
            return cls(status="ready", sql=True, redis=True, keys=True), {}
        return cls(status="degraded", sql=found.sql, redis=found.redis, keys=found.keys), {"Retry-After": "1"}


@router.get("/livez", summary="Is the process alive", dependencies=[public])
async def livez() -> Alive:
    """200 as long as the process can answer at all; asks no store."""
    return Alive()


@router.get("/readyz", summary="Can the service do its work", dependencies=[public], responses={503: {"model": Ready}})
async def readyz(request: Request, response: Response) -> Ready:
    """200 when this worker can do all of its work, else 503 with what it lacks."""
    found: Readiness = await request.app.state.readiness()
    ready, fields = Ready.told(found)
    if not found.is_whole:
        response.status_code = 503
        response.headers.update(fields)
    return ready
