"""The peer: node's oidc-provider in one process, in memory or over a store."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx2

from bench.workers import ROOT, Worker
from tests.servers.process import free_ports

PACKAGES = ROOT / "tests" / "node" / "node_modules"
NODE = shutil.which("node")
IS_HERE = NODE is not None and all((PACKAGES / name).is_dir() for name in ("oidc-provider", "ioredis"))
"""Whether the peer can be run: node, and the packages that `npm ci` in `tests/node` brings."""

CLIENT_ID, CLIENT_SECRET = "bench", "b" * 43
RESOURCE = "urn:bench:orders"


@dataclass(frozen=True)
class Minted:
    """What so many sign-ins have given: an opaque access token with `openid profile`, refresh tokens, codes."""

    access: str
    refresh: list[str]
    codes: list[str]


class OidcProvider(Worker):
    """One process of it. `store` is the address of its Redis; without one all is in its memory."""

    def __init__(self, folder: Path, *, store: str = "") -> None:
        here = {
            "NODE_ENV": "production",
            "BENCH_PORT": str(port := free_ports(1)[0]),
            "BENCH_CLIENT": CLIENT_ID,
            "BENCH_SECRET": CLIENT_SECRET,
            "BENCH_REDIS": store,
        }
        script = str(ROOT / "bench" / "subjects" / "oidc_provider.mjs")
        self._run([NODE or "node", script], folder, {"PATH": os.environ["PATH"], **here}, port=port)

    async def mint(self, count: int) -> Minted:
        """Tokens and codes out of its own models."""
        async with httpx2.AsyncClient(timeout=30) as client:
            answer = await client.get(f"{self.url}/minted?{count}")
        return Minted(**answer.raise_for_status().json())


def version() -> str:
    """Of the peer that is installed."""
    said = json.loads((PACKAGES / "oidc-provider" / "package.json").read_text())
    return str(said["version"])


def node_version() -> str:
    """As it says itself."""
    return subprocess.run([NODE or "node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
