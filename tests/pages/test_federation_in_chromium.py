"""Signing in with other services in Chromium, by keyboard: each kind of provider, with and without scripts, what they
do wrong, and the question before an account is linked. One browser walks all of it."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from service.clients.metadata import AUTHORIZATION_CODE, ClientMetadata
from tests.pages.neighbours import ANOTHER, FAULTS, SAME_ADDRESS, TROUBLES, Neighbourhood, neighbourhood, slug
from tests.pages.test_signing_in import CHALLENGE
from tests.real_clients.conftest import USERNAME
from tests.servers.gatepost import PASSWORD
from tests.servers.valkey import ValkeyServer

_number = count(1)
KINDS = ("stand-in", "node", "gatepost", "github", "facebook")
Steps = list[list[str]]
BY_PASSWORD: Steps = [
    ["type", "#username", USERNAME],
    ["type", "#password", PASSWORD],
    ["press", "form:has(#password) button"],
]


@pytest.fixture(scope="module")
def around(server_folder: Path, sqlite_template: Path, valkey_server: ValkeyServer) -> Iterator[Neighbourhood]:
    valkey_server.flush()
    folder = server_folder / f"neighbours{next(_number)}"
    folder.mkdir()
    with neighbourhood(folder, sqlite_template, valkey_server) as around:
        yield around


def button(name: str) -> Steps:
    """The button of a provider, and, where that is a Gatepost, its page."""
    there = BY_PASSWORD if name == "gatepost" else []
    return [["press", f'form[action="/sign-in/with/{name}"] button'], *there]


def authorize(around: Neighbourhood, name: str) -> str:
    """The address of an authorization request of a new client."""
    metadata = ClientMetadata(
        redirect_uris=(f"{around.application.url}/callback",),
        grant_types=frozenset({AUTHORIZATION_CODE}),
        auth_method="none",
    )
    client_id, _ = around.issuer.register(f"Notes {name}", metadata=metadata)
    asked = {
        "client_id": client_id,
        "redirect_uri": metadata.redirect_uris[0],
        "response_type": "code",
        "scope": "openid profile",
        "state": "of the application",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return f"{around.issuer.url}/oauth2/authorize?{urlencode(asked)}"


def walks(around: Neighbourhood) -> dict[str, dict[str, Any]]:
    """Every walk by its name: those without scripts first. Those of one account follow each other in this order."""
    start = ["go", f"{around.issuer.url}/sign-in"]
    linking = [start, *button(SAME_ADDRESS), ["type", "#password", PASSWORD], ["press", "form:has(#password) button"]]
    account = ["go", f"{around.issuer.url}/account/linked"]
    plain: dict[str, Steps] = {
        **{name: [start, *button(name)] for name in KINDS},
        **{slug(fault): [start, *button(slug(fault))] for fault in (*FAULTS, *TROUBLES)},
        "link, left": [*linking, ["press", "[value=leave]"]],
        "link, not yet": [start, *button(SAME_ADDRESS)],
        "link, asked": linking,
        "link, done": [*linking, ["press", "[value=link]"]],
        "link, from now on": [start, *button(SAME_ADDRESS)],
        "account": [account, *BY_PASSWORD, ["press", f'form[action="/sign-in/with/{ANOTHER}/link"] button']],
        "account, from now on": [start, *button(ANOTHER)],
    }
    codes = {
        f"{name}, code": [["go", authorize(around, name)], *button(name), ["press", "[value=allow]"]] for name in KINDS
    }
    return {name: {"scripts": name in codes, "steps": steps} for name, steps in (plain | codes).items()}


@pytest.fixture(scope="module")
def seen(around: Neighbourhood, node: Callable[..., Any], chromium: str) -> dict[str, Any]:
    """Where each walk ended."""
    asked = walks(around)
    told = node("walk.mjs", {"chromium": chromium, "origins": around.origins, "walks": [*asked.values()]}, within=600)
    return dict(zip(asked, told, strict=True))


@pytest.mark.parametrize("name", KINDS)
def test_a_person_signs_in_with_one_button(around: Neighbourhood, seen: dict[str, Any], name: str) -> None:
    ended = seen[name]
    assert (ended["heading"], ended["status"]) == ("You are signed in", 200)
    assert ended["url"].partition("#")[0] == f"{around.issuer.url}/sign-in"


def test_everybody_gets_an_account_of_their_own(seen: dict[str, Any]) -> None:
    assert len({seen[name]["main"] for name in KINDS}) == len(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_an_application_that_asked_for_a_code_gets_it(around: Neighbourhood, seen: dict[str, Any], name: str) -> None:
    ended = seen[f"{name}, code"]
    url = urlsplit(ended["url"])
    assert (ended["heading"], f"{url.scheme}://{url.netloc}") == ("Arrived", around.application.url)
    arrived = parse_qs(url.query)
    assert arrived.pop("code")[0].startswith("gp_ac_")
    assert arrived == {"state": ["of the application"], "iss": [around.issuer.url]}


@pytest.mark.spec("SOC-03")
@pytest.mark.spec("SOC-13")
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("denied", 403),
        *((fault, 400) for fault in FAULTS if fault.endswith("in callback")),
        *((fault, 502) for fault in FAULTS if fault != "denied" and not fault.endswith("in callback")),
        *((trouble, 504 if trouble == "silent" else 502) for trouble in TROUBLES),
    ],
)
def test_a_provider_that_errs_signs_nobody_in_and_the_page_says_what_to_do(
    around: Neighbourhood, seen: dict[str, Any], fault: str, status: int
) -> None:
    ended = seen[slug(fault)]
    assert ended["status"] == status
    assert ended["heading"] != "You are signed in"
    assert ended["url"].startswith(f"{around.issuer.url}/sign-in/with/{slug(fault)}/callback")
    assert ended["notice"] or status == 400
    assert "<b>" not in ended["main"], "what a provider says is nobody's here"


@pytest.mark.spec("SOC-06")
@pytest.mark.spec("SOC-10")
def test_an_account_with_the_same_address_is_linked_by_its_owner_alone(seen: dict[str, Any]) -> None:
    assert (seen["link, not yet"]["status"], seen["link, not yet"]["heading"]) == (409, "Sign in")
    assert USERNAME in seen["link, asked"]["main"]
    assert "ada@example.org" in seen["link, asked"]["main"]
    for name in ("link, left", "link, done", "link, from now on"):
        assert seen[name]["heading"] == "You are signed in"
        assert USERNAME in seen[name]["main"]


def test_a_person_links_another_service_in_the_account(around: Neighbourhood, seen: dict[str, Any]) -> None:
    ended = seen["account"]
    assert (ended["url"], ended["heading"]) == (f"{around.issuer.url}/account/linked", "Linked accounts")
    assert f"{ANOTHER}@elsewhere.example" in ended["main"]
    assert USERNAME in seen["account, from now on"]["main"]


def test_the_browser_complains_of_nothing(seen: dict[str, Any]) -> None:
    assert {name: walk["complaints"] for name, walk in seen.items() if walk["complaints"]} == {}


@pytest.mark.spec("TIM-03")
def test_the_log_of_the_server_holds_nothing_that_opens(around: Neighbourhood, seen: dict[str, Any]) -> None:
    written = around.log.read_text()
    assert "provider_failed" in written
    for upstream in around.upstreams:
        assert [text for text in (upstream.client_secret, *upstream.sent) if text in written] == []
