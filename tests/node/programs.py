"""How a test runs a program of this folder."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
INSTALLED = HERE / "node_modules" / "gatepost.lock"
"""The stamp of `run.py test`, which tells there why it is missing."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def run_program(program: str, asked: object, *, within: float = 300) -> Any:
    """The answer of a program, such as `look.mjs`. Raises `AssertionError` with what it complained about."""
    done = subprocess.run(
        ["node", HERE / program],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def find_chromium() -> str | None:
    """Where the system has its Chromium."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)
