"""Every hosted page with content of our choice: `python -m tests.pages.gallery PORT` serves them all."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from markupsafe import Markup

from service.clients.client import Client
from service.clients.metadata import ClientMetadata
from service.federation import ProviderConfig
from service.protocol.errors import Invalid
from service.web.edge import Edge
from service.web.mailbox import Letter, mailbox_page
from service.web.pages import (
    Locale,
    Problem,
    assets,
    consent_page,
    device_confirm_page,
    device_done_page,
    device_page,
    error_page,
    form_post_page,
    logout_confirm_page,
    page,
    sign_in_page,
    signed_in_page,
    signed_out_page,
)
from service.web.pages.address import (
    COMPLETE,
    CONFIRM,
    FORGOT,
    REGISTER,
    RESET,
    done_page,
    form_page,
)
from service.web.pages.federation import link_page
from service.web.pages.language import get_locale
from tests.pages.account_gallery import ACCOUNT_PAGES, Shown

LANGUAGES = ("en", "ar")


@dataclass(frozen=True)
class Content:
    """What comes from outside. `uri` is where the flow ends."""

    client: str = "Harbour Notes"
    account: str = "ada"
    text: str = "gAAAAABn"
    uri: str = "https://notes.example/callback"
    code: str = "WDJB-MJHT"
    scope: str = "notes:read"
    words: str = "Read your notes"
    resource: str = "https://api.notes.example/"


FRIENDLY = Content()
Draw = Callable[[Locale, Content], Response]


def _client(shown: Content) -> Client:
    metadata = ClientMetadata(
        redirect_uris=(shown.uri,),
        client_uri="https://notes.example/",
        logo_uri="https://notes.example/logo.png",
        policy_uri="https://notes.example/privacy",
        tos_uri="https://notes.example/terms",
    )
    now = datetime.now(UTC)
    return Client("gp_client_x", shown.client, True, frozenset(), (), 1, now, metadata=metadata)


def _provider(label: str) -> ProviderConfig:
    return ProviderConfig(label, "oidc", "client", "secret", "https://id.example", label, ("openid",))


def _consent(locale: Locale, shown: Content, *scopes: str, resources: tuple[str, ...] = ()) -> Response:
    return consent_page(
        shown.text,
        shown.text,
        locale=locale,
        client=_client(shown),
        redirect_uri=shown.uri,
        scopes=scopes,
        descriptions={shown.scope: shown.words},
        account=shown.account,
        resources=resources,
    )


def _setup(locale: Locale, shown: Content, errors: Mapping[str, Markup]) -> Response:
    return page(
        "setup.html",
        locale=locale,
        token=shown.text,
        username=shown.account if errors else "",
        shortest=15,
        errors=errors,
    )


PAGES: Mapping[str, Draw] = {
    "sign-in": lambda to, it: sign_in_page(it.text, it.text, locale=to, client_name=it.client, redirect_uri=it.uri),
    "sign-in-bare": lambda to, it: sign_in_page(it.text, it.text, locale=to),
    "sign-in-ways": lambda to, it: sign_in_page(
        it.text, it.text, locale=to, ways={"/forgot-password": "forgot", "/register": "register"}
    ),
    "sign-in-wrong": lambda to, it: sign_in_page(
        it.text, it.text, locale=to, client_name=it.client, login_hint=it.account, error="wrong"
    ),
    "sign-in-throttled": lambda to, it: sign_in_page(
        it.text, it.text, locale=to, login_hint=it.account, error="throttled", ways={"/forgot-password": "forgot"}
    ),
    "sign-in-busy": lambda to, it: sign_in_page(it.text, it.text, locale=to, login_hint=it.account, error="busy"),
    "sign-in-account": lambda to, it: sign_in_page(
        it.text, it.text, locale=to, client_name=it.client, account=it.account, redirect_uri=it.uri
    ),
    "sign-in-with": lambda to, it: sign_in_page(
        it.text,
        it.text,
        locale=to,
        client_name=it.client,
        redirect_uri=it.uri,
        ways={"/forgot-password": "forgot", "/register": "register"},
        providers=[_provider(it.client), _provider("Acme")],
    ),
    "sign-in-first": lambda to, it: sign_in_page(
        it.text, it.text, locale=to, login_hint=it.account, error="sign_in_first", provider=it.client
    ),
    "link-identity": lambda to, it: link_page(
        it.text, it.text, locale=to, provider=it.client, account_there=it.uri, account=it.account
    ),
    "consent": lambda to, it: _consent(to, it, "openid", "profile", "offline_access", it.scope, "notes.export"),
    "consent-resources": lambda to, it: _consent(to, it, "openid", resources=(it.resource,)),
    "device": lambda to, it: device_page(it.text, locale=to),
    "device-unknown": lambda to, it: device_page(it.text, locale=to, user_code=it.code, error="unknown"),
    "device-throttled": lambda to, it: device_page(it.text, locale=to, user_code=it.code, error="throttled"),
    "device-confirm": lambda to, it: device_confirm_page(
        it.text,
        locale=to,
        user_code=it.code,
        client_name=it.client,
        scopes=["openid", it.scope],
        descriptions={it.scope: it.words},
        account=it.account,
    ),
    "device-allowed": lambda to, it: device_done_page(locale=to, allowed=True),
    "device-denied": lambda to, it: device_done_page(locale=to, allowed=False),
    "logout": lambda to, it: logout_confirm_page(
        it.text, locale=to, fields={"request": it.text}, account=it.account, client_name=it.client, redirect_uri=it.uri
    ),
    "signed-out": lambda to, it: signed_out_page(locale=to),
    "signed-out-client": lambda to, it: signed_out_page(
        locale=to, client_name=it.client, client_uri="https://notes.example/"
    ),
    "sign-in-again": lambda to, it: sign_in_page(it.text, it.text, locale=to, login_hint=it.account, again=True),
    "signed-in": lambda to, it: signed_in_page(locale=to, account=it.account),
    "form-post": lambda to, it: form_post_page(it.uri, {"code": it.text, "state": it.text}, locale=to),
    "forgot": lambda to, it: form_page(FORGOT, locale=to, sent_along={"csrf": it.text}),
    "forgot-mistake": lambda to, it: form_page(
        FORGOT, locale=to, sent_along={"csrf": it.text}, mistake=Invalid("email", it.words), typed={"email": it.account}
    ),
    "register": lambda to, it: form_page(REGISTER, locale=to, sent_along={"csrf": it.text}),
    "reset": lambda to, it: form_page(
        RESET, locale=to, sent_along={"token": it.text}, shortest=15, username=it.account
    ),
    "complete": lambda to, it: form_page(
        COMPLETE, locale=to, sent_along={"token": it.text}, shortest=15, address=it.uri
    ),
    "complete-mistake": lambda to, it: form_page(
        COMPLETE,
        locale=to,
        sent_along={"token": it.text},
        shortest=15,
        mistake=Invalid("password_again", it.words, rule="different"),
        typed={"username": it.account},
        address=it.uri,
    ),
    "confirm": lambda to, it: form_page(CONFIRM, locale=to, sent_along={"token": it.text}, address=it.uri),
    **{
        name: lambda to, it, name=name: done_page(name, locale=to, leads_to="/sign-in")
        for name in ("sent", "reset_done", "complete_done", "confirm_done")
    },
    "mailbox": lambda to, it: mailbox_page(
        [Letter(it.words, it.account, it.code, ["Open ", it.uri, "."])], it.uri, locale=to
    ),
    "mailbox-empty": lambda to, it: mailbox_page([], it.uri, locale=to),
    "setup": lambda to, it: _setup(to, it, {}),
    "setup-mistake": lambda to, it: _setup(to, it, {"password": to.text("mistake.too_short", shortest=15)}),
    "setup-dead": lambda to, it: page("setup_dead.html", locale=to),
    "setup-done": lambda to, it: page("setup_done.html", locale=to),
    **{
        name: lambda to, it, draw=draw: draw(to, Shown(it.account, it.client, it.text, it.scope, it.words, it.resource))
        for name, draw in ACCOUNT_PAGES.items()
    },
    **{
        f"problem-{problem}": lambda to, it, problem=problem: error_page(problem, locale=to, technical="It is refused.")
        for problem in Problem
    },
}


def app() -> Edge:
    """The gallery as an application: each page under the fields that Edge gives it, with the files that it loads."""
    router = APIRouter()

    @router.get("/{tag}/{name}")
    async def show(request: Request, tag: str, name: str) -> Response:
        return PAGES[name](get_locale(tag), FRIENDLY)

    inner = FastAPI(openapi_url=None)
    inner.router.routes.extend([*assets.router.routes, *router.routes])
    return Edge(inner, hot={}, secure=False, max_body=1_000)


if __name__ == "__main__":
    uvicorn.run(app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
