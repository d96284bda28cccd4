"""What all pages of the account share: the navigation, the heading, what was done, and what was wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from service.protocol.errors import Invalid
from service.web.pages.address import explained
from service.web.pages.language import Locale
from service.web.pages.page import page


class Place(StrEnum):
    """The pages of the account in the order of their navigation, by what their words in the catalogue begin with."""

    PROFILE = "profile"
    PASSWORD = "password"
    EMAIL = "email"
    LINKED = "linked"
    SESSIONS = "sessions"
    APPLICATIONS = "applications"
    API_KEYS = "api-keys"

    @property
    def path(self) -> str:
        """Where the page is."""
        return "/account" if self is Place.PROFILE else f"/account/{self}"


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the page is among its `places`, whose account it shows, the token of its forms, what has been `done`, and
    the `mistake` in what was `typed`."""

    place: Place
    places: tuple[Place, ...]
    locale: Locale
    account: str
    csrf: str
    done: str = ""
    mistake: Invalid | None = None
    typed: Mapping[str, str] = field(default_factory=dict)


def account_page(template: str, frame: Frame, *, name: str = "", shortest: int = 0, **shown: Any) -> Response:
    """The page of a template in its frame; 422 with a mistake. Its words begin with the place's or another `name`. A
    `done` without words is not shown."""
    told = f"account.{frame.place}.done.{frame.done}"
    mistake = frame.mistake
    return page(
        f"account/{template}.html",
        locale=frame.locale,
        status=HTTPStatus.OK if mistake is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        frame=frame,
        words=f"account.{name or frame.place}",
        done=told if frame.done and mistake is None and told in frame.locale else "",
        errors={mistake.field: explained(mistake, frame.locale, shortest)} if mistake else {},
        shortest=shortest,
        **shown,
    )
