"""FastAPI with one route, and one that has a dependency which does nothing."""

from typing import Annotated

from fastapi import Depends, FastAPI

app = FastAPI()


async def nobody() -> str:
    """The cheapest dependency there is."""
    return "nobody"


@app.get("/plain")
async def plain() -> dict[str, str]:
    """No dependency."""
    return {"caller": "nobody"}


@app.get("/")
async def depending(caller: Annotated[str, Depends(nobody)]) -> dict[str, str]:
    """One dependency."""
    return {"caller": caller}
