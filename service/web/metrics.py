"""`/metrics` on the port of everybody: for who may read it, as it tells what the service is busy with."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from gatepost.principal import Principal
from service.protocol.errors import NotFound
from service.web.management import MetricsText
from service.web.security import Route, require

router = APIRouter(tags=["Health"], route_class=Route)


@router.get(
    "/metrics",
    summary="Read the metrics of all workers",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def read_metrics(request: Request, caller: Annotated[Principal, require("admin:metrics:read")]) -> Response:
    """In Prometheus' text form. The management port has the same for whoever reaches it."""
    metrics: MetricsText | None = request.app.state.metrics
    if metrics is None:
        raise NotFound(public="There are no metrics here.")
    return await metrics.response()
