"""The same route in a service that uses the kit and follows the revocation feed."""

import os
from typing import Annotated

from fastapi import FastAPI

from gatepost.fastapi import Gatepost, install
from gatepost.principal import Principal

gate = Gatepost(
    os.environ["BENCH_ISSUER"],
    os.environ["BENCH_ISSUER"],
    client_id=os.environ["BENCH_CLIENT_ID"],
    client_secret=os.environ["BENCH_CLIENT_SECRET"],
)
app = FastAPI(lifespan=gate.lifespan)
install(app)


@app.get("/")
async def protected(caller: Annotated[Principal, gate.require("orders:read")]) -> dict[str, str]:
    """One guard."""
    return {"caller": caller.subject}
