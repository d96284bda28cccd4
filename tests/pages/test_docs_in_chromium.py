"""The API documentation: Authorize by code and PKCE with the preset client, then an operation tried out."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.real_clients.conftest import USERNAME, Served
from tests.servers.gatepost import PASSWORD


@pytest.mark.spec("RFC 7636 §4")
def test_authorize_works_out_of_the_box(issuer: Served, node: Callable[..., Any], chromium: str) -> None:
    asked = {"chromium": chromium, "url": issuer.url, "username": USERNAME, "password": PASSWORD}
    told = node("docs.mjs", asked)
    query = parse_qs(urlsplit(told["authorize"]).query)
    assert (query["client_id"], query["response_type"]) == (["gatepost-docs"], ["code"])
    assert query["code_challenge_method"] == ["S256"]
    assert (told["status"], told["shown"]) == (200, "200")
    assert (told["me"]["username"], told["me"]["scheme"]) == (USERNAME, "bearer")
    assert (told["credential"], told["cookies"]) == ("Bearer", "")
    assert told["complaints"] == []
