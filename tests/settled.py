"""Waiting for what a store was asked (`service/pending.py`)."""

import asyncio
from typing import Any

from service.pending import Pending


async def settled(*asked: Pending[Any]) -> None:
    """Until each has its answer."""
    for pending in asked:
        event = asyncio.Event()
        pending.when_settled(event.set)
        await event.wait()
