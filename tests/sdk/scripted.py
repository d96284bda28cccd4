"""An issuer at the far end of the kit's HTTP client: it answers as the test says, and counts what it was asked."""

import asyncio

import httpx2

URL = "https://issuer.test"


class ScriptedIssuer:
    """Answers every request with `answer`, or fails when that is None; waits at `gate` while that is closed."""

    def __init__(self, answer: object = None, *, status: int = 200, cache_control: str = "") -> None:
        self.answer = answer
        self.status = status
        self.cache_control = cache_control
        self.asked: list[httpx2.Request] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        await self.gate.wait()
        if self.answer is None:
            raise httpx2.ConnectError("nobody there")
        headers = {"Cache-Control": self.cache_control} if self.cache_control else {}
        return httpx2.Response(self.status, json=self.answer, headers=headers)
