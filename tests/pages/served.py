"""The gallery as a server of its own, and what a browser sees in it."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.pages.gallery import LANGUAGES, PAGES
from tests.servers.gatepost import ROOT, is_alive
from tests.servers.process import ServerProcess, free_ports

NAMES = [f"{tag}/{name}" for tag in LANGUAGES for name in PAGES]


@contextmanager
def gallery(folder: Path) -> Iterator[str]:
    """The address of a running gallery."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    server = ServerProcess(
        [sys.executable, "-m", "tests.pages.gallery", str(port)],
        folder=folder,
        is_ready=lambda: is_alive(url, "/en/sign-in"),
        environ={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk")])},
    )
    server.start()
    try:
        yield url
    finally:
        server.kill()


def look(run: Callable[..., Any], chromium: str, url: str, *, pictures: Path | None = None) -> dict[str, list[Any]]:
    """What `look.mjs` saw of each page, by name: every width in light and dark."""
    asked = {"chromium": chromium, "pages": [f"{url}/{name}" for name in NAMES], "folder": pictures and str(pictures)}
    seen: dict[str, list[Any]] = {}
    for one in run("look.mjs", asked):
        seen.setdefault(one["address"].removeprefix(f"{url}/"), []).append(one)
    return seen
