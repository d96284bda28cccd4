"""Several processes count as one: what they have counted stays when they end, and their folder does not grow."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.cli.exits import CannotStart
from service.cli.serve import _room_for_figures
from service.settings import load_settings
from service.telemetry.folder import VARIABLE, made_folder


class Counting:
    """One process."""

    def __init__(self, folder: Path, pending: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.telemetry.process", str(folder), str(pending)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), VARIABLE: str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def count(self, times: int) -> dict[str, float]:
        """Have it count; what it then tells of all."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{times}\n")
        self.process.stdin.flush()
        text = "".join(iter(self.process.stdout.readline, "# EOF\n"))
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        assert len({(one.name, *one.labels.items()) for one in samples}) == len(samples), "a series was told twice"
        return {one.name: one.value for one in samples if one.labels.get("le", "+Inf") == "+Inf"}

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def counting(folder: Path, pending: int = 3) -> Iterator[Counting]:
    one = Counting(folder, pending)
    try:
        yield one
    finally:
        one.kill()


def test_what_all_have_counted_is_added_up(tmp_path: Path) -> None:
    with counting(tmp_path) as first, counting(tmp_path) as second:
        first.count(3)
        told = second.count(4)
    assert told["gatepost_held_total"] == 7
    assert told["gatepost_took_seconds_count"] == 2
    assert told["gatepost_took_seconds_sum"] == pytest.approx(0.004)
    assert told["gatepost_workers"] == 2
    assert told["gatepost_password_hashes_pending"] == 6


def test_the_counts_of_the_dead_stay_and_their_levels_go(tmp_path: Path) -> None:
    with counting(tmp_path) as staying:
        staying.count(1)
        for round_ in range(1, 4):
            with counting(tmp_path) as killed:
                assert killed.count(10)["gatepost_workers"] == 2
            told = staying.count(0)
            assert told["gatepost_held_total"] == 1 + 10 * round_
            assert told["gatepost_workers"] == 1
            assert told["gatepost_password_hashes_pending"] == 3
        assert told["gatepost_worker_starts_total"] == 4
    assert len(list(tmp_path.glob("counter_*"))) == 2, "who comes goes on in the place of who went"


def test_whoever_takes_a_place_has_the_counts_of_before_and_no_level(tmp_path: Path) -> None:
    with counting(tmp_path) as before:
        before.count(5)
    with counting(tmp_path, pending=0) as after:
        told = after.count(1)
    assert told["gatepost_held_total"] == 6
    assert told["gatepost_password_hashes_pending"] == 0


def test_a_server_that_was_killed_leaves_nothing_to_the_one_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.telemetry.folder._parent", lambda: tmp_path)
    (tmp_path / "gatepost-metrics-left").mkdir()
    for name in ("counter_0.db", "held"):
        (tmp_path / "gatepost-metrics-left" / name).touch()
    with made_folder():
        first = Path(os.environ[VARIABLE])
        del os.environ[VARIABLE]  # which monkeypatch would put back at the end
        with made_folder():
            assert first.is_dir(), "it is in use"
        os.environ[VARIABLE] = str(first)
        assert [one.name for one in tmp_path.iterdir()] == [first.name]
    assert list(tmp_path.iterdir()) == []
    assert VARIABLE not in os.environ


def test_a_server_does_not_start_where_there_is_no_room_for_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.telemetry.folder._ROOM", 1 << 60)
    with pytest.raises(CannotStart, match="GATEPOST_TELEMETRY__METRICS=false"), _room_for_figures(load_settings({})):
        pass
    without = load_settings({"GATEPOST_TELEMETRY__METRICS": "false"})
    with _room_for_figures(without):
        assert VARIABLE not in os.environ


def test_a_folder_that_the_operator_names_is_emptied_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "counter_0.db").touch()
    (tmp_path / "notes").touch()
    with made_folder():
        assert [one.name for one in tmp_path.iterdir()] == ["notes"]
    assert os.environ[VARIABLE] == str(tmp_path)


@pytest.mark.parametrize("foreign", ["gatepost.db", "counter_ledger.db", "gauge_12.db", "counter_1.db.db"])
def test_a_server_does_not_start_on_files_that_are_not_figures_and_leaves_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign: str
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    figures = [f"{kind}_12.db" for kind in ("counter", "histogram", "summary", "gauge_livesum")]
    for name in (*figures, foreign):
        (tmp_path / name).touch()
    with pytest.raises(CannotStart, match=f"{VARIABLE}.*{foreign}"), _room_for_figures(load_settings({})):
        pass
    assert {one.name for one in tmp_path.iterdir()} == {*figures, foreign}
    (tmp_path / foreign).unlink()
    with _room_for_figures(load_settings({})):
        assert list(tmp_path.iterdir()) == []


def test_what_a_stranger_has_laid_out_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.telemetry.folder._parent", lambda: tmp_path)
    (target := tmp_path / "target").touch()
    for name in ("linked", "bare", "strange"):
        (tmp_path / f"gatepost-metrics-{name}").mkdir()
    (tmp_path / "gatepost-metrics-linked" / "held").symlink_to(target)
    (tmp_path / "gatepost-metrics-strange" / "held").touch()
    (tmp_path / "gatepost-metrics-elsewhere").symlink_to(tmp_path / "gatepost-metrics-strange")
    us = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: us + 1)
    with made_folder():
        assert (tmp_path / "gatepost-metrics-strange" / "held").exists(), "it is another user's"
    monkeypatch.setattr("os.geteuid", lambda: us)
    with made_folder():
        left = {one.name.removeprefix("gatepost-metrics-") for one in tmp_path.iterdir()}
        assert left >= {"linked", "bare", "elsewhere"}
        assert "strange" not in left
        assert list((tmp_path / "gatepost-metrics-bare").iterdir()) == []
