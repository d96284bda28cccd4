"""The pages of a sign-in: its form, its end, and the question before it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Literal

from starlette.responses import Response

from service.federation import ProviderConfig
from service.web.pages.language import Locale
from service.web.pages.page import page, policy_of

SignInError = Literal[
    "wrong",
    "throttled",
    "busy",
    "denied",
    "not_anew",
    "no_account",
    "sign_in_first",
    "provider_failed",
    "provider_silent",
]
_STATUS = {
    None: HTTPStatus.OK,
    "wrong": HTTPStatus.UNPROCESSABLE_ENTITY,
    "throttled": HTTPStatus.TOO_MANY_REQUESTS,
    "busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "denied": HTTPStatus.FORBIDDEN,
    "not_anew": HTTPStatus.FORBIDDEN,
    "no_account": HTTPStatus.FORBIDDEN,
    "sign_in_first": HTTPStatus.CONFLICT,
    "provider_failed": HTTPStatus.BAD_GATEWAY,
    "provider_silent": HTTPStatus.GATEWAY_TIMEOUT,
}
_WAITS = frozenset({"busy", "provider_silent"})


def sign_in_page(
    request_text: str,
    csrf: str,
    *,
    locale: Locale,
    redirect_uri: str = "",
    client_name: str = "",
    login_hint: str = "",
    error: SignInError | None = None,
    account: str | None = None,
    again: bool = False,
    ways: Mapping[str, str] | None = None,
    providers: Sequence[ProviderConfig] = (),
    provider: str = "",
    action: str = "/sign-in",
) -> Response:
    """Ask for user name and password; `account`, when somebody is signed in already, can be gone on with instead.

    The form posts `request` (as given), `csrf`, `username` and `password` to `action`, or with the account's button
    `request`, `csrf` and `choice=continue`. `redirect_uri` is where the whole flow ends. `again` says that somebody is
    signed in, too long ago for what comes next. `ways` are links for who cannot sign in: address to word, `forgot` or
    `register`. Each of `providers` has a form of its own, which posts `request` and `csrf`; `provider` is which of them
    the error is about.
    """
    return page(
        "sign_in.html",
        locale=locale,
        status=_STATUS[error],
        policy=policy_of(redirect_uri, *(one.issuer for one in providers)),
        headers={"Retry-After": "5"} if error in _WAITS else None,
        request_text=request_text,
        csrf=csrf,
        client_name=client_name,
        login_hint=login_hint,
        error=error,
        account=account,
        again=again,
        ways=ways or {},
        providers={one.name: one.label for one in providers},
        provider=provider,
        action=action,
    )


def logout_confirm_page(
    csrf: str,
    *,
    locale: Locale,
    fields: Mapping[str, str],
    account: str,
    client_name: str = "",
    redirect_uri: str = "",
    action: str = "/oauth2/logout",
) -> Response:
    """Ask whether to sign out. The form posts `fields`, `csrf` and `choice=sign_out` or `choice=stay`."""
    return page(
        "logout.html",
        locale=locale,
        policy=policy_of(redirect_uri),
        fields={**fields, "csrf": csrf},
        account=account,
        client_name=client_name,
        action=action,
    )


def signed_out_page(*, locale: Locale, client_name: str = "", client_uri: str = "") -> Response:
    """Say that it is done; with a link back when the client has a website."""
    return page("signed_out.html", locale=locale, client_name=client_name, client_uri=client_uri)


def signed_in_page(*, locale: Locale, account: str) -> Response:
    """Say who is signed in, where there is nothing to go on to."""
    return page("signed_in.html", locale=locale, account=account)
