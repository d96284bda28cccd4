"""The pages of the account in Chromium: by keyboard alone, with and without scripts."""

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.real_clients.conftest import USERNAME, Served
from tests.servers.gatepost import PASSWORD

FRESH = "another sentence, for the second browser"
PASSWORDS = {"no scripts": (False, PASSWORD, FRESH), "scripts": (True, FRESH, PASSWORD)}


@pytest.fixture(scope="module")
def told(issuer: Served, node: Callable[..., Any], chromium: str) -> dict[str, Any]:
    """What the pages said, each way, one after the other."""
    return {
        way: node(
            "account.mjs",
            {
                "chromium": chromium,
                "origin": issuer.url,
                "username": USERNAME,
                "password": password,
                "fresh": fresh,
                "scripts": scripts,
            },
        )
        for way, (scripts, password, fresh) in PASSWORDS.items()
    }


@pytest.mark.parametrize("way", PASSWORDS)
def test_a_person_looks_after_the_account_by_keyboard_alone(issuer: Served, told: dict[str, Any], way: str) -> None:
    said = dict(told[way])
    key = said.pop("key")
    assert said == {
        "skips": True,
        "profile": "Your profile is saved.",
        "before": 2,
        "sessions": "All other sessions have ended.",
        "after": 1,
        "password": "Your password is changed. Every other session has ended.",
        "shownAgain": False,
        "applications": "You have allowed no application anything.",
        "afterwards": "/sign-in",
        "elsewhere": "/sign-in",
        "complaints": [],
    }
    request = urllib.request.Request(f"{issuer.url}/users/me", headers={"X-API-Key": key})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert json.load(answer)["scopes"] == ["orders:read"]
