"""Pages that say what went wrong and what to do about it, and the route that answers refusals with them."""

from collections.abc import Callable, Coroutine, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response

from service import clock
from service.authorize.refusals import Expired, RedirectRefused, UnknownClient
from service.federation.refusals import ForeignAnswer, LinkedElsewhere, ProviderFailed, ProviderSilent
from service.protocol.errors import (
    CsrfFailed,
    DeadLink,
    Delayed,
    InvalidRequest,
    NotFound,
    Refusal,
    TooManyAttempts,
    TooManyRequests,
)
from service.web.errors import render_refusal
from service.web.pages.language import Locale, locale_of
from service.web.pages.page import page
from service.web.refusals import UnsupportedBody
from service.web.security import Gate, Route


class Problem(StrEnum):
    """What can be wrong, each with a title, a text and an advice in the catalogue."""

    UNKNOWN_CLIENT = "unknown_client"
    REDIRECT_REFUSED = "redirect_refused"
    INVALID_REQUEST = "invalid_request"
    EXPIRED = "expired"
    DEAD_LINK = "dead_link"
    FORGED = "forged"
    FOREIGN_ANSWER = "foreign_answer"
    LINKED_ELSEWHERE = "linked_elsewhere"
    PROVIDER_AWAY = "provider_away"
    TOO_OFTEN = "too_often"
    NOT_NOW = "not_now"
    NOT_FOUND = "not_found"
    REFUSED = "refused"


_BY_REFUSAL: tuple[tuple[type[Refusal], Problem], ...] = (
    (ProviderFailed, Problem.PROVIDER_AWAY),
    (ProviderSilent, Problem.PROVIDER_AWAY),
    (LinkedElsewhere, Problem.LINKED_ELSEWHERE),
    (ForeignAnswer, Problem.FOREIGN_ANSWER),
    (TooManyAttempts, Problem.TOO_OFTEN),
    (TooManyRequests, Problem.TOO_OFTEN),
    (Delayed, Problem.NOT_NOW),
    (CsrfFailed, Problem.FORGED),
    (NotFound, Problem.NOT_FOUND),
    (UnknownClient, Problem.UNKNOWN_CLIENT),
    (RedirectRefused, Problem.REDIRECT_REFUSED),
    (Expired, Problem.EXPIRED),
    (DeadLink, Problem.DEAD_LINK),
    (UnsupportedBody, Problem.INVALID_REQUEST),
    (InvalidRequest, Problem.INVALID_REQUEST),
)


def error_page(
    problem: Problem,
    *,
    locale: Locale,
    status: HTTPStatus = HTTPStatus.BAD_REQUEST,
    technical: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The page of a problem. `technical` is one English sentence for whoever mends it, without text of the request."""
    return page(
        "problem.html", locale=locale, status=status, headers=headers, name=f"problem.{problem}", technical=technical
    )


class PageRoute(Route):
    """A route for people: what it refuses is answered by a page that says so in plain words."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, charged to the network that the browser is in, with refusals shown as pages."""
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            gate: Gate = request.app.state.gate
            try:
                await gate.throttle.page(lambda: gate.address.of(request.scope), now=clock.now())
                return await handler(request)
            except Refusal as refusal:
                return refused_page(request, refusal)

        return shown


def refused_page(request: Request, refusal: Refusal) -> Response:
    """The status and fields are those that the API would answer with."""
    answer = render_refusal(request.scope, refusal)
    kept = {name: value for name, value in answer.headers.items() if name in {"retry-after", "www-authenticate"}}
    problem = next((problem for kind, problem in _BY_REFUSAL if isinstance(refusal, kind)), Problem.REFUSED)
    return error_page(
        problem,
        locale=locale_of(request),
        status=HTTPStatus(answer.status_code),
        technical=refusal.public,
        headers=kept,
    )
