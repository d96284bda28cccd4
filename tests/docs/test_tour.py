"""The README's five-minute tour and the commands of docs/oauth.md, line by line, against a server."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.gatepost import ROOT, ServedGatepost

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_MARK = "--- end of command ---"


@pytest.fixture(scope="module")
def served(server_folder: Path) -> Iterator[ServedGatepost]:
    """`gatepost serve` in local mode, in a folder of its own."""
    server = ServedGatepost(server_folder / "tour")
    server.start()
    yield server
    server.stop()


def tour_of_the_readme() -> str:
    """The section."""
    return (ROOT / "README.md").read_text().split("## Five minutes", 1)[1].split("\n## ", 1)[0]


def steps(text: str) -> list[tuple[str, list[str]]]:
    """Each command with the lines that it must print."""
    found: list[tuple[str, list[str]]] = []
    for line in "\n".join(_BLOCK.findall(text)).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line:
            found[-1][1].append(line)
    return found


def test_the_tour_does_what_the_readme_says(served: ServedGatepost) -> None:
    walk(served, steps(tour_of_the_readme()))


def test_the_commands_of_oauth_do_what_is_said(served: ServedGatepost) -> None:
    walk(served, steps((ROOT / "docs" / "oauth.md").read_text()))


def walk(served: ServedGatepost, tour: list[tuple[str, list[str]]]) -> None:
    """Run the commands in one shell, and hold what each prints against what is shown."""
    assert len(tour) > 10
    script = "".join(f"{command}\necho '{_MARK}'\n" for command, _ in tour)
    script = script.replace("python3 run.py", f"{sys.executable} -m service")
    script = script.replace("localhost:8000", f"localhost:{served.port}")
    ran = subprocess.run(
        ["bash"],
        input=script,
        env=served.environ | {"PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    printed = ran.stdout.split(f"{_MARK}\n")
    for (command, expected), output in zip(tour, printed, strict=False):
        lines = [line.rstrip() for line in output.splitlines() if line.strip()]
        assert matches(lines, expected), f"{command}\nprinted: {output}\nwanted: {expected}\n{ran.stderr}"


def matches(lines: list[str], expected: list[str]) -> bool:
    """Whether the lines are as shown; `…` stands for anything."""
    wanted = ".*".join(map(re.escape, "\n".join(expected).split("…")))
    return re.fullmatch(wanted, "\n".join(lines), re.DOTALL) is not None
