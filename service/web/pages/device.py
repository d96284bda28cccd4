"""The pages on which a person lets a device in (RFC 8628 §3.3)."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Literal

from starlette.responses import Response

from service.web.pages.consent import scope_lines
from service.web.pages.language import Locale
from service.web.pages.page import page

DeviceError = Literal["unknown", "throttled"]
_STATUS = {None: HTTPStatus.OK, "unknown": HTTPStatus.UNPROCESSABLE_ENTITY, "throttled": HTTPStatus.TOO_MANY_REQUESTS}


def device_page(csrf: str, *, locale: Locale, user_code: str = "", error: DeviceError | None = None) -> Response:
    """Ask for the code. The form posts `csrf` and `user_code` to `/device`."""
    return page(
        "device.html",
        locale=locale,
        status=_STATUS[error],
        headers={"Retry-After": "60"} if error == "throttled" else None,
        csrf=csrf,
        user_code=user_code,
        error=error,
    )


def device_confirm_page(
    csrf: str,
    *,
    locale: Locale,
    user_code: str,
    client_name: str,
    scopes: Iterable[str],
    descriptions: Mapping[str, str],
    account: str,
    resources: Sequence[str] = (),
) -> Response:
    """Ask whether this is the person's own device: the defence against a code that somebody else sent (RFC 8628 §5.4).

    The form posts `csrf`, `user_code` and `choice=allow` or `choice=deny` to `/device`. `resources` are the audiences
    beyond our own.
    """
    return page(
        "device_confirm.html",
        locale=locale,
        csrf=csrf,
        user_code=user_code,
        client_name=client_name,
        scopes=scope_lines(scopes, descriptions, locale=locale),
        account=account,
        resources=resources,
    )


def device_done_page(*, locale: Locale, allowed: bool) -> Response:
    """Say what came of it."""
    return page("device_done.html", locale=locale, name=f"device_done.{'allowed' if allowed else 'denied'}")
