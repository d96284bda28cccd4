"""A `.env` file beside the command: what the environment does not say, it may."""

import os
import re
from pathlib import Path

from service.cli.exits import Exit, leave

_LINE = re.compile(r"(?:export\s+)?(\w+)\s*=\s*(.*)", re.ASCII)


def read_env_file(path: Path = Path(".env")) -> None:
    """Put the file's `GATEPOST_…` lines into the environment, where they are not yet; workers inherit them.

    A line is `NAME=value`, the value with or without a pair of quotes; nothing is expanded. Ends the command for a line
    that is none.
    """
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        found = _LINE.fullmatch(text)
        if found is None:
            leave(Exit.CONFIGURATION, f"{path} line {number}: write NAME=value")
        name, value = found.groups()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        if name.startswith("GATEPOST_"):
            os.environ.setdefault(name, value)
