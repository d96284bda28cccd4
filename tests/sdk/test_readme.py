"""The kit's README tells the truth: its example is run as it stands."""

import re
from pathlib import Path

import httpx2
import pytest

README = Path(__file__).parents[2] / "sdk" / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)

pytestmark = pytest.mark.anyio


async def test_the_service_and_its_test_work_as_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    service, main, testing = BLOCKS
    monkeypatch.setenv("GATEPOST_CLIENT_SECRET", "from the environment")
    names: dict = {}
    exec(service, names)
    exec("import os\n" + main, names)
    deployed = names["app"]
    exec(testing, names)
    app, issuer = names["app"], names["issuer"]
    assert app is not deployed
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://api.test") as client,
    ):
        assert (await client.get("/reports", headers=names["headers"])).json() == {"reports of": "alice"}
        assert (await client.get("/reports")).status_code == 401
        other = {"Authorization": f"Bearer {issuer.token('alice', scopes=['orders:list'])}"}
        assert (await client.get("/reports", headers=other)).status_code == 403
