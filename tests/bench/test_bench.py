"""`python -m bench`, as short as it goes."""

import os
import subprocess
import sys

import pytest

from tests.servers.gatepost import ROOT

GOALS = {"G1: 0.80", "G2: 0.75", "G3: 0.85", "G8: +10 µs"}


@pytest.mark.timeout(300)
def test_every_row_is_printed_with_its_numbers() -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "sdk")])
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--rounds", "1", "--seconds", "0.05"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    lines = done.stdout.splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][2:]
    names = [row[0] for row in rows]
    assert len(set(names)) == len(names) >= 13
    for name, cpu, best, rate, p50, p99, share, measured_by, goal in rows:
        assert all(float(number.replace(",", "")) > 0 for number in (cpu, best, rate, p50, p99)), name
        assert (share == "") is (measured_by == "")
        assert share == "" or float(share) > 0
        assert measured_by in {"", *names}
        assert goal in {"", *GOALS}
    assert {row[-1] for row in rows} >= GOALS
    for promised in ("(G7: 0.90)", "(G7: 5 ms)", "(G8: 250 ms at p99, 1 s at most)", "(goal: 2 s, 120 MiB)"):
        assert promised in done.stdout
