"""How a page is answered: rendered in one language, never stored, with nothing inline."""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from service.web.pages.language import Locale, get_locale

_templates = Environment(
    loader=PackageLoader("service.web.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    template: str,
    *,
    locale: Locale | None = None,
    status: HTTPStatus = HTTPStatus.OK,
    policy: str | None = None,
    headers: Mapping[str, str] | None = None,
    **shown: object,
) -> Response:
    """The page of a template, English unless `locale` says otherwise. Edge adds what every answer carries.

    There is no Cross-Origin-Opener-Policy: it would cut a page off from the application that opened it in a window of
    its own and waits there for the answer, as `/docs` does.
    """
    spoken = locale or get_locale("en")
    fields = {
        "Content-Security-Policy": policy or policy_of(),
        "Content-Language": spoken.tag,
        "Cache-Control": "no-store",
        **(headers or {}),
    }
    shown |= {"locale": spoken, "t": spoken.text, "plain": spoken.plain}
    return HTMLResponse(_templates.get_template(template).render(shown), status, fields)


def policy_of(*leads_to: str, scripts: bool = False) -> str:
    """The content security policy of a page whose forms end, after redirects, at these addresses of others.

    Browsers hold every redirect that follows a form to `form-action`, those of another's own server too, which may lie
    on another host. So the schemes are named there, and https; when all ends here, ourselves alone.
    """
    schemes = {scheme for uri in leads_to if (scheme := urlsplit(uri).scheme)}
    targets = "".join(f" {name}:" for name in sorted({*schemes, "https"})) if schemes else ""
    own_scripts = "script-src 'self'; " if scripts else ""
    return (
        f"default-src 'none'; {own_scripts}style-src 'self'; img-src 'self'; "
        f"form-action 'self'{targets}; base-uri 'none'; frame-ancestors 'none'"
    )


def place_of(uri: str) -> str:
    """What a person should know an address by: its host and port, or the scheme that is an application's own."""
    parts = urlsplit(uri)
    return parts.netloc if parts.scheme in ("http", "https") else parts.scheme
