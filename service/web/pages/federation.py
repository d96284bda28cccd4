"""The question whether to link an account to what another service has proven."""

from starlette.responses import Response

from service.web.pages.language import Locale
from service.web.pages.page import page


def link_page(
    request_text: str, csrf: str, *, locale: Locale, provider: str, account_there: str, account: str
) -> Response:
    """Ask. The form posts `request` (as given), `csrf` and `choice=link` or `choice=leave`."""
    return page(
        "link_identity.html",
        locale=locale,
        request_text=request_text,
        csrf=csrf,
        provider=provider,
        account_there=account_there,
        account=account,
    )
