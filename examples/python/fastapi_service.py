"""A FastAPI service that takes Gatepost's access tokens, with the kit: revoked tokens are refused within a second.

GP_CLIENT_ID=… GP_CLIENT_SECRET=… uvicorn fastapi_service:app --port 5002

The client needs the scope `revocations:read`.
"""

import os
from typing import Annotated

from fastapi import FastAPI

from gatepost import Principal
from gatepost.fastapi import Gatepost, install

URL = os.environ.get("GP_URL", "http://localhost:8000")

gate = Gatepost(
    issuer=URL,
    audience=os.environ.get("GP_AUDIENCE", URL),
    client_id=os.environ["GP_CLIENT_ID"],
    client_secret=os.environ["GP_CLIENT_SECRET"],
)
app = FastAPI(lifespan=gate.lifespan)
install(app)


@app.get("/orders")
async def list_orders(caller: Annotated[Principal, gate.require("orders:read")]) -> dict[str, str]:
    return {"orders of": caller.subject}
