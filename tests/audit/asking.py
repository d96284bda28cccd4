"""Requests that can be told apart in the audit, and people who send them."""

from collections.abc import Sequence
from itertools import count

import httpx2

from service import clock
from service.accounts.account import User
from service.audit import Record
from service.audit.search import Sought
from tests.servers.gatepost import PASSWORD
from tests.web.running import Web

_number = count(1)


class Asking:
    """Requests that can be told apart in the audit, all from one address behind the proxy."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.client = web.client

    async def __call__(
        self, method: str, path: str, headers: dict[str, str] | None = None, **more: object
    ) -> tuple[httpx2.Response, Sequence[Record]]:
        """The answer, and the rows of this request."""
        request_id = f"audit-{next(_number)}"
        via = {
            "X-Request-ID": request_id,
            "X-Forwarded-For": "203.0.113.1, 198.51.100.9",
            "User-Agent": "Browser/1.0 (test)",
        }
        answer = await self.client.request(method, path, headers={**via, **(headers or {})}, **more)  # type: ignore[arg-type]  # json= or data=
        rows = await self.web.rooms.audit.find(Sought(request_id=request_id), before="", limit=9)
        return answer, rows

    async def one(self, method: str, path: str, headers: dict[str, str] | None = None, **more: object) -> Record:
        """The one row of an act, whose address is by the rule of trusted proxies."""
        answer, rows = await self(method, path, headers, **more)
        assert len(rows) == 1, (path, answer.status_code, answer.text, [row.kind for row in rows])
        [row] = rows
        assert row.personal is not None
        assert (row.personal["address"], row.personal["user_agent"]) == ("198.51.100.9", "Browser/1.0 (test)")
        return row


async def person(web: Web, *roles: str) -> User:
    """Somebody new, with an address of their own."""
    name = f"person{next(_number)}"
    address = f"{name}@example.org"
    directory = web.rooms.directory
    return await directory.create(name, PASSWORD, email=address, roles=roles, scopes=[], now=clock.now())
