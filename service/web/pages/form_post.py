"""The page that carries an answer to a client in a form instead of an address (OAuth 2.0 Form Post Response Mode)."""

from collections.abc import Mapping

from starlette.responses import Response

from service.web.pages.language import Locale
from service.web.pages.page import page, place_of, policy_of


def form_post_page(redirect_uri: str, fields: Mapping[str, str], *, locale: Locale) -> Response:
    """A form of `fields` to the client's proven address. A script of ours sends it at once; without scripts there is a
    button. No parameter gets into an address, a script or a log."""
    return page(
        "form_post.html",
        locale=locale,
        policy=policy_of(redirect_uri, scripts=True),
        redirect_uri=redirect_uri,
        host=place_of(redirect_uri),
        fields=fields,
    )
