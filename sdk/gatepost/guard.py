"""Guards: dependencies that decide by the head of a request alone, and the route that asks them before the body."""

from abc import abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from gatepost.principal import Principal

_PASSED = "gatepost.passed"


class Refused(HTTPException):
    """A refusal on its way out as HTTP. Without `install` FastAPI still answers with its status and headers."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, headers: dict[str, str]) -> None:
        super().__init__(status, detail, headers)
        self.code = code


class Guard(SecurityBase):
    """A dependency that hands over the caller or refuses, and that needs nothing but the head of the request."""

    @abstractmethod
    async def __call__(self, connection: HTTPConnection) -> Principal:
        """The caller. Raises whatever the application turns into a refusal."""


class GuardedRoute(APIRoute):
    """A route whose guards run before the body is read, so that a stranger's bad body is 401 and not 422.

    Guards are found on the endpoint, its sub-dependencies, the route and its router. One that is given only to
    `include_router(dependencies=…)` is FastAPI's to call: it still guards the endpoint, but after the body is parsed.
    `dependency_overrides` do not reach a guard here: test with `gatepost.testing`, which needs none.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, behind the route's guards."""
        handler = super().get_route_handler()
        guards = tuple(dict.fromkeys(_guards(self.dependant)))
        if not guards:
            return handler

        async def guarded(request: Request) -> Response:
            passed = request.scope[_PASSED] = {}
            for guard in guards:
                passed[guard] = await guard(request)
            return await handler(request)

        return guarded


def find_passed(guard: Guard, connection: HTTPConnection) -> Principal | None:
    """Whom this guard has already let in with this request, or None."""
    passed: dict[Guard, Principal] | None = connection.scope.get(_PASSED)
    return None if passed is None else passed.get(guard)


def _guards(dependant: Dependant) -> Iterator[Guard]:
    for needed in dependant.dependencies:
        if isinstance(needed.call, Guard):
            yield needed.call
        yield from _guards(needed)
