"""`python -m bench`, as short as it goes."""

import os
import subprocess
import sys

import pytest

from bench import oauth, peer
from tests.servers.gatepost import ROOT

GUARDS = {"G1: 0.80", "G2: 0.75", "G3: 0.85", "G8: +10 µs", "+10 µs"}
ENDPOINTS = {"G5: 3.00", "G6: 3.00", "G6: 3.50", "G6: 5.00"}
ASKED = {"client credentials", "introspection", "refresh", "userinfo", "code, with an id_token"}


def run(*options: str) -> str:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "sdk")])
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--rounds", "1", "--seconds", "0.05", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def rows(printed: str, first: str) -> list[list[str]]:
    """The cells of the table whose first row of names begins like this."""
    lines = iter(printed.splitlines())
    for line in lines:
        if line.startswith(f"| {first} |"):
            next(lines)
            break
    cells = []
    for line in lines:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in line.strip("|").split("|")])
    return cells


def check(printed: str) -> tuple[list[str], set[str]]:
    """Every cost and every share is a number of a subject that took part; their names, and the goals."""
    names = [name for name, *_ in rows(printed, "what | CPU µs")]
    assert len(set(names)) == len(names)
    for name, *numbers in rows(printed, "what | CPU µs"):
        assert len(numbers) == 5
        assert all(float(number.replace(",", "")) > 0 for number in numbers), name
    found = rows(printed, "what | beside")
    for name, other, share, middle, best, _ in found:
        assert {name, other} <= set(names)
        low, high = (float(end) for end in middle.split(" to "))
        assert float(share) == low == high == float(best) > 0  # of one turn
    return names, {goal for *_, goal in found if goal}


@pytest.mark.timeout(300)
def test_every_row_about_guards_is_printed_with_its_numbers() -> None:
    printed = run("--only", "guards")
    names, goals = check(printed)
    assert len(names) == 15
    assert goals == GUARDS
    for promised in (
        "(G7: 0.90)",
        "(G7: 5 ms)",
        "(G8: 250 ms at p99, 1 s at most)",
        "(goal: 2 s, 120 MiB)",
        "(goal: 10 µs)",
    ):
        assert promised in printed


@pytest.mark.timeout(300)
def test_every_row_about_the_endpoints_of_oauth_is_printed_beside_the_peer_where_that_can_be_run() -> None:
    printed = run("--only", "oauth")
    names, goals = check(printed)
    assert "(G5: 0.25)" in printed
    sides = ["gatepost", oauth.IN_MEMORY, oauth.IN_REDIS] if peer.IS_HERE else ["gatepost"]
    assert names == [f"{side}: {what}" for side in sides for what in names_of(names)]
    assert set(names_of(names)) == ASKED
    assert goals == (ENDPOINTS if peer.IS_HERE else set())
    assert (oauth.NO_PEER in printed) is not peer.IS_HERE


def names_of(names: list[str]) -> list[str]:
    return [name.removeprefix("gatepost: ") for name in names if name.startswith("gatepost: ")]
