"""Every operation of the OpenAPI document, with values made from and against its schema: no 5xx, and one dialect of
errors for each address: RFC 6749 §5.2 at the endpoints of OAuth, RFC 9457 everywhere else."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity
from schemathesis import GenerationMode

from service.web.oauth.errors import ENDPOINTS
from tests.servers.gatepost import Fleet, bearer, running_fleet, settings_for
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
_number = count(1)
EXAMPLES = 12
_SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    verbosity=Verbosity.quiet,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
async def target(server_folder: Path, valkey_server: ValkeyServer) -> AsyncIterator[Fleet]:
    """One worker over SQLite, with an administrator."""
    number = next(_number)
    url = f"sqlite+aiosqlite:///{server_folder}/fuzz{number}.sqlite"
    environ = settings_for(url, valkey_server.url, REDIS_PREFIX=f"fuzz{number}:", LOG__LEVEL="warning")
    async with running_fleet(server_folder / f"fuzz{number}", environ, workers=1) as fleet:
        await fleet.add_user("root", roles=["admin", "clerk"])
        yield fleet


def judge(answer: Any, label: str) -> None:
    """What holds for every answer, whatever was sent."""
    assert answer.status_code < 500, f"{label}: {answer.status_code} {answer.text[:300]}"
    if answer.status_code >= 400 and not label.endswith(("/setup", "/setup/done")):
        kind = answer.headers["content-type"]
        kind = kind if isinstance(kind, str) else kind[0]
        if label.split(" ")[-1] in ENDPOINTS:
            assert kind == "application/json", f"{label}: {answer.status_code} {kind}"
            assert answer.json().keys() == {"error", "error_description"}
            return
        assert kind == "application/problem+json", f"{label}: {answer.status_code} {kind}"
        assert answer.json()["status"] == answer.status_code


@pytest.mark.timeout(180)
async def test_no_operation_answers_5xx_or_in_another_dialect(target: Fleet) -> None:
    document = (await target.clients[0].get("/openapi.json")).json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.base_url = target.workers[0].url
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            headers = bearer((await target.sign_in("root"))["access_token"])
            tried += run(operation, mode, headers)
    print(f"\n{tried} requests, none answered 5xx")
    assert tried > len(document["paths"]) * EXAMPLES


def run(operation: Any, mode: GenerationMode, headers: dict[str, str]) -> int:
    """Try one operation as a signed-in administrator and as nobody; how many requests."""
    calls = 0

    @_SETTINGS
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: Any) -> None:
        nonlocal calls
        for given in (headers, {}):
            case.headers = {
                name: value for name, value in (case.headers or {}).items() if name.lower() != "authorization"
            }
            judge(case.call(headers=given), operation.label)
            calls += 1

    try:
        attempt()
    except hypothesis.errors.Unsatisfiable:  # an operation without parameters cannot be called wrongly
        return calls
    return calls
