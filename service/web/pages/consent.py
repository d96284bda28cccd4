"""The page on which a person allows a client something, and scopes in plain words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from service.access.catalogue import BUILT_IN, OPENID
from service.clients.client import Client
from service.web.pages.language import Locale
from service.web.pages.page import page, place_of, policy_of

_FIRST = ("openid", "profile", "email", "phone", "address")


@dataclass(frozen=True, slots=True)
class ScopeLine:
    """One scope as it is shown. `words` is empty where nobody has described the scope: its name has to do."""

    name: str
    words: str


def consent_page(
    request_text: str,
    csrf: str,
    *,
    locale: Locale,
    client: Client,
    redirect_uri: str,
    scopes: Iterable[str],
    descriptions: Mapping[str, str],
    account: str,
    resources: Sequence[str] = (),
    action: str = "/consent",
) -> Response:
    """Ask for consent. The form posts `request`, `csrf` and `choice=allow` or `choice=deny`.

    `descriptions` are those of the access catalogue; `resources` the audiences beyond our own. The client's logo is not
    shown: a browser would tell a foreign host about the sign-in.
    """
    metadata = client.metadata
    links = {
        "consent.website": metadata.client_uri,
        "consent.privacy": metadata.policy_uri,
        "consent.terms": metadata.tos_uri,
    }
    return page(
        "consent.html",
        locale=locale,
        policy=policy_of(redirect_uri),
        request_text=request_text,
        csrf=csrf,
        client_name=client.name,
        host=place_of(redirect_uri),
        scopes=scope_lines(scopes, descriptions, locale=locale),
        account=account,
        resources=resources,
        links={key: uri for key, uri in links.items() if uri},
        action=action,
    )


def scope_lines(scopes: Iterable[str], descriptions: Mapping[str, str], *, locale: Locale) -> list[ScopeLine]:
    """Scopes in words: those of the operator, else ours in this language, else none. Who you are comes first."""
    ordered = sorted(scopes, key=lambda scope: (_FIRST.index(scope) if scope in _FIRST else len(_FIRST), scope))
    return [ScopeLine(scope, _words(scope, descriptions.get(scope, ""), locale)) for scope in ordered]


def _words(scope: str, described: str, locale: Locale) -> str:
    key = f"scope.{scope}"
    is_ours = described in ("", OPENID.get(scope), BUILT_IN.get(scope))
    return locale.plain(key) if is_ours and key in locale else described
